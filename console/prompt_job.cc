#include "console/prompt_job.h"

#include "console/dispatcher.h"
#include "console/reports.h"
#include "console/words.h"

namespace oob::console {

using base::Result;
using base::str;

PromptJob::PromptJob(Core& core, Visitor& visitor, JobIo& io) : core_(core), visitor_(visitor), io_(io) {
  if (!io.terminal().pty) return;
  LineEditor::Terminal terminal{io.terminal().columns, io.terminal().name == "dumb"};
  editor_.emplace("oobd> ", terminal,
                  [this](std::string_view before) { return complete(core_, visitor_, before); });
}

void PromptJob::start() {
  visitor_.doing = "prompt";
  if (!editor_) return;
  Result<std::string> list = list_report(core_, visitor_, "*", false);
  io_.print(str("oobd: ", visitor_.who.user,
                ", a device's name opens its console; 'help' lists commands; TAB completes.\n\n",
                list ? *list : "", "\n"));
  show();
}

void PromptJob::show() {
  std::string out;
  editor_->show(out);
  io_.raw(out);
}

std::size_t PromptJob::typed(base::Bytes bytes) {
  if (over_) return bytes.size();
  if (!job_ && io_.room() == 0) return 0;  // who does not read the answers can't go on asking; see room()
  return editor_ ? typed_on_terminal(bytes) : typed_lines(bytes);
}

std::size_t PromptJob::typed_on_terminal(base::Bytes bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !over_ && (job_ || io_.room() > 0)) {
    base::Bytes rest = bytes.substr(taken);
    if (job_) {
      if (job_over_) return taken;  // its typing ahead waits for the prompt
      if (job_->wants_keys()) return taken + job_->typed(rest);
      std::size_t stop = rest.find_first_of("\x03\x04");
      if (stop != 0) {
        std::size_t size = job_->typed(rest.substr(0, stop));
        taken += size;
        if (size == 0) return taken;
        continue;
      }
      ++taken;
      if (rest[0] == 3) {
        finished(kInterrupted);
        return taken;
      }
      job_->ended();  // Ctrl-D, as on any terminal: the end of what is typed for this command
      continue;
    }
    std::string out;
    LineEditor::Fed fed = editor_->feed(rest, out);
    taken += fed.taken;
    io_.raw(out);
    if (fed.event == LineEditor::Event::end) {
      leave();
    } else if (fed.event == LineEditor::Event::interrupt) {
      show();
    } else if (fed.event == LineEditor::Event::line) {
      if (run(editor_->line()) && !job_) show();
    }
  }
  return taken;
}

std::size_t PromptJob::typed_lines(base::Bytes bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !over_ && !job_ && io_.room() > 0) {
    base::Bytes rest = bytes.substr(taken);
    std::size_t end = rest.find('\n');
    base::Bytes piece = rest.substr(0, end);
    if (line_.size() + piece.size() > kMostCommandLine) {
      io_.remark(str("oobd: a command line longer than ", kMostCommandLine, " bytes"));
      over_ = true;
      io_.finish(static_cast<int>(base::Fault::usage));
      return bytes.size();
    }
    line_ += piece;
    taken += piece.size();
    if (end == base::Bytes::npos) break;
    ++taken;
    std::string line = std::move(line_);
    line_.clear();
    if (!line.empty() && line.back() == '\r') line.pop_back();
    run(line);
  }
  return over_ ? bytes.size() : taken;
}

bool PromptJob::run(std::string_view line) {
  std::size_t start = line.find_first_not_of(" \t");
  if (start == std::string_view::npos || line[start] == '#') return true;
  line.remove_prefix(start);
  std::string_view word = line.substr(0, line.find_last_not_of(" \t") + 1);
  if (word == "exit" || word == "quit" || word == "logout") {
    leave();
    return false;
  }
  Result<std::unique_ptr<Job>> job = dispatch(core_, visitor_, inner_, line, !editor_);
  if (!job) {
    io_.remark(str("oobd: ", job.error().what));
    status_ = static_cast<int>(job.error().fault);
    return true;
  }
  job_ = std::move(*job);
  job_over_ = false;
  job_->start();
  return true;
}

void PromptJob::finished(int status) {
  if (job_over_ || !job_) return;
  status_ = status;
  job_over_ = true;
  // Not now: the job is in the middle of a call.
  core_.loop.post(life_.wrap([this] {
    job_.reset();
    job_over_ = false;
    visitor_.doing = "prompt";
    visitor_.device.clear();
    if (over_) return;
    if (editor_) {
      if (status_ == kInterrupted) io_.print("\n");
      show();
    }
    io_.want_input();
    if (ended_ && !job_) ended();
  }));
}

void PromptJob::ended() {
  ended_ = true;
  if (over_) return;
  if (job_) {
    if (editor_ && !job_over_) job_->ended();
    return;
  }
  if (!line_.empty()) {
    std::string line = std::move(line_);
    line_.clear();
    if (!run(line) || job_) return;
  }
  leave();
}

void PromptJob::leave() {
  over_ = true;
  io_.finish(status_);
}

void PromptJob::room() {
  if (job_ && !job_over_) return job_->room();
  io_.want_input();
}

void PromptJob::resized() {
  if (!editor_) return;
  std::string out;
  editor_->resize(io_.terminal().columns, out);
  io_.raw(out);
  if (job_ && !job_over_) job_->resized();
}

void PromptJob::send_break(unsigned milliseconds) {
  if (job_ && !job_over_) job_->send_break(milliseconds);
}

void PromptJob::recheck() {
  if (job_ && !job_over_) job_->recheck();
}

}  // namespace oob::console

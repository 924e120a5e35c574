#include "console/session.h"

#include <poll.h>

#include <algorithm>

#include "audit/recorder.h"
#include "base/unix_socket.h"
#include "console/attach_job.h"
#include "console/dispatcher.h"
#include "console/prompt_job.h"
#include "console/sftp_job.h"
#include "console/upload_pack_job.h"

namespace oob::console {

using base::Fault;
using base::Result;
using base::str;
using base::wire::Frame;

Session::Session(Core& core, base::Fd socket, Visitor visitor, Terms terms)
    : core_(core),
      visitor_(std::move(visitor)),
      terms_(std::move(terms)),
      socket_(std::move(socket)),
      watch_(core.loop, socket_.get()),
      hangup_(core.loop),
      last_words_(core.loop) {}

Session::~Session() { job_.reset(); }

void Session::begin() { wait_readable(); }

// --- from the visitor
// -----------------------------------------------------------------------------------------------

void Session::wait_readable() {
  if (!closed_) watch_.readable([this] { readable(); });
}

void Session::readable() {
  char buffer[32 * 1024];
  Result<std::size_t> size = base::receive_some(socket_.get(), buffer, sizeof buffer);
  if (!size) {
    if (size.error().fault == Fault::again) return wait_readable();
    return close();
  }
  frames_.feed(base::Bytes(buffer, *size));
  take_frames();
}

// Goes on while the job takes what is typed; what it refuses stays here, the rest in the socket, and so with
// the client.
void Session::take_frames() {
  while (!closed_) {
    if (!input_.empty()) {
      if (!job_ || done()) {
        input_.clear();
        continue;
      }
      std::size_t taken = type();
      if (done()) continue;
      input_.erase(0, taken);
      if (!input_.empty()) {
        if (taken == 0) return watch_for_hangup();  // until want_input()
        continue;
      }
    }
    if (eof_ && !eof_told_ && job_ && !done()) {
      eof_told_ = true;
      job_->ended();
    }
    Frame kind;
    base::Bytes payload;
    Result<bool> next = frames_.next(kind, payload);
    if (!next || (*next && !take_frame(kind, payload))) return close();
    if (!*next) break;
  }
  wait_readable();
}

// Gives the job what was typed, up to a control key that is not for it: on a terminal Ctrl-C ends a command,
// and Ctrl-D what is typed for it. Says how much was taken.
std::size_t Session::type() {
  if (!terminal_.pty || job_->wants_keys()) return job_->typed(input_);
  std::size_t stop = input_.find_first_of("\x03\x04");
  if (stop != 0) return job_->typed(base::Bytes(input_).substr(0, stop));
  if (input_[0] == 3)
    finish(kInterrupted);
  else if (!std::exchange(eof_told_, true))
    job_->ended();
  return 1;
}

// Nothing is read while the job takes no input: whether the visitor is still there has to be asked.
void Session::watch_for_hangup() {
  hangup_.after(base::milliseconds(1000), [this] {
    pollfd look{socket_.get(), 0, 0};
    if (::poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR))) return close();
    if (!watch_.waits_readable()) watch_for_hangup();
  });
}

bool Session::take_frame(Frame kind, base::Bytes payload) {
  if (!opened_) {
    if (kind != Frame::open) return false;
    open(payload);
    return true;
  }
  base::wire::Reader reader(payload);
  switch (kind) {
    case Frame::data:
      input_ = payload;
      return true;
    case Frame::eof:
      eof_ = true;
      return true;
    case Frame::resize:
      // RFC 4254, 6.2: a dimension of zero says nothing.
      if (std::uint32_t columns = reader.u32()) terminal_.columns = std::min(columns, 1000u);
      if (std::uint32_t rows = reader.u32()) terminal_.rows = std::min(rows, 1000u);
      if (recorder_) recorder_->resized(terminal_.columns, terminal_.rows);
      if (job_ && !done()) job_->resized();
      return reader.done();
    case Frame::brk: {
      unsigned milliseconds = std::min(reader.u32(), 5000u);
      if (job_ && !done()) job_->send_break(milliseconds);
      return reader.done();
    }
    case Frame::signal:
      // The only ones a client sends on purpose; the job ends as if the visitor had hung up.
      if (payload == "INT" || payload == "TERM" || payload == "HUP") finish(kInterrupted);
      return true;
    default:
      return false;
  }
}

void Session::open(base::Bytes payload) {
  opened_ = true;
  Result<base::wire::Open> open = base::wire::Open::decode(payload);
  if (!open) return close();
  terminal_.pty = open->pty;
  terminal_.name = open->term;
  if (open->columns) terminal_.columns = std::clamp(open->columns, 1u, 1000u);
  if (open->rows) terminal_.rows = std::clamp(open->rows, 1u, 1000u);
  std::string line = open->command;
  bool shell = open->shell;
  if (open->subsystem && (terms_.has_forced_command || !terms_.device.empty() || line != "sftp"))
    return end(terms_.has_forced_command ? "this key runs its one command and nothing else"
                                         : "files are fetched with the user's name alone",
               static_cast<int>(Fault::denied));
  if (terms_.has_forced_command) {
    line = terms_.forced_command;
    shell = false;
  }
  if (!terms_.device.empty() && !terms_.has_forced_command) {
    if (!shell)
      return end("a name with a device opens its console; to run commands log in with the user's name alone",
                 static_cast<int>(Fault::usage));
    line = str("attach ", terms_.device);
    shell = false;
  }
  auth::Entry entry = event_of(visitor_, "session.open");
  entry.with("tty", static_cast<std::int64_t>(open->pty));
  if (!shell) entry.with("command", base::printable(line.substr(0, line.find(' ')), 100));
  core_.journal.note(std::move(entry));
  if (!core_.disk.refusal.empty() && visitor_.connection != 0)
    return end(core_.disk.refusal, static_cast<int>(Fault::journal));
  JobIo& io = *this;
  // Not to scripts, which take what comes on stderr for a fault.
  if (!core_.disk.warning.empty() && (terminal_.pty || line.starts_with("attach ")))
    remark(str("[oobd: ", core_.disk.warning, "]"));
  if (terminal_.pty && !core_.journal.loss().empty())
    remark(str("[oobd: THE JOURNAL BEGAN ANEW: ", base::printable(core_.journal.loss()), "]"));
  if (!terms_.notice.empty()) remark(str("oobd: ", terms_.notice));
  if (shell) {
    job_ = std::make_unique<PromptJob>(core_, visitor_, io);
  } else if (open->subsystem) {
    visitor_.doing = line;
    job_ = std::make_unique<SftpJob>(core_, visitor_, io);
  } else {
    std::optional<Result<std::unique_ptr<Job>>> foreign = foreign_program(core_, visitor_, io, line);
    Result<std::unique_ptr<Job>> job = foreign ? std::move(*foreign) : dispatch(core_, visitor_, io, line);
    if (!job) return end(job.error().what, static_cast<int>(job.error().fault));
    job_ = std::move(*job);
  }
  interactive_ = terminal_.pty && job_->interactive();
  job_->start();
}

void Session::want_input() {
  core_.loop.post(life_.wrap([this] {
    if (!watch_.waits_readable()) take_frames();
  }));
}

void Session::recheck() {
  if (job_ && !done()) job_->recheck();
}

// --- to the visitor
// -------------------------------------------------------------------------------------------------

void Session::print(std::string_view text) {
  if (!terminal_.pty) return raw(text);
  std::string lines;
  lines.reserve(text.size() + 64);
  for (char c : text) {
    if (c == '\n' && (lines.empty() || lines.back() != '\r')) lines += '\r';
    lines += c;
  }
  raw(lines);
}

void Session::remark(std::string_view text) {
  if (out_.size() >= kMostRemarked) {
    ++skipped_;
    return;
  }
  std::string line = str(harmless(text), terminal_.pty ? "\r\n" : "\n");
  if (recorder_) recorder_->own(terminal_.pty ? line : str(harmless(text), "\r\n"));
  put(Frame::err, line);
}

void Session::raw(base::Bytes bytes) {
  if (bytes.empty()) return;
  if (recorder_) recorder_->own(bytes);
  put(Frame::out, bytes);
}

void Session::raw_err(base::Bytes bytes) {
  if (bytes.empty()) return;
  if (recorder_) recorder_->own(bytes);
  put(Frame::err, bytes);
}

void Session::device_output(base::Bytes bytes, base::Bytes shown) {
  if (recorder_) recorder_->device(bytes);
  if (!shown.empty()) put(Frame::out, shown);
}

std::size_t Session::room() const {
  std::size_t room = done() || out_.size() >= kMostOut ? 0 : kMostOut - out_.size();
  if (room == 0) wants_room_ = true;
  return room;
}

void Session::put(Frame kind, base::Bytes payload) {
  if (closed_ || over_) return;
  base::wire::add_frames(out_, kind, payload);
  if (out_.size() > kMostEver) return close();
  if (!watch_.waits_writable()) flush();
}

void Session::flush() {
  while (!out_.empty() && !closed_) {
    Result<std::size_t> size = base::send_some(socket_.get(), out_);
    if (!size) {
      if (size.error().fault != Fault::again) return close();
      watch_.writable([this] { flush(); });
      return;
    }
    out_.erase(0, *size);
  }
  if (over_) return close();
  if (skipped_) return remark(str("[oobd: ", std::exchange(skipped_, 0), " remarks skipped]"));
  if (wants_room_ && job_) {
    wants_room_ = false;
    core_.loop.post(life_.wrap([this] {
      if (job_ && !done()) job_->room();
    }));
  }
}

void Session::finish(int status) {
  if (over_ || closed_ || leaving_) return;
  core_.approvals->left(visitor_.session);
  bool farewell = interactive_ && core_.checkpoint_line;
  if (!farewell) say_status(status);
  if (closed_) return;  // the visitor has gone
  core_.journal.note(event_of(visitor_, "session.close").with("status", status));
  noted_close_ = true;
  // The job may be in the middle of a call. It must not live as long as its last words wait: it may hold a
  // keyboard.
  core_.loop.post(life_.wrap([this] { job_.reset(); }));
  if (!farewell) {
    core_.journal.seal([](const Result<auth::Checkpoint>&) {});
    return say_end();
  }
  // Whoever was here takes a checkpoint along, unless the disk keeps them waiting for it.
  leaving_ = status;
  last_words_.after(kFarewell, [this] { say_farewell(core_.journal.checkpoint()); });
  core_.journal.seal(life_.wrap([this](const Result<auth::Checkpoint>&) {
    if (leaving_) say_farewell(core_.journal.checkpoint());
  }));
}

void Session::say_farewell(const std::optional<auth::SignedNote>& checkpoint) {
  last_words_.cancel();
  int status = *std::exchange(leaving_, std::nullopt);
  if (checkpoint) remark(str("[oobd: journal ", checkpoint->checkpoint.brief(), "]"));
  if (!closed_) say_status(status);
  if (!closed_) say_end();
}

void Session::say_status(int status) {
  put(Frame::exit, base::wire::Writer().u32(static_cast<std::uint32_t>(status)).take());
  if (!closed_) over_ = true;
}

void Session::say_end() {
  if (out_.empty()) return close();
  last_words_.after(kLastWords, [this] { close(); });
}

void Session::end(const std::string& why, int status) {
  put(Frame::err, str("oobd: ", harmless(why), terminal_.pty ? "\r\n" : "\n"));
  finish(status);
}

void Session::close() {
  if (closed_) return;
  closed_ = true;
  watch_.cancel();
  hangup_.cancel();
  last_words_.cancel();
  core_.approvals->left(visitor_.session);
  if (!noted_close_) {
    core_.journal.note(event_of(visitor_, "session.close").with("status", std::int64_t{-1}));
    core_.journal.seal([](const Result<auth::Checkpoint>&) {});
  }
  leaving_.reset();
  over_ = true;
  core_.loop.post([core = &core_, self = this] {
    core->sessions.remove_if(
        [self](const std::unique_ptr<Session>& session) { return session.get() == self; });
  });
}

std::string harmless(std::string_view text) {
  std::string shown(text);
  auto harmful = [](unsigned char c) {
    return (c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7f;
  };
  std::replace_if(shown.begin(), shown.end(), harmful, '?');
  return shown;
}

Session* session_numbered(Core& core, std::uint64_t number) {
  for (const auto& session : core.sessions)
    if (session->visitor().session == number) return session.get();
  return nullptr;
}

void add_session(Core& core, base::Fd socket, Visitor visitor, Session::Terms terms) {
  core.sessions.push_back(
      std::make_unique<Session>(core, std::move(socket), std::move(visitor), std::move(terms)));
  core.sessions.back()->begin();
}

}  // namespace oob::console

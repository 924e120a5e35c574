#include "console/run_job.h"

#include <algorithm>
#include <utility>

#include "console/dialogue.h"
#include "console/words.h"

namespace oob::console {

using base::Error;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

// What outlives the job, as the dialogue may.
struct RunJob::Run {
  Run(Core& core_of_it, auth::Entry what) : core(core_of_it), entry(std::move(what)) {}
  ~Run() {
    if (begun && !told) tell(static_cast<int>(Fault::unavailable), "the daemon stopped before it ended", 0);
  }
  void tell(int status, const std::string& text, std::int64_t seconds) {
    told = true;
    entry.with("status", status).with("bytes", static_cast<std::int64_t>(ran.out.size() + ran.err.size()));
    entry.with("seconds", seconds);
    if (!text.empty()) entry.with("text", base::printable(text));
    core.journal.note(entry);
  }

  Core& core;
  auth::Entry entry;
  recipe::Ran ran;
  bool begun = false, told = false;
};

namespace {

base::Task<Result<>> run_there(recipe::Visit& visit, recipe::Talk& talk, const recipe::Recipe& recipe,
                               std::string command, base::milliseconds timeout,
                               std::shared_ptr<recipe::Ran> to) {
  base::Task<Result<recipe::Ran>> running = run_command(visit, talk, recipe, std::move(command), timeout);
  Result<recipe::Ran> ran = co_await running;
  if (!ran) co_return ran.error();
  *to = std::move(*ran);
  co_return Result<>();
}

Result<base::milliseconds> span_of(const Arguments& arguments, const char* option,
                                   base::milliseconds otherwise) {
  auto given = arguments.options.find(option);
  if (given == arguments.options.end()) return otherwise;
  Result<base::Micros> span = base::parse_span(given->second);
  if (!span) return base::wrap(str("run: ", option), span.error());
  constexpr base::Micros kMost = 86'400'000'000;
  if (*span > kMost) return fail(Fault::usage, str("run: ", option, ": more than a day"));
  return std::chrono::ceil<base::milliseconds>(std::chrono::microseconds(*span));
}

}  // namespace

Result<std::unique_ptr<Job>> RunJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments arguments) {
  Wish wish;
  wish.command = arguments.rest;
  Result<base::milliseconds> timeout = span_of(arguments, "--timeout", kTimeout);
  Result<base::milliseconds> wait = span_of(arguments, "--wait", base::milliseconds(0));
  if (!timeout) return timeout.error();
  if (!wait) return wait.error();
  if (*timeout <= timeout->zero()) return fail(Fault::usage, "run: --timeout takes a time above 0");
  wish.timeout = *timeout;
  wish.wait = *wait;
  if (wish.command.size() > kMostCommand)
    return fail(Fault::usage,
                str("run: the command has ", wish.command.size(), " bytes; ", kMostCommand, " at most"));
  if (is_quoted_whole(wish.command))
    return fail(
        Fault::usage,
        "run: the quotes around the command would reach the device, which has no program of that name; "
        "quote it once, not twice (at oobd's own prompt not at all)");
  Result<std::shared_ptr<const recipe::Recipe>> recipe = recipe_of(core, *arguments.device);
  if (!recipe) return recipe.error();
  bool is_line = (*recipe)->method == recipe::Method::text_twice;
  auto cant_be_typed = [is_line](char c) {
    return c == 0 || (is_line && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f));
  };
  if (std::any_of(wish.command.begin(), wish.command.end(), cant_be_typed))
    return fail(Fault::usage, "run: the command has a control character in it");
  return std::make_unique<RunJob>(core, visitor, io, arguments, std::move(wish));
}

RunJob::RunJob(Core& core, Visitor& visitor, JobIo& io, const Arguments& arguments, Wish wish)
    : core_(core),
      visitor_(visitor),
      io_(io),
      grant_(*arguments.grant),
      device_(arguments.device->name),
      wish_(std::move(wish)) {
  if (io.terminal().pty && core.policy->safe_for(visitor.who, device_)) safe_.emplace();
}

RunJob::~RunJob() {
  if (dialogue_ && !answered_)
    core_.dialogues->interrupt(*dialogue_, fail(Fault::failed, "whoever wanted it has gone"));
}

void RunJob::start() {
  auth::Entry result = event_of(visitor_, "run.result");
  run_ = std::make_shared<Run>(core_, result.with("device", device_));
  auth::Entry entry = event_of(visitor_, "run");
  entry.with("device", device_).with("command", base::printable(wish_.command, 1000));
  core_.journal.commit(std::move(entry), life_.wrap([this](const Result<>& written) {
    if (!written) return stop(written.error());
    begin();
  }));
}

void RunJob::begin() {
  if (over_) return;  // stopped while the journal was written
  run_->begun = true;
  auto ran = std::shared_ptr<recipe::Ran>(run_, &run_->ran);
  Dialogues::Order order{
      .visitor = visitor_,
      .grant = grant_,
      .device = device_,
      .doing = "run",
      .wait = wish_.wait,
      .limit = wish_.timeout + kAround,
      .work =
          [ran, command = wish_.command, timeout = wish_.timeout](recipe::Visit& visit, recipe::Talk& talk,
                                                                  const recipe::Recipe& recipe) {
            return run_there(visit, talk, recipe, command, timeout, ran);
          },
      .remark = life_.wrap([this](const std::string& text) { io_.remark(str("oobd: ", text)); })};
  auto tell_job =
      life_.wrap([this](const Result<>& result, const std::string& open) { conclude(result, open); });
  dialogue_ = core_.dialogues->begin(
      core_, std::move(order),
      [run = run_, tell_job, timeout = wish_.timeout](const Dialogues::Ended& end) mutable {
        int status = end.result ? run->ran.status : static_cast<int>(end.result.error().fault);
        std::string text = end.result ? end.left_open : end.result.error().what;
        if (run->ran.late) text += str(text.empty() ? "" : "; ", recipe::late_text(timeout, run->ran.ended));
        if (!end.recording.empty()) run->entry.with("recording", end.recording);
        run->tell(status, text, std::chrono::duration_cast<std::chrono::seconds>(end.took).count());
        tell_job(end.result, end.left_open);
      });
}

void RunJob::conclude(const Result<>& result, const std::string& left_open) {
  answered_ = true;
  if (over_) return;
  if (!left_open.empty())
    io_.remark(str("oobd: ", device_, " could not be left as it was found: ", left_open));
  if (!result) return stop(result.error());
  if (run_->ran.late)
    io_.remark(str("oobd: ", device_, ": ", recipe::late_text(wish_.timeout, run_->ran.ended)));
  push();
}

void RunJob::push() {
  if (!answered_ || over_) return;
  const recipe::Ran& ran = run_->ran;
  while (out_given_ < ran.out.size() || err_given_ < ran.err.size()) {
    if (io_.room() == 0) return;  // room() follows
    if (out_given_ < ran.out.size()) {
      out_given_ += give(ran.out, out_given_, false);
    } else {
      err_given_ += give(ran.err, err_given_, true);
    }
  }
  if (safe_) io_.raw(safe_->settle());
  over_ = true;
  io_.finish(ran.status);
}

// Exact bytes, but on a terminal, which wants a carriage return before a line's end.
std::size_t RunJob::give(const std::string& bytes, std::size_t from, bool to_err) {
  base::Bytes piece = base::Bytes(bytes).substr(from, io_.room());
  if (io_.terminal().pty) {
    io_.print(safe_ ? safe_->pass(piece) : std::string(piece));
  } else if (to_err) {
    io_.raw_err(piece);
  } else {
    io_.raw(piece);
  }
  return piece.size();
}

void RunJob::recheck() {
  if (answered_ || over_) return;
  Result<> may = still_may(core_, visitor_, auth::Action::write, device_);
  if (may) return;
  if (!dialogue_) return stop(may.error());
  core_.dialogues->interrupt(*dialogue_, may.error());
}

void RunJob::stop(const Error& error) {
  if (std::exchange(over_, true)) return;
  bool named = error.what.starts_with(device_);
  io_.remark(named ? str("oobd: ", error.what) : str("oobd: ", device_, ": ", error.what));
  io_.finish(static_cast<int>(error.fault));
}

}  // namespace oob::console

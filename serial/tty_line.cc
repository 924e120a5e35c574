#include "serial/tty_line.h"

#include <atomic>
#include <cassert>

#include "base/log.h"

namespace oob::serial {

using base::Error;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

// One open() under way. The thread writes `tty` and `error`, the loop reads them afterwards.
struct TtyLine::Attempt {
  std::atomic<bool> dropped = false;  // nobody waits for it any more
  std::shared_ptr<Tty> tty;
  Error error;
};

TtyLine::TtyLine(base::Loop& loop, base::Blocking& blocking, PathWatch& paths, TtySettings settings,
                 Open open)
    : FdLine(loop, Kind::tty),
      blocking_(blocking),
      paths_(paths),
      settings_(std::move(settings)),
      open_(std::move(open)),
      self_(std::make_shared<TtyLine*>(this)),
      limit_(loop),
      break_timer_(loop) {}

TtyLine::~TtyLine() {
  close();
  *self_ = nullptr;
}

// Closing may wait in the driver: the last owner lets go on a thread.
void TtyLine::let_go(base::Blocking& blocking, std::shared_ptr<Tty> tty, std::function<void()> done) {
  blocking.run([tty = std::move(tty)]() mutable { tty.reset(); }, std::move(done));
}

// What to do on the loop after a call on a thread: nothing when this line is gone.
std::function<void()> TtyLine::later(std::function<void()> done) {
  ++calls_;
  return [self = self_, done = std::move(done)] {
    if (!*self) return;
    --(*self)->calls_;
    if (done) done();
    if (*self) (*self)->begin();
  };
}

void TtyLine::open(std::function<void(Result<>)> done) {
  close();
  return_.reset();
  done_ = std::move(done);
  seen_ = look_at(settings_.path);
  limit_.after(kOpenLimit, [this] {
    drop_attempt();
    opened(fail(Fault::unavailable, str(settings_.path, ": its driver hangs")));
  });
  begin();
}

// A former call that still hangs is waited for: one thread a line.
void TtyLine::begin() {
  if (!done_ || attempt_ || calls_ > 0) return;
  attempt_ = std::make_shared<Attempt>();
  auto call = [attempt = attempt_, settings = settings_, open = open_] {
    if (attempt->dropped) return;
    Result<std::unique_ptr<Tty>> tty = open(settings);
    if (!tty) {
      attempt->error = tty.error();
    } else if (!attempt->dropped) {
      attempt->tty = std::move(*tty);
    }
  };
  auto deliver = later([this, attempt = attempt_] {
    if (attempt != attempt_) return;
    attempt_ = nullptr;
    tty_ = std::move(attempt->tty);
    if (!tty_) return opened(attempt->error);
    attach(tty_->fd());
    opened({});
  });
  blocking_.run(call, [attempt = attempt_, &blocking = blocking_, deliver = std::move(deliver)] {
    if (attempt->dropped && attempt->tty) let_go(blocking, std::move(attempt->tty), [] {});
    deliver();
  });
}

void TtyLine::drop_attempt() {
  if (attempt_) attempt_->dropped = true;
  attempt_ = nullptr;
}

void TtyLine::opened(Result<> result) {
  limit_.cancel();
  auto done = std::move(done_);
  done_ = nullptr;
  done(std::move(result));
}

Result<std::size_t> TtyLine::write(base::Bytes bytes) {
  if (breaking_) return Error{Fault::again, {}};
  return FdLine::write(bytes);
}

void TtyLine::wait_writable(std::function<void()> what) {
  if (breaking_) {
    held_ = std::move(what);
  } else {
    FdLine::wait_writable(std::move(what));
  }
}

Result<> TtyLine::send_break(unsigned milliseconds) {
  assert(tty_);
  if (breaking_) return fail(Fault::busy, "the last break is still being sent");
  breaking_ = true;
  auto failed = std::make_shared<std::optional<Error>>();
  blocking_.run(
      [tty = tty_, failed]() mutable {
        if (Result<> started = tty->start_break(); !started) *failed = started.error();
        tty.reset();
      },
      later([this, failed, turn = turn_, time = break_time(milliseconds)] {
        if (turn != turn_) return;
        if (*failed) return break_over(*failed);
        break_timer_.after(time, [this] { end_break(); });
      }));
  break_timer_.after(kDrainLimit, [this] { tty_->discard(); });
  return {};
}

void TtyLine::end_break() {
  auto failed = std::make_shared<std::optional<Error>>();
  blocking_.run(
      [tty = tty_, failed]() mutable {
        if (Result<> ended = tty->end_break(); !ended) *failed = ended.error();
        tty.reset();
      },
      later([this, failed, turn = turn_] {
        if (turn == turn_) break_over(*failed);
      }));
}

void TtyLine::break_over(const std::optional<Error>& failed) {
  break_timer_.cancel();
  breaking_ = false;
  if (failed) base::log(str(settings_.path, ": ", failed->what));
  auto held = std::move(held_);
  held_ = nullptr;
  if (held) FdLine::wait_writable(std::move(held));
}

void TtyLine::close() {
  ++turn_;
  drop_attempt();
  done_ = nullptr;
  limit_.cancel();
  return_.reset();
  breaking_ = false;
  held_ = nullptr;
  break_timer_.cancel();
  detach();
  if (!tty_) return;
  tty_->discard();  // also wakes a break that waits for output to leave
  tty_->unlock();   // not later, on the thread: whoever opens it next must not find it locked
  let_go(blocking_, std::move(tty_), later(nullptr));
}

void TtyLine::wait_return(std::function<void()> what) {
  return_.emplace(paths_, settings_.path, seen_, std::move(what));
}

std::string TtyLine::describe() const {
  std::string flow = settings_.flow == "none" ? "" : str(" ", settings_.flow);
  return str(settings_.path, " ", settings_.baud, " ", settings_.format, flow);
}

}  // namespace oob::serial

#include "console/send_job.h"

namespace oob::console {

using base::Error;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

SendJob::SendJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments, Work work)
    : core_(core),
      visitor_(visitor),
      io_(io),
      grant_(*arguments.grant),
      device_(arguments.device->name),
      work_(std::move(work)),
      pending_(work_.text),
      ended_(!work_.from_stdin),
      stalled_(core.loop) {}

void SendJob::start() {
  visit_.begin(device_, work_.is_break ? "break" : "send", [this](const Result<std::string>& recorded) {
    if (!recorded) return stop(recorded.error());
    arrive(*recorded);
  });
}

void SendJob::arrive(const std::string& unrecorded) {
  if (!unrecorded.empty()) io_.remark(unrecorded);
  Device* device = core_.inventory.find(device_);
  if (!device) return stop(auth::Policy::no_such_device(device_));
  attachment_ = device->console->attach(*this, visitor_.who.user);
  take_keyboard();
}

void SendJob::take_keyboard() {
  Device* device = core_.inventory.find(device_);
  if (over_ || !device) return;  // gone() has told why
  Result<std::unique_ptr<Writer>> writer = attachment_->claim(grant_, Claim::if_free);
  if (!writer && device->console->is_looked_at()) {  // over soon: offered() follows
    stalled_.after(Console::kLook, [this, busy = writer.error()] { stop(busy); });
    return;
  }
  stalled_.cancel();
  if (!writer) return stop(writer.error());
  writer_ = std::move(*writer);
  if (device->console->state() != Console::State::up) {
    std::string why = device->console->why_down();
    return stop(fail(Fault::unavailable, str(device_, ": line down: ", why.empty() ? "not open yet" : why)));
  }
  auth::Entry entry = event_of(visitor_, work_.is_break ? "break" : "send");
  entry.with("device", device_);
  if (work_.is_break) entry.with("ms", static_cast<std::int64_t>(work_.milliseconds));
  core_.journal.commit(std::move(entry), life_.wrap([this](const Result<>& written) {
    if (!written) return stop(written.error());
    begin();
  }));
}

void SendJob::begin() {
  if (over_) return;  // stopped while the journal was written
  begun_ = true;
  if (!work_.is_break) return push();
  Result<> sent = writer_->send_break(work_.milliseconds);
  if (!sent) return stop(sent.error());
  visit_.event(auth::Entry("break").with("ms", static_cast<std::int64_t>(work_.milliseconds)));
  finish(kDone);
}

std::size_t SendJob::typed(base::Bytes bytes) {
  if (over_ || !work_.from_stdin) return bytes.size();
  bytes = bytes.substr(0, kMostPending - std::min(kMostPending, pending_.size()));
  pending_ += bytes;
  push();
  return bytes.size();
}

void SendJob::ended() {
  ended_ = true;
  push();
}

void SendJob::recheck() {
  Result<> grant = still_may(core_, visitor_, auth::Action::write, device_);
  if (!grant) stop(grant.error());
}

void SendJob::push() {
  if (!begun_ || over_ || work_.is_break) return;
  bool was_full = pending_.size() >= kMostPending;
  while (!pending_.empty()) {
    Result<std::size_t> size = writer_->write(pending_);
    if (!size) return stop(size.error());
    if (*size == 0) break;
    visit_.typed(base::Bytes(pending_).substr(0, *size));
    pending_.erase(0, *size);
    stalled_.cancel();
  }
  if (pending_.empty()) {
    if (ended_) finish(kDone);
  } else if (!stalled_.waiting()) {
    stalled_.after(kStalled, [this] {
      stop(fail(Fault::unavailable, str(device_, ": takes no input since ", kStalled.count(), " s; ",
                                        pending_.size(), " bytes were not typed")));
    });
  }
  if (was_full && pending_.size() < kMostPending) io_.want_input();
}

void SendJob::more() {
  // What the console says meanwhile is shown to nobody here, but tells what became of what was typed.
  while (attachment_) {
    Attachment::Piece piece = attachment_->next();
    if (piece.skipped)
      visit_.event(auth::Entry("skipped").with("bytes", static_cast<std::int64_t>(piece.skipped)));
    if (piece.bytes.empty()) return;
    std::size_t size = piece.bytes.size();
    visit_.output(piece.bytes, {});
    attachment_->take(size);
  }
}

void SendJob::offered() {
  core_.loop.post(life_.wrap([this] { take_keyboard(); }));
}

void SendJob::displaced(const std::string& by) {
  std::string text =
      str(device_, ": ", by, " forced the keyboard; ", pending_.size(), " bytes were not typed");
  core_.loop.post(life_.wrap([this, text] { stop(fail(Fault::busy, text)); }));
}

void SendJob::gone(const std::string& why) {
  core_.loop.post(life_.wrap([this, why] { stop(fail(Fault::missing, str(device_, ": ", why))); }));
}

void SendJob::stop(const Error& error) {
  if (over_) return;
  io_.remark(str("oobd: ", error.what));
  finish(static_cast<int>(error.fault));
}

void SendJob::finish(int status) {
  if (over_) return;
  over_ = true;
  stalled_.cancel();
  writer_.reset();
  attachment_.reset();
  visit_.end(status);
  io_.finish(status);
}

}  // namespace oob::console

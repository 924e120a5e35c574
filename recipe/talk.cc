#include "recipe/talk.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace oob::recipe {

using base::Bytes;
using base::Error;
using base::milliseconds;
using base::Result;

// --- waiting
// -------------------------------------------------------------------------------------------------------

Talk::Wait::Wait(Talk& talk, std::function<bool()> enough, milliseconds quiet, milliseconds limit)
    : talk_(talk), enough_(std::move(enough)), quiet_(quiet), since_(talk.now_), until_(talk.now_ + limit) {}

Talk::Wait::~Wait() {
  if (talk_.wait_ == this) talk_.wait_ = nullptr;
}

bool Talk::Wait::satisfied() const {
  if (enough_) return enough_();
  return talk_.now_ - std::max(since_, talk_.heard_at_) >= quiet_;
}

Talk::Time Talk::Wait::due() const {
  if (enough_) return until_;
  return std::min(until_, std::max(since_, talk_.heard_at_) + quiet_);
}

// What it answers as things are; nothing: it goes on.
std::optional<Result<bool>> Talk::Wait::look() const {
  if (talk_.cut_) return Result<bool>(*talk_.cut_);
  if (talk_.interrupted_ && !talk_.leaving_) return Result<bool>(*talk_.interrupted_);
  if (satisfied()) return Result<bool>(true);
  if (talk_.now_ >= until_) return Result<bool>(false);
  return std::nullopt;
}

bool Talk::Wait::await_ready() {
  answer_ = look();
  return answer_.has_value();
}

void Talk::Wait::await_suspend(std::coroutine_handle<> waits) {
  assert(!talk_.wait_);
  waits_ = waits;
  talk_.wait_ = this;
}

Result<bool> Talk::Wait::await_resume() { return std::move(*answer_); }

Talk::Wait Talk::until(std::function<bool()> enough, milliseconds limit) {
  return {*this, std::move(enough), {}, limit};
}

Talk::Wait Talk::silence(milliseconds quiet, milliseconds limit) { return {*this, nullptr, quiet, limit}; }

// The wait that is resumed may begin the next one, which looks for itself.
void Talk::look() {
  if (!wait_) return;
  wait_->answer_ = wait_->look();
  if (!wait_->answer_) return;
  std::exchange(wait_, nullptr)->waits_.resume();
}

// --- typing
// --------------------------------------------------------------------------------------------------------

Talk::~Talk() {
  for (Typed& typed : typed_)
    if (typed.secret) base::wipe(typed.bytes);
}

void Talk::type(Bytes bytes) {
  if (bytes.empty() || cut_) return;
  typed_.push_back({std::string(bytes), false});
  if (on_typing_) on_typing_();
}

void Talk::type_secret(const base::Secret& secret) {
  if (secret.empty() || cut_) return;
  typed_.push_back({std::string(secret.view()), true});
  if (on_typing_) on_typing_();
}

void Talk::typed_so_far(std::size_t size) {
  bytes_typed_ += size;
  Typed& first = typed_.front();
  if (size < first.bytes.size()) {
    std::string rest = first.bytes.substr(size);
    if (first.secret) base::wipe(first.bytes);
    first.bytes = std::move(rest);
    return;
  }
  if (first.secret) base::wipe(first.bytes);
  typed_.pop_front();
}

Error Talk::wrap(std::string_view name, Error why) const {
  const Error* ended = cut_ ? &*cut_ : interrupted_ ? &*interrupted_ : nullptr;
  if (!ended || ended->what != why.what) return base::wrap(name, std::move(why));
  why.what += base::str(" (while ", name, " was fetched)");
  return why;
}

// --- the carrier
// ---------------------------------------------------------------------------------------------------

void Talk::hear(Bytes bytes) {
  if (bytes.empty() || cut_) return;
  heard_at_ = now_;
  bytes_heard_ += bytes.size();
  heard_ += bytes;
  if (listener_) listener_(bytes);
  if (heard_.size() > kMostHeard)
    return cut(base::fail(base::Fault::unavailable,
                          base::str("more than ", kMostHeard, " bytes came that nothing was expected of")));
  look();
}

void Talk::pass(Time now) {
  now_ = std::max(now_, now);
  look();
}

std::optional<Talk::Time> Talk::due() const {
  if (!wait_) return std::nullopt;
  return wait_->due();
}

void Talk::interrupt(Error why) {
  if (leaving_ || interrupted_) return;
  interrupted_ = std::move(why);
  look();
}

void Talk::cut(Error why) {
  if (cut_) return;
  cut_ = std::move(why);
  look();
}

}  // namespace oob::recipe

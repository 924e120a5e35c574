#include "ipmi/requests.h"

#include <algorithm>

namespace oob::ipmi {

using base::Error;
using base::fail;
using base::Fault;
using base::milliseconds;
using base::str;

namespace {

// Until a request is sent again, and after the last time given up: 15.5 s in all, so that a cable that is out
// for 12 s ends nothing, and a dead BMC is noticed within 30 s of its last word (Bmc::kKeepAlive).
constexpr milliseconds kAnswerWaits[] = {milliseconds(1000), milliseconds(1500), milliseconds(2000),
                                         milliseconds(3000), milliseconds(4000), milliseconds(4000)};
constexpr milliseconds kOnceWait{5000};
constexpr milliseconds kFirstLimit{5000};  // of a request that belongs to the opening of a session
constexpr std::uint8_t kNodeBusy = 0xc0;   // table 5-2: the command was not processed, so it may be repeated
constexpr milliseconds kBusyPause{500};
constexpr unsigned kMostBusy = 10;

}  // namespace

Requests::Requests(base::Loop& loop, Owner& owner)
    : loop_(loop), owner_(owner), answer_(loop), expiry_(loop) {}

void Requests::ask(Request request, Link::Send how, Done done) {
  if (waiting_.size() >= kMostWaiting) {
    Fault fault = how == Link::Send::again ? Fault::busy : Fault::again;
    return answer_later(std::move(done), fail(fault, "too many requests wait for this BMC"));
  }
  Pending pending;
  pending.request = std::move(request);
  pending.how = how;
  pending.done = std::move(done);
  pending.deadline = base::Clock::now() + Link::kPatience;
  waiting_.push_back(std::move(pending));
  if (!expiry_.waiting()) expiry_.at(waiting_.front().deadline, [this] { expire(); });
  next();
}

void Requests::ask_first(Request request, Done done) {
  Pending pending;
  pending.request = std::move(request);
  pending.done = std::move(done);
  pending.deadline = base::Clock::now() + kFirstLimit;
  pending.first = true;
  waiting_.push_front(std::move(pending));
  under_way_ = true;
  transmit();
}

void Requests::start() {
  started_ = true;
  next();
}

void Requests::stop(const Error& error) {
  started_ = false;
  answer_.cancel();
  if (!under_way_) return;
  under_way_ = false;
  Pending pending = std::move(waiting_.front());
  waiting_.pop_front();
  if (!pending.first) drop(std::move(pending), error);
}

void Requests::fail_all(const Error& error) {
  stop(error);
  expiry_.cancel();
  for (Pending& pending : waiting_) drop(std::move(pending), error);
  waiting_.clear();
}

std::deque<std::string> Requests::last_words() {
  std::deque<std::string> messages;
  for (const Pending& pending : waiting_) {
    if (pending.how != Link::Send::parting || pending.sent > 0) continue;
    sequence_ = (sequence_ + 1) % 64;
    messages.push_back(encode_message(pending.request, sequence_));
  }
  return messages;
}

void Requests::next() {
  if (!started_ || under_way_ || waiting_.empty()) return;
  under_way_ = true;
  transmit();
}

// Each sending has a session sequence number of its own, and all of one request have the same rqSeq (13.8):
// so whichever answer comes is the right one, and later ones match nothing.
void Requests::transmit() {
  Pending& pending = waiting_.front();
  if (pending.sent == 0) sequence_ = (sequence_ + 1) % 64;
  std::size_t last = std::size(kAnswerWaits) - 1;
  milliseconds wait =
      pending.how != Link::Send::again ? kOnceWait : kAnswerWaits[std::min<std::size_t>(pending.sent, last)];
  ++pending.sent;
  std::string message = encode_message(pending.request, sequence_);
  answer_.after(wait, [this] { no_answer(); });
  owner_.send_message(message);
}

void Requests::no_answer() {
  Pending& pending = waiting_.front();
  bool once = pending.how != Link::Send::again;
  bool spent = once || pending.sent >= std::size(kAnswerWaits);
  if (!spent && base::Clock::now() < pending.deadline) return transmit();
  bool repeated = !once && pending.sent >= std::size(kAnswerWaits);
  if (repeated) started_ = false;  // the rest waits for the next session
  finish(fail(Fault::unavailable,
              repeated ? str("no answer from the BMC, asked ", std::size(kAnswerWaits), " times")
                       : "no answer from the BMC"));
  if (repeated) owner_.silent();
  if (once) owner_.unanswered();
}

void Requests::answered(const Response& response) {
  if (!under_way_) return;
  Pending& pending = waiting_.front();
  if (response.sequence != sequence_ || response.command != pending.request.command ||
      response.netfn != static_cast<std::uint8_t>(pending.request.netfn) + 1)
    return;
  // A repeat of "busy" while the next sending waits says nothing new.
  if (response.completion == kNodeBusy && pending.sent == 0) return;
  if (response.completion == kNodeBusy && ++pending.busy <= kMostBusy &&
      base::Clock::now() < pending.deadline) {
    pending.sent = 0;  // with a number of its own: the answer to this one is here
    answer_.after(kBusyPause, [this] { transmit(); });
    return;
  }
  finish(response);
}

void Requests::finish(Result<Response> result) {
  answer_.cancel();
  under_way_ = false;
  answer_later(std::move(waiting_.front().done), std::move(result));
  waiting_.pop_front();
  next();
}

// Those that have waited too long for their turn. In the order of their deadlines, save for the front one,
// which has time-outs of its own.
void Requests::expire() {
  auto now = base::Clock::now();
  std::size_t from = under_way_ ? 1 : 0;
  while (waiting_.size() > from && waiting_[from].deadline <= now) {
    drop(std::move(waiting_[from]), fail(Fault::unavailable, "no answer from the BMC in time"));
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(from));
  }
  if (waiting_.size() > from) {
    expiry_.at(waiting_[from].deadline, [this] { expire(); });
  } else if (!waiting_.empty()) {
    expiry_.at(now + Link::kPatience, [this] { expire(); });
  }
}

// What must not be done twice is worth knowing: it did not go out.
void Requests::drop(Pending pending, const Error& error) {
  bool certain = pending.how != Link::Send::again && pending.sent == 0;
  answer_later(std::move(pending.done), certain ? fail(Fault::again, error.what) : error);
}

// Whoever is told may ask again, or let go of everything: that must not happen inside of us.
void Requests::answer_later(Done done, Result<Response> result) {
  if (!done) return;
  loop_.post(life_.wrap([done = std::move(done), result = std::move(result)] { done(result); }));
}

}  // namespace oob::ipmi

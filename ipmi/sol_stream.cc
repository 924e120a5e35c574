#include "ipmi/sol_stream.h"

#include <algorithm>
#include <cassert>

namespace oob::ipmi {

using base::str;
using std::chrono::milliseconds;

namespace {

// Operation and status bits, table 15-2 and 15-4.
constexpr std::uint8_t kNack = 0x40;
constexpr std::uint8_t kUnavailable = 0x20;  // from the BMC: characters can't be passed on
constexpr std::uint8_t kDeactivated = 0x10;  // from the BMC
constexpr std::uint8_t kOverrun = 0x08;      // from the BMC: characters were dropped before these
constexpr std::uint8_t kBreakSeen = 0x04;    // from the BMC
constexpr std::uint8_t kBreak = 0x10;        // to the BMC: generate a break before these characters

constexpr std::size_t kSolHeader = 4;
constexpr std::size_t kMostCharacters = 255;  // the accepted count is one byte
constexpr std::size_t kSafeCharacters = 28;
constexpr std::array<int, 8> kDelays{500, 700, 1000, 1400, 2000, 2800, 4000, 4000};  // ms
constexpr unsigned kMostSolRefusals = 8;
constexpr milliseconds kExtraHeld{1500};
constexpr milliseconds kLate{2000};
constexpr milliseconds kNackEvery{250};
constexpr milliseconds kResumeEvery{1000};
constexpr unsigned kMostResumes = 10;

milliseconds delay(unsigned count) {
  return milliseconds(kDelays[std::min<std::size_t>(count, kDelays.size() - 1)]);
}

std::uint8_t after(std::uint8_t sequence) {
  return sequence >= 15 ? 1 : static_cast<std::uint8_t>(sequence + 1);
}

// Whether one of them is how the other begins.
bool same_start(Bytes a, Bytes b) {
  std::size_t size = std::min(a.size(), b.size());
  return a.substr(0, size) == b.substr(0, size);
}

std::string encode(std::uint8_t sequence, std::uint8_t acked, std::uint8_t accepted, std::uint8_t operation) {
  return {static_cast<char>(sequence), static_cast<char>(acked), static_cast<char>(accepted),
          static_cast<char>(operation)};
}

}  // namespace

std::size_t SolStream::characters_for(std::size_t announced_size) {
  if (announced_size < 8 || announced_size > 1024) return kSafeCharacters;
  return std::min(announced_size - kSolHeader, kMostCharacters);
}

void SolStream::receive(Bytes payload, Time now) {
  if (payload.size() < kSolHeader || ended_) return;
  heard_ = true;
  std::uint8_t sequence = get8(payload, 0) & 0x0f, acked = get8(payload, 1) & 0x0f;
  std::uint8_t status = get8(payload, 3);
  if (sequence == 0) {
    note(status);
  } else {
    incoming(sequence, payload.substr(kSolHeader, kMostCharacters), status, now);
  }
  if (acked != 0) answered(acked, get8(payload, 2), status & kNack, now);
  if (status & kDeactivated) ended_ = true;
}

// --- from the BMC ------------------------------------------------------------------------------------------

void SolStream::incoming(std::uint8_t sequence, Bytes characters, std::uint8_t status, Time now) {
  if (sequence == last_.sequence && same_start(characters, last_.characters)) return again(characters, now);
  if (is_late(sequence, characters, now)) return;
  // What was refused comes again under its own number or, as for the part of a packet that was not accepted
  // (15.11), under the next one.
  bool in_order = last_.sequence == 0 || sequence == after(last_.sequence);
  if (refused_.sequence != 0)
    in_order = same_start(characters, refused_.characters) &&
               (sequence == refused_.sequence || sequence == after(refused_.sequence));
  bool gap = !in_order || gap_before_refused_;
  if (characters.size() + extra_.size() > kMostHeld - held()) {
    gap_before_refused_ = gap;
    return refuse(sequence, characters, now);
  }
  refused_ = {};
  gap_before_refused_ = false;
  resume_due_.reset();
  nacked_at_.reset();
  Bytes fresh = characters;
  settle_extra(fresh);
  if (gap) mark("lost", "the BMC lost output here", true);
  note(status);
  keep(fresh);
  std::rotate(before_.begin(), before_.end() - 1, before_.end());
  before_[0] = std::move(last_);
  last_ = {sequence, std::string(characters), now};
  acknowledge(sequence, characters.size());
}

// A repeat of the last packet: the BMC did not hear that it was accepted. Some put what came since behind
// it. How much of a packet was accepted is said once and for all: if that acknowledgement is only late, the
// BMC sends what is behind it in the next packet, and to take it here too would double it. It is kept aside
// for firmware that takes every acknowledgement as one of all it sent.
void SolStream::again(Bytes characters, Time now) {
  last_.at = now;
  if (characters.size() > last_.characters.size()) {
    Bytes extra = characters.substr(last_.characters.size());
    if (extra.size() > extra_.size() && !extra_kept_) {
      extra_ = extra;
      if (!extra_due_) extra_due_ = now + kExtraHeld;
    }
  }
  acknowledge(last_.sequence, std::min(characters.size(), last_.characters.size()));
}

// The packet `next` follows the last one: does it begin with the extra bytes, or are they before it?
void SolStream::settle_extra(Bytes& next) {
  if (!extra_.empty() && same_start(extra_, next) && !next.empty()) {
    if (extra_kept_) next.remove_prefix(std::min(extra_.size(), next.size()));
  } else if (!extra_kept_) {
    keep(extra_);
  }
  extra_.clear();
  extra_kept_ = false;
  extra_due_.reset();
}

// Nothing of it is taken: what a NACK says of accepted characters is not heeded everywhere, and then they
// would come twice.
void SolStream::refuse(std::uint8_t sequence, Bytes characters, Time now) {
  refused_ = {sequence, std::string(characters), now};
  resumes_ = 0;
  resume_due_.reset();
  // Firmware that answers a NACK with the packet must not be kept busy by it.
  if (nacked_at_ && now - *nacked_at_ < kNackEvery) return;
  nacked_at_ = now;
  answer_ = encode(0, sequence, 0, kNack);
}

// Packets overtake each other: this one was taken already and its repeat comes after its successors.
bool SolStream::is_late(std::uint8_t sequence, Bytes characters, Time now) const {
  return std::any_of(before_.begin(), before_.end(), [&](const Seen& seen) {
    return seen.sequence == sequence && now - seen.at < kLate && same_start(characters, seen.characters);
  });
}

void SolStream::note(std::uint8_t status) {
  if (status & kOverrun) mark("lost", "the BMC lost output here", true);
  if (status & kBreakSeen) mark("break", "from the device", false);
  bool unavailable = status & kUnavailable;
  if (unavailable != unavailable_) {
    mark("sol",
         unavailable ? "the BMC passes no characters now (is the power off?)"
                     : "the BMC passes characters again",
         true);
    unavailable_ = unavailable;
  }
}

void SolStream::mark(std::string kind, std::string text, bool tell) {
  std::uint64_t offset = in_offset_ + held();
  if (marks_.size() >= kMostMarks) return;
  if (!marks_.empty() && marks_.back().offset == offset && marks_.back().mark.text == text) return;
  marks_.push_back({offset, {std::move(kind), std::move(text), tell}});
}

void SolStream::keep(Bytes bytes) {
  assert(held() + bytes.size() <= kMostHeld);
  if (in_read_ > 0 && in_.size() + bytes.size() > in_.capacity()) {
    in_.erase(0, in_read_);
    in_read_ = 0;
  }
  in_ += bytes;
}

void SolStream::acknowledge(std::uint8_t sequence, std::size_t accepted) {
  ack_ = sequence;
  ack_count_ = static_cast<std::uint8_t>(accepted);
}

std::size_t SolStream::read(char* to, std::size_t most, Time now) {
  std::size_t size = std::min(most, held());
  if (!marks_.empty())
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, marks_.front().offset - in_offset_));
  in_.copy(to, size, in_read_);
  in_read_ += size;
  in_offset_ += size;
  if (held() == 0) {
    in_read_ = 0;
    in_.clear();
    if (in_.capacity() > 4096) in_.shrink_to_fit();
  }
  if (refused_.sequence != 0 && !resume_due_ && resumes_ == 0 && held() <= kMostHeld / 2) resume_due_ = now;
  return size;
}

std::optional<console::LineMark> SolStream::next_mark() {
  if (marks_.empty() || marks_.front().offset != in_offset_) return std::nullopt;
  console::LineMark mark = std::move(marks_.front().mark);
  marks_.pop_front();
  return mark;
}

// --- to the BMC --------------------------------------------------------------------------------------------

std::size_t SolStream::write(Bytes bytes) {
  std::size_t size = std::min(bytes.size(), room());
  out_ += bytes.substr(0, size);
  return size;
}

bool SolStream::send_break() {
  if (break_at_ || break_on_way_) return false;
  break_at_ = out_.size();
  return true;
}

void SolStream::answered(std::uint8_t sequence, std::size_t accepted, bool nack, Time now) {
  if (sequence != sequence_) return;
  if (!under_way_) {
    if (!nack) paused_until_.reset();  // "clear": it can take more
    return;
  }
  accepted = std::min(accepted, on_way_);
  bool refused = nack || (accepted == 0 && on_way_ > 0);
  bool progress = accepted > 0 || !refused;
  out_.erase(0, accepted);
  if (break_at_) *break_at_ -= accepted;
  // A refused break was not made, and is the first thing to send again.
  if (break_on_way_ && !progress) break_at_ = 0;
  break_on_way_ = under_way_ = send_now_ = false;
  on_way_ = 0;
  try_again_.reset();
  if (progress) refusals_ = 0;
  if (refused) pause(now);
}

// The BMC is there but takes no more for now. What it did not accept stays first in line, under a new
// sequence number: the old one has been answered, and BMCs take it for a repeat from then on.
void SolStream::pause(Time now) {
  if (++refusals_ <= kMostSolRefusals) {
    paused_until_ = now + delay(refusals_ - 1);
    return;
  }
  // Its output goes on: that is worth more than what was typed.
  mark("sol", str("the BMC takes no input: ", out_.size(), " typed bytes were dropped"), true);
  out_.clear();
  break_at_.reset();
  refusals_ = 0;
}

void SolStream::fill_packet() {
  if (under_way_ || paused_until_ || (out_.empty() && !break_at_)) return;
  on_way_ = std::min(most_, out_.size());
  if (break_at_) {
    on_way_ = std::min(on_way_, *break_at_);
    if (on_way_ == 0) {
      break_on_way_ = true;
      break_at_.reset();
    }
  }
  sequence_ = after(sequence_);
  under_way_ = send_now_ = true;
  tries_ = 0;
}

std::optional<std::string> SolStream::packet(Time now) {
  if (answer_) return std::exchange(answer_, std::nullopt);
  if (unanswered_ || ended_) return std::nullopt;
  fill_packet();
  if (!send_now_) {
    if (ack_ == 0) return std::nullopt;
    return encode(0, std::exchange(ack_, 0), ack_count_, 0);
  }
  send_now_ = heard_ = false;
  std::string packet = encode(sequence_, ack_, ack_ ? ack_count_ : 0, break_on_way_ ? kBreak : 0);
  ack_ = 0;
  packet.append(out_, 0, on_way_);
  try_again_ = now + delay(tries_++);
  return packet;
}

// --- time --------------------------------------------------------------------------------------------------

void SolStream::tick(Time now) {
  if (try_again_ && *try_again_ <= now) {
    try_again_.reset();
    // While the BMC talks, the SOL is ours and the network is bad.
    if (tries_ >= kMostTriesOfAll || (tries_ >= most_tries_ && !heard_)) {
      unanswered_ = true;
    } else {
      send_now_ = true;
    }
  }
  if (paused_until_ && *paused_until_ <= now) paused_until_.reset();
  if (extra_due_ && *extra_due_ <= now) {
    extra_due_.reset();
    if (extra_.size() <= kMostHeld - held()) {
      keep(extra_);
      extra_kept_ = true;
    }
  }
  if (resume_due_ && *resume_due_ <= now) {
    resume_due_.reset();
    if (++resumes_ <= kMostResumes) resume_due_ = now + kResumeEvery;
    // An acknowledgement of nothing ends the pause (15.11). Some count on after a NACK and want their next
    // number there.
    std::uint8_t sequence = resumes_ % 3 == 0 ? after(refused_.sequence) : refused_.sequence;
    answer_ = encode(0, sequence, 0, 0);
  }
}

std::optional<SolStream::Time> SolStream::due() const {
  std::optional<Time> first;
  for (const std::optional<Time>& time : {try_again_, paused_until_, extra_due_, resume_due_})
    if (time && (!first || *time < *first)) first = time;
  return first;
}

}  // namespace oob::ipmi

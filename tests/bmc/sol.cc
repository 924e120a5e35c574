#include "tests/bmc/sol.h"

#include <algorithm>
#include <cstdio>

#include "tests/bmc/packet.h"

namespace oob::test {

namespace {

// Status bits to the console and operation bits from it (table 15-2).
constexpr unsigned kNack = 0x40, kUnavailable = 0x20, kDeactivated = 0x10, kOverrun = 0x08, kBreakSeen = 0x04;
constexpr unsigned kBreak = 0x10, kFlushIn = 0x02, kFlushOut = 0x01;
constexpr base::milliseconds kHostStep{20};
constexpr base::milliseconds kPause{500};

}  // namespace

Sol::Sol(base::Loop& loop, const BmcOptions& options, SolFaults& faults, Seen::Sol& seen,
         std::function<bool()> powered)
    : options_(options),
      faults_(faults),
      seen_(seen),
      powered_(std::move(powered)),
      host_(options.host),
      rate_(options.host_rate),
      accumulate_(options.sol_accumulate),
      threshold_(options.sol_threshold),
      retry_(options.sol_retry),
      retries_(options.sol_retries),
      gather_timer_(loop),
      retry_timer_(loop),
      pause_timer_(loop),
      host_timer_(loop),
      resume_timer_(loop) {
  set_host(host_, rate_);
}

void Sol::start(std::function<void(std::string)> send) {
  stop();
  send_ = std::move(send);
}

void Sol::stop() {
  send_ = nullptr;
  gather_timer_.cancel();
  retry_timer_.cancel();
  pause_timer_.cancel();
  resume_timer_.cancel();
  seen_.host_lost += out_.size();
  out_.clear();
  flight_ = sequence_ = heard_ = 0;
  flight_size_ = heard_size_ = heard_taken_ = ignore_up_to_ = 0;
  heard_refused_ = paused_ = overrun_ = false;
}

void Sol::packet(Bytes payload) {
  if (!active() || payload.size() < 4) return;
  ++seen_.packets_in;
  unsigned sequence = get8(payload, 0) & 0x0f;
  unsigned operation = get8(payload, 3);
  console_acknowledges(get8(payload, 1) & 0x0f, get8(payload, 2), operation & kNack);
  if (operation & kFlushOut) {
    out_.erase(flight_size_);
    gather_timer_.cancel();
  }
  if (operation & kFlushIn) input_.clear();
  if (payload.size() > options_.sol_inbound) {
    ++seen_.too_long;
    return;
  }
  console_says(sequence, payload.substr(4), operation & kBreak);
  if (active()) gather();
}

void Sol::console_acknowledges(unsigned sequence, unsigned accepted, bool nack) {
  if (nack) ++seen_.nacks;
  if (!nack && paused_) {
    paused_ = false;
    pause_timer_.cancel();
  }
  if (sequence == 0 || sequence != flight_) return;
  if (accepted != 0 && accepted <= ignore_up_to_) return;
  std::size_t taken = std::min<std::size_t>(accepted, flight_size_);
  out_.erase(0, taken);
  seen_.acknowledged += taken;
  flight_ = 0;
  flight_size_ = ignore_up_to_ = 0;
  retry_timer_.cancel();
  // What was not taken goes out once more in a new packet, but not at once.
  if (!nack && taken != 0) return;
  if (!nack && out_.empty()) return;
  paused_ = true;
  pause_timer_.after(kPause, [this] {
    paused_ = false;
    gather();
  });
}

std::size_t Sol::room() const {
  if (!held_) return options_.host_room;
  return held_room_ > input_.size() ? held_room_ - input_.size() : 0;
}

void Sol::console_says(unsigned sequence, Bytes data, bool gives_break) {
  bool again = sequence != 0 && sequence == heard_ && !heard_refused_;
  if (again) ++seen_.duplicates;
  if (gives_break && !again && powered_()) {
    ++seen_.breaks;
    if (hears_break) hears_break();
  }
  if (sequence == 0) return;
  std::size_t before = again ? heard_taken_ : 0;  // of these bytes, taken when they came first
  if (again && (heard_taken_ < heard_size_ || data.size() <= heard_size_))
    return answer(sequence, heard_taken_, 0);
  bool unavailable = !powered_() || strikes(faults_.unavailable);
  bool refused = unavailable || (!data.empty() && room() == 0);
  if (strikes(faults_.nack)) {
    refused = true;
    resume_timer_.after(faults_.pause, [this] { answer(0, 0, 0); });
  }
  std::size_t take = std::min(data.size() - before, room());
  if (!data.empty() && strikes(faults_.partial)) take = std::min<std::size_t>(take, faults_.accept);
  if (refused) take = 0;
  heard_ = sequence;
  heard_size_ = data.size();
  heard_taken_ = before + take;
  heard_refused_ = refused;
  seen_.accepted += take;
  unsigned status = (refused ? kNack : 0) | (unavailable ? kUnavailable : 0);
  std::string taken(data.substr(before, take));
  if (!strikes(faults_.lose_ack)) answer(sequence, heard_taken_, status);
  if (!taken.empty()) pass_on(taken);
}

void Sol::answer(unsigned sequence, std::size_t accepted, unsigned status) {
  if (!active()) return;
  if (sequence != 0 && strikes(faults_.wrong_ack)) sequence = (sequence + 7) % 15 + 1;
  if (sequence != 0 && strikes(faults_.too_much)) accepted += 5;
  ++seen_.packets_out;
  send_({0, static_cast<char>(sequence), static_cast<char>(accepted), static_cast<char>(status)});
}

void Sol::pass_on(Bytes data) {
  if (held_) {
    input_ += data;
    return;
  }
  if (hears) hears(data);
  if (host_ == HostKind::echo) host_says(data);
}

void Sol::hold_input(bool held, unsigned room) {
  held_ = held;
  held_room_ = room;
  if (held) return;
  std::string late = std::move(input_);
  input_.clear();
  if (!late.empty()) pass_on(late);
  if (heard_refused_) answer(0, 0, 0);  // the console may go on
}

void Sol::host_says(Bytes bytes) {
  if (!active()) {
    seen_.host_lost += bytes.size();
    return;
  }
  std::size_t room = options_.sol_buffer > out_.size() ? options_.sol_buffer - out_.size() : 0;
  out_ += bytes.substr(0, room);
  if (room < bytes.size()) {
    seen_.host_lost += bytes.size() - room;
    overrun_ = true;
  }
  gather();
}

void Sol::gather() {
  if (!active() || flight_ != 0 || paused_ || out_.empty()) return;
  if (out_.size() >= std::min<std::size_t>(threshold_, outbound_most())) return send_new();
  if (!gather_timer_.waiting()) gather_timer_.after(accumulate_, [this] { send_new(); });
}

void Sol::send_new() {
  gather_timer_.cancel();
  if (!active() || flight_ != 0 || paused_ || out_.empty()) return;
  sequence_ = (sequence_ + (strikes(faults_.jump) ? 3 : 0)) % 15 + 1;
  std::size_t most = outbound_most();
  if (out_.size() > most && strikes(faults_.oversize)) most = std::min<std::size_t>(2 * most, 255);
  flight_ = sequence_;
  flight_size_ = std::min({out_.size(), most, std::size_t{255}});
  tries_ = 0;
  std::size_t first = flight_size_;
  if (first > 1 && strikes(faults_.grown_duplicate)) ignore_up_to_ = first = first / 2;
  send_flight(first);
}

void Sol::send_flight(std::size_t bytes) {
  unsigned status = overrun_ || strikes(faults_.overrun) ? kOverrun : 0;
  overrun_ = false;
  if (strikes(faults_.break_seen)) status |= kBreakSeen;
  bool ends = strikes(faults_.deactivating);
  if (ends) status |= kDeactivated;
  std::string payload{static_cast<char>(flight_), 0, 0, static_cast<char>(status)};
  payload.append(out_, 0, bytes);
  ++seen_.packets_out;
  if (!strikes(faults_.lose_output)) send_(std::move(payload));
  if (ends) return stop();
  retry_timer_.after(retry_, [this] { unanswered(); });
}

void Sol::unanswered() {
  if (tries_ < retries_) {
    ++tries_;
    ++seen_.repeated;
    ignore_up_to_ = 0;
    return send_flight(flight_size_);
  }
  // 15.11: given up; the bytes are lost, and the next packet has the next number.
  ++seen_.given_up;
  seen_.host_lost += flight_size_;
  out_.erase(0, flight_size_);
  flight_ = 0;
  flight_size_ = ignore_up_to_ = 0;
  gather();
}

void Sol::say_deactivated() {
  if (!active()) return;
  answer(0, 0, kDeactivated);
}

void Sol::set_host(HostKind kind, unsigned rate) {
  host_ = kind;
  rate_ = rate;
  host_timer_.cancel();
  counted_ = base::Clock::now();
  if (kind == HostKind::numbered && rate > 0) count_on();
}

// By the clock, so that a late timer is no slower host.
void Sol::count_on() {
  base::Clock::time_point now = base::Clock::now();
  if (powered_()) owed_ += std::chrono::duration<double>(now - counted_).count() * rate_;
  counted_ = now;
  std::string said;
  while (owed_ >= 1) {
    if (rest_.empty()) {
      char line[40];
      std::snprintf(line, sizeof line, "%010llu abcdefghijklmnopqrs\r\n",
                    static_cast<unsigned long long>(++line_));
      rest_ = line;
    }
    std::size_t count = std::min(rest_.size(), static_cast<std::size_t>(owed_));
    said.append(rest_, 0, count);
    rest_.erase(0, count);
    owed_ -= static_cast<double>(count);
  }
  if (!said.empty()) host_says(said);
  host_timer_.after(kHostStep, [this] { count_on(); });
}

bool Sol::set_parameter(unsigned number, Bytes data) {
  if (data.size() != (number == 3 || number == 4 || number == 8 ? 2u : 1u)) return false;
  unsigned first = get8(data, 0);
  switch (number) {
    case 0:
      return true;
    case 1:
      enabled_ = first;
      return true;
    case 2:
      rights_ = first;
      return true;
    case 3:
      accumulate_ = base::milliseconds(5 * first);
      threshold_ = std::max<unsigned>(1, get8(data, 1));
      return true;
    case 4:
      retries_ = first & 7;
      retry_ = base::milliseconds(10 * get8(data, 1));
      return true;
    case 5:
      rate_kept_ = first;
      return true;
    case 6:
      rate_volatile_ = first;
      return true;
    default:
      return false;  // 7 and 8 can only be read
  }
}

bool Sol::parameter(unsigned number, std::string& data) const {
  auto one = [&](unsigned value) {
    data += static_cast<char>(value);
    return true;
  };
  switch (number) {
    case 0:
      return one(0);
    case 1:
      return one(enabled_);
    case 2:
      return one(rights_);
    case 3:
      return one(static_cast<unsigned>(accumulate_.count() / 5)) && one(threshold_);
    case 4:
      return one(retries_) && one(static_cast<unsigned>(retry_.count() / 10));
    case 5:
      return one(rate_kept_);
    case 6:
      return one(rate_volatile_);
    case 7:
      return one(1);
    case 8:
      return one(0x6f) && one(0x02);  // 623
    default:
      return false;
  }
}

}  // namespace oob::test

#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <string>

#include "base/loop.h"

namespace oob::test {

// The BMC's side of Serial over LAN (IPMI 2.0 rev 1.1, 15.11), patient: it repeats a packet until it is
// answered. It shares no code with what it tests.
class SolPeer {
 public:
  using Time = base::Clock::time_point;

  struct Habits {
    base::milliseconds retry{480};
    std::size_t most = 96;               // characters a packet
    std::size_t room = ~std::size_t{0};  // characters it takes before the UART has sent them
    bool repeats_grow = false;           // a repeat carries what came since
    bool renumbers_refused = false;      // what was refused comes again under the next number
  };
  explicit SolPeer(Habits habits) : habits_(habits) {}

  void say(const std::string& bytes) { to_say_ += bytes; }
  const std::string& heard() const { return heard_; }

  void receive(const std::string& bytes, Time now) {
    if (bytes.size() < 4) return;
    int sequence = bytes[0] & 15, acked = bytes[1] & 15;
    std::size_t count = static_cast<unsigned char>(bytes[2]);
    bool nack = bytes[3] & 0x40;
    if (sequence != 0) {
      // One outstanding packet and repeats of it: whatever is not the next one is old.
      if (sequence == next(heard_sequence_)) {
        std::string characters = bytes.substr(4);
        heard_count_ = std::min(characters.size(), room_left());
        heard_.append(characters, 0, heard_count_);
        in_uart_ += heard_count_;
        heard_sequence_ = sequence;
        answer_ = ack(heard_count_ < characters.size());
      } else if (sequence == heard_sequence_) {
        answer_ = ack(false);
      }
    }
    if (acked != 0 && acked == said_sequence_ && on_way_ > 0) {
      if (nack) {
        held_up_ = true;
        retry_at_.reset();
      } else if (held_up_ && count == 0) {
        held_up_ = false;
        if (habits_.renumbers_refused) said_sequence_ = next(said_sequence_);
        send_ = true;
      } else {
        held_up_ = false;
        to_say_.erase(0, std::min(count, on_way_));
        on_way_ = 0;
        retry_at_.reset();
      }
    }
    (void)now;
  }

  void tick(Time now) {
    if (retry_at_ && *retry_at_ <= now) {
      retry_at_.reset();
      send_ = true;
      if (habits_.repeats_grow) on_way_ = std::min(habits_.most, to_say_.size());
    }
    // The UART takes a character a millisecond or so.
    in_uart_ -= std::min<std::size_t>(in_uart_, 5);
    if (refused_ && room_left() > 0) {
      refused_ = false;
      answer_ = ack(false);
    }
    if (on_way_ == 0 && !to_say_.empty()) {
      // Repeats that grow need something to grow by.
      on_way_ = std::min(habits_.repeats_grow ? habits_.most / 3 : habits_.most, to_say_.size());
      said_sequence_ = next(said_sequence_);
      send_ = true;
    }
  }

  std::optional<std::string> packet(Time now) {
    if (answer_) return std::exchange(answer_, std::nullopt);
    if (!send_ || on_way_ == 0) return std::nullopt;
    send_ = false;
    retry_at_ = now + habits_.retry;
    return std::string{static_cast<char>(said_sequence_), 0, 0, 0} + to_say_.substr(0, on_way_);
  }

 private:
  static int next(int sequence) { return sequence == 15 ? 1 : sequence + 1; }
  std::size_t room_left() const { return habits_.room - std::min(habits_.room, in_uart_); }
  std::string ack(bool full) {
    refused_ = refused_ || full;
    return {0, static_cast<char>(heard_sequence_), static_cast<char>(heard_count_),
            static_cast<char>(full ? 0x40 : 0)};
  }

  Habits habits_;
  std::string to_say_, heard_;
  std::size_t on_way_ = 0, heard_count_ = 0, in_uart_ = 0;
  int said_sequence_ = 0, heard_sequence_ = 0;
  bool send_ = false, held_up_ = false, refused_ = false;
  std::optional<Time> retry_at_;
  std::optional<std::string> answer_;
};

}  // namespace oob::test

#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "base/loop.h"
#include "console/line.h"
#include "ipmi/wire.h"

namespace oob::ipmi {

// The bytes and packets of one Serial over LAN activation (IPMI 2.0 rev 1.1, 15.9 to 15.11, tables 15-2 and
// 15-4). Pure: it has no socket and no clock, but is told the time. After every call that may change
// something, send all that packet() gives, and call tick() when due() says.
//
// What came is acknowledged once it is held here, and held until it is read. What goes out is one packet at
// a time, sent again with the same sequence number until it is answered.
class SolStream {
 public:
  using Time = base::Clock::time_point;

  static constexpr std::size_t kMostHeld = 64 * 1024;  // received and not read
  static constexpr std::size_t kMostOut = 4096;        // written and not accepted by the BMC
  static constexpr std::size_t kMostMarks = 64;        // beyond that, marks are dropped
  static constexpr unsigned kMostTries = 9;            // one and 8 times again
  static constexpr unsigned kMostTriesOfAll = 30;      // while the BMC talks

  // The characters a packet may carry to a BMC that announced this payload size ("inbound", table 24-2),
  // header included. 28 where that can't be true: 0, under 8, over 1024, which is what firmware says that
  // swaps the bytes or means something else.
  static std::size_t characters_for(std::size_t announced_size);

  explicit SolStream(std::size_t most_characters, unsigned most_tries = kMostTries)
      : most_(most_characters), most_tries_(most_tries) {}

  // A SOL payload from the BMC. One that makes no sense is passed over.
  void receive(Bytes payload, Time now);
  void tick(Time now);
  std::optional<Time> due() const;
  // What is to be sent now; again until it gives nothing.
  std::optional<std::string> packet(Time now);

  // As console::Line::read() and next_mark() say, except that 0 stands for nothing to read.
  std::size_t read(char* to, std::size_t most, Time now);
  std::optional<console::LineMark> next_mark();
  bool something_to_read() const { return held() > 0 || !marks_.empty(); }
  std::size_t held() const { return in_.size() - in_read_; }

  // Takes what there is room for.
  std::size_t write(Bytes bytes);
  std::size_t room() const { return kMostOut - out_.size(); }
  // After what was written before; false: one is waiting already.
  bool send_break();

  bool ended() const { return ended_; }            // the BMC says that SOL is deactivated
  bool unanswered() const { return unanswered_; }  // it does not answer what we send

 private:
  // A packet of the BMC that was seen, and when.
  struct Seen {
    std::uint8_t sequence = 0;  // 0: none
    std::string characters;
    Time at;
  };
  struct Mark {
    std::uint64_t offset;  // stands before this byte
    console::LineMark mark;
  };

  void incoming(std::uint8_t sequence, Bytes characters, std::uint8_t status, Time now);
  void again(Bytes characters, Time now);
  void refuse(std::uint8_t sequence, Bytes characters, Time now);
  void settle_extra(Bytes& next);
  bool is_late(std::uint8_t sequence, Bytes characters, Time now) const;
  void answered(std::uint8_t sequence, std::size_t accepted, bool nack, Time now);
  void note(std::uint8_t status);
  void mark(std::string kind, std::string text, bool tell);
  void acknowledge(std::uint8_t sequence, std::size_t accepted);
  void fill_packet();
  void pause(Time now);
  void keep(Bytes bytes);

  // From the BMC.
  std::string in_;  // from in_read_ on: not read
  std::size_t in_read_ = 0;
  std::uint64_t in_offset_ = 0;  // of in_[in_read_]
  std::deque<Mark> marks_;
  Seen last_;                    // the newest taken; its characters are what was acknowledged
  std::array<Seen, 13> before_;  // taken before it
  Seen refused_;                 // answered with a NACK: waits in the BMC until there is room
  bool gap_before_refused_ = false;
  std::string extra_;        // what repeats of last_ carried beyond it
  bool extra_kept_ = false;  // it is in in_ too
  std::optional<Time> extra_due_;
  bool unavailable_ = false;
  std::optional<Time> resume_due_;
  unsigned resumes_ = 0;
  std::optional<Time> nacked_at_;

  // Answers that wait to be sent.
  std::uint8_t ack_ = 0, ack_count_ = 0;
  std::optional<std::string> answer_;  // a NACK or resume, which never carries data

  // To the BMC.
  const std::size_t most_;
  const unsigned most_tries_;
  std::string out_;  // the first on_way_ bytes are in the packet under way
  std::size_t on_way_ = 0;
  std::optional<std::size_t> break_at_;  // in out_
  bool break_on_way_ = false;
  std::uint8_t sequence_ = 0;  // of the packet under way, or of the last one
  bool under_way_ = false, send_now_ = false;
  unsigned tries_ = 0;                // of the packet under way
  bool heard_ = false;                // something from the BMC since the last try
  unsigned refusals_ = 0;             // in a row: NACKs, or nothing accepted
  std::optional<Time> try_again_;     // the packet under way
  std::optional<Time> paused_until_;  // nothing is under way
  bool ended_ = false, unanswered_ = false;
};

}  // namespace oob::ipmi

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.h"

namespace oob::errands {

// What the core and its child for errands say to each other: a SOCK_SEQPACKET pair, one message a packet
// (docs/formats.md, "Core and errands").
enum class Kind : std::uint8_t {
  // from the core
  notify = 1,     // Order, with what is to be read on standard input as its descriptor
  call_home = 2,  // Order, with the connected socket
  end = 3,        // Order, its number alone
  adopt = 4,      // empty: the configuration has changed
  // to the core
  ended = 32,       // End
  begun_anew = 33,  // empty: nothing of what was asked for runs any more
  halted = 34,      // Halt: the same, and nothing can be run until begun_anew
};

constexpr std::size_t kMostWords = 2000;  // bytes of output that are told
constexpr std::size_t kMostText = 4096;   // bytes of any text in an Order

struct Order {
  Kind kind = Kind::end;
  std::uint64_t number = 0;
  std::string name{};                           // of the [notify.NAME] or [callhome.NAME]
  std::uint32_t limit = 0;                      // notify: milliseconds
  std::string event{}, device{}, interface {};  // notify; the interface leads out
  std::uint32_t place = 0;                      // call_home
  std::string encode() const;
  static base::Result<Order> decode(base::Bytes packet);
};

struct End {
  std::uint64_t number = 0;
  std::int32_t status = -1;
  std::string words;
  std::string encode() const;
  static base::Result<End> decode(base::Bytes packet);
};

struct Halt {
  std::string why;
  std::string encode() const;
  static base::Result<Halt> decode(base::Bytes packet);
};

// Why no more of these are begun: Errands::kMostPrograms, kMostCalls.
std::string full(Kind kind);

std::string begun_anew();
bool is_begun_anew(base::Bytes packet);

}  // namespace oob::errands

// What a terminal server (or whoever answers in its place) sends: the outcome must not depend on how it is
// cut, and what it makes this side send is bounded.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "serial/telnet.h"

namespace {

using oob::serial::Telnet;

struct Outcome {
  std::string data, sent, remark;
  Telnet::ComPort com_port;
  bool operator==(const Outcome&) const = default;
};

void demand(bool holds) {
  if (!holds) std::abort();
}

// Feeds `input` in pieces of `size` bytes at most, cut further by the bits of `cuts`.
Outcome feed(const std::string& input, std::size_t size, std::uint8_t cuts) {
  oob::serial::TelnetSettings wanted{"192.0.2.1:23", 0xffffU, "7E2", "rtscts"};
  Telnet telnet(wanted);
  telnet.start();
  Outcome outcome;
  std::size_t offset = telnet.pending().size();
  for (std::size_t at = 0; at < input.size();) {
    std::size_t piece = std::min(size, input.size() - at);
    if (cuts) piece = std::min<std::size_t>(piece, 1 + (cuts >> (at % 5)) % 7);
    std::string part = input.substr(at, piece);
    std::size_t kept = telnet.receive(part.data(), part.size());
    demand(kept <= part.size());
    outcome.data.append(part, 0, kept);
    at += piece;
  }
  demand(telnet.pending().size() <= Telnet::kMostAnswers);
  demand(offset <= telnet.pending().size());
  outcome.sent = telnet.pending();
  outcome.com_port = telnet.com_port();

  // What is typed goes out escaped so that a telnet peer reads it back whole.
  char room[64];
  std::string typed = input;
  for (std::size_t at = 0; at < typed.size();) {
    Telnet::Encoded made = telnet.encode(oob::base::Bytes(typed).substr(at), room, sizeof room);
    demand(made.taken > 0 && made.size <= sizeof room && made.size <= 2 * made.taken);
    at += made.taken;
  }
  outcome.remark = telnet.take_remark();
  demand(outcome.remark.size() < 1024);
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  std::uint8_t cuts = bytes[0];
  std::string input(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  Outcome whole = feed(input, input.size(), 0);
  demand(feed(input, 1, 0) == whole);
  demand(feed(input, input.size(), cuts | 1) == whole);
  return 0;
}

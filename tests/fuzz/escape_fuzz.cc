// The escape gives the same in one piece and in any others, and never hands on what drives a terminal.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "console/escape.h"

namespace {

using oob::base::Bytes;
using oob::console::Escape;

void demand(bool holds) {
  if (!holds) std::abort();
}

struct Record : Escape::Sink {
  void typed(Bytes run) override {
    demand(!run.empty());
    sent += run;
    count += run.size();
  }
  bool command(Escape::Command command, std::string_view text) override {
    bool asked = command == Escape::Command::message || command == Escape::Command::note ||
                 command == Escape::Command::device;
    demand(asked == !text.empty() && text.size() <= Escape::kMostText);
    for (char c : text) demand(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    // Where in what was sent it came counts, so all goes into one string.
    sent += oob::base::str("{", static_cast<int>(command), ":", text, "}");
    return command != Escape::Command::leave;
  }
  void echo(Bytes text) override { shown += text; }

  std::string sent, shown;
  std::size_t count = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes typed(reinterpret_cast<const char*>(data), size);
  Record whole, pieces;
  Escape one, many;
  std::size_t taken = one.feed(typed, whole);
  demand(taken <= size && whole.count <= taken);
  one.finish(whole);

  std::size_t at = 0;
  std::uint32_t state = static_cast<std::uint32_t>(size);
  while (at < taken) {
    state = state * 1664525 + 1013904223;
    std::size_t most = std::min<std::size_t>(taken - at, 1 + (state >> 24) % 5);
    demand(many.feed(typed.substr(at, most), pieces) == most || at + most >= taken);
    at += most;
  }
  many.finish(pieces);
  demand(whole.sent == pieces.sent && whole.shown == pieces.shown);
  return 0;
}

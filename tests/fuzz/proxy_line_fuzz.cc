// The line that tor writes before each connection: the outcome must not depend on how it is cut, and no more
// is taken than it has.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ssh/proxy_line.h"

namespace {

using oob::ssh::ProxyLine;

void demand(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  ProxyLine::State state;
  std::size_t taken;
  std::uint32_t circuit;
  bool operator==(const Outcome&) const = default;
};

Outcome feed(std::string_view input, std::size_t piece) {
  ProxyLine line;
  std::size_t taken = 0;
  while (taken < input.size() && line.state() == ProxyLine::State::more)
    taken += line.feed(input.substr(taken, piece));
  return {line.state(), taken, line.state() == ProxyLine::State::done ? line.circuit() : 0};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  const Outcome whole = feed(input, std::max<std::size_t>(size, 1));
  for (std::size_t piece : {1, 2, 7, 64}) demand(feed(input, piece) == whole);
  demand(whole.taken <= ProxyLine::kMost);
  if (whole.state == ProxyLine::State::more) demand(whole.taken == size && size < ProxyLine::kMost);
  if (whole.state == ProxyLine::State::done) {
    demand(input.starts_with("PROXY TCP6 ") && input[whole.taken - 1] == '\n');
    demand(feed(input.substr(0, whole.taken), size) == whole);
  }
  return 0;
}

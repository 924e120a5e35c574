// A time index of any bytes: every question about it ends, and what it answers lies within it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "console/time_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oob::console;
  if (size < 8) return 0;
  std::uint64_t asked;
  std::memcpy(&asked, data, 8);
  const char* text = reinterpret_cast<const char*>(data) + 8;
  size -= 8;
  TimeIndex index(
      [&](std::uint64_t at, char* to, std::size_t most) {
        std::size_t count = std::min<std::size_t>(most, size - std::min<std::size_t>(size, at));
        std::memcpy(to, text + at, count);
        return count;
      },
      size);
  oob::base::Micros time = static_cast<oob::base::Micros>(asked);
  for (std::uint64_t place :
       {index.first_later(time), index.first_above(asked), index.first_above(asked % 100'000)})
    if (place > size) std::abort();
  std::size_t lines = 0;
  for (std::uint64_t place = 0; auto line = index.next(place); ++lines) {
    if (place > size || silence_before(*line) < 0) std::abort();
    oob::base::Micros at = line->time;
    std::uint64_t found = index.first_later(at);
    auto next = index.next(found);
    if (next && next->time <= at) std::abort();
    if (lines > 200) break;
  }
  return 0;
}

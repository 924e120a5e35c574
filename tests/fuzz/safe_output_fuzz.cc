// Whatever a device sends: what comes out holds only sequences of the kinds that safe_output.h lists, is the
// same in any pieces, and passes a second time unchanged. The check is written on its own, after the header.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>

#include "console/safe_output.h"
#include "console/screenful.h"

namespace {

using oob::base::Bytes;
using oob::console::SafeOutput;

void demand(bool holds) {
  if (!holds) std::abort();
}

bool any_of(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }

// Takes a sequence from the front of `out`, which begins with ESC.
void take_sequence(Bytes& out) {
  demand(out.size() >= 2);
  char second = out[1];
  if (second != '[') {
    std::size_t size = any_of("()*+#", second) ? 3 : 2;
    demand(out.size() >= size && any_of("()*+#78DEHM=>c", second));
    if (size == 3) demand(any_of(second == '#' ? "8" : "0AB", out[2]));
    out.remove_prefix(size);
    return;
  }
  std::size_t end = out.find_first_not_of("0123456789:;?!", 2);
  demand(end != Bytes::npos && end < SafeOutput::kMostSequence);
  Bytes parameters = out.substr(2, end - 2);
  char last = out[end];
  if (parameters.substr(0, 1) == "?") {
    static const std::set<std::string> kModes{"1", "6", "7", "25", "66", "47", "1047", "1048", "1049"};
    demand(last == 'h' || last == 'l');
    oob::base::split(parameters.substr(1), ';',
                     [](Bytes mode) { demand(kModes.count(std::string(mode)) == 1); });
  } else if (last == 'p') {
    demand(parameters == "!");
  } else {
    demand(any_of("@ABCDEFGHIJKLMPSTXZ`abdefghlmrsu", last));
    demand(parameters.find_first_of("?!") == Bytes::npos);
    if (last != 'm') demand(parameters.find(':') == Bytes::npos);
    if (last == 'J') demand(parameters != "3");
    if (last == 's' || last == 'u') demand(parameters.empty());
    if (last == 'h' || last == 'l') demand(parameters.find_first_not_of("04") == Bytes::npos);
  }
  out.remove_prefix(end + 1);
}

void check(Bytes out) {
  while (!out.empty()) {
    if (out[0] == '\033') {
      take_sequence(out);
      continue;
    }
    oob::console::Glyph glyph = oob::console::first_glyph(out);
    demand(glyph.valid);
    unsigned char c = static_cast<unsigned char>(out[0]);
    if (c < 0x20) demand(any_of("\a\b\t\n\v\f\r\x0e\x0f", out[0]));
    demand(c != 0x7f && !(c == 0xc2 && static_cast<unsigned char>(out[1]) < 0xa0));
    out.remove_prefix(glyph.size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes said(reinterpret_cast<const char*>(data), size);
  SafeOutput one, many;
  std::string whole = one.pass(said);
  demand(whole.size() <= 3 * size);
  check(whole);
  demand(SafeOutput().pass(whole) == whole);

  std::string pieces;
  std::uint32_t state = static_cast<std::uint32_t>(size);
  while (!said.empty()) {
    state = state * 1664525 + 1013904223;
    std::size_t piece = std::min<std::size_t>(said.size(), 1 + (state >> 24) % 7);
    pieces += many.pass(said.substr(0, piece));
    said.remove_prefix(piece);
  }
  demand(pieces == whole);
  std::string settled = many.settle();
  demand(one.settle() == settled);
  check(settled);
  demand(many.settle().empty());
  return 0;
}

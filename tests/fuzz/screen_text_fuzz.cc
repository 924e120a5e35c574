// A screen's text is the same in one piece and in any others and holds nothing that drives a terminal; a
// picture of it can be shown.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "audit/screen_text.h"

namespace {

using oob::audit::ScreenText;
using oob::base::Bytes;

void demand(bool holds) {
  if (!holds) std::abort();
}

void take(std::vector<ScreenText::Line> lines, std::string& all) {
  for (const ScreenText::Line& line : lines) {
    for (char c : line.text) demand(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    all += line.text + "\n";
  }
}

std::string text(Bytes bytes, unsigned columns, unsigned rows, std::size_t piece, std::string& picture) {
  ScreenText screen(columns, rows);
  std::string all;
  while (!bytes.empty()) {
    bytes.remove_prefix(screen.feed(bytes.substr(0, piece)));
    take(screen.take_lines(), all);
  }
  picture = screen.picture(columns, rows);
  take(screen.finish(), all);
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 8192) return 0;
  unsigned columns = data[0] % 90, rows = data[1] % 30;
  Bytes bytes(reinterpret_cast<const char*>(data + 2), size - 2);
  std::string picture, other;
  std::string whole = text(bytes, columns, rows, bytes.size(), picture);
  demand(text(bytes, columns, rows, 1 + data[0] % 7, other) == whole && other == picture);
  text(picture, columns, rows, picture.size(), other);
  ScreenText screen(columns, rows);
  screen.feed(bytes);
  screen.take_lines();
  screen.resize(data[1] % 40, data[0] % 20);
  screen.feed(bytes);
  return 0;
}

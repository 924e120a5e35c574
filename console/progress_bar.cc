#include "console/progress_bar.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/bytes.h"

namespace oob::console {

using base::str;

namespace {

constexpr std::size_t kWidest = 40;  // of the bar itself

// At most so many columns. What is cut is not in the middle of a character.
std::string fitted(const std::string& text, std::size_t columns) {
  std::size_t count = 0, at = 0;
  while (at < text.size()) {
    if ((static_cast<unsigned char>(text[at]) & 0xc0) != 0x80 && count++ == columns) break;
    ++at;
  }
  return text.substr(0, at);
}

}  // namespace

ProgressBars::ProgressBars(unsigned columns, unsigned rows, std::size_t name)
    : columns_(columns), rows_(rows), name_(name) {}

void ProgressBars::resize(unsigned columns, unsigned rows) {
  columns_ = columns;
  rows_ = rows;
  // Lines may have wrapped, and nobody knows how many there are now: they stay.
  drawn_ = 0;
}

std::string ProgressBars::erase() {
  if (drawn_ == 0) return "";
  return str("\x1b[", std::exchange(drawn_, 0), "A\r\x1b[J");
}

std::string ProgressBars::draw() {
  std::string text;
  if (drawn_ > 0) text = str("\x1b[", drawn_, "A\r");
  std::size_t most = rows_ > 1 ? rows_ - 1 : 1;
  unsigned lines = 0;
  for (const auto& [name, bar] : bars_) {
    if (lines == most) break;
    text += str(fitted(line(name, bar), columns_ > 1 ? columns_ - 1 : 1), "\x1b[K\r\n");
    ++lines;
  }
  if (lines < drawn_) text += "\x1b[J";
  drawn_ = lines;
  return text;
}

std::string ProgressBars::line(const std::string& name, const Bar& bar) const {
  std::string text = str(name, std::string(name_ - std::min(name_, name.size()) + 2, ' '));
  bool several = bar.files > 1;
  std::string what = several ? str(bar.what, " ", bar.number, "/", bar.files) : bar.what;
  if (bar.of == 0) {
    text += what;
    return bar.done == 0 ? text : str(text, "  ", size_text(bar.done));
  }
  double part = static_cast<double>(std::min(bar.done, bar.of)) / static_cast<double>(bar.of);
  if (several) part = (std::clamp(bar.number, 1u, bar.files) - 1 + part) / bar.files;
  char percent[16];
  std::snprintf(percent, sizeof percent, "%3u %%", static_cast<unsigned>(part * 100));
  std::string tail = str("  ", what, "  ", size_text(bar.of));
  std::size_t taken = text.size() + tail.size() + std::string_view(percent).size() + 5;
  std::size_t width = columns_ > taken ? std::min<std::size_t>(columns_ - taken, kWidest) : 0;
  if (width < 5) return str(text, percent, tail);
  std::size_t full = static_cast<std::size_t>(part * static_cast<double>(width));
  return str(text, "[", std::string(full, '#'), std::string(width - full, '.'), "] ", percent, tail);
}

std::string size_text(std::uint64_t bytes) {
  char text[32];
  if (bytes < 1000) return str(bytes, " B");
  double size = static_cast<double>(bytes) / 1000;
  const char* unit = "kB";
  if (size >= 1000) {
    size /= 1000;
    unit = "MB";
  }
  std::snprintf(text, sizeof text, size < 10 ? "%.1f %s" : "%.0f %s", size, unit);
  return text;
}

}  // namespace oob::console

#include "recipe/restart.h"

#include <re2/re2.h>

#include <algorithm>

namespace oob::recipe {

using base::Bytes;

namespace {

constexpr std::size_t kMostOfALine = 200, kMostStrange = 64;

// Nothing that a system says while it works. Of Linux, systemd, sysvinit and FreeBSD going down; of boot
// loaders and firmware; of kernels that start.
const re2::RE2& kinds_of_restart() {
  static const re2::RE2 kinds(
      R"(reboot: (Restarting|Power|System)|[Ss]ystem is going down|System going down|^Rebooting|)"
      R"(Restarting system|[Rr]equesting system (reboot|poweroff)|Reached target .*([Rr]eboot|Power|Shutdown)|)"
      R"(System shutdown time has arrived|All buffers synced|cpu_reset|)"
      R"(U-Boot|[Aa]utoboot|Hit any key|Press .{1,30} to (enter|stop|abort|interrupt)|GNU GRUB|coreboot|iPXE|)"
      R"(\bBIOS\b|\bUEFI\b|BdsDxe|^Booting|Loading (kernel|Linux|Operating System)|BTX loader|EFI boot loader|)"
      R"(bootstrap loader|System Bootstrap|ROMMON|^Aboot|Control-C now to|Welcome to GRUB|^OpenBoot|)"
      R"(Starting kernel|Uncompressing (Linux|Kernel)|Linux version \d|\[ +0\.000000\]|---<<BOOT>>---|)"
      R"(The FreeBSD Project\.)");
  return kinds;
}

// What a kernel or a shell says at any time: "[  123.456789] ..." of Linux, "igb0: ..." and "pid 12 ..." of
// others.
bool is_usual(Bytes line) {
  static const re2::RE2 usual(R"(^(\[ *\d+\.\d+\]|(<\d+>)?([\w/.-]+(\[\d+\])?:|pid \d+) ))");
  return re2::RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), usual);
}

// Part of an answer: "<", a nonce and words, many of them long; its end is numbers and ">".
bool is_like_an_answer(Bytes line) {
  constexpr std::size_t kLongWord = 28;
  if (line.front() == '<' || line.back() == '>') return true;
  std::size_t longest = 0, begin = 0;
  for (std::size_t at = 0; at <= line.size(); ++at) {
    if (at < line.size() && line[at] != ' ') continue;
    longest = std::max(longest, at - begin);
    begin = at + 1;
  }
  return longest >= kLongWord;
}

}  // namespace

void RestartSigns::hear(Bytes bytes, Time now) {
  bytes_ += bytes.size();
  heard_at_ = now;
  for (char c : bytes) {
    if (c == '\n') {
      look();
      end_line(now);
    } else if (c == '\r') {
      look();
    } else if (line_.size() < kMostOfALine && static_cast<unsigned char>(c) >= ' ') {
      line_ += c;
    }
  }
  look();
}

void RestartSigns::look() {
  if (sign_.empty() && !line_.empty() && re2::RE2::PartialMatch(line_, kinds_of_restart())) sign_ = line_;
}

void RestartSigns::end_line(Time now) {
  if (!line_.empty() && !is_usual(line_) && !is_like_an_answer(line_)) {
    last_strange_ = line_;
    strange_.push_back(now);
    if (strange_.size() > kMostStrange) strange_.pop_front();
  }
  line_.clear();
}

void RestartSigns::clear() { *this = RestartSigns(); }

unsigned RestartSigns::strange_lines(Time from) const {
  return static_cast<unsigned>(
      std::count_if(strange_.begin(), strange_.end(), [from](Time at) { return at >= from; }));
}

}  // namespace oob::recipe

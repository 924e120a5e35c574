#include "ipmi/replay_window.h"

namespace oob::ipmi {

bool ReplayWindow::take(std::uint32_t sequence) {
  if (sequence == 0) return false;            // is never used inside a session
  std::uint32_t ahead = sequence - highest_;  // modulo 2^32, as the numbers wrap
  if (!begun_) {
    begun_ = true;
    highest_ = sequence;
    seen_ = 1;
    return true;
  }
  if (ahead != 0 && ahead < 0x80000000u) {
    seen_ = ahead > kBehind ? 1 : (seen_ << ahead) | 1;
    highest_ = sequence;
    return true;
  }
  std::uint32_t behind = highest_ - sequence;
  if (behind > kBehind || (seen_ >> behind) & 1) return false;
  seen_ |= std::uint64_t{1} << behind;
  return true;
}

}  // namespace oob::ipmi

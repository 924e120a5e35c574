#include <sys/stat.h>

#include <algorithm>

#include "auth/journal_writer.h"

namespace oob::auth {

namespace {
constexpr std::uint64_t kStep = 64 * 1024;
constexpr std::uint64_t kRoom = 4;  // times the reserve has to be free before it is filled up again
constexpr std::chrono::seconds kLook{30};
}  // namespace

JournalReserve::JournalReserve(JournalDisk& disk, std::string folder, std::uint64_t wanted)
    : disk_(disk), folder_(std::move(folder)), wanted_(wanted) {
  struct stat status;
  std::string path = folder_ + "/reserve";
  bool there = ::lstat(path.c_str(), &status) == 0;
  if (wanted_ == 0 && !there) return;
  if (disk_.open(path, file_) != 0) return;
  if (there) left_ = static_cast<std::uint64_t>(status.st_size);
  if (left_ > wanted_ && disk_.truncate(file_, wanted_) == 0) left_ = wanted_;
  if (!there) fill(0);
}

bool JournalReserve::give(std::uint64_t bytes) {
  if (left_ == 0 || !file_) return false;
  std::uint64_t less = left_ - std::min(left_, (bytes / kStep + 1) * kStep);
  if (disk_.truncate(file_, less) != 0) return false;
  left_ = less;
  disk_.sync(file_);  // some file systems have the room only then
  looked_ = std::chrono::steady_clock::now();
  return true;
}

void JournalReserve::tend() {
  auto now = std::chrono::steady_clock::now();
  if (left_ >= wanted_ || !file_ || (looked_ != decltype(looked_){} && now - looked_ < kLook)) return;
  looked_ = now;
  fill(kRoom * wanted_);
}

void JournalReserve::fill(std::uint64_t room_wanted) {
  if (disk_.room(folder_) < std::max(room_wanted, wanted_)) return;
  if (disk_.allocate(file_, wanted_) == 0)
    left_ = wanted_;
  else
    disk_.truncate(file_, left_);  // whatever part of it was made
}

}  // namespace oob::auth

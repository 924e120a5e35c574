#include "serial/path_watch.h"

#include <sys/stat.h>

namespace oob::serial {

PathIdentity look_at(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) < 0) return {};
#ifdef __APPLE__
  const timespec& changed = status.st_ctimespec;
#else
  const timespec& changed = status.st_ctim;
#endif
  return {true, status.st_dev, status.st_ino, status.st_rdev,
          std::int64_t{changed.tv_sec} * 1'000'000'000 + changed.tv_nsec};
}

PathWatch::Wait::Wait(PathWatch& watch, std::string path, const PathIdentity& seen,
                      std::function<void()> what)
    : watch_(watch), path_(std::move(path)), seen_(seen), what_(std::move(what)) {
  place_ = watch_.waits_.insert(watch_.waits_.end(), this);
  if (!watch_.timer_.waiting() && watch_.due_.empty())
    watch_.timer_.after(kEvery, [&watch] { watch.look(); });
}

PathWatch::Wait::~Wait() {
  watch_.waits_.erase(place_);
  for (Wait*& due : watch_.due_)
    if (due == this) due = nullptr;
  if (watch_.waits_.empty()) watch_.timer_.cancel();
}

void PathWatch::look() {
  for (Wait* wait : waits_) {
    if (!wait->what_) continue;
    PathIdentity now = look_at(wait->path_);
    bool returned = now.there && now != wait->seen_;
    wait->seen_ = now;
    if (returned) due_.push_back(wait);
  }
  for (std::size_t i = 0; i < due_.size(); ++i) {
    if (!due_[i]) continue;
    auto what = std::move(due_[i]->what_);
    due_[i]->what_ = nullptr;
    what();
  }
  due_.clear();
  if (!waits_.empty()) timer_.after(kEvery, [this] { look(); });
}

}  // namespace oob::serial

#include "console/pace.h"

#include <algorithm>

#include "console/transcript.h"

namespace oob::console {

Pace::Pace(base::Loop& loop, Archive& archive) : archive_(archive), timer_(loop) {}

void Pace::join(Reader& reader, bool fast) {
  (fast ? fast_ : slow_).push_back(&reader);
  arm();
}

void Pace::leave(Reader& reader) {
  std::erase(slow_, &reader);
  std::erase(fast_, &reader);
}

void Pace::arm() {
  if (timer_.waiting() || (slow_.empty() && fast_.empty())) return;
  auto now = base::Clock::now();
  if (slow_due_ < now) slow_due_ = now + (slow_.size() < kManyFrom ? kSlow : kMany);
  timer_.at(fast_.empty() ? slow_due_ : std::min(now + kFast, slow_due_), [this] { tick(); });
}

void Pace::tick() {
  auto now = base::Clock::now();
  std::vector<Reader*> movers;
  auto pass = [&](std::vector<Reader*>& readers, Reader::Next own) {
    std::size_t kept = 0;
    for (Reader* reader : readers) {
      Reader::Next next = reader->tick();
      if (next == own) {
        readers[kept++] = reader;
      } else if (next != Reader::Next::leave) {
        movers.push_back(reader);
      }
    }
    readers.resize(kept);
  };
  pass(fast_, Reader::Next::fast);
  std::vector<Reader*> slowed = std::move(movers);
  movers.clear();
  if (now >= slow_due_) {
    pass(slow_, Reader::Next::slow);
    slow_due_ = now + (slow_.size() < kManyFrom ? kSlow : kMany);
  }
  fast_.insert(fast_.end(), movers.begin(), movers.end());
  slow_.insert(slow_.end(), slowed.begin(), slowed.end());
  archive_.flush();
  arm();
}

}  // namespace oob::console

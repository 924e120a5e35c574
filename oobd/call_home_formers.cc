#include "oobd/call_home_formers.h"

#include <algorithm>
#include <tuple>

namespace oob {

using base::Clock;
using base::milliseconds;

void CallHomeFormers::take(std::unique_ptr<CallHomeLink> link, bool replaced, std::string doubt) {
  if (full()) {
    for (Former& former : all_) count(former);
    auto least = [](const Former& former) {
      return std::tuple(former.left && former.riders.empty(), former.left.has_value(), former.link->owing());
    };
    all_.erase(std::max_element(all_.begin(), all_.end(), [&](const Former& one, const Former& other) {
      return least(one) < least(other);
    }));
  }
  link->stop_looking();
  all_.push_back({std::move(link), {}, std::move(doubt)});
  if (replaced) all_.back().left = Clock::now();
}

void CallHomeFormers::replaced() {
  for (Former& former : all_)
    if (!former.left) former.left = Clock::now();
}

// Who came by it just before it was left logs in later.
void CallHomeFormers::count(Former& former) const {
  std::vector<std::uint64_t> there = former.link->riders();
  if (former.counted) {
    std::erase_if(former.riders, [&](std::uint64_t one) {
      return std::find(there.begin(), there.end(), one) == there.end();
    });
    return;
  }
  former.riders = std::move(there);
  former.counted = former.left && Clock::now() - *former.left >= limits_.login;
}

std::string CallHomeFormers::look() {
  std::string told;
  std::erase_if(all_, [&](Former& former) {
    const milliseconds owing = former.link->owing();
    if (owing < limits_.owing) former.doubt.clear();
    if (owing >= limits_.lost && !former.doubt.empty()) told = std::exchange(former.doubt, {});
    count(former);
    return owing > limits_.hopeless || (former.counted && former.riders.empty());
  });
  return told;
}

void CallHomeFormers::end(unsigned place) {
  std::erase_if(all_, [place](const Former& former) { return former.link->place() == place; });
}

bool CallHomeFormers::has(unsigned place) const {
  return std::any_of(all_.begin(), all_.end(),
                     [place](const Former& former) { return former.link->place() == place; });
}

}  // namespace oob

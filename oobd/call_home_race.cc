#include "oobd/call_home_race.h"

#include <algorithm>

namespace oob {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

void CallHomeRace::begin(const std::string& bastion, std::vector<CallHomeWay> ways, const Terms& terms,
                         Done done) {
  cancel();
  bastion_ = bastion;
  ways_ = std::move(ways);
  terms_ = terms;
  done_ = std::move(done);
  next();
}

void CallHomeRace::next() {
  head_start_.cancel();  // a way that failed had one as well
  const std::size_t at = runners_.size();
  if (at >= ways_.size()) return;
  Runner& runner = *runners_.emplace_back(std::make_unique<Runner>(loop_));
  runner.dial.begin(bastion_, ways_[at].interface, terms_.keepalive, terms_.limit,
                    [this, at](Result<base::Fd> connected) { over(at, std::move(connected)); });
  if (at + 1 < ways_.size())
    head_start_.after(may_be_spared() ? terms_.metered : terms_.head_start, [this] { next(); });
}

// The next way is metered, and one that is not is still under way.
bool CallHomeRace::may_be_spared() const {
  if (!ways_[runners_.size()].metered) return false;
  for (std::size_t at = 0; at < runners_.size(); ++at)
    if (!ways_[at].metered && runners_[at]->trouble.empty()) return true;
  return false;
}

void CallHomeRace::over(std::size_t at, Result<base::Fd> connected) {
  if (!connected) {
    runners_[at]->trouble = connected.error().what;
    if (runners_.size() < ways_.size() && !may_be_spared()) return next();
    if (std::any_of(runners_.begin(), runners_.end(), [](const auto& one) { return one->trouble.empty(); }))
      return;
  }
  Result<CallHomeFlow> result = connected
                                    ? Result<CallHomeFlow>(CallHomeFlow{std::move(*connected), ways_[at]})
                                    : Result<CallHomeFlow>(fail(Fault::unavailable, trouble()));
  Done done = std::exchange(done_, nullptr);
  cancel();
  done(std::move(result));  // perhaps the end of this
}

std::string CallHomeRace::trouble() const {
  std::string text = str(bastion_, ": ");
  for (std::size_t at = 0; at < runners_.size(); ++at) {
    const std::string& interface = ways_[at].interface;
    std::string by = interface.empty() ? "" : str("by ", base::printable(interface, 40), ": ");
    text += str(at == 0 ? "" : "; ", by, runners_[at]->trouble);
  }
  return text;
}

void CallHomeRace::cancel() {
  head_start_.cancel();
  runners_.clear();
  done_ = nullptr;
}

}  // namespace oob

#pragma once

#include <functional>
#include <memory>

#include "base/fd.h"
#include "base/loop.h"

namespace oob::uplink {

// Tells that interfaces or addresses have changed (rtnetlink(7)); not what: whoever is told looks. Where the
// system has no such thing, or does not let us, nothing is ever told.
class LinkEvents {
 public:
  // `changed` runs from the loop, which outlives this.
  LinkEvents(base::Loop& loop, std::function<void()> changed);
  LinkEvents(const LinkEvents&) = delete;
  LinkEvents& operator=(const LinkEvents&) = delete;

 private:
  void heard();

  base::Fd socket_;
  std::unique_ptr<base::Watch> watch_;
  std::function<void()> changed_;
};

}  // namespace oob::uplink

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/loop.h"
#include "oobd/config.h"
#include "uplink/doctor.h"
#include "uplink/uplinks.h"

namespace oob {

// What the configuration wants of the board's routing, and what of a login goes by the clock. Reads people's
// key files (oobd/clock_needs.h).
uplink::Plan uplink_plan(const Config& config);

// Looks at this board (it blocks, uplink/routes.h) and says what is wrong.
base::Result<std::vector<uplink::Finding>> uplink_findings(const uplink::Plan& plan);

// `oobd check --uplink`: prints what is wrong with the ways in and out of this board, each with its cure.
// Exit status: 78 with errors, 69 where this system can't be looked at, else 0 (remarks too).
int run_check_uplink(const Config& config);

// The same in the daemon, for `status`: looks by itself, off the loop.
class UplinkCheckup {
 public:
  static constexpr base::milliseconds kEvery{30'000};
  static constexpr base::milliseconds kSettled{2'000};  // after a change of interfaces, which come in crowds
  static constexpr std::size_t kMost = 8;               // errors that are told

  using Look = std::function<base::Result<std::vector<uplink::Finding>>(const uplink::Plan&)>;

  // `look` runs in another thread.
  UplinkCheckup(base::Loop& loop, base::Blocking& blocking, Look look = uplink_findings);
  ~UplinkCheckup();
  UplinkCheckup(const UplinkCheckup&) = delete;
  UplinkCheckup& operator=(const UplinkCheckup&) = delete;

  void adopt(const Config& config);       // looks at once; without uplinks it never does
  void look();                            // once more, unless a look is under way; else it does so by itself
  void follow(uplink::Uplinks& uplinks);  // looks again soon after one of them has changed
  // The errors of the last look, each with its cure; of more than kMost the last says how many there are.
  // Where the board can't be looked at any more, why comes first, before what was wrong when it could.
  std::vector<std::string> errors() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace oob

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"
#include "uplink/figures.h"

namespace oob {

// One way to try: an interface, empty for whatever the routing table says.
struct CallHomeWay {
  std::string interface;
  bool metered = false;
  bool operator==(const CallHomeWay&) const = default;
};

// The ways to a bastion (numeric, with its port) in the order in which they are tried: uplink::ways_to().
// What the routing table says may be by an uplink that costs, where there is one.
std::vector<CallHomeWay> call_home_ways(const std::string& bastion,
                                        const std::vector<uplink::Figures>& uplinks);

// One TCP connection to a bastion, by one interface.
class CallHomeDial {
 public:
  using Done = std::function<void(base::Result<base::Fd> connected)>;

  explicit CallHomeDial(base::Loop& loop) : loop_(loop), limit_(loop) {}
  CallHomeDial(const CallHomeDial&) = delete;
  CallHomeDial& operator=(const CallHomeDial&) = delete;

  // `bastion` is numeric, with its port. `keepalive`: a silent connection is asked for a sign of life so
  // often, then each second (TCP keepalive). `done` is called from the loop, once, unless cancel() comes
  // first.
  void begin(const std::string& bastion, const std::string& interface, base::milliseconds keepalive,
             base::milliseconds limit, Done done);
  void cancel();
  bool under_way() const { return static_cast<bool>(done_); }

 private:
  base::Result<bool> connect(const std::string& bastion, const std::string& interface,
                             base::milliseconds keepalive);
  void end(base::Result<> result);

  base::Loop& loop_;
  base::Timer limit_;
  base::Fd socket_;
  std::unique_ptr<base::Watch> watch_;
  Done done_;
  base::Life life_;
};

// For how long the far end of a TCP connection has been owing us a sign of life: something was sent, and
// nothing has come since. 0: it owes nothing, or this system can't tell.
base::milliseconds unanswered_for(int fd);

// How many packets have had no answer, the last of them perhaps not yet: TCP's probes, something sent, and
// the same again. 0 where this system can't tell.
unsigned unanswered_tries(int fd);

}  // namespace oob

#pragma once

#include "base/loop.h"

namespace oob {

// The times of call-home.
struct CallHomeLimits {
  base::milliseconds dial{2500};         // for a TCP connection by one way; the next one begins
  base::milliseconds head_start{400};    // so long after it
  base::milliseconds spared{2000};       // a metered one, where another may still lead there
  base::milliseconds begin{15'000};      // from there until the way is whole
  base::milliseconds look{500};          // at a connection's debts, and while it begins
  base::milliseconds closely{100};       // where there are some
  base::milliseconds keepalive{2000};    // asks a silent bastion for a sign of life
  base::milliseconds owing{2400};        // so long without one: another connection is tried beside it
  unsigned tries = 3;                    // and so many packets in vain: it takes the place of the first one
  base::milliseconds grace{1000};        // for the first one to come back, where the path was down
  base::milliseconds lost{6000};         // owing for so long, what it carried counts as cut
  base::milliseconds hopeless{60'000};   // owing for so long, it is given up
  base::milliseconds check{5000};        // from one look end to end to the next
  base::milliseconds metered{60'000};    // the same where each byte costs
  base::milliseconds answer{4000};       // for one look
  base::milliseconds login{32'000};      // limits.grace and a little: by then all are in who came by it
  base::milliseconds cheaper{60'000};    // from a metered way, so often, one that is not is tried
  base::milliseconds unreached{500};     // after no way led to the bastion
  base::milliseconds retry_least{1000};  // after the bastion, or ssh, said no: doubled each time
  base::milliseconds retry_most{30'000};
  base::milliseconds held{10'000};  // what worked for so long is dialled at once again
  unsigned failures = 2;            // looks in a row: the connection is begun anew
};

}  // namespace oob

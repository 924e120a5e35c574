#pragma once

#include "console/drill.h"
#include "oobd/config.h"
#include "oobd/drill_login.h"
#include "oobd/gates.h"
#include "oobd/notices.h"

namespace oob {

// What a drill asks of the board by this configuration. It comes in by the first of the listeners, as they
// are then, that this board can dial itself: not one that is tied to an interface, and tor's for want of
// another. Where none is wanted but tied ones, there is no login to try. `login`,
// `gates` and `notices` outlive it.
console::DrillGround drill_ground(const Config& config, const Gates& gates, DrillLogin& login,
                                  Notices& notices);

}  // namespace oob

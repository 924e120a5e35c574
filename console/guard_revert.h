#pragma once

#include <functional>

#include "base/loop.h"
#include "console/guards.h"

namespace oob::console {

// For the line, from when it is typed until it has ended. One that takes longer is ended, and the guard has
// failed.
constexpr base::milliseconds kRevertRun{120'000};

// Guards::Terms::revert: over the device's console, whose keyboard it takes from whoever has it, by the
// device's recipe, with the rights of who armed it. The Core outlives all three.
std::function<void(const base::Error&)> revert_over_console(Core& core, const Guard& guard,
                                                            std::function<void(Guards::Go)> typing,
                                                            std::function<void(Reverted)> done);

}  // namespace oob::console

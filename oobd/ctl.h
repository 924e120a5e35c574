#pragma once

#include <string>
#include <vector>

namespace oob {

// `oobd ctl COMMAND…`: any command of the daemon's, on the board itself, by the Unix socket in the state
// folder; with a terminal and no command, the prompt. Words stay whole, whatever is in them.
// The exit status is the command's; 69 when no daemon answers.
int run_ctl(const std::string& state, const std::vector<std::string>& words);

}  // namespace oob

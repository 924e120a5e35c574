#pragma once

#include <string>

namespace oob {

// `oobd demo`: a daemon whose devices are programs of this machine, with a key made for it, and the ssh line
// to type. Runs until Ctrl-C or SIGTERM and leaves nothing running; `directory` is kept, without one a
// temporary folder is made and removed. Port 0: any free one. The exit status.
int run_demo(const std::string& directory, unsigned port);

}  // namespace oob

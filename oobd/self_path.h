#pragma once

#include <string>

namespace oob {

// Where the running program can be started again from, also after its file was replaced where the system
// allows.
std::string self_path();

}  // namespace oob

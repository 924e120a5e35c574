#pragma once

#include <string>
#include <vector>

namespace oob {

// `oobd replay FILE [--speed X] [--idle S] [--from T]`: plays any asciicast v2 file in this terminal, which
// is put back as it was on every way out; without one the bytes as fast as they are taken. What comes from a
// device passes console::SafeOutput on a terminal. Returns an exit status.
int run_replay(const std::vector<std::string>& words);

}  // namespace oob

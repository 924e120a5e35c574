#include "base/log.h"

#include <unistd.h>

#include <string>

namespace oob::base {

void log(std::string_view what) {
  std::string line = "oobd: ";
  line += what;
  line += '\n';
  // Nobody is left to tell when stderr is gone.
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace oob::base

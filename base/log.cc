#include "base/log.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "base/bytes.h"

namespace oob::base {
namespace {

// For the whole process, as stderr is: two threads must not look for the same room.
std::mutex mutex;
unsigned dropped = 0;  // lines that nobody took: told with the next one

}  // namespace

// A pipe that nobody reads must not stop the loop: it has room for PIPE_BUF bytes whenever poll() says it has
// any (POSIX, write()).
void log(std::string_view what) {
  std::lock_guard lock(mutex);
  pollfd room{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT)) {
    ++dropped;
    return;
  }
  std::string line;
  if (unsigned lost = std::exchange(dropped, 0)) line = str("oobd: ", lost, " lines were lost here\n");
  std::string said(what);
  // Whoever wrote it should have seen to this; a terminal that shows the log is not to depend on that.
  std::replace_if(
      said.begin(), said.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  line += str("oobd: ", said);
  line.resize(std::min<std::size_t>(line.size(), PIPE_BUF - 1));
  line += '\n';
  // Nobody is left to tell when stderr is gone.
  [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace oob::base

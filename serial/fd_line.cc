#include "serial/fd_line.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <system_error>

namespace oob::serial {

using base::Error;
using base::Fault;
using base::Result;

base::milliseconds break_time(unsigned asked) {
  return base::milliseconds(asked == 0 ? kBreakDefault : std::min(asked, kBreakMost));
}

void FdLine::attach(int fd) { fd_ = fd; }

void FdLine::detach() {
  watch_.reset();
  fd_ = -1;
}

Result<std::size_t> FdLine::read(char* to, std::size_t most) {
  assert(attached());
  ssize_t size;
  do {
    size = ::read(fd_, to, most);
  } while (size < 0 && errno == EINTR);
  if (size > 0) return static_cast<std::size_t>(size);
  return down(size == 0 ? 0 : errno);
}

Result<std::size_t> FdLine::write(base::Bytes bytes) {
  assert(attached());
  ssize_t size;
  do {
    // MSG_NOSIGNAL is for sockets alone, and there it saves the process from SIGPIPE.
    size = kind_ == Kind::socket ? ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL)
                                 : ::write(fd_, bytes.data(), bytes.size());
  } while (size < 0 && errno == EINTR);
  if (size > 0 || (size == 0 && bytes.empty())) return static_cast<std::size_t>(size);
  return down(size == 0 ? EAGAIN : errno);
}

void FdLine::wait_readable(std::function<void()> what) {
  assert(attached());
  if (!watch_) watch_.emplace(loop_, fd_);
  watch_->readable(std::move(what));
}

void FdLine::wait_writable(std::function<void()> what) {
  assert(attached());
  if (!watch_) watch_.emplace(loop_, fd_);
  watch_->writable(std::move(what));
}

// As long as a descriptor is registered, Asio's reactor wakes the loop for all that comes, whether anybody
// waits or not.
void FdLine::rest() {
  if (watch_ && !watch_->waits_writable()) watch_.reset();
}

Error FdLine::down(int number) const {
  if (number == EAGAIN || number == EWOULDBLOCK) return Error{Fault::again, {}};  // often: allocates nothing
  if (kind_ == Kind::tty) {
    if (number == 0 || number == EIO || number == ENXIO || number == ENODEV)
      return Error{Fault::unavailable, "unplugged"};
  } else {
    if (number == 0) return Error{Fault::unavailable, "closed by the other side"};
    if (number == ECONNRESET || number == EPIPE) return Error{Fault::unavailable, "reset by the other side"};
    if (number == ETIMEDOUT) return Error{Fault::unavailable, "the other side answers no more"};
  }
  return Error{Fault::unavailable, std::generic_category().message(number)};
}

}  // namespace oob::serial

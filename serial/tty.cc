#include "serial/tty.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "serial/speed.h"
#include "serial/uart.h"

namespace oob::serial {

using base::fail;
using base::Fault;
using base::Fd;
using base::Result;
using base::str;
using base::system_error;

namespace {

base::Error in_use() { return fail(Fault::unavailable, "in use by another program"); }

class PlainTty : public Tty {
 public:
  explicit PlainTty(Fd fd) : fd_(std::move(fd)) {}
  ~PlainTty() override { discard(); }

  int fd() const override { return fd_.get(); }
  Result<> start_break() override { return control(TIOCSBRK); }
  Result<> end_break() override { return control(TIOCCBRK); }

 private:
  Result<> control(unsigned long request) {
    if (::ioctl(fd_.get(), request, 0) < 0) return system_error("break");
    return {};
  }
  Fd fd_;
};

void set_format(termios& to, const Format& format) {
  constexpr tcflag_t kBits[] = {CS5, CS6, CS7, CS8};
  to.c_cflag &= ~static_cast<tcflag_t>(CSIZE | PARENB | PARODD | CSTOPB);
  to.c_cflag |= kBits[format.bits - 5];
  if (format.parity != 'N') to.c_cflag |= PARENB;
  if (format.parity == 'O' || format.parity == 'M') to.c_cflag |= PARODD;
#ifdef CMSPAR
  to.c_cflag &= ~static_cast<tcflag_t>(CMSPAR);
  if (format.parity == 'M' || format.parity == 'S') to.c_cflag |= CMSPAR;
#endif
  if (format.stop == 2) to.c_cflag |= CSTOPB;
}

void set_flow(termios& to, Flow flow) {
  to.c_iflag &= ~static_cast<tcflag_t>(IXON | IXOFF | IXANY);
  to.c_cflag &= ~static_cast<tcflag_t>(CRTSCTS);
  if (flow == Flow::xonxoff) to.c_iflag |= IXON | IXOFF;
  if (flow == Flow::rtscts) to.c_cflag |= CRTSCTS;
}

// Opened and locked before anything is set, so that another program's port stays as it is. O_NONBLOCK: do not
// wait for a carrier.
Result<Fd> claim(const std::string& real) {
  Fd fd(::open(real.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    if (errno == EBUSY) return in_use();
    return fail(Fault::unavailable, system_error("open").what);
  }
  if (!::isatty(fd.get())) return fail(Fault::unavailable, "not a tty");
  if (Result<> locked = lock_tty(fd.get(), real); !locked) return locked.error();
  return fd;
}

Result<std::unique_ptr<Tty>> open_real(const std::string& real, const TtySettings& settings) {
  Result<Fd> claimed = claim(real);
  if (!claimed) return claimed.error();
  if (!Uart::knows(real)) return open_plain_tty(std::move(*claimed), settings);
  Result<std::unique_ptr<Tty>> uart = Uart::open(real, *claimed, settings);
  // A port in sysfs without modem lines (a virtio console, say): libserialport refuses it, termios does not.
  if (!uart && uart.error().fault == Fault::missing) return open_plain_tty(std::move(*claimed), settings);
  return uart;
}

}  // namespace

void Tty::discard() { ::tcflush(fd(), TCOFLUSH); }  // a tty that is gone has nothing left to discard

void Tty::unlock() {
  // Neither can fail in a way that matters: the close that follows lets go as well.
  ::ioctl(fd(), TIOCNXCL);
  ::flock(fd(), LOCK_UN);
}

Result<> lock_tty(int fd, const std::string& real_path) {
  if (::flock(fd, LOCK_EX | LOCK_NB) < 0) {
    if (errno == EWOULDBLOCK) return in_use();
    return system_error("lock");
  }
  if (!real_path.starts_with("/dev/pts/") && ::ioctl(fd, TIOCEXCL) < 0) return system_error("lock");
  return {};
}

Result<std::unique_ptr<Tty>> open_plain_tty(Fd locked, const TtySettings& settings) {
  Result<Format> format = parse_format(settings.format);
  if (!format) return format.error();
  Result<Flow> flow = parse_flow(settings.flow);
  if (!flow) return flow.error();
  int fd = locked.get();
  termios now{};
  if (::tcgetattr(fd, &now) < 0) return fail(Fault::unavailable, system_error("read its settings").what);
  ::cfmakeraw(&now);
  now.c_cflag |= CLOCAL | CREAD;
  now.c_cflag &= ~static_cast<tcflag_t>(HUPCL);
  now.c_cc[VMIN] = 1;  // so that a read of 0 bytes means hung up and nothing else
  now.c_cc[VTIME] = 0;
  set_format(now, *format);
  set_flow(now, *flow);
  if (::tcsetattr(fd, TCSANOW, &now) < 0) return fail(Fault::unavailable, system_error("set it up").what);
  // A tty without a speed or modem lines works without them.
  (void)set_speed(fd, settings.baud);
  int lines = TIOCM_DTR | TIOCM_RTS;
  (void)::ioctl(fd, TIOCMBIS, &lines);
  return std::unique_ptr<Tty>(std::make_unique<PlainTty>(std::move(locked)));
}

Result<std::unique_ptr<Tty>> open_tty(const TtySettings& settings) {
  char* resolved = ::realpath(settings.path.c_str(), nullptr);
  if (!resolved) return fail(Fault::unavailable, system_error(settings.path).what);
  std::string real(resolved);
  std::free(resolved);
  Result<std::unique_ptr<Tty>> tty = open_real(real, settings);
  if (tty) return tty;
  std::string name = real == settings.path ? real : str(settings.path, " (", real, ")");
  return base::wrap(name, tty.error());
}

}  // namespace oob::serial

#include "serial/speed.h"

// A file of its own because Linux's <asm/termbits.h>, which has speeds without a name, and <termios.h>
// exclude each other.
#ifdef __linux__
#include <asm/termbits.h>
#include <sys/ioctl.h>

#else
#include <termios.h>
#endif

namespace oob::serial {

#ifdef __linux__

namespace {

struct Named {
  unsigned baud;
  tcflag_t bits;
};
// Speeds with a name go by their name: other programs that look at the tty know no other way.
constexpr Named kNamed[] = {
    {50, B50},           {75, B75},           {110, B110},         {134, B134},         {150, B150},
    {200, B200},         {300, B300},         {600, B600},         {1200, B1200},       {1800, B1800},
    {2400, B2400},       {4800, B4800},       {9600, B9600},       {19200, B19200},     {38400, B38400},
    {57600, B57600},     {115200, B115200},   {230400, B230400},   {460800, B460800},   {500000, B500000},
    {576000, B576000},   {921600, B921600},   {1000000, B1000000}, {1152000, B1152000}, {1500000, B1500000},
    {2000000, B2000000}, {2500000, B2500000}, {3000000, B3000000}, {3500000, B3500000}, {4000000, B4000000},
};

}  // namespace

base::Result<> set_speed(int fd, unsigned baud) {
  struct termios2 now {};
  if (::ioctl(fd, TCGETS2, &now) < 0) return base::system_error(base::str("baud ", baud));
  tcflag_t bits = BOTHER;
  for (const Named& named : kNamed)
    if (named.baud == baud) bits = named.bits;
  // Input bits B0: the same as output.
  now.c_cflag = (now.c_cflag & ~static_cast<tcflag_t>(CBAUD | (CBAUD << IBSHIFT))) | bits;
  now.c_ispeed = now.c_ospeed = baud;
  if (::ioctl(fd, TCSETS2, &now) < 0) return base::system_error(base::str("baud ", baud));
  return {};
}

unsigned speed(int fd) {
  struct termios2 now {};
  if (::ioctl(fd, TCGETS2, &now) < 0) return 0;
  return now.c_ospeed;
}

#else

base::Result<> set_speed(int fd, unsigned baud) {
  termios now{};
  if (::tcgetattr(fd, &now) < 0 || ::cfsetispeed(&now, baud) < 0 || ::cfsetospeed(&now, baud) < 0 ||
      ::tcsetattr(fd, TCSANOW, &now) < 0)
    return base::system_error(base::str("baud ", baud));
  return {};
}

unsigned speed(int fd) {
  termios now{};
  if (::tcgetattr(fd, &now) < 0) return 0;
  return static_cast<unsigned>(::cfgetospeed(&now));
}

#endif

}  // namespace oob::serial

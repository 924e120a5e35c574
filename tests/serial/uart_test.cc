// libserialport opens no pty: it wants the name in /sys/class/tty and modem lines. This program tells it what
// it wants to hear while PtyAsUart is alive: the functions below stand before those of the C library, for
// this program and the shared libraries it uses.
#include "serial/uart.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <mutex>

#include "serial/speed.h"
#include "serial/tty_line.h"
#include "tests/serial/line_kit.h"

namespace {

constexpr char kPtys[] = "/sys/class/tty/pts/";
std::atomic<bool> pretend = false;
std::atomic<bool> has_modem_lines = true;
std::atomic<int> modem_lines = 0;
std::mutex mutex;
std::string breaks;                                     // "+" for each begin, "-" for each end
oob::base::Clock::time_point break_begun, break_ended;  // the last ones
std::atomic<bool> break_waits = false, break_is_waiting = false, output_discarded = false;

bool pretended(const char* path) { return pretend && std::strncmp(path, kPtys, sizeof kPtys - 1) == 0; }

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// What a pty has not, as a UART has it. False: the C library is asked.
bool modem_control(unsigned long request, int* argument) {
  switch (request) {
    case TIOCMGET:
      *argument = modem_lines | TIOCM_CTS | TIOCM_DSR;
      return true;
    case TIOCMSET:
      modem_lines = *argument;
      return true;
    case TIOCMBIS:
      modem_lines |= *argument;
      return true;
    case TIOCMBIC:
      modem_lines &= ~*argument;
      return true;
    case TIOCSBRK: {
      while (break_waits && !output_discarded) {
        break_is_waiting = true;
        ::usleep(1000);
      }
      std::lock_guard lock(mutex);
      breaks += '+';
      break_begun = oob::base::Clock::now();
      return true;
    }
    case TIOCCBRK: {
      std::lock_guard lock(mutex);
      breaks += '-';
      break_ended = oob::base::Clock::now();
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

extern "C" {

int __lxstat(int version, const char* path, struct stat* status) {
  using Function = int(int, const char*, struct stat*);
  return next<Function>("__lxstat")(version, pretended(path) ? "/sys/class/tty/tty" : path, status);
}

int lstat(const char* path, struct stat* status) noexcept {
  using Function = int(const char*, struct stat*);
  return next<Function>("lstat")(pretended(path) ? "/sys/class/tty/tty" : path, status);
}

ssize_t readlink(const char* path, char* to, size_t most) noexcept {
  using Function = ssize_t(const char*, char*, size_t);
  if (!pretended(path)) return next<Function>("readlink")(path, to, most);
  constexpr char kDevice[] = "../../../virtual";
  size_t size = std::min(most, sizeof kDevice - 1);
  std::memcpy(to, kDevice, size);
  return static_cast<ssize_t>(size);
}

int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  if (pretend && request == TIOCMGET && !has_modem_lines) return errno = ENOTTY, -1;
  if (pretend && has_modem_lines && modem_control(request, static_cast<int*>(argument))) return 0;
  return next<int(int, unsigned long, ...)>("ioctl")(fd, request, argument);
}

int tcflush(int fd, int queue) noexcept {
  output_discarded = true;
  return next<int(int, int)>("tcflush")(fd, queue);
}

}  // extern "C"

namespace oob::serial {
namespace {

struct PtyAsUart : testing::Test {
  PtyAsUart() {
    has_modem_lines = true;
    modem_lines = 0;
    breaks.clear();
    break_waits = break_is_waiting = output_discarded = false;
    pretend = true;
  }
  ~PtyAsUart() override {
    // What a line lets go of on a thread throws output away as well, and that of the next test is not meant.
    EXPECT_TRUE(test::run_until(loop, [&] { return open_here() <= 1; })) << "only the test's own";
    pretend = false;
  }

  // How many descriptors the path's end has here.
  int open_here() const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      std::string to = std::filesystem::read_symlink(entry.path(), gone);
      count += to == pty.path || to == pty.path + " (deleted)";
    }
    return count;
  }

  std::string breaks_so_far() {
    std::lock_guard lock(mutex);
    return breaks;
  }

  base::Loop loop;
  base::Blocking blocking{loop};
  PathWatch paths{loop};
  test::Pty pty;
};

TEST_F(PtyAsUart, IsOpenedByLibserialportAndCarriesBytes) {
  ASSERT_TRUE(Uart::knows(pty.path));
  base::Result<std::unique_ptr<Tty>> tty = open_tty({.path = pty.path});
  ASSERT_TRUE(tty) << tty.error().what;
  EXPECT_NE(dynamic_cast<Uart*>(tty->get()), nullptr);
  EXPECT_TRUE(::fcntl((*tty)->fd(), F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(::fcntl((*tty)->fd(), F_GETFL) & O_NONBLOCK);
  tty->reset();

  TtyLine line(loop, blocking, paths, {.path = pty.path});
  ASSERT_TRUE(test::open_line(loop, line));
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  pty.say(all);
  EXPECT_EQ(test::hear(loop, line, 256), all);
  char none[1];
  EXPECT_EQ(line.read(none, 1).error().fault, base::Fault::again);
  ASSERT_TRUE(test::say(loop, line, all));
  EXPECT_EQ(pty.hear(256), all);
  pty.gear.reset();
  EXPECT_EQ(test::loss(loop, line), "unplugged");
}

TEST_F(PtyAsUart, IsSetUpAsWasAsked) {
  for (unsigned baud : {9600U, 115200U, 250000U, 1500000U}) {
    base::Result<std::unique_ptr<Tty>> tty =
        open_tty({.path = pty.path, .baud = baud, .format = "8N2", .flow = "xonxoff"});
    ASSERT_TRUE(tty) << tty.error().what;
    EXPECT_EQ(speed(pty.gear.get()), baud);
    termios now{};
    ::tcgetattr(pty.gear.get(), &now);
    EXPECT_TRUE(now.c_cflag & CSTOPB);
    EXPECT_EQ(now.c_iflag & (IXON | IXOFF), static_cast<tcflag_t>(IXON | IXOFF));
    EXPECT_FALSE(now.c_cflag & (CRTSCTS | HUPCL));
    EXPECT_TRUE(now.c_cflag & CLOCAL);
    EXPECT_FALSE(now.c_lflag & (ICANON | ECHO | ISIG));
    EXPECT_EQ(now.c_cc[VMIN], 1);
    EXPECT_EQ(modem_lines & (TIOCM_DTR | TIOCM_RTS), TIOCM_DTR | TIOCM_RTS);
  }
  base::Result<std::unique_ptr<Tty>> hardware = open_tty({.path = pty.path, .flow = "rtscts"});
  ASSERT_TRUE(hardware);
  termios now{};
  ::tcgetattr(pty.gear.get(), &now);
  EXPECT_TRUE(now.c_cflag & CRTSCTS);
  EXPECT_FALSE(now.c_iflag & IXON);
}

TEST_F(PtyAsUart, IsLockedAndFreed) {
  base::Result<std::unique_ptr<Tty>> first = open_tty({.path = pty.path});
  ASSERT_TRUE(first);
  EXPECT_EQ(open_tty({.path = pty.path}).error().what, pty.path + ": in use by another program");
  (*first)->unlock();
  EXPECT_TRUE(open_tty({.path = pty.path}));
}

TEST_F(PtyAsUart, SaysWhatTheSettingsLack) {
  EXPECT_EQ(open_tty({.path = pty.path, .format = "9N1"}).error().fault, base::Fault::config);
  std::size_t before = test::open_descriptors();
  EXPECT_FALSE(open_tty({.path = pty.path, .flow = "none!"}));
  EXPECT_EQ(test::open_descriptors(), before);
}

TEST_F(PtyAsUart, IsHandledByTermiosWithoutModemLines) {
  has_modem_lines = false;
  base::Result<std::unique_ptr<Tty>> tty = open_tty({.path = pty.path, .baud = 19200});
  ASSERT_TRUE(tty) << tty.error().what;
  EXPECT_EQ(dynamic_cast<Uart*>(tty->get()), nullptr);
  EXPECT_EQ(speed(pty.gear.get()), 19200U);
  EXPECT_FALSE(open_tty({.path = pty.path})) << "locked all the same";
}

TEST_F(PtyAsUart, SendsABreakOfTheTimeAskedFor) {
  TtyLine line(loop, blocking, paths, {.path = pty.path});
  ASSERT_TRUE(test::open_line(loop, line));
  // On a busy machine some may last longer.
  auto shortest = base::Clock::duration::max();
  std::string wanted;
  for (int i = 0; i < 20 && shortest >= base::milliseconds(1000); ++i) {
    ASSERT_TRUE(line.send_break(250));
    wanted += "+-";
    ASSERT_TRUE(test::run_until(loop, [&] { return breaks_so_far() == wanted; }));
    shortest = std::min(shortest, break_ended - break_begun);
    EXPECT_GE(shortest, base::milliseconds(250));
    EXPECT_TRUE(test::say(loop, line, "on"));
  }
  EXPECT_LT(shortest, base::milliseconds(1000));
  ASSERT_TRUE(line.send_break(0));
  EXPECT_TRUE(test::run_until(loop, [&] { return breaks_so_far() == wanted + "+-"; }));
}

TEST_F(PtyAsUart, ThrowsAwayOutputThatStandsInTheWayOfABreak) {
  TtyLine line(loop, blocking, paths, {.path = pty.path});
  ASSERT_TRUE(test::open_line(loop, line));
  break_waits = true;
  output_discarded = false;
  auto begun = base::Clock::now();
  ASSERT_TRUE(line.send_break(100));
  EXPECT_TRUE(test::run_until(loop, [&] { return breaks_so_far() == "+-"; }));
  EXPECT_GE(base::Clock::now() - begun, TtyLine::kDrainLimit);
}

TEST_F(PtyAsUart, ClosesWhileABreakWaits) {
  TtyLine line(loop, blocking, paths, {.path = pty.path});
  ASSERT_TRUE(test::open_line(loop, line));
  break_waits = true;
  output_discarded = false;
  ASSERT_TRUE(line.send_break(100));
  ASSERT_TRUE(test::run_until(loop, [] { return break_is_waiting.load(); }));
  auto begun = base::Clock::now();
  line.close();
  EXPECT_LT(base::Clock::now() - begun, 2 * TtyLine::kDrainLimit);
  break_waits = false;
  EXPECT_TRUE(test::open_line(loop, line));
}

}  // namespace
}  // namespace oob::serial

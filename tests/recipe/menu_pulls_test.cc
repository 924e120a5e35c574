#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>

#include "base/fd.h"
#include "recipe/book.h"
#include "recipe/pull.h"
#include "recipe/shell.h"
#include "tests/recipe/real_shell.h"
#include "tests/recipe/simulated_visit.h"

namespace oob::recipe {
namespace {

using Menu = SimulatedUnix::Menu;
using base::str;
using std::chrono::milliseconds;

unsigned pulls_wanted() {
  const char* wanted = std::getenv("OOBD_MENU_PULLS");
  return wanted ? static_cast<unsigned>(std::atoi(wanted)) : 24;  // 1000 for the long run
}

// A shell on a pty of its own.
class PtyShell {
 public:
  PtyShell(const DeviceTools& tools, const std::string& prompt) {
    winsize size{24, 80, 0, 0};
    std::vector<std::string> environment{
        str("PATH=", tools.bin()),         str("HOME=", tools.home()), "TERM=vt100",
        str("TMPDIR=", tools.temporary()), str("PS1=", prompt),        "LC_ALL=C"};
    std::vector<char*> pointers;
    for (std::string& one : environment) pointers.push_back(one.data());
    pointers.push_back(nullptr);
    std::string path = tools.bin() + "/sh", home = tools.home();
    char name[] = "sh", interactive[] = "-i";
    char* arguments[] = {name, interactive, nullptr};
    int master = -1, slave = -1;
    if (::openpty(&master, &slave, nullptr, nullptr, &size) != 0) std::abort();
    master_.reset(master);
    slave_.reset(slave);
    for (int fd : {master, slave}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(master, F_SETFL, O_NONBLOCK);
    pid_ = ::fork();
    if (pid_ < 0) std::abort();
    if (pid_ == 0) {
      // As on a device, whatever has started the tests.
      for (int signal : {SIGINT, SIGQUIT}) ::signal(signal, SIG_DFL);
      if (::login_tty(slave) != 0 || ::chdir(home.c_str()) != 0) ::_exit(126);
      ::execve(path.c_str(), arguments, pointers.data());
      ::_exit(127);
    }
  }
  ~PtyShell() {
    if (pid_ < 0) return;
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  PtyShell(const PtyShell&) = delete;
  PtyShell& operator=(const PtyShell&) = delete;

  void type(char byte) {
    // The kernel holds a line of 4 KiB: longer ones are not typed.
    EXPECT_EQ(::write(master_.get(), &byte, 1), 1);
    // What else is typed the terminal keeps until the line is ended.
    if (static_cast<unsigned char>(byte) < 0x20) works_ = true;
  }
  // What it says, once it has something to say; nothing when it waits to be typed to, or has ended.
  std::string answer() {
    const auto limit = base::Clock::now() + std::chrono::seconds(60);
    for (unsigned asleep = 0; base::Clock::now() < limit;) {
      bool has_ended = pid_ < 0 || ::waitpid(pid_, nullptr, WNOHANG) == pid_;
      if (has_ended) pid_ = -1;
      bool has_read = has_taken_all();
      bool in_a_row = true;
      if (works_) asleep = !has_ended && is_asleep(pid_, in_a_row) ? asleep + 1 : 0;
      // Twice: it may have begun something between two looks. What it has not read it never will where noise
      // has told the terminal to stop (XOFF).
      if (has_ended || (asleep >= 2 && has_read && in_a_row) || asleep >= kMostLooks) works_ = false;
      char piece[4096];
      ssize_t size = ::read(master_.get(), piece, sizeof piece);
      if (size > 0) return std::string(piece, static_cast<std::size_t>(size));
      if (!works_) return {};
      if (asleep == 1) continue;
      pollfd wait{master_.get(), POLLIN, 0};
      ::poll(&wait, 1, 1);
    }
    ADD_FAILURE() << "the shell neither answers nor waits";
    return {};
  }
  bool has_ended() const { return pid_ < 0; }

 private:
  // Whether all that was typed has been read. To poll a terminal's end is what has the kernel carry there,
  // before it answers, what was typed at the other (n_tty_poll() waits for the buffers' work).
  bool has_taken_all() const {
    pollfd there{slave_.get(), POLLIN, 0};
    ::poll(&there, 1, 0);
    return !(there.revents & POLLIN);
  }
  // Whether a process and what it has started do nothing but wait, and none for a time; `in_a_row`: one after
  // the other, each the only child. What noise has stopped (Ctrl-Z) does nothing at all, nor does what has
  // ended in the background (&) and was not asked for.
  static bool is_asleep(int pid, bool& in_a_row) {
    if (state(pid) != 'S') return false;
    std::ifstream file(str("/proc/", pid, "/task/", pid, "/children"));
    unsigned children = 0;
    for (int child = 0; file >> child;) {
      if (char how = state(child); how == 'T' || how == 'Z' || how == 'X') continue;
      if (++children > 1) in_a_row = false;
      if (!is_asleep(child, in_a_row)) return false;
    }
    return true;
  }
  // As proc(5) has it; R for a sleep(1).
  static char state(int pid) {
    std::ifstream file(str("/proc/", pid, "/stat"));
    std::string text;
    std::getline(file, text);
    std::size_t end = text.rfind(") ");
    if (end == std::string::npos) return 'X';
    return text.find("(sleep)") != std::string::npos ? 'R' : text[end + 2];
  }

  static constexpr unsigned kMostLooks = 50;  // a millisecond each, or more
  base::Fd master_, slave_;
  int pid_ = -1;
  bool works_ = true;
};

// A device whose shell is a real one. The device's time stands still while that works.
class UnixWithAShell : public SimulatedUnix {
 public:
  UnixWithAShell(Time now, Kind kind, const DeviceTools& tools)
      : SimulatedUnix(now, kind),
        tools_(tools),
        prompt_(kind.menu == Menu::pfsense ? "[2.7.2-RELEASE][root@fw1.example.net]/root: "
                                           : "root@fw1:~ # ") {}

 private:
  void shell() override {
    SimulatedUnix::shell();
    said.erase(said.rfind('\n') + 1);  // the prompt: the real one has its own
    raw(true);
    shell_ = std::make_unique<PtyShell>(tools_, prompt_);
    wake();
  }
  void byte(char c) override {
    if (!shell_) return SimulatedUnix::byte(c);
    shell_->type(c);
    wake();
  }
  void wake() {
    if (!std::exchange(awake_, true)) later(milliseconds(1), [this] { look(); });
  }
  void look() {
    awake_ = false;
    if (!shell_) return;
    std::string answer = shell_->answer();
    said += answer;
    if (!answer.empty()) return wake();
    if (!shell_->has_ended()) return;
    shell_.reset();
    raw(false);
    run("exit");
  }

  const DeviceTools& tools_;
  const std::string prompt_;
  std::unique_ptr<PtyShell> shell_;
  bool awake_ = false;
};

// Login, menu, shell, pull, and out; given up as a Dialogue gives it up.
class MenuPull {
 public:
  static constexpr std::chrono::seconds kLimit{300}, kLeaving{30};

  MenuPull(UnixWithAShell& device, const Recipe& recipe, SimulatedLine::Noise noise)
      : recipe_(recipe), talk_(Talk::Time{} + std::chrono::hours(1)), visit_(talk_, recipe_, credentials_) {
    SimulatedLine line(talk_, device, noise);
    task_.emplace(go());
    task_->start([this](bool) { done_ = true; });
    auto done = [this] { return done_; };
    if (!line.carry(done, kLimit)) talk_.interrupt(base::fail(base::Fault::unavailable, "not done in time"));
    if (!line.carry(done, kLeaving)) talk_.cut(base::fail(base::Fault::unavailable, "did not get back"));
  }
  base::Result<> left;
  base::Result<Pulled> pulled = base::fail(base::Fault::internal, "not pulled");

 private:
  base::Task<bool> go() {
    std::string screen;
    base::Result<> arrived = co_await arrive_from_shell(visit_, talk_, std::move(screen));
    if (arrived) {
      std::vector<Fetch> more;
      ToldProgress told;
      base::Result<Pulled> all =
          co_await pull_posix(&visit_, talk_, recipe_, std::move(more), std::move(told));
      pulled = std::move(all);
    } else {
      pulled = arrived.error();
    }
    left = co_await visit_.leave();
    co_return true;
  }

  const Recipe& recipe_;
  Credentials credentials_ = unix_credentials();
  Talk talk_;
  Visit visit_;
  bool done_ = false;
  std::optional<base::Task<bool>> task_;
};

}  // namespace

// The measure: no wrong byte, no forbidden key, nobody left logged in without an Error that says so.
TEST(Menus, AreThePlaceWhereAThousandPullsBegin) {
  struct Case {
    const char* recipe;
    SimulatedUnix::Kind kind;
  };
  const Case cases[] = {
      {"pfsense", {Menu::pfsense, false, true}},   {"pfsense", {Menu::pfsense, true, true}},
      {"opnsense", {Menu::opnsense, false, true}}, {"opnsense", {Menu::opnsense, true, true}},
      {"freebsd", {Menu::none, true, true}},       {"freebsd", {Menu::none, true, false}},
  };
  struct Level {
    double messages, damage;
  };
  const Level levels[] = {{0, 0}, {1, 1e-4}, {2, 2e-4}, {5, 5e-4}};
  DeviceTools tools("dash");
  const std::string config = like_pfsense(2000);
  tools.write("config.xml", config);
  unsigned stored = 0, told = 0, open = 0;
  std::string faults;
  const unsigned pulls = pulls_wanted();
  for (unsigned i = 0; i < pulls; ++i) {
    const Case& one = cases[i % std::size(cases)];
    const Level& level = levels[i / std::size(cases) % std::size(levels)];
    Recipe recipe = *shipped_book().at(one.recipe);
    recipe.fetches.assign(1, Fetch{});
    recipe.fetches[0].name = "config.xml";
    recipe.fetches[0].source = tools.home() + "/config.xml";
    recipe.device_version.clear();
    recipe.quiet.clear();
    recipe.unquiet.clear();
    UnixWithAShell device(Talk::Time{} + std::chrono::hours(1), one.kind, tools);
    MenuPull pull(device, recipe, {level.messages, level.damage, i + 1});
    std::string which = str(one.recipe, " ", level.messages, " ", i);
    EXPECT_TRUE(device.forbidden.empty()) << which << " " << device.forbidden[0];
    EXPECT_FALSE(pull.left && device.somebody_is_logged_in()) << which;
    EXPECT_TRUE(pull.left || level.messages > 0) << which << " " << pull.left.error().what;
    EXPECT_TRUE(pull.pulled || level.messages > 0) << which << " " << pull.pulled.error().what;
    open += !pull.left;
    if (!pull.pulled) {
      ++told;
      faults += str("\n", which, ": ", pull.pulled.error().what);
      continue;
    }
    ++stored;
    ASSERT_EQ(pull.pulled->files.size(), 1u);
    EXPECT_TRUE(pull.pulled->files[0].bytes == config) << which << ": WRONG BYTES";
    if (told + open == 0) {
      EXPECT_TRUE(tools.left_over().empty()) << which;
    }
  }
  std::cout << pulls << " pulls: " << stored << " stored to the byte, " << told << " told an error, " << open
            << " consoles told to be left open\n";
  EXPECT_GE(stored, pulls * 9 / 10) << stored << " of " << pulls << faults;
}

}  // namespace oob::recipe

#include "oobd/core_sandbox.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pty.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>

#include "base/fd.h"
#include "base/unix_socket.h"
#include "oobd/gates.h"
#include "oobd/listeners.h"
#include "oobd/self_path.h"
#include "tests/support/support.h"

namespace oob {
namespace {

constexpr const char* kWell = "went well";
constexpr const char* kDenied = "Permission denied";

// A core's folders, with a key file elsewhere by a symlink, and files that are nobody's business.
class CoreSandbox : public ::testing::Test {
 protected:
  void SetUp() override {
    if (base::landlock_abi() == 0) GTEST_SKIP() << "this kernel has no Landlock";
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "this sanitizer has a thread of its own";
#endif
    for (const char* folder :
         {"etc", "keys", "secrets", "logins", "ways", "recipes", "state", "disk", "private"})
      ASSERT_EQ(::mkdir((dir_ / folder).c_str(), 0700), 0);
    for (const char* file : {"etc/oobd.toml", "keys/alice", "secrets/relay1", "logins/edge1", "ways/key",
                             "recipes/x.recipe", "state/lock", "disk/old", "private/key"})
      test::write_file(dir_ / file, "x");
    ASSERT_EQ(::symlink((dir_ / "keys/alice").c_str(), (dir_ / "etc/alice").c_str()), 0);
    ASSERT_EQ(::symlink((dir_ / "disk").c_str(), (dir_ / "state/transcripts").c_str()), 0);
    config_.state = dir_ / "state";
    config_.users["alice"].keys = dir_ / "etc/alice";
    config_.bmcs["relay1"].password_file = dir_ / "secrets/relay1";
    config_.snapshot.recipes = dir_ / "recipes";
    config_.devices["edge1"].login = {"root", dir_ / "logins/edge1", ""};
    config_.devices["edge2"].ssh.key_file = dir_ / "ways/key";
  }

  // What errno a try ends with inside. `what` returns below 0 as system calls do.
  std::string inside(const std::function<long()>& what) const {
    return behind(core_terms(config_, dir_ / "etc/oobd.toml", ports_), what);
  }
  static std::string behind(const base::LandlockTerms& terms, const std::function<long()>& what) {
    pid_t pid = ::fork();
    if (pid == 0) {
      base::landlock(terms);
      errno = 0;
      ::_exit(what() < 0 ? errno : 0);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (!WIFEXITED(status)) return base::str("signal ", WTERMSIG(status));
    return WEXITSTATUS(status) ? std::strerror(WEXITSTATUS(status)) : kWell;
  }
  std::string opening(const std::string& path, int flags) const {
    std::string whole = path[0] == '/' ? path : dir_ / path;
    return inside([&] { return ::open(whole.c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600); });
  }

  test::TempDir dir_;
  Config config_;
  std::vector<std::uint16_t> ports_;
};

TEST_F(CoreSandbox, ReadsTheConfigurationAndAllItNames) {
  for (const char* path : {"etc/oobd.toml", "etc/alice", "keys/alice", "secrets/relay1", "logins/edge1",
                           "ways/key", "recipes/x.recipe"}) {
    EXPECT_EQ(opening(path, O_RDONLY), kWell) << path;
    EXPECT_EQ(opening(path, O_WRONLY), kDenied) << path;
  }
}

TEST_F(CoreSandbox, ReadsThemAlsoWhenTheyAreWrittenAnew) {
  int told[2], entered[2];
  ASSERT_EQ(::pipe(told), 0);
  ASSERT_EQ(::pipe(entered), 0);
  pid_t pid = ::fork();
  char now = 'x';
  if (pid == 0) {
    enter_core_sandbox(config_, dir_ / "etc/oobd.toml", ports_);
    if (::write(entered[1], &now, 1) != 1 || ::read(told[0], &now, 1) != 1) ::_exit(255);
    ::_exit(::open((dir_ / "keys/alice").c_str(), O_RDONLY) < 0 ? errno : 0);
  }
  ::close(entered[1]);
  ASSERT_EQ(::read(entered[0], &now, 1), 1);
  test::write_file(dir_ / "keys/new", "y");
  ASSERT_EQ(::rename((dir_ / "keys/new").c_str(), (dir_ / "keys/alice").c_str()), 0);
  ASSERT_EQ(::write(told[1], "x", 1), 1);
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// As resolvconf, systemd-resolved and NetworkManager have it, and as a client of DHCP that knows none of
// them.
TEST_F(CoreSandbox, ReadsAResolvConfThatIsWrittenAnewWhereASymlinkLeads) {
  ASSERT_EQ(::symlink((dir_ / "ways/resolv.conf").c_str(), (dir_ / "etc/resolv.conf").c_str()), 0);
  for (auto [name, place, outcome] : {std::tuple{"etc/resolv.conf", "ways/resolv.conf", kWell},
                                      {"private/resolv.conf", "private/resolv.conf", kDenied}}) {
    test::write_file(dir_ / place, "nameserver 192.0.2.1\n");
    base::LandlockTerms terms;
    for (std::string& path : resolver_places(dir_ / name))
      terms.places.push_back({std::move(path), base::LandlockTerms::Access::read});
    base::Result<base::Fd> rules = base::landlock_rules(terms);
    ASSERT_TRUE(rules) << rules.error().what;
    auto opened = [&, path = dir_ / name] {
      pid_t pid = ::fork();
      if (pid == 0)
        ::_exit(base::landlock_hold(rules->get()) && ::open(path.c_str(), O_RDONLY) >= 0 ? 0 : errno);
      int status = 0;
      ::waitpid(pid, &status, 0);
      return status == 0 ? std::string(kWell) : std::strerror(WEXITSTATUS(status));
    };
    EXPECT_EQ(opened(), kWell) << name;
    test::write_file(dir_ / "disk/new", "nameserver 192.0.2.2\n");  // redialled
    ASSERT_EQ(::rename((dir_ / "disk/new").c_str(), (dir_ / place).c_str()), 0);
    EXPECT_EQ(opened(), outcome) << name;
  }
}

TEST_F(CoreSandbox, KeepsTheFoldersOfAllElseClosedToTheResolver) {
  EXPECT_THAT(resolver_places("/etc/hosts"), testing::ElementsAre("/etc/hosts"));
  ASSERT_EQ(::symlink("/run/resolv.conf", (dir_ / "etc/run").c_str()), 0);
  EXPECT_THAT(resolver_places(dir_ / "etc/run"), testing::ElementsAre(dir_ / "etc/run")) << "all of /run";
  ASSERT_EQ(::symlink("oobd.toml", (dir_ / "etc/beside").c_str()), 0);
  EXPECT_THAT(resolver_places(dir_ / "etc/beside"), testing::ElementsAre(dir_ / "etc/beside"));
  EXPECT_EQ(opening("/etc/resolv.conf", O_RDONLY), opening("/etc/hosts", O_RDONLY))
      << "with any configuration";
  EXPECT_EQ(opening("/etc/hosts", O_RDONLY), kWell);
}

TEST_F(CoreSandbox, ReadsNothingElseOfPeople) {
  EXPECT_EQ(opening("private/key", O_RDONLY), kDenied);
  EXPECT_EQ(opening("private", O_RDONLY | O_DIRECTORY), kDenied);
  EXPECT_EQ(opening("/bin/sh", O_RDONLY), kDenied);
  EXPECT_EQ(opening("/usr/bin", O_RDONLY | O_DIRECTORY), kDenied);
  EXPECT_EQ(opening("/", O_RDONLY | O_DIRECTORY), kDenied);
  EXPECT_EQ(opening("/tmp", O_RDONLY | O_DIRECTORY), kDenied);
  if (::geteuid() == 0) {
    EXPECT_EQ(opening("/root", O_RDONLY | O_DIRECTORY), kDenied);
    EXPECT_EQ(opening("/etc/shadow", O_RDONLY), kDenied);
  }
}

TEST_F(CoreSandbox, WritesItsStateAlsoOnAnotherDisk) {
  EXPECT_EQ(opening("state/journal", O_RDWR | O_CREAT), kWell);
  EXPECT_EQ(opening("state/lock", O_RDWR | O_TRUNC), kWell);
  EXPECT_EQ(opening("state/transcripts/new", O_RDWR | O_CREAT), kWell);
  EXPECT_EQ(inside([&] { return ::unlink((dir_ / "state/journal").c_str()); }), kWell);
  EXPECT_EQ(opening("etc/new", O_RDWR | O_CREAT), kDenied);
  EXPECT_EQ(opening("new", O_RDWR | O_CREAT), kDenied);
}

TEST_F(CoreSandbox, OpensLinesThatCome) {
  int pair[2];
  char name[64];
  ASSERT_EQ(::openpty(&pair[0], &pair[1], name, nullptr, nullptr), 0);
  base::Fd ours(pair[0]), theirs(pair[1]);
  EXPECT_EQ(opening(name, O_RDWR), kWell);
  EXPECT_EQ(opening("/dev/pts", O_RDONLY | O_DIRECTORY), kWell);
  EXPECT_EQ(inside([&] {
              base::Fd line(::open(name, O_RDWR | O_NOCTTY));
              winsize size{};
              return ::ioctl(line.get(), TIOCGWINSZ, &size);
            }),
            kWell);
  EXPECT_EQ(opening("/dev/oobd-new", O_RDWR | O_CREAT), kDenied);
}

TEST_F(CoreSandbox, ConnectsToLinesAndListensOnNothingNew) {
  base::Result<base::Fd> socket = base::listen_unix(dir_ / "private/line.sock");
  ASSERT_TRUE(socket) << socket.error().what;
  EXPECT_EQ(inside([&] { return base::connect_unix(dir_ / "private/line.sock") ? 0 : -1; }), kWell);
  if (base::landlock_abi() < 4) GTEST_SKIP() << "this kernel's Landlock knows no TCP";
  base::Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto where = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  EXPECT_EQ(inside([&] { return ::bind(listener.get(), where, size); }), kDenied);
  ASSERT_EQ(::bind(listener.get(), where, size), 0);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  ASSERT_EQ(::getsockname(listener.get(), where, &size), 0);
  EXPECT_EQ(inside([&] {
              base::Fd line(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
              return ::connect(line.get(), where, size);
            }),
            kWell);
}

// A front may have shut one down, and the next one needs it.
TEST_F(CoreSandbox, OpensItsListenersAgainAndOnNoOtherPort) {
  base::Result<Listener> listener = listen_tcp("127.0.0.1:0"), other = listen_tcp("127.0.0.1:0");
  ASSERT_TRUE(listener && other);
  for (Listener* each : {&*listener, &*other}) ASSERT_EQ(::shutdown(each->fd.get(), SHUT_RD), 0);
  ports_ = {listener->port};
  auto again = [this](const Listener& each) {
    return inside([&] {
      base::Result<bool> done = listen_again(each.fd.get(), each.address);
      return done && *done ? 0 : -1;
    });
  };
  EXPECT_EQ(again(*listener), kWell);
  EXPECT_EQ(again(*other), base::landlock_abi() < 4 ? kWell : kDenied);
}

TEST_F(CoreSandbox, OpensListenersOfUplinksOnThePortsItKnewAndSaysWhichWait) {
  UplinkConfig uplink;
  uplink.interface = "lo";
  auto free_port = [] { return listen_tcp("127.83.66.1:0")->address; };  // where nobody else takes it
  uplink.listen = {free_port()};
  base::Loop loop;
  Gates listeners(loop, {});
  Config with, without;
  with.uplinks["lan"] = uplink;
  listeners.adopt(with);
  listeners.confine();
  ports_ = listeners.ports();
  listeners.adopt(without);
  EXPECT_EQ(inside([&] {  // as if the modem had been redialled
              return listeners.adopt(with).empty() && listeners.open().size() == 1 ? 0 : -1;
            }),
            kWell);
  if (base::landlock_abi() < 4) GTEST_SKIP() << "this kernel's Landlock knows no TCP";
  with.uplinks["lan"].listen = {free_port()};
  EXPECT_EQ(inside([&] {
              std::string said = listeners.adopt(with);
              bool right = said.starts_with("[uplink.lan] listen \"127.83.66.1:") &&
                           said.find("takes effect at the next start") != std::string::npos;
              return right && listeners.open().empty() ? 0 : -1;
            }),
            kWell);
}

TEST_F(CoreSandbox, MakesAndRemovesTheSocketForTorAndNothingElseThere) {
  std::filesystem::create_directory(dir_ / "run");
  config_.listen = {"unix:" + (dir_ / "run/onion.sock")};
  EXPECT_EQ(inside([&] {
              base::Result<Listener> listener = listen_at(config_.listen[0]);
              if (!listener) return -1;
              if (::shutdown(listener->fd.get(), SHUT_RD) < 0) return -1;
              base::Result<bool> again = listen_again(listener->fd.get(), listener->address, listener->way);
              if (!again || !*again) return -1;
              remove_socket(*listener);
              return std::filesystem::exists(dir_ / "run/onion.sock") ? -1 : 0;
            }),
            kWell);
  EXPECT_EQ(opening("run/new", O_RDWR | O_CREAT), kDenied);
  EXPECT_EQ(opening("run", O_RDONLY | O_DIRECTORY), kDenied);
}

TEST_F(CoreSandbox, MakesTheSocketForTorInAFolderThatComesLaterAndRemovesNothingThere) {
  config_.listen = {"unix:" + (dir_ / "run/onion.sock")};
  const base::LandlockTerms terms = core_terms(config_, dir_ / "etc/oobd.toml", ports_);
  std::filesystem::create_directory(dir_ / "run");
  test::write_file(dir_ / "run/other", "");
  EXPECT_EQ(behind(terms, [this] { return listen_at(config_.listen[0]) ? 0 : -1; }), kWell);
  EXPECT_EQ(behind(terms, [this] { return ::unlink((dir_ / "run/other").c_str()); }), kDenied);
}

TEST_F(CoreSandbox, MakesTheSocketsOfCallHomeInTheServicesFolder) {
  std::filesystem::create_directory(dir_ / "oobd-homes");
  ASSERT_EQ(::setenv("RUNTIME_DIRECTORY", (dir_ / "oobd-homes").c_str(), 1), 0);
  const base::LandlockTerms terms = core_terms(config_, dir_ / "etc/oobd.toml", ports_);
  const std::string home = home_socket(config_.state, "fra");
  ASSERT_EQ(::unsetenv("RUNTIME_DIRECTORY"), 0);
  EXPECT_EQ(home, dir_ / "oobd-homes/fra.home");
  EXPECT_EQ(behind(terms,
                   [&] {
                     base::Result<Listener> listener = listen_unix(home, Listener::Way::home);
                     if (!listener) return -1;
                     remove_socket(*listener);
                     return std::filesystem::exists(home) ? -1 : 0;
                   }),
            kWell);
}

// Dynamic as it is: with the loader, the libraries and what they read.
TEST_F(CoreSandbox, StartsItselfAgainAndNothingElse) {
  auto start = [this](std::string path, std::string option) {
    return inside([&] {
      char* words[] = {path.data(), option.data(), nullptr};
      pid_t child = -1;
      if (int failed = ::posix_spawn(&child, path.c_str(), nullptr, nullptr, words, environ); failed) {
        errno = failed;
        return -1;
      }
      int status = 0;
      ::waitpid(child, &status, 0);
      errno = ECHILD;
      return status == 0 ? 0 : -1;
    });
  };
  EXPECT_EQ(start(self_path(), "--gtest_filter=None"), kWell);
  EXPECT_EQ(start("/bin/true", ""), kDenied);
  // Nor by way of the loader, which must be executable: it can't read them.
  for (const char* loader : {"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"}) {
    if (::access(loader, X_OK) < 0) continue;
    base::Fd text(::open((dir_ / "state/said").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(inside([&] {
                ::dup2(text.get(), STDERR_FILENO);
                return ::execl(loader, loader, "/bin/sh", "-c", "exit 0", nullptr);
              }),
              std::strerror(127));
    EXPECT_THAT(test::read_file(dir_ / "state/said"), ::testing::HasSubstr("cannot open shared object file"));
  }
  ASSERT_EQ(::chmod((dir_ / "state/lock").c_str(), 0700), 0);
  EXPECT_EQ(start(dir_ / "state/lock", ""), kDenied);
}

TEST_F(CoreSandbox, LetsRootBecomeSomebodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(inside([] { return ::setgid(65534) < 0 ? -1 : ::setuid(65534); }), kWell);
}

TEST_F(CoreSandbox, SaysWhatHolds) {
  EXPECT_EQ(inside([] {
              errno = EINVAL;  // a second layer is put on as the first one was
              return base::landlock({}).starts_with("Landlock ") ? 0 : -1;
            }),
            kWell);
}

TEST_F(CoreSandbox, LeavesTheFolderOfCredentials) {
  ::setenv("CREDENTIALS_DIRECTORY", (dir_ / "private").c_str(), 1);
  EXPECT_EQ(opening("private/key", O_RDONLY), kWell);
  ::unsetenv("CREDENTIALS_DIRECTORY");
}

// A file of the root folder must not open all that is below it.
TEST_F(CoreSandbox, NeverTakesTheRootFolderForAFilesFolder) {
  config_.users["bob"].keys = "/keys_bob";
  for (const auto& place : core_terms(config_, dir_ / "etc/oobd.toml", {}).places) EXPECT_NE(place.path, "/");
  EXPECT_EQ(opening("private/key", O_RDONLY), kDenied);
}

}  // namespace
}  // namespace oob

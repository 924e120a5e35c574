#include "base/landlock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <thread>

#include "base/fd.h"
#include "tests/support/support.h"

namespace oob::base {
namespace {

using test::TempDir;
using Access = LandlockTerms::Access;

// What errno a try ends with behind the limits; 0: it went well. `what` returns below 0 as system calls do.
std::string behind(const LandlockTerms& terms, const std::function<long()>& what) {
  pid_t pid = ::fork();
  if (pid == 0) {
    landlock(terms);
    errno = 0;
    ::_exit(what() < 0 ? errno : 0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!WIFEXITED(status)) return str("signal ", WTERMSIG(status));
  return WEXITSTATUS(status) ? std::strerror(WEXITSTATUS(status)) : "went well";
}

constexpr const char* kWell = "went well";
constexpr const char* kDenied = "Permission denied";

class Landlock : public ::testing::Test {
 protected:
  void SetUp() override {
    if (landlock_abi() == 0) GTEST_SKIP() << "this kernel has no Landlock";
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "this sanitizer has a thread of its own";
#endif
    test::write_file(file(), "old");
  }
  std::string file() const { return dir_ / "file"; }
  LandlockTerms to(Access access) const { return {{{dir_.path(), access}}, {}, false, false}; }

  TempDir dir_;
};

TEST_F(Landlock, WithoutPlacesLeavesNoFileAtAll) {
  EXPECT_EQ(behind({}, [&] { return ::open(file().c_str(), O_RDONLY); }), kDenied);
  EXPECT_EQ(behind({}, [] { return ::open("/dev/null", O_RDONLY); }), kDenied);
  EXPECT_EQ(behind({}, [&] { return ::mkdir((dir_ / "new").c_str(), 0700); }), kDenied);
}

TEST_F(Landlock, LeavesOpenDescriptorsAsTheyAre) {
  Fd open(::open(file().c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_EQ(behind({}, [&] { return ::write(open.get(), "new", 3); }), kWell);
}

TEST_F(Landlock, LetsReadWhatMayBeReadAndNoMore) {
  LandlockTerms terms = to(Access::read);
  EXPECT_EQ(behind(terms, [&] { return ::open(file().c_str(), O_RDONLY); }), kWell);
  EXPECT_EQ(behind(terms, [&] { return ::open(dir_.path().c_str(), O_RDONLY | O_DIRECTORY); }), kWell);
  EXPECT_EQ(behind(terms, [&] { return ::open(file().c_str(), O_WRONLY); }), kDenied);
  EXPECT_EQ(behind(terms, [&] { return ::open((dir_ / "new").c_str(), O_WRONLY | O_CREAT, 0600); }), kDenied);
  EXPECT_EQ(behind(terms, [&] { return ::unlink(file().c_str()); }), kDenied);
  EXPECT_EQ(behind(terms, [&] { return ::open("/etc/passwd", O_RDONLY); }), kDenied);
}

TEST_F(Landlock, LetsDoAllWithItsOwnFolderButRunProgramsAndMakeDevices) {
  LandlockTerms terms = to(Access::own);
  std::string fresh = dir_ / "new";
  EXPECT_EQ(behind(terms, [&] { return ::open(fresh.c_str(), O_WRONLY | O_CREAT, 0700); }), kWell);
  EXPECT_EQ(behind(terms, [&] { return ::open(fresh.c_str(), O_WRONLY | O_TRUNC); }), kWell);
  EXPECT_EQ(behind(terms, [&] { return ::rename(fresh.c_str(), file().c_str()); }), kWell);
  EXPECT_EQ(behind(terms, [&] { return ::mkdir(fresh.c_str(), 0700); }), kWell);
  EXPECT_EQ(behind(terms, [&] { return ::rmdir(fresh.c_str()); }), kWell);
  EXPECT_EQ(behind(terms, [&] { return ::mkfifo(fresh.c_str(), 0600); }), kWell);
  EXPECT_EQ(behind(terms, [&] { return ::execl(file().c_str(), "file", nullptr); }), kDenied);
  if (::geteuid() == 0) {
    EXPECT_EQ(behind(terms, [&] { return ::mknod((dir_ / "dev").c_str(), S_IFCHR | 0600, 0x103); }), kDenied);
  }
}

TEST_F(Landlock, LetsUseDevicesAndMakeNothingBesideThem) {
  LandlockTerms terms = to(Access::devices);
  EXPECT_EQ(behind(terms, [&] { return ::open(file().c_str(), O_RDWR); }), kWell);
  EXPECT_EQ(behind(terms, [&] { return ::open((dir_ / "new").c_str(), O_RDWR | O_CREAT, 0600); }), kDenied);
  EXPECT_EQ(behind(terms, [&] { return ::unlink(file().c_str()); }), kDenied);
}

TEST_F(Landlock, LetsMakeSocketsAndRemoveNothing) {
  LandlockTerms terms = to(Access::new_sockets);
  const std::string fresh = dir_ / "new";
  EXPECT_EQ(behind(terms, [&] { return ::mknod(fresh.c_str(), S_IFSOCK | 0600, 0); }), kWell);
  EXPECT_EQ(behind(terms, [&] { return ::unlink(fresh.c_str()); }), kDenied);
  EXPECT_EQ(behind(terms, [&] { return ::open((dir_ / "file").c_str(), O_RDWR | O_CREAT, 0600); }), kDenied);
}

TEST_F(Landlock, LetsReadOneFileAndNotItsNeighbour) {
  test::write_file(dir_ / "other", "");
  LandlockTerms terms{{{file(), Access::own}}, {}, false, false};
  EXPECT_EQ(behind(terms, [&] { return ::open(file().c_str(), O_RDWR); }), kWell);
  EXPECT_EQ(behind(terms, [&] { return ::open((dir_ / "other").c_str(), O_RDONLY); }), kDenied);
}

TEST_F(Landlock, PassesOverPlacesThatDoNotExist) {
  LandlockTerms terms = to(Access::read);
  terms.places.push_back({dir_ / "nowhere", Access::own});
  EXPECT_EQ(behind(terms, [&] { return ::open(file().c_str(), O_RDONLY); }), kWell);
}

TEST_F(Landlock, FollowsSymlinksToPlaces) {
  std::string link = dir_ / "link";
  ASSERT_EQ(::symlink(file().c_str(), link.c_str()), 0);
  LandlockTerms terms{{{link, Access::read}}, {}, false, false};
  EXPECT_EQ(behind(terms, [&] { return ::open(link.c_str(), O_RDONLY); }), kWell);
}

TEST_F(Landlock, RefusesTcpUnlessItIsLeft) {
  if (landlock_abi() < 4) GTEST_SKIP() << "this kernel's Landlock knows no TCP";
  auto bind = [] {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  };
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  auto connect = [&] {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), size);
  };
  EXPECT_EQ(behind({}, bind), kDenied);
  EXPECT_EQ(behind({}, connect), kDenied);
  EXPECT_EQ(behind({{}, {0}, false, false}, bind), kWell);
  EXPECT_EQ(behind({{}, {}, true, false}, connect), kWell);
}

TEST_F(Landlock, SignalsNobodyOutsideUnlessItMayReachOut) {
  if (landlock_abi() < 6) GTEST_SKIP() << "this kernel's Landlock knows no signals";
  pid_t parent = ::getpid();
  EXPECT_EQ(behind({}, [&] { return ::kill(parent, 0); }), "Operation not permitted");
  EXPECT_EQ(behind({{}, {}, false, true}, [&] { return ::kill(parent, 0); }), kWell);
}

TEST_F(Landlock, HoldsForChildrenAndThreads) {
  EXPECT_EQ(behind({},
                   [&] {
                     long found = 0;
                     std::thread([&] { found = ::open(file().c_str(), O_RDONLY); }).join();
                     errno = EACCES;  // the thread's own is gone with it
                     return found;
                   }),
            kDenied);
  EXPECT_EQ(behind({},
                   [&] {
                     pid_t child = ::fork();
                     if (child == 0) ::_exit(::open(file().c_str(), O_RDONLY) < 0 ? errno : 0);
                     int status = 0;
                     ::waitpid(child, &status, 0);
                     errno = WEXITSTATUS(status);
                     return errno ? -1 : 0;
                   }),
            kDenied);
}

TEST_F(Landlock, IsMadeReadyForAChildThatHoldsLess) {
  Result<Fd> rules = landlock_rules(to(Access::read));
  ASSERT_TRUE(rules) << rules.error().what;
  std::string path = file();
  pid_t pid = ::fork();
  if (pid == 0) {
    if (!landlock_hold(rules->get())) ::_exit(1);
    if (::open(path.c_str(), O_RDONLY | O_CLOEXEC) < 0) ::_exit(2);
    ::_exit(::open(path.c_str(), O_WRONLY | O_CLOEXEC) < 0 && errno == EACCES ? 0 : 3);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(Landlock, SaysItsVersionOrWhatKeepsItOut) {
  auto says = [&](const std::function<std::string()>& what, const std::string& begin) {
    LandlockTerms terms{{{"/proc", Access::read}}, {}, false, false};
    return behind(terms, [&] {
      errno = EINVAL;
      return what().starts_with(begin) ? 0 : -1;
    });
  };
  EXPECT_EQ(says([] { return landlock({}); }, "Landlock "), kWell);  // a second layer
  EXPECT_EQ(says(
                [] {
                  std::string text;
                  int held[2];
                  if (::pipe(held) < 0) return text;
                  std::thread other([&] {
                    char end;
                    (void)!::read(held[0], &end, 1);
                  });
                  text = landlock({});
                  ::close(held[1]);
                  other.join();
                  return text;
                },
                "MISSING: Landlock ("),
            kWell);
}

}  // namespace
}  // namespace oob::base

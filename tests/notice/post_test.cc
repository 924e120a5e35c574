#include "notice/post.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "tests/support/support.h"

namespace oob::notice {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;
using Kind = Outcome::Kind;

// A web server on 127.0.0.1 that answers each connection with the same bytes, and keeps what it was sent.
class PlainServer {
 public:
  explicit PlainServer(std::string answer, milliseconds pause = milliseconds(0))
      : answer_(std::move(answer)), pause_(pause) {
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    stop_.reset(ends[0]);
    stopper_.reset(ends[1]);
    thread_ = std::thread([this] { serve(); });
  }
  ~PlainServer() {
    stopper_.reset();
    thread_.join();
  }
  std::string url() const { return base::str("http://127.0.0.1:", port_, "/hook"); }
  std::string heard() const {
    std::lock_guard lock(mutex_);
    return heard_;
  }
  int connections() const {
    std::lock_guard lock(mutex_);
    return static_cast<int>(open_.size());
  }

 private:
  bool stopped(milliseconds wait) {
    pollfd end{stop_.get(), POLLIN, 0};
    return ::poll(&end, 1, static_cast<int>(wait.count())) > 0;
  }
  void serve() {
    while (true) {
      std::vector<pollfd> all = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      for (const base::Fd& one : open_)
        if (one) all.push_back({one.get(), POLLIN, 0});
      ::poll(all.data(), all.size(), -1);
      if (all[0].revents) return;
      if (all[1].revents) {
        base::Fd next(::accept(listener_.get(), nullptr, nullptr));
        std::lock_guard lock(mutex_);
        open_.push_back(std::move(next));
      }
      for (std::size_t i = 2; i < all.size(); ++i)
        if (all[i].revents) answer(all[i].fd);
    }
  }
  void answer(int fd) {
    char bytes[4096];
    ssize_t size = ::recv(fd, bytes, sizeof bytes, 0);
    std::unique_lock lock(mutex_);
    if (size > 0) heard_.append(bytes, static_cast<std::size_t>(size));
    bool over = size <= 0 || heard_.find("\r\n\r\n{") != std::string::npos;
    if (!over) return;
    lock.unlock();
    if (size > 0 && !stopped(pause_)) (void)!::send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
    lock.lock();
    for (base::Fd& one : open_)
      if (one.get() == fd) one.reset();
  }

  const std::string answer_;
  const milliseconds pause_;
  base::Fd listener_, stop_, stopper_;
  std::uint16_t port_ = 0;
  std::vector<base::Fd> open_;
  std::string heard_;
  mutable std::mutex mutex_;
  std::thread thread_;
};

Outcome post_to(
    const std::string& url, std::function<void(Post&)> change = [](Post&) {}) {
  Post what;
  what.url = url;
  what.body = "{}";
  what.connect = what.all = milliseconds(60'000);
  change(what);
  std::atomic<bool> stop = false;
  return post(what, stop);
}

std::string status(int number, const std::string& more = "Content-Length: 0\r\n\r\n") {
  return base::str("HTTP/1.1 ", number, " X\r\n", more);
}

TEST(Post, TakesHttpsAndPlainHttpToThisBoardAlone) {
  for (const char* right :
       {"https://192.0.2.1/hook", "https://[2001:db8::1]:8443/", "https://hooks.example.net/x?y=z",
        "http://127.0.0.1:8080/", "http://[::1]/", "http://127.1.2.3"})
    EXPECT_TRUE(parse_post(right)) << right;
  for (const char* wrong :
       {"", "hook", "/hook", "192.0.2.1/hook", "ftp://192.0.2.1/", "file:///etc/passwd", "http://192.0.2.1/",
        "http://example.net/", "http://localhost/", "http://[2001:db8::1]/", "https://user:pw@192.0.2.1/",
        "https://u@192.0.2.1/", "https://192.0.2.1/a b", "https://192.0.2.1/\n", "https:///hook",
        "gopher://127.0.0.1/", "https://192.0.2.1:99999/"})
    EXPECT_FALSE(parse_post(wrong)) << wrong;
  EXPECT_FALSE(parse_post("https://192.0.2.1/")->is_name);
  EXPECT_FALSE(parse_post("https://[2001:db8::1]/")->is_name);
  EXPECT_EQ(parse_post("https://[2001:db8::1]/")->host, "2001:db8::1");
  EXPECT_TRUE(parse_post("https://hooks.example.net/")->is_name);
  EXPECT_TRUE(parse_post("http://127.0.0.1/")->is_plain);
}

TEST(Post, NeverRepeatsTheUrlInWhatItSays) {
  for (const char* url : {"http://example.net/S3CRET", "https://u:S3CRET@h/", "S3CRET", "https://h/S3CRET x"})
    EXPECT_THAT(parse_post(url).error().what, Not(HasSubstr("S3CRET")));
  PlainServer server(status(500));
  EXPECT_EQ(post_to(server.url() + "/S3CRET").text, "127.0.0.1: answered with status 500");
  EXPECT_THAT(post_to("http://127.0.0.1:1/S3CRET").text, Not(HasSubstr("S3CRET")));
}

TEST(Post, JudgesByTheStatus) {
  for (auto [number, kind] : {std::pair{200, Kind::delivered},
                              {204, Kind::delivered},
                              {302, Kind::failed},
                              {400, Kind::refused},
                              {413, Kind::refused},
                              {415, Kind::refused},
                              {422, Kind::refused},
                              {401, Kind::failed},
                              {403, Kind::failed},
                              {404, Kind::failed},
                              {407, Kind::failed},
                              {410, Kind::failed},
                              {408, Kind::failed},
                              {425, Kind::failed},
                              {429, Kind::failed},
                              {500, Kind::failed},
                              {503, Kind::failed}}) {
    PlainServer server(status(number));
    EXPECT_EQ(post_to(server.url()).kind, kind) << number;
  }
}

TEST(Post, SendsTheTokenAndTheObject) {
  test::TempDir dir;
  test::write_file(dir / "token", "t0ken\n");
  PlainServer server(status(204));
  Outcome outcome = post_to(server.url(), [&](Post& what) { what.token_file = dir / "token"; });
  EXPECT_EQ(outcome.kind, Kind::delivered) << outcome.text;
  EXPECT_THAT(server.heard(), HasSubstr("POST /hook HTTP/1.1\r\n"));
  EXPECT_THAT(server.heard(), HasSubstr("\r\nAuthorization: Bearer t0ken\r\n"));
  EXPECT_THAT(server.heard(), HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_TRUE(server.heard().ends_with("\r\n\r\n{}"));
}

TEST(Post, SendsNothingWithoutATokenThatIsToBeHad) {
  test::TempDir dir;
  PlainServer server(status(204));
  test::write_file(dir / "open", "t0ken\n", 0644);
  test::write_file(dir / "lines", "t0ken\r\nX-More: 1\n");
  for (const char* name : {"missing", "open", "lines"}) {
    Outcome outcome = post_to(server.url(), [&](Post& what) { what.token_file = dir / name; });
    EXPECT_EQ(outcome.kind, Kind::failed);
    EXPECT_THAT(outcome.text, HasSubstr(dir / name));
    EXPECT_THAT(outcome.text, Not(HasSubstr("t0ken")));
  }
  EXPECT_EQ(server.heard(), "");
}

TEST(Post, DropsAnAnswerWithoutEnd) {
  PlainServer server(status(200, "\r\n" + std::string(300'000, 'x')));
  EXPECT_EQ(post_to(server.url()).kind, Kind::delivered);
  PlainServer refusing(status(422, "\r\n" + std::string(300'000, 'x')));
  EXPECT_EQ(post_to(refusing.url()).kind, Kind::refused);
}

TEST(Post, GivesUpOnWhatDoesNotAnswer) {
  PlainServer server(status(200), milliseconds(60'000));
  Outcome outcome = post_to(server.url(), [](Post& what) { what.all = milliseconds(200); });
  EXPECT_EQ(outcome.kind, Kind::failed);
  EXPECT_THAT(outcome.text, HasSubstr("127.0.0.1: "));
}

// The resolver of this process is 127.0.0.1 from now on, where a socket takes what it is asked and answers
// nothing.
bool kill_resolver(const std::string& resolv_conf) {
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) < 0) return false;
  base::Fd query(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq loopback{};
  std::strcpy(loopback.ifr_name, "lo");
  loopback.ifr_flags = IFF_UP;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(53);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool done = ::ioctl(query.get(), SIOCSIFFLAGS, &loopback) == 0 &&
              ::bind(query.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
              ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
              ::mount(resolv_conf.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) == 0;
  (void)query.release();  // as long as the process lives
  return done;
}

TEST(Post, WaitsNoLongerForADeadResolverThanItMay) {
  test::TempDir dir;
  test::write_file(dir / "resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n", 0644);
  pid_t child = ::fork();
  if (child == 0) {
    if (!kill_resolver(dir / "resolv.conf")) ::_exit(77);
    auto begin = base::Clock::now();
    Outcome outcome = post_to("https://hooks.example.net/", [](Post& what) { what.all = milliseconds(500); });
    bool timely = base::Clock::now() - begin < milliseconds(20'000);
    std::fprintf(stderr, "%s\n", outcome.text.c_str());
    ::_exit(!timely ? 2 : outcome.kind == Kind::failed ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no namespaces of one's own here";
  EXPECT_EQ(status, 0) << "it took its time";
}

// To whatever address.
WaysTo by(std::vector<std::string> ways) {
  return [ways = std::move(ways)](const std::string&) { return ways; };
}

TEST(Post, SaysOfEachWayWhyItLedNowhere) {
  Outcome outcome = post_to("https://192.0.2.1:1/", [](Post& what) {
    what.ways = by({"wwan-none0", "wwan-none1"});
  });
  EXPECT_EQ(outcome.kind, Kind::failed);
  EXPECT_EQ(outcome.text,
            "192.0.2.1: by wwan-none0: interface wwan-none0: not there now; by wwan-none1: "
            "interface wwan-none1: not there now");
}

TEST(Post, GoesByTheNextWayWhereOneLeadsNowhere) {
  PlainServer server(status(200));
  std::string asked;
  Outcome outcome = post_to(server.url(), [&](Post& what) {
    what.ways = [&asked](const std::string& address) -> std::vector<std::string> {
      asked = address;
      return {"wwan-none0", ""};
    };
  });
  EXPECT_EQ(outcome.kind, Kind::delivered) << outcome.text;
  EXPECT_EQ(asked, "127.0.0.1");
  EXPECT_EQ(server.connections(), 1);
}

// Nobody takes a connection from its full queue, and the kernel answers no other one.
TEST(Post, LeavesAWayThatSwallowsEverythingInTimeForTheOthers) {
  base::Fd full(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* at = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(full.get(), at, size), 0);
  ASSERT_EQ(::listen(full.get(), 0), 0);
  ASSERT_EQ(::getsockname(full.get(), at, &size), 0);
  std::vector<base::Fd> others;
  for (int i = 0; i < 4; ++i) {
    others.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ::connect(others.back().get(), at, size);
  }
  std::string url = base::str("https://127.0.0.1:", ntohs(address.sin_port), "/");
  auto begin = base::Clock::now();
  Outcome outcome = post_to(url, [](Post& what) {
    what.ways = by({"lo", "wwan-none0"});
    what.connect = what.all = milliseconds(60'000);
    what.way = milliseconds(300);
  });
  EXPECT_EQ(outcome.text,
            "127.0.0.1: by lo: no answer to the connect; by wwan-none0: interface wwan-none0: "
            "not there now");
  EXPECT_LT(base::Clock::now() - begin, milliseconds(20'000));
}

TEST(Post, IsNotSentTwiceBecauseAnAnswerIsSlow) {
  PlainServer slow(status(200), milliseconds(60'000));
  Outcome outcome = post_to(slow.url(), [](Post& what) {
    what.ways = by({"lo", ""});
    what.way = milliseconds(1000);
    what.all = milliseconds(4500);
  });
  EXPECT_EQ(outcome.kind, Kind::failed);
  EXPECT_EQ(slow.connections(), 1);
}

TEST(Posts, HoldsNobodyUpForTheBlackHolesOfOthers) {
  base::Loop loop;
  base::Blocking blocking(loop);
  PlainServer hole(status(200), milliseconds(60'000)), good(status(204));
  Posts posts(blocking);
  auto to = [&](const PlainServer& server) {
    Post what;
    what.url = server.url();
    what.body = &server == &hole ? "[]" : "{}";  // the server waits for more
    what.all = milliseconds(60'000);
    return what;
  };
  int held = 0;
  for (int i = 0; i < 12; ++i) posts.send(base::str("hole", i), to(hole), [&](Outcome) { ++held; });
  ASSERT_TRUE(test::run_until(loop, [&] { return hole.connections() == 12; }));
  std::optional<Outcome> told;
  posts.send("good", to(good), [&](Outcome outcome) { told = std::move(outcome); });
  ASSERT_TRUE(test::run_until(loop, [&] { return told.has_value(); }));
  EXPECT_EQ(told->kind, Kind::delivered) << told->text;
  EXPECT_EQ(held, 0);
}

// After a reload: what was on its way for the settings of before is nobody's any more.
TEST(Posts, EndsTheOneBeforeOfTheSame) {
  base::Loop loop;
  base::Blocking blocking(loop);
  PlainServer hole(status(200), milliseconds(60'000)), good(status(204));
  Posts posts(blocking);
  auto send = [&](const PlainServer& server, std::function<void(Outcome)> done) {
    Post what;
    what.url = server.url();
    what.body = &server == &hole ? "[]" : "{}";
    what.all = milliseconds(60'000);
    posts.send("sms", std::move(what), std::move(done));
  };
  int abandoned = 0;
  std::vector<Kind> told;
  send(hole, [&](Outcome) { ++abandoned; });
  ASSERT_TRUE(test::run_until(loop, [&] { return hole.connections() == 1; }));
  send(hole, [&](Outcome) { ++abandoned; });
  send(good, [&](Outcome outcome) {
    told.push_back(outcome.kind);
    send(good, [&](Outcome next) { told.push_back(next.kind); });
  });
  ASSERT_TRUE(test::run_until(loop, [&] { return told.size() == 2; }));
  EXPECT_THAT(told, testing::Each(Kind::delivered));
  EXPECT_EQ(abandoned, 0);
  EXPECT_EQ(hole.connections(), 1) << "one at a time";
}

TEST(Posts, EndsWithThoseUnderWay) {
  base::Loop loop;
  base::Blocking blocking(loop);
  PlainServer slow(status(200), milliseconds(60'000));
  auto alive = std::make_shared<int>(0);
  std::weak_ptr<int> watch = alive;
  {
    Posts posts(blocking);
    Post what;
    what.url = slow.url();
    what.body = "[]";
    posts.send("sms", std::move(what), [alive = std::move(alive)](Outcome) { ++*alive; });
    ASSERT_TRUE(test::run_until(loop, [&] { return slow.connections() == 1; }));
  }
  // Its callback goes, uncalled, once the thread has noticed.
  EXPECT_TRUE(test::run_until(loop, [&] { return watch.expired(); }));
}

}  // namespace
}  // namespace oob::notice

#include "auth/timed_grants.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/disk.h"
#include "base/fd.h"
#include "tests/support/support.h"

namespace oob::auth {
namespace {

constexpr base::Micros kToday = 1'795'000'000'000'000, kHour = 3'600'000'000;

struct Desk {
  // What add() came to.
  base::Result<> give(TimedGrants& grants, const TimedGrant& grant) {
    std::optional<base::Result<>> stored;
    grants.add(grant, [&](base::Result<> result) { stored = result; });
    test::run_until(loop, [&] { return stored.has_value(); });
    return stored.value_or(base::fail(base::Fault::internal, "never stored"));
  }
  TimedGrant write(TimedGrants& grants, base::Micros span = kHour) {
    TimedGrant grant =
        grants.reserve("alice", {Action::write, Action::watch}, "edge*", "root", span, now).value();
    EXPECT_TRUE(give(grants, grant));
    return grant;
  }
  test::TempDir dir;
  std::string file = dir / "grants";
  base::Loop loop;
  base::Blocking blocking{loop};
  Moment now{kToday, kToday, false};
};

TEST(TimedGrants, AllowWhatTheySayAndNoMore) {
  Desk desk;
  TimedGrants grants;
  TimedGrant grant = grants.reserve("alice", {Action::write}, "edge*", "root", kHour, desk.now).value();
  EXPECT_FALSE(grants.allows("alice", Action::write, "edge1", desk.now));  // only reserved
  EXPECT_TRUE(desk.give(grants, grant));
  EXPECT_TRUE(grants.allows("alice", Action::write, "edge1", desk.now));
  EXPECT_TRUE(grants.allows("alice", Action::write, desk.now));
  EXPECT_FALSE(grants.allows("alice", Action::power, "edge1", desk.now));
  EXPECT_FALSE(grants.allows("alice", Action::power, desk.now));
  EXPECT_FALSE(grants.allows("alice", Action::write, "relay1", desk.now));
  EXPECT_FALSE(grants.allows("bob", Action::write, "edge1", desk.now));
}

TEST(TimedGrants, EndByTheWallClock) {
  Desk desk;
  TimedGrants grants;
  const auto before = base::Clock::now();
  desk.write(grants);
  const base::Micros left = grants.next_end(desk.now);
  const auto passed =
      std::chrono::duration_cast<std::chrono::microseconds>(base::Clock::now() - before).count();
  EXPECT_LT(left, kHour);  // the monotonic clock went on a little
  EXPECT_GE(left, kHour - passed - 1);
  Moment last{kToday + kHour - 1, kToday + kHour - 1, false}, over{kToday + kHour, kToday + kHour, false};
  EXPECT_TRUE(grants.allows("alice", Action::write, "edge1", last));
  EXPECT_TRUE(grants.end_due(last).empty());
  EXPECT_FALSE(grants.allows("alice", Action::write, "edge1", over));
  EXPECT_EQ(grants.next_end(over), 0);
  EXPECT_EQ(grants.end_due(over).size(), 1u);
  EXPECT_TRUE(grants.all().empty());
  EXPECT_LT(grants.next_end(over), 0);
}

TEST(TimedGrants, EndByTheMonotonicClockWhenTheOtherStandsStill) {
  Desk desk;
  TimedGrants grants;
  const auto before = base::Clock::now();
  desk.write(grants, TimedGrants::kLeast);
  const bool held = grants.allows("alice", Action::write, "edge1", desk.now);
  const bool over = base::Clock::now() - before >= std::chrono::microseconds(TimedGrants::kLeast);
  EXPECT_TRUE(held || over);
  EXPECT_TRUE(
      test::run_until(desk.loop, [&] { return !grants.allows("alice", Action::write, "edge1", desk.now); }));
  EXPECT_EQ(grants.end_due(desk.now).size(), 1u);
}

TEST(TimedGrants, SurviveARestartAndKeepTheirNumbers) {
  Desk desk;
  {
    TimedGrants grants;
    ASSERT_TRUE(grants.open(desk.blocking, desk.file));
    desk.write(grants);
    EXPECT_EQ(desk.write(grants).id, 2u);
    std::optional<base::Result<>> removed;
    grants.remove(2, [&](base::Result<> result) { removed = result; });
    ASSERT_TRUE(test::run_until(desk.loop, [&] { return removed.has_value(); }));
    EXPECT_TRUE(*removed);
  }
  struct stat status {};
  ASSERT_EQ(::stat(desk.file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  TimedGrants again;
  ASSERT_TRUE(again.open(desk.blocking, desk.file));
  again.begin(desk.now);
  ASSERT_EQ(again.all().size(), 1u);
  const TimedGrant& grant = again.all()[0];
  EXPECT_EQ(grant.id, 1u);
  EXPECT_EQ(grant.by, "root");
  EXPECT_EQ(grant.given, kToday);
  EXPECT_EQ(grant.until, kToday + kHour);
  EXPECT_TRUE(again.allows("alice", Action::write, "edge1", desk.now));
  EXPECT_EQ(again.reserve("bob", {Action::watch}, "*", "root", kHour, desk.now)->id, 3u);
}

TEST(TimedGrants, ThatEndedWhileTheDaemonWasDownAreOver) {
  Desk desk;
  {
    TimedGrants grants;
    ASSERT_TRUE(grants.open(desk.blocking, desk.file));
    desk.write(grants);
  }
  Moment later{kToday + 2 * kHour, kToday + 2 * kHour, false};
  TimedGrants again;
  ASSERT_TRUE(again.open(desk.blocking, desk.file));
  again.begin(later);
  EXPECT_FALSE(again.allows("alice", Action::write, "edge1", later));
  EXPECT_EQ(again.end_due(later).size(), 1u);
}

TEST(TimedGrants, AreOverAfterARestartWithAClockThatIsWrong) {
  Desk desk;
  {
    TimedGrants grants;
    ASSERT_TRUE(grants.open(desk.blocking, desk.file));
    desk.write(grants);
  }
  Moment wrong{5'000'000, kToday, true};
  TimedGrants again;
  ASSERT_TRUE(again.open(desk.blocking, desk.file));
  again.begin(wrong);
  EXPECT_FALSE(again.allows("alice", Action::write, "edge1", wrong));
}

TEST(TimedGrants, RememberTheNewestTimeThatWasSeen) {
  Desk desk;
  {
    TimedGrants grants;
    ASSERT_TRUE(grants.open(desk.blocking, desk.file));
    bool stored = false;
    grants.set_seen(kToday, [&](const base::Result<>& result) { stored = result.has_value(); });
    ASSERT_TRUE(test::run_until(desk.loop, [&] { return stored; }));
  }
  TimedGrants again;
  ASSERT_TRUE(again.open(desk.blocking, desk.file));
  EXPECT_EQ(again.seen(), kToday);
}

TEST(TimedGrants, AreBounded) {
  Desk desk;
  TimedGrants grants;
  for (std::size_t i = 0; i < TimedGrants::kMost; ++i)
    ASSERT_TRUE(grants.reserve("alice", {Action::watch}, "*", "root", kHour, desk.now));
  auto one = grants.reserve("alice", {Action::watch}, "*", "root", kHour, desk.now);
  ASSERT_FALSE(one);
  EXPECT_EQ(one.error().fault, base::Fault::busy);
  grants.drop(7);
  EXPECT_TRUE(grants.reserve("alice", {Action::watch}, "*", "root", kHour, desk.now));
}

TEST(TimedGrants, ThatCannotBeStoredDoNotHold) {
  Desk desk;
  TimedGrants grants;
  ASSERT_TRUE(grants.open(desk.blocking, desk.dir / "gone/grants"));
  TimedGrant grant = grants.reserve("alice", {Action::write}, "*", "root", kHour, desk.now).value();
  EXPECT_FALSE(desk.give(grants, grant));
  EXPECT_FALSE(grants.allows("alice", Action::write, "edge1", desk.now));
}

TEST(TimedGrants, ThatCouldNotBeStoredAreInNoLaterFileEither) {
  Desk desk;
  {
    TimedGrants grants;
    ASSERT_TRUE(grants.open(desk.blocking, desk.file));
    ASSERT_EQ(::mkdir(desk.file.c_str(), 0700), 0);  // no file takes its place
    base::Fd watch(::inotify_init1(IN_CLOEXEC));
    ASSERT_GE(::inotify_add_watch(watch.get(), desk.dir.path().c_str(), IN_CLOSE_WRITE), 0);
    std::optional<base::Result<>> first, second;
    auto add = [&](std::optional<base::Result<>>& stored) {
      grants.add(grants.reserve("alice", {Action::write}, "*", "root", kHour, desk.now).value(),
                 [&](base::Result<> result) { stored = result; });
    };
    add(first);
    add(second);
    // The first write is over when it closes what it wrote; the loop has not heard of it yet.
    pollfd closed{watch.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&closed, 1, 30'000), 1);
    ASSERT_EQ(::rmdir(desk.file.c_str()), 0);
    ASSERT_TRUE(test::run_until(desk.loop, [&] { return first && second; }));
    EXPECT_FALSE(*first);
    EXPECT_TRUE(*second);
    ASSERT_EQ(grants.all().size(), 1u);
  }
  TimedGrants again;
  ASSERT_TRUE(again.open(desk.blocking, desk.file));
  ASSERT_EQ(again.all().size(), 1u);
  EXPECT_EQ(again.all()[0].id, 2u);
}

TEST(TimedGrants, OfADamagedFileNoneHolds) {
  Desk desk;
  {
    TimedGrants grants;
    ASSERT_TRUE(grants.open(desk.blocking, desk.file));
    desk.write(grants);
    desk.write(grants);
  }
  const std::string whole = test::read_file(desk.file);
  auto opens = [&](const std::string& text) {
    test::write_file(desk.file, text);
    TimedGrants grants;
    bool opened = grants.open(desk.blocking, desk.file).has_value();
    EXPECT_TRUE(opened || grants.all().empty());
    return opened;
  };
  EXPECT_TRUE(opens(whole));
  std::size_t lines = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // Cut after a line's end it is a file of fewer grants: nobody but the daemon writes it, and whole.
    bool at_line = size > 0 && whole[size - 1] == '\n';
    EXPECT_EQ(opens(whole.substr(0, size)), at_line) << size;
    lines += at_line;
  }
  EXPECT_EQ(lines, 2u);
  for (std::size_t place = 0; place < whole.size(); ++place) {
    std::string flipped = whole;
    flipped[place] = static_cast<char>(flipped[place] ^ 0x80);
    opens(flipped);  // a name may be another; nothing else may happen
  }
  std::string admin = whole;
  admin.replace(admin.find("write"), 5, "admin");
  EXPECT_FALSE(opens(admin));
  std::string twice = whole;
  twice.replace(twice.find("\"id\":2"), 6, "\"id\":1");
  EXPECT_FALSE(opens(twice));
  EXPECT_TRUE(opens(whole));
  ASSERT_EQ(::chmod(desk.file.c_str(), 0644), 0);
  TimedGrants grants;
  EXPECT_FALSE(grants.open(desk.blocking, desk.file));
}

}  // namespace
}  // namespace oob::auth

#include "console/watches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "console/visits_under_way.h"
#include "tests/console/dialogue_kit.h"
#include "tests/support/no_descriptors.h"

namespace oob::console {
namespace {

using base::str;
using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kAsk[] = "birdc -r show protocols all upstream1";
constexpr char kEstablished[] =
    "BIRD 2.0.12 ready.\r\nAccess restricted\r\n"
    "Name       Proto      Table      State  Since         Info\r\n"
    "upstream1  BGP        ---        up     12:44:53.971  Established\r\n"
    "  BGP state:          Established\r\n"
    "    Routes:         3 imported, 2 exported, 1 preferred\r\n";
constexpr char kShut[] =
    "BIRD 2.0.12 ready.\r\nAccess restricted\r\n"
    "Name       Proto      Table      State  Since         Info\r\n"
    "upstream1  BGP        ---        start  12:44:56.286  Active\r\n"
    "  BGP state:          Active\r\n"
    "    Last error:       Received: Administrative shutdown\r\n";

class WatchesTest : public testing::Test {
 protected:
  WatchesTest() {
    limits_.first = milliseconds(1);
    limits_.again = limits_.queue = limits_.seldom = milliseconds(20);
    settings_.device = "r1";
    settings_.neighbour = "upstream1";
    settings_.every = milliseconds(20);
    board_.machine.answers[kAsk] = kEstablished;
  }
  ~WatchesTest() { watches_.reset(); }

  void begin() {
    watches_.emplace(board_.core, limits_);
    watches_->adopt({{"upstream1", settings_}});
  }
  WatchFigures now() { return watches_->figures().at(0); }
  bool becomes(WatchState state) {
    return board_.runs([&] { return now().state == state && !now().text.empty(); });
  }
  // A time before it was so, and not long before.
  base::Clock::time_point just_before(const std::function<bool()>& is_so) {
    auto before = base::Clock::now();
    EXPECT_TRUE(board_.runs([&] {
      if (is_so()) return true;
      before = base::Clock::now();
      return false;
    }));
    return before;
  }
  // So many more looks.
  bool looks(std::size_t times) {
    std::size_t before = board_.machine.commands.size();
    return board_.runs([&] { return board_.machine.commands.size() >= before + times; });
  }
  std::string journal() {
    bool written = false;
    board_.journal->commit(auth::Entry("test"), [&](const base::Result<>&) { written = true; });
    EXPECT_TRUE(board_.runs([&] { return written; }));
    return board_.journal_text();
  }
  std::size_t events(const std::string& name) {
    return test::count(journal() + " ", str("\"ev\":\"", name, "\""));
  }

  test::DialogueBoard board_;
  Watches::Limits limits_;
  WatchSettings settings_;
  std::optional<Watches> watches_;
};

TEST_F(WatchesTest, TellWhatIsLostAndRestoredWithTheConsolesTail) {
  settings_.every = std::chrono::hours(1);  // what the console says now is not said to a look
  begin();
  ASSERT_TRUE(becomes(WatchState::up));
  EXPECT_EQ(now().text, "established since 12:44:53.971, 3 prefixes");
  EXPECT_EQ(now().prefixes, 3U);
  EXPECT_EQ(now().since, 0);
  EXPECT_THAT(journal(), Not(HasSubstr("watch."))) << "it was found so";

  ASSERT_TRUE(board_.runs([&] { return board_.console().writer().empty(); }));
  board_.lines["r1"]->say("igb0: link state changed to DOWN\r\n");
  ASSERT_TRUE(
      board_.runs([&] { return board_.console().recent(100).find("DOWN\r\n") != std::string::npos; }));
  board_.machine.answers[kAsk] = kShut;
  settings_.every = milliseconds(20);
  watches_->adopt({{"upstream1", settings_}});
  ASSERT_TRUE(becomes(WatchState::lost));
  EXPECT_EQ(now().text, "active, since 12:44:56.286; last error: Received: Administrative shutdown");
  EXPECT_FALSE(now().prefixes);
  EXPECT_NE(now().since, 0);
  std::string text = journal();
  EXPECT_THAT(text, HasSubstr(R"("ev":"watch.lost")"));
  EXPECT_THAT(text, HasSubstr(R"("text":"active, since 12:44:56.286; last)"));
  EXPECT_THAT(text, HasSubstr("igb0: link state changed to DOWN"));
  ASSERT_TRUE(looks(3));
  EXPECT_EQ(events("watch.lost"), 1U);

  board_.machine.answers[kAsk] = kEstablished;
  ASSERT_TRUE(becomes(WatchState::up));
  EXPECT_EQ(events("watch.restored"), 1U);
}

TEST_F(WatchesTest, LeaveTheDeviceAsItWasAndRecordNothing) {
  begin();
  ASSERT_TRUE(looks(3));
  watches_.reset();
  ASSERT_TRUE(board_.runs([&] { return board_.core.dialogues->under_way() == 0; }));
  EXPECT_EQ(board_.machine.at, test::FakeMachine::At::login);
  EXPECT_EQ(board_.console().left_open(), "");
  EXPECT_FALSE(std::filesystem::exists(board_.dir / "recordings"));
  EXPECT_THAT(journal(), Not(HasSubstr("console.open")));
  for (const std::string& command : board_.machine.commands) EXPECT_EQ(command, kAsk);
}

TEST_F(WatchesTest, BelieveInALossAtTheSecondLook) {
  begin();
  ASSERT_TRUE(becomes(WatchState::up));
  board_.machine.answers[kAsk] = kShut;
  ASSERT_TRUE(looks(1));
  board_.machine.answers[kAsk] = kEstablished;
  ASSERT_TRUE(looks(3));
  EXPECT_EQ(now().state, WatchState::up);
  EXPECT_EQ(events("watch.lost"), 0U);
}

TEST_F(WatchesTest, LeaveAConsoleToWhoHasTheKeyboard) {
  test::Visit alice(board_, "alice", "attach r1", true);
  ASSERT_TRUE(board_.runs([&] {
    alice.hear();
    return !board_.console().writer().empty();
  }));
  begin();
  ASSERT_TRUE(board_.runs([&] { return !now().trouble.empty(); }));
  EXPECT_THAT(now().trouble, HasSubstr("has the keyboard"));
  for (int i = 0; i < 30; ++i)
    test::run_until(
        board_.loop, [] { return false; }, milliseconds(10));
  EXPECT_EQ(board_.lines["r1"]->typed, "");
  EXPECT_EQ(now().state, WatchState::unknown);
  EXPECT_EQ(events("watch.unknown"), 0U) << "that somebody types is no news";
  alice.hang_up();
  EXPECT_TRUE(becomes(WatchState::up));
}

TEST_F(WatchesTest, SayAfterAWhileThatTheKeyboardKeepsThemFromKnowing) {
  limits_.silent = milliseconds(300);
  begin();
  ASSERT_TRUE(becomes(WatchState::up));
  test::Visit alice(board_, "alice", "attach r1", true);
  ASSERT_TRUE(board_.runs([&] {
    alice.hear();
    return now().state == WatchState::unknown;
  }));
  EXPECT_THAT(now().text, StartsWith("not looked for "));
  EXPECT_THAT(now().text, EndsWith(": alice has the keyboard"));
  EXPECT_EQ(events("watch.unknown"), 1U);
  alice.hang_up();
  ASSERT_TRUE(becomes(WatchState::up));
  EXPECT_EQ(events("watch.restored"), 1U);
}

TEST_F(WatchesTest, GiveTheKeyboardToWhoTakesIt) {
  begin();
  ASSERT_TRUE(looks(1));
  ASSERT_TRUE(board_.runs([&] { return !board_.console().writer().empty(); }));
  test::Visit alice(board_, "alice", "attach --force r1", true);
  ASSERT_TRUE(board_.runs([&] {
    alice.hear();
    return board_.console().writer().starts_with("alice");
  }));
  board_.machine.look();
  std::size_t commands = board_.machine.commands.size();
  auto is_asked = [&] {
    board_.machine.look();
    return board_.machine.commands.size() != commands;
  };
  EXPECT_FALSE(test::run_until(board_.loop, is_asked, milliseconds(100)));
  EXPECT_TRUE(board_.console().writer().starts_with("alice"));
  EXPECT_EQ(events("watch.unknown"), 0U);
}

TEST_F(WatchesTest, GiveTheKeyboardToWhoCameMeanwhileAsSoonAsTheyAreDone) {
  begin();
  ASSERT_TRUE(board_.runs([&] { return board_.console().is_looked_at(); }));
  test::Visit alice(board_, "alice", "attach r1", true);
  ASSERT_TRUE(board_.runs([&] {
    alice.hear();
    return board_.console().writer() == "alice";
  }));
  EXPECT_EQ(board_.console().left_open(), "");
  EXPECT_EQ(board_.machine.at, test::FakeMachine::At::login);
  EXPECT_EQ(now().state, WatchState::up) << "it was not cut short";
  EXPECT_TRUE(board_.runs([&] {
    alice.hear();
    return alice.out.find("you may type") != std::string::npos;
  }));
}

TEST_F(WatchesTest, HoldUpNoCommandForLongerThanTheyTake) {
  begin();
  ASSERT_TRUE(board_.runs([&] { return board_.console().is_looked_at(); }));
  test::Visit sends(board_, "alice", "send r1 hello", false);
  ASSERT_TRUE(board_.runs([&] {
    sends.hear();
    return sends.closed;
  }));
  EXPECT_EQ(sends.status, 0) << sends.err;
  EXPECT_THAT(board_.lines["r1"]->typed, HasSubstr("hello"));
  watches_.reset();
  board_.runs([&] { return board_.core.dialogues->under_way() == 0; });
  begin();
  ASSERT_TRUE(board_.runs([&] { return board_.console().is_looked_at(); }));
  auto nothing = [](recipe::Visit&, recipe::Talk&, const recipe::Recipe&) -> base::Task<base::Result<>> {
    co_return base::Result<>();
  };
  board_.begin(board_.order(nothing));
  EXPECT_TRUE(board_.wait().result) << board_.wait().result.error().what;
}

TEST_F(WatchesTest, SayWhenNobodyKnows) {
  begin();
  ASSERT_TRUE(becomes(WatchState::up));
  board_.machine.answers[kAsk] = "sh: birdc: not found\r\n";
  ASSERT_TRUE(becomes(WatchState::unknown));
  EXPECT_THAT(now().text, HasSubstr("that is not what birdc says: sh: birdc: not found"));
  EXPECT_THAT(now().trouble, HasSubstr("not found"));
  EXPECT_EQ(events("watch.unknown"), 1U);
  board_.machine.answers[kAsk] = kEstablished;
  ASSERT_TRUE(becomes(WatchState::up));
  EXPECT_EQ(events("watch.restored"), 1U);
  EXPECT_EQ(now().trouble, "");
}

TEST_F(WatchesTest, TakeADaemonThatDoesNotRunForALoss) {
  board_.machine.answers[kAsk] =
      "Unable to connect to server control socket (/run/bird/bird.ctl): No such file or directory\r\n";
  begin();
  ASSERT_TRUE(becomes(WatchState::lost));
  EXPECT_THAT(now().text, HasSubstr("the daemon does not run: Unable to connect"));
  EXPECT_EQ(events("watch.lost"), 1U) << "though it was found so";
}

TEST_F(WatchesTest, TakeALoginThatMayNotAskForNoLoss) {
  board_.machine.answers[kAsk] =
      "Unable to connect to server control socket (/run/bird/bird.ctl): Permission denied\r\n";
  limits_.unknown_after = limits_.lost_after = 1;
  begin();
  ASSERT_TRUE(becomes(WatchState::unknown));
  EXPECT_THAT(now().text, StartsWith("root may not ask the daemon: Unable to connect"));
  EXPECT_THAT(now().text, HasSubstr("cure: put that user into the group of BIRD's control socket"));
  EXPECT_EQ(events("watch.lost"), 0U);
}

// vtysh says the same to those who may ask and to those who may not.
TEST_F(WatchesTest, TakeVtyshAtItsWordWhereItHasAnsweredBefore) {
  constexpr char kVtysh[] = "vtysh -c \"show bgp neighbors 192.0.2.1 json\"";
  constexpr char kNobody[] =
      "Exiting: failed to connect to any daemons.\r\n"
      "Hint: if this seems wrong, try running me as a privileged user!\r\n";
  settings_.daemon = RoutingDaemon::frr;
  settings_.neighbour = "192.0.2.1";
  board_.machine.answers[kVtysh] = kNobody;
  limits_.unknown_after = limits_.lost_after = 1;
  begin();
  ASSERT_TRUE(becomes(WatchState::unknown));
  EXPECT_THAT(now().text,
              HasSubstr("or it does not run: Exiting: failed to connect to any daemons.; cure: "));
  board_.machine.answers[kVtysh] = "{\"192.0.2.1\":{\"bgpState\":\"Established\"}}\r\n";
  ASSERT_TRUE(becomes(WatchState::up));
  board_.machine.answers[kVtysh] = kNobody;
  ASSERT_TRUE(becomes(WatchState::lost));
  EXPECT_EQ(now().text, "the daemon does not run: Exiting: failed to connect to any daemons.");
}

TEST_F(WatchesTest, TypeNothingIntoALineThatIsDown) {
  board_.lines["r1"]->refuse_open = "unplugged";
  board_.lines["r1"]->unplug();
  ASSERT_TRUE(board_.runs([&] { return board_.console().state() == Console::State::down; }));
  begin();
  ASSERT_TRUE(becomes(WatchState::unknown));
  EXPECT_EQ(events("watch.unknown"), 1U);
  EXPECT_THAT(now().text, HasSubstr("r1: line down: "));
  EXPECT_EQ(board_.lines["r1"]->typed, "");
}

TEST_F(WatchesTest, ComeLessOftenWhereTheyAreRefused) {
  test::write_file(board_.dir / "password", "wrong\n");
  settings_.every = milliseconds(1000);
  limits_.unknown_after = 1;
  limits_.seldom = std::chrono::hours(1);
  begin();
  auto looked = just_before([&] { return now().state == WatchState::unknown && !now().text.empty(); });
  EXPECT_THAT(now().text, HasSubstr("the device refuses the user or the password"));
  ASSERT_TRUE(board_.runs([&] { return board_.core.dialogues->under_way() == 0; }));
  std::string typed = board_.lines["r1"]->typed;
  EXPECT_TRUE(board_.runs([&] { return board_.lines["r1"]->typed != typed; })) << "less often is not never";
  EXPECT_GE(base::Clock::now() - looked, 2 * settings_.every);
}

TEST_F(WatchesTest, TellOnceOfAConsoleThatTheyCannotLeaveAndComeLessOften) {
  // This machine knows no "quit".
  board_.core.recipes = test::DialogueBoard::book(R"(recipe box version 1
method text-twice
state login tail /login: $/ home go "{user}\r"
state password tail /Password: $/ after login go "{secret}\r"
state shell tail /box# $/ work leave "quit\r"
cmd config "show" end /^end$/
)");
  settings_.every = milliseconds(400);
  limits_.unknown_after = 1;
  limits_.seldom = milliseconds(800);
  begin();
  auto looked = just_before([&] { return now().looked != 0; });
  ASSERT_TRUE(board_.runs([&] { return board_.core.dialogues->under_way() == 0; }));
  EXPECT_THAT(board_.console().left_open(), HasSubstr("oobd's watch: the console is left open"));
  base::Micros first = now().looked;
  std::string typed = board_.lines["r1"]->typed;
  ASSERT_TRUE(board_.runs([&] { return board_.lines["r1"]->typed != typed; }));
  EXPECT_GE(base::Clock::now() - looked, 2 * settings_.every);
  ASSERT_TRUE(board_.runs([&] { return now().looked != first && board_.core.dialogues->under_way() == 0; }));
  EXPECT_NE(board_.console().left_open(), "");
  EXPECT_EQ(now().state, WatchState::up) << "what was asked is known all the same";
  EXPECT_EQ(events("console.open"), 1U);
}

TEST_F(WatchesTest, OfOneDeviceComeOneAfterTheOther) {
  std::string other = "birdc -r show protocols all upstream2";
  std::string text = kEstablished;
  text.replace(text.find("upstream1"), 9, "upstream2");
  board_.machine.answers[other] = text;
  watches_.emplace(board_.core, limits_);
  WatchSettings second = settings_;
  second.neighbour = "upstream2";
  watches_->adopt({{"one", settings_}, {"two", second}});
  EXPECT_TRUE(board_.runs([&] {
    EXPECT_LE(board_.core.dialogues->under_way(), 1U);
    auto all = watches_->figures();
    return all[0].state == WatchState::up && all[1].state == WatchState::up;
  }));
}

TEST_F(WatchesTest, KeepTheirStateInAReloadThatWatchesTheSame) {
  limits_.lost_after = 1;
  board_.machine.answers[kAsk] = kShut;
  begin();
  ASSERT_TRUE(becomes(WatchState::lost));
  watches_->adopt({{"upstream1", settings_}, {"another", settings_}});
  EXPECT_EQ(watches_->figures().at(1).state, WatchState::lost);
  settings_.every = std::chrono::hours(1);
  watches_->adopt({{"upstream1", settings_}});
  EXPECT_EQ(now().state, WatchState::lost);
  board_.machine.answers[kAsk] = kEstablished;
  settings_.every = milliseconds(20);
  watches_->adopt({{"upstream1", settings_}});
  ASSERT_TRUE(becomes(WatchState::up));
  EXPECT_EQ(events("watch.restored"), 1U);
  settings_.neighbour = "upstream2";
  watches_->adopt({{"upstream1", settings_}});
  EXPECT_EQ(now().state, WatchState::unknown) << "that is another one";
  watches_->adopt({});
  EXPECT_TRUE(watches_->figures().empty());
}

TEST_F(WatchesTest, GoOnFromWhatWasToldBeforeAStart) {
  limits_.lost_after = 1;
  board_.machine.answers[kAsk] = kShut;
  std::optional<WatchesTold> told;
  auto starts = [&](const WatchSettings& settings) {
    watches_.reset();
    board_.runs([&] { return board_.core.dialogues->under_way() == 0; });
    told.reset();
    board_.disk.drain();
    told.emplace(board_.disk, board_.dir / "watches");
    ASSERT_TRUE(told->open());
    watches_.emplace(board_.core, limits_, &*told);
    watches_->adopt({{"upstream1", settings}});
    EXPECT_EQ(now().state, WatchState::unknown) << "nobody has looked yet";
  };
  starts(settings_);
  ASSERT_TRUE(becomes(WatchState::lost));
  starts(settings_);
  ASSERT_TRUE(becomes(WatchState::lost));
  EXPECT_NE(now().since, 0);
  EXPECT_EQ(events("watch.lost"), 1U) << "that is no news";
  board_.machine.answers[kAsk] = kEstablished;
  starts(settings_);
  ASSERT_TRUE(becomes(WatchState::up));
  EXPECT_EQ(events("watch.restored"), 1U);
  WatchSettings other = settings_;
  other.neighbour = "upstream2";
  starts(other);
  EXPECT_TRUE(told->all().empty()) << "of that one nothing was told";
  watches_.reset();
}

TEST_F(WatchesTest, AskByProbes) {
  base::Fd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&at), size), 0);
  ASSERT_EQ(::listen(listening.get(), 8), 0);
  ::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&at), &size);
  WatchSettings answers, silent;
  std::string here = str("tcp:127.0.0.1:", ntohs(at.sin_port));
  for (const std::string& text : {here, std::string("tcp:192.0.2.1:9")})
    answers.targets.push_back(*uplink::Target::parse(text));
  silent.targets.push_back(*uplink::Target::parse("tcp:192.0.2.1:9"));
  answers.interface = silent.interface = "lo";
  answers.every = silent.every = milliseconds(50);
  limits_.answer = milliseconds(100);
  watches_.emplace(board_.core, limits_);
  watches_->adopt({{"answers", answers}, {"silent", silent}});
  auto is = [&](std::size_t which, WatchState state) { return watches_->figures()[which].state == state; };
  // An answer that comes late is none, and may come in time when it is asked again.
  ASSERT_TRUE(board_.runs([&] { return is(0, WatchState::up) && is(1, WatchState::lost); }))
      << watches_->figures()[0].trouble;
  WatchFigures up = watches_->figures()[0], lost = watches_->figures()[1];
  EXPECT_THAT(up.text, HasSubstr("1 of 2 addresses answer ("));
  EXPECT_THAT(up.text, HasSubstr("silent: tcp:192.0.2.1:9"));
  EXPECT_EQ(lost.text, "no answer from tcp:192.0.2.1:9 by lo");
  EXPECT_THAT(journal(), HasSubstr(R"("ev":"watch.lost")"));
  EXPECT_THAT(journal(), HasSubstr("no answer from tcp:192.0.2.1:9 by lo"));
}

TEST_F(WatchesTest, TakeAnInterfaceOfOurOwnThatIsGoneForNoLoss) {
  WatchSettings far;
  for (const char* text : {"tcp:192.0.2.1:9", "tcp:[2001:db8::1]:9"})
    far.targets.push_back(*uplink::Target::parse(text));
  far.interface = "nosuch0";
  far.every = milliseconds(20);
  watches_.emplace(board_.core, limits_);
  watches_->adopt({{"far", far}});
  ASSERT_TRUE(becomes(WatchState::unknown));
  EXPECT_EQ(now().text,
            "nothing has left this board: tcp:192.0.2.1:9 (interface nosuch0: not there now), "
            "tcp:[2001:db8::1]:9 (interface nosuch0: not there now)");
  EXPECT_EQ(events("watch.lost"), 0U);
  EXPECT_EQ(events("watch.unknown"), 1U);
}

TEST_F(WatchesTest, TakeAShortageOfOurOwnForNoLoss) {
  if (!test::kMayLackDescriptors) GTEST_SKIP() << "a sanitizer needs descriptors of its own";
  WatchSettings far;
  far.targets.push_back(*uplink::Target::parse("tcp:127.0.0.1:1"));  // refused, which is an answer
  far.every = milliseconds(50);
  watches_.emplace(board_.core, limits_);
  watches_->adopt({{"far", far}});
  ASSERT_TRUE(becomes(WatchState::up));
  {
    test::NoDescriptors none;
    EXPECT_TRUE(becomes(WatchState::unknown));
  }
  EXPECT_THAT(now().text, HasSubstr("Too many open files"));
  EXPECT_TRUE(becomes(WatchState::up));
  EXPECT_EQ(events("watch.lost"), 0U);
}

}  // namespace
}  // namespace oob::console

#include "oobd/call_home.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/unix_socket.h"
#include "base/wire.h"
#include "oobd/gates.h"
#include "oobd/listeners.h"
#include "tests/support/support.h"

namespace oob {
namespace {

using base::milliseconds;
using base::str;
using base::wire::Writer;
using test::run_until;
using ::testing::HasSubstr;

std::string plain_packet(const std::string& payload) {
  std::size_t pad = 16 - (5 + payload.size()) % 8;
  return Writer()
             .u32(static_cast<std::uint32_t>(1 + payload.size() + pad))
             .u8(static_cast<std::uint8_t>(pad))
             .take() +
         payload + std::string(pad, '\0');
}

// Up to its key; one that is full gets no further.
std::string words_of_a_front(const std::string& key, bool full) {
  const std::string last = full ? "\x01" + Writer().u32(12).text("too many connections, try again").take()
                                : "\x1f" + Writer().text(key).take();
  return str("SSH-2.0-x\r\n", plain_packet("\x14" + std::string(60, 'k')), plain_packet(last));
}

// Answers all who come to a Unix socket with a host key, unless it is mute.
class FakeFront {
 public:
  FakeFront(base::Loop& loop, base::Fd listening)
      : listening_(std::move(listening)), watch_(loop, listening_.get()) {
    hear();
  }
  bool mute = false, full = false;

 private:
  void hear() {
    watch_.readable([this] {
      base::Fd come(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (come && !mute) {
        EXPECT_TRUE(base::send_some(come.get(), words_of_a_front("own", full)));
      }
      held_.push_back(std::move(come));
      hear();
    });
  }
  base::Fd listening_;
  base::Watch watch_;
  std::vector<base::Fd> held_;
};

// ssh, the bastion's socket and whatever is behind it: answers at `check` with the key that it is given.
class FakeSsh {
 public:
  FakeSsh(base::Loop& loop, std::string state) : loop_(loop), state_(std::move(state)) {}

  std::uint64_t begin(const std::string& name, base::Fd socket, unsigned place, CallHomeGround::Ended ended) {
    std::uint64_t number = ++begun;
    names.push_back(name);
    One& one = running_[number];
    one.socket = std::move(socket);
    one.ended = std::move(ended);
    nowhere = nowhere && !words.empty();
    if (!words.empty()) {
      loop_.post([this, number] { over(number, 255, words); });
      return number;
    }
    ::mkdir((state_ + "/homes").c_str(), 0700);
    auto listening = base::listen_unix(call_home_paths(state_, name, place).check);
    EXPECT_TRUE(listening) << listening.error().what;
    if (!listening) return number;
    one.listening = std::move(*listening);
    one.watch = std::make_unique<base::Watch>(loop_, one.listening.get());
    hear(one);
    return number;
  }
  void end(std::uint64_t number) {
    ++ended;
    if (hung) return;
    loop_.post([this, number] { over(number, 143, ""); });
  }
  void lose(const std::string& said) { over(begun, 255, said); }
  std::size_t running() const { return running_.size(); }
  bool runs(std::uint64_t number) const { return running_.contains(number); }
  std::size_t looks(std::uint64_t number) const { return running_.at(number).held.size(); }
  // Who looked while it was mute is answered, or has gone.
  void answer(std::uint64_t number) {
    for (const base::Fd& one : running_.at(number).held)
      (void)base::send_some(one.get(), words_of_a_front(key, full));
  }
  // Something goes from it to the bastion.
  void say(std::uint64_t number) { EXPECT_TRUE(base::send_some(running_.at(number).socket.get(), "x")); }

  std::string key = "own";
  std::string words;  // it fails at once, with them
  bool mute = false, hung = false, full = false;
  bool nowhere = false;  // what the bastion's socket leads to has ended; the next one takes it
  std::uint64_t begun = 0, ended = 0;
  std::vector<std::string> names;

 private:
  struct One {
    base::Fd socket, listening;
    std::unique_ptr<base::Watch> watch;
    std::vector<base::Fd> held;
    CallHomeGround::Ended ended;
  };
  void hear(One& one) {
    one.watch->readable([this, &one] {
      base::Fd come(::accept4(one.listening.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (nowhere) return hear(one);
      if (come && !mute) {
        EXPECT_TRUE(base::send_some(come.get(), words_of_a_front(key, full)));
      }
      one.held.push_back(std::move(come));
      hear(one);
    });
  }
  void over(std::uint64_t number, int status, const std::string& said) {
    auto found = running_.find(number);
    if (found == running_.end()) return;
    CallHomeGround::Ended done = std::move(found->second.ended);
    running_.erase(found);
    done(status, said);
  }
  base::Loop& loop_;
  const std::string state_;
  std::map<std::uint64_t, One> running_;
};

class CallHomeTest : public ::testing::Test {
 protected:
  CallHomeTest() {
    limits_.dial = milliseconds(2000);
    limits_.look = milliseconds(10);
    limits_.check = milliseconds(50);
    limits_.answer = limits_.begin = milliseconds(60'000);  // of what answers, however slow all is
    limits_.unreached = milliseconds(50);
    limits_.retry_least = milliseconds(40);
    limits_.retry_most = milliseconds(200);
    limits_.held = milliseconds(10);
    ::mkdir((dir_ / "state").c_str(), 0700);
    ::mkdir((dir_ / "state/homes").c_str(), 0700);
    auto home = base::listen_unix(home_socket(dir_ / "state", "fra"));
    EXPECT_TRUE(home) << home.error().what;
    front_ = std::make_unique<FakeFront>(loop_, std::move(*home));
    make_homes();
    auto listener = listen_tcp("127.0.0.1:0");
    EXPECT_TRUE(listener);
    bastion_ = std::move(*listener);
  }
  void make_homes() {
    homes_ = std::make_unique<CallHomes>(
        CallHomeGround{
            loop_,
            dir_ / "state",
            {"own"},
            [this](const std::string&) {
              // As if the bastion were not on this board.
              std::vector<uplink::Figures> all = uplinks_;
              for (uplink::Figures& one : all) one.addresses = {"198.51.100.10"};
              return call_home_ways("203.0.113.7:22", all);
            },
            [this](const std::string& name, base::Fd socket, unsigned place, CallHomeGround::Ended ended) {
              return ssh_.begin(name, std::move(socket), place, std::move(ended));
            },
            [this](std::uint64_t errand) { ssh_.end(errand); },
            [this](auth::Entry entry) { journal_.push_back(std::move(entry)); },
            [this](const std::string&) { return riders_; }},
        limits_);
  }
  CallHomeConfig config() const {
    return {bastion_.address, "oob", "/nowhere/key", "ssh-ed25519 AAAA", "/run/oob/ssh.sock"};
  }
  void adopt() { homes_->adopt({{"fra", config()}}); }
  console::CallHomeFigures now() const { return homes_->figures().at(0); }
  bool until_up(bool up = true) {
    return run_until(loop_, [&] { return now().up == up; });
  }
  // The bastion's end of the connection that came next.
  base::Fd come() {
    base::Fd peer;
    auto taken = [&] {
      return static_cast<bool>(peer = base::Fd(::accept(bastion_.fd.get(), nullptr, nullptr)));
    };
    EXPECT_TRUE(run_until(loop_, taken));
    return peer;
  }
  // From now on its packets are lost on the way.
  static void lose_packets(const base::Fd& peer) {
    sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    sock_fprog program{1, nothing};
    EXPECT_EQ(::setsockopt(peer.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
  }
  static void lose_no_more(const base::Fd& peer) {
    int nothing = 0;
    EXPECT_EQ(::setsockopt(peer.get(), SOL_SOCKET, SO_DETACH_FILTER, &nothing, sizeof nothing), 0);
  }
  // So long, and some turns of the loop more: what was due by then is done, however late all is.
  bool pass(milliseconds time) {
    const auto end = base::Clock::now() + time;
    int turns = 0;
    return run_until(loop_, [&] { return base::Clock::now() > end && ++turns > 50; });
  }
  void notice_silence() {
    limits_.answer = milliseconds(100);
    make_homes();
  }
  void notice_soon() {
    limits_.owing = milliseconds(100);
    limits_.grace = limits_.closely = milliseconds(10);
  }
  std::vector<std::string> events() const {
    std::vector<std::string> names;
    for (const auth::Entry& entry : journal_) names.push_back(entry.ev);
    return names;
  }

  base::Loop loop_;
  test::TempDir dir_;
  CallHomeLimits limits_;
  std::vector<uplink::Figures> uplinks_;
  FakeSsh ssh_{loop_, dir_ / "state"};
  std::unique_ptr<FakeFront> front_;
  std::vector<std::uint64_t> riders_;
  std::vector<auth::Entry> journal_;
  Listener bastion_;
  std::unique_ptr<CallHomes> homes_;  // ends first
};

TEST_F(CallHomeTest, IsUpOnceItsOwnKeyAnswersThroughTheBastion) {
  notice_silence();
  ssh_.mute = true;
  adopt();
  ASSERT_TRUE(run_until(loop_, [&] { return ssh_.begun == 1; }));
  EXPECT_FALSE(now().up);
  ssh_.mute = false;
  ASSERT_TRUE(until_up());
  EXPECT_EQ(events(), std::vector<std::string>{"callhome.up"});
}

TEST_F(CallHomeTest, BeginsAnewWhenNothingAnswersTwice) {
  notice_silence();
  adopt();
  ASSERT_TRUE(until_up());
  ssh_.mute = true;
  ASSERT_TRUE(until_up(false));
  EXPECT_THAT(now().why, HasSubstr("no answer through the bastion"));
  EXPECT_EQ(ssh_.ended, 1u);
  ssh_.mute = false;
  ASSERT_TRUE(until_up());
  EXPECT_EQ(ssh_.begun, 2u);
  EXPECT_EQ(events(), (std::vector<std::string>{"callhome.up", "callhome.down", "callhome.up"}));
}

TEST_F(CallHomeTest, NoticesAnotherBoardBehindItsSocketAndWaits) {
  adopt();
  ASSERT_TRUE(until_up());
  ssh_.key = "another's";
  auto begin = base::Clock::now();
  ASSERT_TRUE(until_up(false));
  EXPECT_THAT(now().why, HasSubstr("another board (SHA256:"));
  ssh_.key = "own";
  ASSERT_TRUE(until_up());
  EXPECT_GE(base::Clock::now() - begin, limits_.retry_most);
}

TEST_F(CallHomeTest, TellsWhatSshSaidOnceAndTriesAgainAfterLongerPauses) {
  ssh_.words = "Error: remote port forwarding failed for listen path /run/oob/ssh.sock";
  auto begin = base::Clock::now();
  adopt();
  ASSERT_TRUE(run_until(loop_, [&] { return ssh_.begun == 4; }));
  // 40 + 80 + 160 ms, a quarter less at the least.
  EXPECT_GE(base::Clock::now() - begin, milliseconds(210));
  EXPECT_THAT(now().why, HasSubstr("StreamLocalBindUnlink yes"));
  EXPECT_EQ(events(), std::vector<std::string>{"callhome.down"});
  ssh_.words.clear();
  ASSERT_TRUE(until_up());
}

TEST_F(CallHomeTest, DialsAgainAtOnceWhatWorkedBefore) {
  limits_.retry_least = limits_.retry_most = milliseconds(60'000);
  make_homes();
  adopt();
  ASSERT_TRUE(until_up());
  auto up = base::Clock::now();
  ASSERT_TRUE(run_until(loop_, [&] { return base::Clock::now() - up > limits_.held; }));
  ssh_.lose("Connection closed by UNKNOWN port 65535");
  EXPECT_THAT(now().why, HasSubstr("Connection closed"));
  ASSERT_TRUE(until_up());
}

TEST_F(CallHomeTest, TellsThatTheBastionIsNotReachedAndFindsItWhenItIs) {
  ASSERT_EQ(::shutdown(bastion_.fd.get(), SHUT_RD), 0);  // the port stays ours
  adopt();
  ASSERT_TRUE(run_until(loop_, [&] { return !journal_.empty(); }));
  EXPECT_THAT(now().why, HasSubstr(str(bastion_.address, ": connect: Connection refused")));
  auto again = listen_again(bastion_.fd.get(), bastion_.address);
  ASSERT_TRUE(again) << again.error().what;
  ASSERT_TRUE(until_up());
}

// So many are at their login there that one more gets no answer.
TEST_F(CallHomeTest, TakesASilentFrontOfItsOwnForNoFaultOfTheWay) {
  notice_silence();
  adopt();
  ASSERT_TRUE(until_up());
  ssh_.mute = front_->mute = true;
  ASSERT_TRUE(pass(milliseconds(1200)));  // several looks through the bastion, and at the front itself, fail
  EXPECT_TRUE(now().up);
  EXPECT_EQ(ssh_.begun, 1u);
  EXPECT_EQ(ssh_.ended, 0u);
  front_->mute = false;
  ASSERT_TRUE(until_up(false));
  EXPECT_THAT(now().why, HasSubstr("no answer through the bastion"));
}

TEST_F(CallHomeTest, TakesAFrontOfItsOwnThatIsFullForNobodyElse) {
  adopt();
  ASSERT_TRUE(until_up());
  ssh_.full = front_->full = true;
  const std::size_t before = ssh_.looks(1);
  ASSERT_TRUE(run_until(loop_, [&] { return ssh_.ended > 0 || ssh_.looks(1) > before + 4; }));
  EXPECT_TRUE(now().up) << now().why;
  EXPECT_EQ(ssh_.ended, 0u);
  front_->full = false;
  ASSERT_TRUE(until_up(false));
  EXPECT_THAT(now().why, HasSubstr("it hung up: too many connections"));
}

// An errand that does not end, as where the child is hung.
TEST_F(CallHomeTest, IsDownAtOnceAlsoWhereSshDoesNotEnd) {
  adopt();
  ASSERT_TRUE(until_up());
  ssh_.key = "another's";
  ssh_.hung = true;
  ASSERT_TRUE(until_up(false));
  EXPECT_THAT(now().why, HasSubstr("another board (SHA256:"));
  EXPECT_EQ(ssh_.running(), 1u);
}

TEST_F(CallHomeTest, LeavesAMeteredWayForOneThatIsNotAndEndsNobodysSession) {
  limits_.cheaper = milliseconds(30);
  limits_.login = milliseconds(50);
  make_homes();
  uplinks_.resize(2);
  uplinks_[0].interface = "oobd-none0";
  uplinks_[0].is_way_out = true;
  uplinks_[1].interface = "lo";
  uplinks_[1].metered = true;
  adopt();
  ASSERT_TRUE(until_up());
  EXPECT_EQ(now().interface, "lo");
  riders_ = {7};
  uplinks_[0].interface = "";  // any way, and it leads there
  ASSERT_TRUE(run_until(loop_, [&] { return now().interface.empty(); }));
  EXPECT_TRUE(now().up);
  EXPECT_EQ(ssh_.begun, 2u);
  ASSERT_TRUE(pass(milliseconds(200)));
  EXPECT_EQ(ssh_.running(), 2u) << "7 is still on the first one";
  riders_ = {8};
  ASSERT_TRUE(run_until(loop_, [&] { return ssh_.running() == 1; }));
  EXPECT_TRUE(now().up);
  EXPECT_EQ(events(), (std::vector<std::string>{"callhome.up", "callhome.up"}));
}

TEST_F(CallHomeTest, KeepsWhomItCarriesThroughASecondMove) {
  notice_soon();
  limits_.cheaper = milliseconds(30);
  limits_.login = milliseconds(100);
  make_homes();
  uplinks_.resize(2);
  uplinks_[0].interface = "lo";
  uplinks_[0].is_way_out = true;
  uplinks_[1].metered = true;  // and any way
  adopt();
  ASSERT_TRUE(until_up());
  ASSERT_EQ(now().interface, "lo");
  riders_ = {7};
  base::Fd peer = come();
  lose_packets(peer);
  uplinks_[0].interface = "oobd-none0";
  ssh_.say(1);
  ASSERT_TRUE(run_until(loop_, [&] { return now().up && now().interface.empty(); }));
  lose_no_more(peer);
  uplinks_[0].interface = "lo";
  ASSERT_TRUE(run_until(loop_, [&] { return now().up && now().interface == "lo"; }));
  EXPECT_TRUE(ssh_.runs(1));
  ASSERT_TRUE(run_until(loop_, [&] { return !ssh_.runs(2); })) << "nobody came by the second one";
  EXPECT_TRUE(ssh_.runs(1)) << "7 is on it";
  EXPECT_TRUE(ssh_.runs(3));
  riders_.clear();
  ASSERT_TRUE(run_until(loop_, [&] { return ssh_.running() == 1; }));
  EXPECT_TRUE(now().up);
}

TEST_F(CallHomeTest, CountsWhoLogsInJustAfterAMove) {
  limits_.cheaper = milliseconds(30);
  limits_.login = milliseconds(60'000);
  make_homes();
  uplinks_.resize(2);
  uplinks_[0].interface = "oobd-none0";
  uplinks_[0].is_way_out = true;
  uplinks_[1].interface = "lo";
  uplinks_[1].metered = true;
  adopt();
  ASSERT_TRUE(until_up());
  uplinks_[0].interface = "";
  ASSERT_TRUE(run_until(loop_, [&] { return now().interface.empty(); }));
  riders_ = {9};  // was at its login
  homes_->set_login(milliseconds(300));
  ASSERT_TRUE(pass(milliseconds(500)));
  EXPECT_TRUE(ssh_.runs(1));
  riders_ = {10};  // came later
  ASSERT_TRUE(run_until(loop_, [&] { return !ssh_.runs(1); }));
  EXPECT_TRUE(now().up);
}

TEST_F(CallHomeTest, TakesTheSocketBackBesideAConnectionThatCarriesPeople) {
  adopt();
  ASSERT_TRUE(until_up());
  riders_ = {7};
  ssh_.nowhere = true;
  // It may be up again before anybody has seen that it was down.
  ASSERT_TRUE(run_until(loop_, [&] { return journal_.size() == 3; }));
  EXPECT_THAT(std::get<std::string>(journal_[1].fields["text"]), HasSubstr("leads nowhere"));
  EXPECT_TRUE(now().up);
  EXPECT_EQ(ssh_.running(), 2u);
  EXPECT_EQ(ssh_.ended, 0u);
  EXPECT_EQ(events(), (std::vector<std::string>{"callhome.up", "callhome.down", "callhome.up"}));
}

// A connection that is begun beside another takes the bastion's socket with it when it ends.
TEST_F(CallHomeTest, LooksAtOnceWhenAnotherConnectionBesideItHasFailed) {
  limits_.cheaper = milliseconds(30);
  limits_.retry_least = limits_.retry_most = milliseconds(60'000);
  make_homes();
  uplinks_.resize(2);
  uplinks_[0].interface = "oobd-none0";
  uplinks_[0].is_way_out = true;
  uplinks_[1].interface = "lo";
  uplinks_[1].metered = true;
  adopt();
  ASSERT_TRUE(until_up());
  riders_ = {7};
  ssh_.mute = true;
  uplinks_[0].interface = "";
  ASSERT_TRUE(run_until(loop_, [&] { return ssh_.begun == 2; }));
  ssh_.nowhere = true;
  ssh_.lose("Connection closed");
  ASSERT_TRUE(until_up(false)) << "nobody looked";
  EXPECT_THAT(now().why, HasSubstr("leads nowhere"));
  EXPECT_TRUE(ssh_.runs(1));
}

TEST_F(CallHomeTest, GoesOnWithTheOneBesideItThatIsLookedAtWhenItsOwnEnds) {
  adopt();
  ASSERT_TRUE(until_up());
  riders_ = {7};
  ssh_.mute = ssh_.nowhere = true;
  ASSERT_TRUE(run_until(loop_, [&] { return ssh_.begun == 2 && ssh_.looks(2) == 1; }));
  ssh_.end(1);
  ASSERT_TRUE(run_until(loop_, [&] { return !ssh_.runs(1); }));
  ssh_.mute = false;
  ssh_.answer(2);
  ASSERT_TRUE(until_up());
  EXPECT_EQ(ssh_.begun, 2u);
}

TEST_F(CallHomeTest, GivesUpAConnectionBesideItByWhichNothingComesAnyMore) {
  notice_soon();
  limits_.retry_least = limits_.retry_most = milliseconds(60'000);
  notice_silence();
  adopt();
  ASSERT_TRUE(until_up());
  riders_ = {7};
  ssh_.mute = true;
  base::Fd first = come();
  lose_packets(first);
  ssh_.say(1);
  ASSERT_TRUE(run_until(loop_, [&] { return ssh_.begun == 2; }));
  base::Fd second = come();
  lose_packets(second);
  ssh_.say(2);
  ASSERT_TRUE(run_until(loop_, [&] { return ssh_.begun == 3; }));
  ssh_.mute = false;
  ASSERT_TRUE(until_up());
  EXPECT_FALSE(ssh_.runs(2));
}

TEST_F(CallHomeTest, ForgetsRefusalsOnceAnotherConnectionHasWorked) {
  limits_.retry_least = milliseconds(4);
  limits_.retry_most = milliseconds(60'000);
  make_homes();
  adopt();
  ASSERT_TRUE(until_up());
  riders_ = {7};
  auto refuse = [&](milliseconds limit) {
    const std::uint64_t before = ssh_.begun;
    ssh_.words = "Connection reset";
    ssh_.nowhere = true;
    return run_until(
        loop_, [&] { return ssh_.begun >= before + 8; }, limit);
  };
  ASSERT_TRUE(refuse(milliseconds(60'000)));
  ssh_.words.clear();
  ASSERT_TRUE(run_until(loop_, [&] { return !ssh_.nowhere && now().up; }));
  riders_ = {7, 8};
  // The ninth in a row would come a second after the eighth, and the sixteenth another 17 s later at least.
  EXPECT_TRUE(refuse(milliseconds(15'000)));
}

TEST_F(CallHomeTest, KeepsWhatWorkedUntilAChangedTableDoes) {
  limits_.login = milliseconds(50);
  make_homes();
  adopt();
  ASSERT_TRUE(until_up());
  riders_ = {7};
  CallHomeConfig changed = config();
  changed.user = "nobody";
  ssh_.words = "nobody@bastion: Permission denied (publickey).";
  EXPECT_THAT(homes_->adopt({{"fra", changed}}),
              HasSubstr("[callhome.fra] has changed: the old connection stays"));
  ASSERT_TRUE(run_until(loop_, [&] { return ssh_.begun >= 4 && ssh_.running() == 1; }));
  EXPECT_THAT(now().why, HasSubstr("the bastion refuses nobody"));
  EXPECT_TRUE(ssh_.runs(1));
  EXPECT_THAT(homes_->adopt({{"fra", config()}}), ::testing::IsEmpty()) << "there is nothing new to keep";
  ssh_.words.clear();
  ASSERT_TRUE(until_up());
  ASSERT_TRUE(pass(milliseconds(150)));
  EXPECT_TRUE(ssh_.runs(1));
  EXPECT_EQ(ssh_.ended, 0u);
  riders_.clear();
  ASSERT_TRUE(run_until(loop_, [&] { return ssh_.running() == 1; }));
  EXPECT_TRUE(now().up);
  EXPECT_THAT(homes_->adopt({}), HasSubstr("[callhome.fra] has gone"));
  ASSERT_TRUE(run_until(loop_, [&] { return ssh_.running() == 0; }));
}

TEST_F(CallHomeTest, ComesByTheUplinkThatLeadsThereAndNamesThoseThatDoNot) {
  uplinks_.resize(2);
  uplinks_[0].interface = "oobd-none0";
  uplinks_[1].interface = "lo";
  uplinks_[1].metered = true;
  adopt();
  ASSERT_TRUE(until_up());
  EXPECT_EQ(now().interface, "lo");
  ASSERT_EQ(::shutdown(bastion_.fd.get(), SHUT_RD), 0);  // the port stays ours
  ssh_.lose("Connection closed");
  ASSERT_TRUE(run_until(loop_, [&] { return now().why.find("Connection refused") != std::string::npos; }));
  EXPECT_THAT(now().why, HasSubstr("by oobd-none0: "));
  EXPECT_THAT(now().why, HasSubstr("by lo: connect: Connection refused"));
}

TEST_F(CallHomeTest, LeavesAloneWhatAReloadDoesNotChange) {
  adopt();
  ASSERT_TRUE(until_up());
  homes_->adopt({{"fra", config()}, {"ams", config()}});
  ASSERT_TRUE(run_until(loop_, [&] { return homes_->figures().at(0).up && homes_->figures().at(1).up; }));
  EXPECT_EQ(ssh_.names, (std::vector<std::string>{"fra", "ams"}));
  homes_->adopt({{"fra", config()}});
  ASSERT_TRUE(run_until(loop_, [&] { return ssh_.running() == 1; }));
  EXPECT_TRUE(now().up);
  CallHomeConfig changed = config();
  changed.socket = "/run/oob/other.sock";
  homes_->adopt({{"fra", changed}});
  EXPECT_FALSE(now().up);
  ASSERT_TRUE(until_up());
  EXPECT_EQ(ssh_.begun, 3u);
}

}  // namespace
}  // namespace oob

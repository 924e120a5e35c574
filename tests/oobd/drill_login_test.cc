#include "oobd/drill_login.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/unix_socket.h"
#include "base/wire.h"
#include "oobd/drill_ground.h"
#include "tests/support/support.h"

namespace oob {

using base::milliseconds;
using base::str;
using base::wire::Writer;
using test::run_until;
using ::testing::HasSubstr;

namespace {

std::string ssh_packet(const std::string& payload) {
  std::size_t pad = 16 - (5 + payload.size()) % 8;
  return Writer()
             .u32(static_cast<std::uint32_t>(1 + payload.size() + pad))
             .u8(static_cast<std::uint8_t>(pad))
             .take() +
         payload + std::string(pad, '\0');
}

// A front that answers with a key, or says nothing, or hangs up.
struct FakeDoor {
  explicit FakeDoor(Listener made) : listener(std::move(made)), watch(loop, listener.fd.get()) {
    watch.readable([this] {
      came = base::Fd(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!reply.empty() && !base::send_some(came.get(), reply)) ADD_FAILURE();
      if (hangs_up) came.reset();
    });
  }
  explicit FakeDoor(const std::string& address) : FakeDoor(*listen_at(address)) {}
  static std::string with_key(const std::string& key) {
    return str("SSH-2.0-x\r\n", ssh_packet("\x14" + std::string(60, 'k')),
               ssh_packet("\x1f" + Writer().text(key).take()));
  }
  base::Result<std::string> look(const std::string& address, milliseconds slow = milliseconds(60'000)) {
    DrillLogin login(loop, {"own"}, slow, patience);
    std::optional<base::Result<std::string>> how;
    login.look(address, listener.way, [&](base::Result<std::string> got) { how = std::move(got); });
    EXPECT_TRUE(run_until(loop, [&] { return how.has_value(); }));
    return std::move(*how);
  }
  base::Loop loop;
  Listener listener;
  base::Fd came;
  base::Watch watch;
  std::string reply = with_key("own");
  bool hangs_up = false;
  milliseconds patience{60'000};
};

}  // namespace

TEST(DrillLogin, PassesAtTheBoardsOwnKey) {
  FakeDoor door("127.0.0.1:0");
  base::Result<std::string> how = door.look(door.listener.address);
  ASSERT_TRUE(how) << how.error().what;
  EXPECT_THAT(*how, ::testing::MatchesRegex(
                        str(door.listener.address, " shows this board's key after [0-9]+\\.[0-9]+ s")))
      << "what was not looked at is not told";
}

TEST(DrillLogin, DialsItselfWhereItListensEverywhere) {
  FakeDoor door("0.0.0.0:0");
  base::Result<std::string> how = door.look(door.listener.address);
  EXPECT_TRUE(how) << how.error().what;
}

TEST(DrillLogin, KnowsUnixSocketsToo) {
  test::TempDir dir;
  auto listener = listen_unix(dir / "home.sock", Listener::Way::home);
  ASSERT_TRUE(listener);
  FakeDoor door(std::move(*listener));
  base::Result<std::string> how = door.look(door.listener.address);
  EXPECT_TRUE(how) << how.error().what;
  EXPECT_FALSE(door.look(str("unix:", dir / "nobody")));
}

TEST(DrillLogin, ComesToTorsListenerAsTorDoes) {
  test::TempDir dir;
  auto listener = listen_unix(dir / "onion.sock", Listener::Way::onion);
  ASSERT_TRUE(listener);
  FakeDoor door(std::move(*listener));
  base::Result<std::string> how = door.look(door.listener.address);
  EXPECT_TRUE(how) << how.error().what;
  char heard[200];
  base::Result<std::size_t> size = base::receive_some(door.came.get(), heard, sizeof heard);
  ASSERT_TRUE(size);
  EXPECT_TRUE(base::Bytes(heard, *size)
                  .starts_with("PROXY TCP6 fc00:dead:beef:4dad::ffff:ffff ::1 1 22\r\nSSH-2.0-"));
}

TEST(DrillLogin, FailsAnotherHostSilenceAHangUpAndNobody) {
  FakeDoor other("127.0.0.1:0"), silent("127.0.0.1:0"), rude("127.0.0.1:0");
  other.reply = FakeDoor::with_key("other");
  silent.reply.clear();
  silent.patience = milliseconds(300);
  rude.reply.clear();
  rude.hangs_up = true;
  EXPECT_THAT(other.look(other.listener.address).error().what,
              HasSubstr(": another host answers there: SHA256:"));
  EXPECT_THAT(silent.look(silent.listener.address).error().what, HasSubstr("no answer within 300 ms"));
  EXPECT_THAT(rude.look(rude.listener.address).error().what, HasSubstr("it hung up"));
  rude.watch.cancel();
  ASSERT_EQ(::shutdown(rude.listener.fd.get(), SHUT_RD), 0);  // the port stays ours
  EXPECT_THAT(other.look(rude.listener.address).error().what, HasSubstr("Connection refused"));
}

TEST(DrillLogin, FailsWhatIsTooSlow) {
  FakeDoor door("127.0.0.1:0");
  base::Result<std::string> how = door.look(door.listener.address, milliseconds(0));
  ASSERT_FALSE(how);
  EXPECT_THAT(how.error().what, HasSubstr("which is too long"));
}

namespace {

// All [notify.NAME] of a board of which no program runs.
struct Told {
  explicit Told(base::Loop& loop) : blocking(loop), disk(loop) {
    auto opened = auth::Journal::open(loop, disk, dir.path());
    if (!opened) throw std::runtime_error(opened.error().what);
    journal = std::move(*opened);
    notices = std::make_unique<Notices>(
        Notices::Surroundings{loop, blocking, *journal, dir.path(), "board1", nullptr});
  }
  test::TempDir dir;
  base::Blocking blocking;
  base::Disk disk;
  std::unique_ptr<auth::Journal> journal;
  std::unique_ptr<Notices> notices;
};

}  // namespace

TEST(DrillGround, TriesWhoeverIsToldOfEvents) {
  base::Loop loop;
  Told told(loop);
  DrillLogin login(loop, {"own"});
  Gates gates(loop, {});
  Config config;
  // A port that nobody listens at any more, and nobody else takes.
  base::Result<Listener> nobody = listen_at("127.0.0.1:0");
  ASSERT_TRUE(nobody);
  ASSERT_EQ(::shutdown(nobody->fd.get(), SHUT_RD), 0);
  config.notifies["hook"].post = str("http://", nobody->address, "/secret");
  config.notifies["sms"].program = {"/bin/true"};
  told.notices->adopt(config.notifies);
  console::DrillGround ground = drill_ground(config, gates, login, *told.notices);
  std::map<std::string, std::string> why;
  for (const char* name : {"hook", "sms", "gone"})
    ground.notify(name, [&why, name](const notice::Outcome& outcome) {
      EXPECT_EQ(outcome.kind, notice::Outcome::Kind::failed);
      why[name] = outcome.text;
    });
  ASSERT_TRUE(run_until(loop, [&] { return why.size() == 3; }));
  EXPECT_TRUE(why["hook"].starts_with("127.0.0.1: ")) << why["hook"];
  EXPECT_EQ(why["sms"], "programs are run from the next start of oobd on");
  EXPECT_EQ(why["gone"], "it was taken out of the configuration");
  for (const notice::Figures& each : told.notices->figures()) EXPECT_EQ(each.last, 0) << each.name;
}

TEST(DrillGround, ComesInByAListenerThatCanBeDialledHere) {
  base::Loop loop;
  DrillLogin login(loop, {"own"});
  Told told(loop);
  Config config;
  config.drill.every = 5;
  Gates gates(loop, {});
  config.uplinks["lte"].listen = {"0.0.0.0:2222"};
  EXPECT_FALSE(drill_ground(config, gates, login, *told.notices).login)
      << "such a one hears its interface alone";
  config.uplinks.clear();
  config.listen = {"127.0.0.1:0"};
  console::DrillGround ground = drill_ground(config, gates, login, *told.notices);
  ASSERT_TRUE(ground.login);
  std::optional<base::Result<std::string>> how;
  ground.login([&](base::Result<std::string> done) { how = std::move(done); });
  ASSERT_TRUE(how && !*how);
  EXPECT_EQ(how->error().what, "no listener that this board can dial is open");
  gates.adopt(config);
  how.reset();
  ground.login([&](base::Result<std::string> done) { how = std::move(done); });
  EXPECT_FALSE(how);  // it was dialled, and nobody answers
  test::TempDir dir;
  config.listen = {str("unix:", dir / "onion.sock")};
  gates.adopt(config);
  ground.login([&](base::Result<std::string> done) { how = std::move(done); });
  EXPECT_FALSE(how) << "tor's, for want of another: " << how->error().what;
  gates.remove_sockets();
  config.listen.clear();
  EXPECT_EQ(ground.every, 5);
  EXPECT_FALSE(ground.pulls_by_clock);
  config.snapshot.every = 1;
  EXPECT_TRUE(drill_ground(config, gates, login, *told.notices).pulls_by_clock);
  EXPECT_TRUE(drill_ground(config, gates, login, *told.notices).by_the_clock().empty());
  config.roles["night"].expires = 1;
  EXPECT_EQ(drill_ground(config, gates, login, *told.notices).by_the_clock(),
            std::vector<std::string>{"role night (expires)"});
}

}  // namespace oob

#include "oobd/gates.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/unix_socket.h"
#include "tests/support/support.h"

namespace oob {
namespace {

using base::str;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// The listeners of uplinks on interfaces as the test has them: "lo", which is there, by any number.
struct Uplinks {
  Gates::Hooks hooks() {
    Gates::Hooks all;
    all.interfaces = [this]() -> base::Result<std::map<std::string, uplink::Interface>> {
      ++looks;
      if (!trouble.empty()) return base::fail(base::Fault::unavailable, trouble);
      return there;
    };
    all.open = [this](const FrontProcess::Gate& gate) {
      opened.push_back(gate.address);
      copies.emplace_back(::fcntl(gate.fd, F_DUPFD_CLOEXEC, 0));
    };
    all.files = base::milliseconds(20);
    all.close = [this](const std::string& address) { closed.push_back(address); };
    all.told = [this](const console::ClosedListener& listener) {
      told.push_back(str(listener.uplink, " ", listener.address, " ", listener.why));
    };
    return all;
  }
  Config config(const std::string& address = "127.0.0.1:0") {
    UplinkConfig uplink;
    uplink.interface = "lo";
    uplink.listen = {address};
    Config config;
    config.uplinks["lan"] = uplink;
    return config;
  }

  base::Loop loop;
  unsigned looks = 0;
  std::string trouble;
  std::map<std::string, uplink::Interface> there;
  std::vector<std::string> opened, closed, told;
  std::vector<base::Fd> copies;  // a front's, which is slow to close them
  Gates listeners{loop, hooks()};
};

TEST(UplinkGates, OpenWhatIsThereAtOnce) {
  Uplinks uplinks;
  uplinks.there["lo"] = {7, true, {"127.0.0.1"}};
  EXPECT_EQ(uplinks.listeners.adopt(uplinks.config()), "");
  ASSERT_THAT(uplinks.opened, SizeIs(1));
  EXPECT_THAT(uplinks.opened[0], testing::MatchesRegex("127\\.0\\.0\\.1:[0-9]+%lo"));
  EXPECT_EQ(uplinks.listeners.listening("lan"), uplinks.opened);
  EXPECT_THAT(uplinks.listeners.listening("lte"), IsEmpty());
  EXPECT_THAT(uplinks.listeners.open(), SizeIs(1));
  EXPECT_THAT(uplinks.listeners.ports(), SizeIs(2));
  uplinks.listeners.look();
  EXPECT_THAT(uplinks.opened, SizeIs(1));
}

TEST(UplinkGates, AreNoFaultWhileTheirInterfaceIsAwayAndComeWithIt) {
  Uplinks uplinks;
  EXPECT_EQ(uplinks.listeners.adopt(uplinks.config()), "");
  EXPECT_THAT(uplinks.opened, IsEmpty());
  EXPECT_THAT(uplinks.listeners.ports(), ElementsAre(0));
  uplinks.there["lo"] = {7, true, {}};
  uplinks.listeners.look();
  EXPECT_THAT(uplinks.opened, SizeIs(1));
}

// By themselves, where nothing tells of a change.
TEST(UplinkGates, TryAgainUntilTheyAreOpen) {
  Uplinks uplinks;
  uplinks.there["lo"] = {7, true, {}};
  uplinks.listeners.adopt(uplinks.config("192.0.2.1:0"));  // an address that is not here
  EXPECT_THAT(uplinks.opened, IsEmpty());
  EXPECT_TRUE(test::run_until(uplinks.loop, [&] { return uplinks.looks >= 2; }));
  uplinks.listeners.adopt(uplinks.config());
  EXPECT_THAT(uplinks.opened, SizeIs(1));
}

TEST(UplinkGates, ChangeWithAnInterfaceThatIsMadeAnew) {
  Uplinks uplinks;
  uplinks.there["lo"] = {7, true, {}};
  uplinks.listeners.adopt(uplinks.config());
  uplinks.there["lo"].index = 8;  // the modem was redialled
  uplinks.listeners.look();
  ASSERT_THAT(uplinks.opened, SizeIs(2));
  EXPECT_THAT(uplinks.closed, ElementsAre(uplinks.opened[0]));
  uplinks.there.clear();
  uplinks.listeners.look();
  EXPECT_THAT(uplinks.closed, ElementsAre(uplinks.opened[0], uplinks.opened[1]));
  EXPECT_THAT(uplinks.listeners.open(), IsEmpty());
}

TEST(UplinkGates, StayWhileTheListOfInterfacesCantBeRead) {
  Uplinks uplinks;
  uplinks.there["lo"] = {7, true, {}};
  uplinks.listeners.adopt(uplinks.config());
  uplinks.trouble = "out of memory";
  uplinks.listeners.look();
  EXPECT_THAT(uplinks.closed, IsEmpty());
  EXPECT_THAT(uplinks.listeners.open(), SizeIs(1));
}

TEST(UplinkGates, ChangeWithTheConfigurationAndNoMoreThanThat) {
  Uplinks uplinks;
  uplinks.there["lo"] = {7, true, {}};
  auto config = uplinks.config();
  uplinks.listeners.adopt(config);
  config.uplinks["lte"] = config.uplinks["lan"];
  config.uplinks["lte"].listen = {"127.0.0.2:0"};
  uplinks.listeners.adopt(config);
  EXPECT_THAT(uplinks.opened, SizeIs(2));
  EXPECT_THAT(uplinks.closed, IsEmpty());
  EXPECT_THAT(uplinks.listeners.listening("lte"), ElementsAre(uplinks.opened[1]));
  config.uplinks.erase("lan");
  uplinks.listeners.adopt(config);
  EXPECT_THAT(uplinks.opened, SizeIs(2));
  EXPECT_THAT(uplinks.closed, ElementsAre(uplinks.opened[0]));
}

TEST(UplinkGates, StayWhereTheirUplinkIsRenamed) {
  Uplinks uplinks;
  uplinks.there["lo"] = {7, true, {}};
  auto config = uplinks.config();
  uplinks.listeners.adopt(config);
  config.uplinks["wan"] = config.uplinks["lan"];
  config.uplinks.erase("lan");
  EXPECT_EQ(uplinks.listeners.adopt(config), "");
  EXPECT_THAT(uplinks.opened, SizeIs(1));
  EXPECT_THAT(uplinks.closed, IsEmpty());
  EXPECT_EQ(uplinks.listeners.listening("wan"), uplinks.opened);
  EXPECT_THAT(uplinks.listeners.listening("lan"), IsEmpty());
}

TEST(UplinkGates, GiveAPortUpAtOnceWhoeverHasACopy) {
  Uplinks uplinks;
  uplinks.there["lo"] = {7, true, {}};
  uplinks.listeners.adopt(uplinks.config("0.0.0.0:0"));
  ASSERT_THAT(uplinks.opened, SizeIs(1));
  const std::string opened = uplinks.opened[0], port = opened.substr(0, opened.find('%')).substr(8);
  EXPECT_EQ(uplinks.listeners.adopt(uplinks.config(str("127.0.0.1:", port))), "");
  EXPECT_THAT(uplinks.opened, SizeIs(2));
  EXPECT_THAT(uplinks.told, IsEmpty());
}

// A port that is taken fails as well, and is no matter for the next start.
TEST(UplinkGates, SayWhichPortsWaitForTheNextStart) {
  Uplinks uplinks;
  uplinks.there["lo"] = {7, true, {}};
  uplinks.listeners.adopt(uplinks.config());
  uplinks.listeners.confine();
  base::Result<Listener> other = listen_tcp("127.0.0.1:0");
  ASSERT_TRUE(other);
  EXPECT_EQ(uplinks.listeners.adopt(uplinks.config(other->address)),
            str("[uplink.lan] listen \"", other->address, "\" IS NOT OPEN: Address already in use"));
  EXPECT_THAT(uplinks.listeners.open(), IsEmpty());
}

TEST(UplinkGates, TellOfWhatIsNotOpenOnceAndThatItIsOpenAfterAll) {
  Uplinks uplinks;
  uplinks.there["lo"] = {7, true, {}};
  base::Result<Listener> other = listen_tcp("127.0.0.1:0");
  ASSERT_TRUE(other);
  const std::string address = other->address;
  uplinks.listeners.adopt(uplinks.config(address));
  uplinks.listeners.look();
  EXPECT_THAT(uplinks.told, ElementsAre(str("lan ", address, " Address already in use")));
  std::vector<console::ClosedListener> closed = uplinks.listeners.closed();
  ASSERT_THAT(closed, SizeIs(1));
  EXPECT_EQ(closed[0].uplink, "lan");
  EXPECT_EQ(closed[0].address, address);
  EXPECT_EQ(closed[0].why, "Address already in use");
  other->fd.reset();
  uplinks.listeners.look();
  EXPECT_THAT(uplinks.told, ElementsAre(testing::_, str("lan ", address, " ")));
  EXPECT_THAT(uplinks.listeners.closed(), IsEmpty());
}

// The uplink is told of as down then, and not for what was wrong before.
TEST(UplinkGates, ForgetWhatWasWrongWhenTheInterfaceGoes) {
  Uplinks uplinks;
  uplinks.there["lo"] = {7, true, {}};
  uplinks.listeners.adopt(uplinks.config("192.0.2.1:0"));
  EXPECT_THAT(uplinks.listeners.closed(), SizeIs(1));
  uplinks.there.clear();
  uplinks.listeners.look();
  EXPECT_THAT(uplinks.listeners.closed(), IsEmpty());
}

struct Addresses : Uplinks {
  std::string adopt(std::vector<std::string> addresses) {
    Config config;
    config.state = dir / "state";
    config.listen = std::move(addresses);
    return listeners.adopt(config);
  }
  test::TempDir dir;
};

TEST(Gates, OpenEachAddressForItself) {
  Addresses board;
  EXPECT_EQ(board.adopt({"192.0.2.1:2223", "127.0.0.1:0", str("unix:", board.dir / "no/onion.sock")}),
            str("listen \"192.0.2.1:2223\" IS NOT OPEN: Cannot assign requested address; listen \"unix:",
                board.dir / "no/onion.sock", "\" IS NOT OPEN: No such file or directory"));
  EXPECT_TRUE(board.listeners.usable());
  ASSERT_THAT(board.opened, SizeIs(1));
  EXPECT_THAT(board.opened[0], testing::StartsWith("127.0.0.1:"));
  EXPECT_THAT(board.listeners.closed(), SizeIs(2));
  EXPECT_THAT(board.listeners.ports(), testing::Contains(2223));
}

// By themselves: nothing tells of a folder.
TEST(Gates, ComeWithTheFolderOfASocketAndTakeTheSocketAway) {
  Addresses board;
  const std::string folder = board.dir / "run", path = folder + "/onion.sock";
  board.adopt({str("unix:", path)});
  EXPECT_TRUE(board.listeners.usable());
  EXPECT_THAT(board.listeners.open(), IsEmpty());
  ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  EXPECT_TRUE(test::run_until(board.loop, [&] { return !board.listeners.open().empty(); }));
  EXPECT_EQ(board.listeners.open().at(0).way, Listener::Way::onion);
  board.listeners.remove_sockets();
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(Gates, WaitUntilWhatIsInTheWayOfASocketHasGone) {
  Addresses board;
  const std::string path = board.dir / "onion.sock";
  test::write_file(path, "mine");
  board.adopt({str("unix:", path)});
  EXPECT_TRUE(board.listeners.usable());
  EXPECT_THAT(board.listeners.open(), IsEmpty());
  ASSERT_EQ(::unlink(path.c_str()), 0);
  board.listeners.look();
  EXPECT_THAT(board.listeners.open(), SizeIs(1));
}

TEST(Gates, MakeASocketAnewWhoseFileHasGone) {
  Addresses board;
  const std::string path = board.dir / "onion.sock";
  board.adopt({str("unix:", path)});
  ASSERT_THAT(board.opened, SizeIs(1));
  ASSERT_EQ(::unlink(path.c_str()), 0);
  ASSERT_TRUE(test::run_until(board.loop, [&] { return board.opened.size() == 2; }));
  EXPECT_TRUE(base::connect_unix(path));
  EXPECT_THAT(board.closed, ElementsAre(board.opened[0]));
  EXPECT_THAT(board.told, ElementsAre(str(" unix:", path, " its file has gone; it is made anew"),
                                      str(" unix:", path, " ")));
  // What is somebody else's stays that.
  ASSERT_EQ(::unlink(path.c_str()), 0);
  base::Result<base::Fd> other = base::listen_unix(path);
  ASSERT_TRUE(other);
  board.listeners.look();
  EXPECT_THAT(board.listeners.open(), IsEmpty());
  EXPECT_EQ(board.listeners.closed().at(0).why, "another process listens there");
  EXPECT_TRUE(base::connect_unix(path));
}

TEST(Gates, AreOfUseWherePeopleMayComeByABastion) {
  Addresses board;
  base::Result<Listener> one = listen_tcp("127.0.0.1:0");
  ASSERT_TRUE(one);
  Config config;
  config.state = board.dir.path();
  config.listen = {one->address};
  config.call_homes["fra"];
  EXPECT_EQ(board.listeners.adopt(config),
            str("listen \"", one->address, "\" IS NOT OPEN: Address already in use"));
  EXPECT_TRUE(board.listeners.usable());
  config.call_homes.clear();
  board.listeners.adopt(config);
  EXPECT_FALSE(board.listeners.usable());
}

TEST(HomesFolder, IsTheServicesWhereThereIsOneForIt) {
  EXPECT_EQ(homes_folder("/s"), "/s/homes");
  ASSERT_EQ(::setenv("RUNTIME_DIRECTORY", "/run/oobd:/run/x-oobd-homes", 1), 0);
  EXPECT_EQ(homes_folder("/s"), "/s/homes");
  ASSERT_EQ(::setenv("RUNTIME_DIRECTORY", "/run/oobd:/run/oobd-homes", 1), 0);
  EXPECT_EQ(home_socket("/s", "fra"), "/run/oobd-homes/fra.home");
  ASSERT_EQ(::unsetenv("RUNTIME_DIRECTORY"), 0);
}

TEST(Gates, AreOfNoUseWhereAllAddressesAreSomebodyElses) {
  Addresses board;
  base::Result<Listener> one = listen_tcp("127.0.0.1:0"), two = listen_tcp("127.0.0.1:0");
  base::Result<Listener> tor = listen_at(str("unix:", board.dir / "onion.sock"));
  ASSERT_TRUE(one && two && tor);
  board.adopt({one->address, two->address, tor->address});
  base::Result<> usable = board.listeners.usable();
  ASSERT_FALSE(usable);
  EXPECT_EQ(usable.error().fault, base::Fault::unavailable);
  EXPECT_EQ(usable.error().what, str("listen ", one->address, ": Address already in use"));
  board.adopt({one->address, "192.0.2.1:2223"});  // which may come
  EXPECT_TRUE(board.listeners.usable());
  // Nobody is kept out of an uplink for it.
  board.there["lo"] = {7, true, {}};
  Config config = board.config();
  config.listen = {one->address};
  board.listeners.adopt(config);
  EXPECT_TRUE(board.listeners.usable());
  board.there.clear();
  board.listeners.look();
  EXPECT_FALSE(board.listeners.usable());
}

TEST(Gates, HaveASocketForEachBastion) {
  Addresses board;
  Config config;
  config.state = board.dir / "state";
  config.call_homes["fra"];
  config.call_homes["ams"];
  EXPECT_THAT(board.listeners.adopt(config), HasSubstr("No such file or directory"));
  ASSERT_EQ(::mkdir(config.state.c_str(), 0700), 0);
  board.listeners.look();
  std::vector<FrontProcess::Gate> open = board.listeners.open();
  ASSERT_THAT(open, SizeIs(2));
  EXPECT_EQ(open[0].address, str("unix:", home_socket(config.state, "ams")));
  EXPECT_EQ(open[0].bastion, "ams");
  EXPECT_EQ(open[1].way, Listener::Way::home);
  config.call_homes.erase("ams");
  board.listeners.adopt(config);
  EXPECT_NE(::access(home_socket(config.state, "ams").c_str(), F_OK), 0);
  EXPECT_EQ(::access(home_socket(config.state, "fra").c_str(), F_OK), 0);
}

}  // namespace
}  // namespace oob

// Reloads, with BMCs at the far end (tests/bmc): what has not changed goes on working, what has is replaced,
// and nobody waits for what is gone.
#include "oobd/gear.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <optional>

#include "console/core.h"
#include "console/deeds.h"
#include "console/session.h"
#include "tests/bmc/bmc.h"
#include "tests/support/support.h"

namespace oob {
namespace {

using base::milliseconds;
using console::Console;
using console::PowerAction;
using console::PowerOutcome;
using console::PowerState;

// Watches nothing: it only writes.
struct Typist : console::Watcher {
  void more() override {}
  void told(const std::string&) override {}
  void gone(const std::string&) override {}
};

class AGear : public testing::Test {
 protected:
  AGear() {
    test::write_file(dir_ / "password", "secret\n");
    auth::Role all{{"*"}, {std::begin(auth::kActions), std::end(auth::kActions)}};
    core_.policy =
        std::make_unique<auth::Policy>(std::map<std::string, std::vector<std::string>>{{"root", {"all"}}},
                                       std::map<std::string, auth::Role>{{"all", all}});
    config_.state = dir_ / "state";
    ::mkdir(config_.state.c_str(), 0700);
  }
  ~AGear() override { gear_.reset(); }

  std::unique_ptr<test::Bmc> far_end(test::BmcOptions options = {}) {
    auto bmc = std::make_unique<test::Bmc>(loop_, std::move(options));
    EXPECT_TRUE(bmc->open());
    return bmc;
  }
  BmcConfig terms(const test::Bmc& far) {
    BmcConfig bmc;
    bmc.host = base::str("127.0.0.1:", far.port());
    bmc.user = "oob";
    bmc.password_file = dir_ / "password";
    return bmc;
  }
  // A device with console and power by one BMC.
  static DeviceConfig device(const std::string& bmc) {
    DeviceConfig device;
    SolLine line;
    line.bmc = bmc;
    device.line = line;
    device.power_bmc = bmc;
    return device;
  }
  void start() {
    gear_.emplace(Gear::Surroundings{loop_, blocking_, archive_, pace_, *journal_, inventory_});
    gear_->start(config_);
  }
  bool until(std::function<bool()> condition) { return test::run_until(loop_, std::move(condition)); }
  Console& console(const std::string& name) { return *inventory_.find(name)->console; }
  bool up(const std::string& name) {
    return until([&] { return console(name).state() == Console::State::up; });
  }
  // A word is typed and the far end hears it; it says one, and the scrollback has it.
  void talk(const std::string& name, test::Bmc& far, const std::string& word) {
    ASSERT_TRUE(up(name)) << console(name).why_down();
    std::string heard;
    far.host_hears = [&](base::Bytes bytes) { heard += bytes; };
    Typist typist;
    auto attachment = console(name).attach(typist, "root");
    auth::Grant grant = *core_.policy->decide(root(), auth::Action::write, name);
    auto writer = attachment->claim(grant, console::Claim::if_free);
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->write(word));
    EXPECT_TRUE(until([&] { return heard == word; })) << heard;
    auto before = console(name).end();
    far.host_says(word);
    EXPECT_TRUE(until([&] { return console(name).end() >= before + word.size(); }));
    far.host_hears = nullptr;
  }
  static auth::Principal root() {
    auth::Principal who;
    who.user = "root";
    return who;
  }
  // What became of a power action; empty: nothing yet.
  std::shared_ptr<std::string> order(const std::string& name, PowerAction action,
                                     milliseconds wait = milliseconds(15'000)) {
    auto told = std::make_shared<std::string>();
    console::Visitor visitor;
    visitor.who = root();
    core_.deeds->begin(core_, console::power_order(core_, visitor, name, action, wait),
                       [told](const base::Result<PowerOutcome>& result) {
                         *told = result ? console::text_of(*result)
                                        : base::str("Fault ", static_cast<int>(result.error().fault), ": ",
                                                    result.error().what);
                       });
    return told;
  }
  std::string power(const std::string& name, PowerAction action) {
    auto told = order(name, action);
    EXPECT_TRUE(until([&] { return !told->empty(); }));
    return *told;
  }
  std::string journal_text() { return test::read_file(dir_ / "journal/000000000000.jsonl"); }

  test::TempDir dir_;
  base::Loop loop_;
  base::Disk disk_{loop_};
  base::Blocking blocking_{loop_};
  std::unique_ptr<auth::Journal> journal_ = std::move(auth::Journal::open(loop_, disk_, dir_.path())).value();
  console::Archive archive_{loop_, disk_, dir_ / "transcripts"};
  console::Pace pace_{loop_, archive_};
  console::Inventory inventory_;
  console::Core core_{.loop = loop_,
                      .blocking = blocking_,
                      .archive = archive_,
                      .journal = *journal_,
                      .inventory = inventory_,
                      .policy = nullptr,
                      .sessions = {},
                      .transcripts = dir_ / "transcripts",
                      .state = dir_.path(),
                      .escape = "\005c",
                      .version = "oobd test",
                      .started = 1,
                      .reload = nullptr};
  Config config_;
  std::optional<Gear> gear_;
};

TEST_F(AGear, ASolLineWithOtherSettingsOnTheSameBmcGoesOnWorking) {
  auto far = far_end();
  far->set_host(test::HostKind::silent);
  config_.bmcs["relay1"] = terms(*far);
  config_.devices["edge1"] = device("relay1");
  start();
  talk("edge1", *far, "before");
  unsigned sessions = far->seen.sessions;

  Config next = config_;
  std::get<SolLine>(next.devices["edge1"].line).retries = 3;
  EXPECT_EQ(gear_->change(next), "0 devices added, 0 removed, 1 changed");
  talk("edge1", *far, "after");
  // And once more, with the first change still fresh.
  std::get<SolLine>(next.devices["edge1"].line).retries = 4;
  gear_->change(next);
  std::get<SolLine>(next.devices["edge1"].line).retries = 5;
  gear_->change(next);
  talk("edge1", *far, "at last");
  EXPECT_EQ(far->seen.sessions, sessions);  // all in the session that there was
  EXPECT_EQ(power("edge1", PowerAction::off), "off");
  EXPECT_EQ(gear_->change(next), "0 devices added, 0 removed, 0 changed");
}

TEST_F(AGear, ABmcWithOtherTermsIsAnotherOne) {
  auto far = far_end(), other = far_end();
  far->set_host(test::HostKind::silent);
  other->set_host(test::HostKind::silent);
  config_.bmcs["relay1"] = terms(*far);
  config_.devices["edge1"] = device("relay1");
  config_.devices["edge2"] = device("relay1");
  config_.devices["edge2"].line = TcpLine{"127.0.0.1:1"};  // power alone
  start();
  talk("edge1", *far, "before");

  Config next = config_;
  next.bmcs["relay1"] = terms(*other);
  EXPECT_EQ(gear_->change(next), "0 devices added, 0 removed, 2 changed");
  talk("edge1", *other, "after");
  EXPECT_EQ(power("edge2", PowerAction::off), "off");
  EXPECT_FALSE(other->powered());
  EXPECT_TRUE(far->powered());
  EXPECT_TRUE(until([&] { return !far->sol_active(); })) << "not given back";
  EXPECT_EQ(power("edge1", PowerAction::on), "on");
  EXPECT_TRUE(other->powered());
}

TEST_F(AGear, TakesAwayADeviceAndItsBmc) {
  auto far = far_end(), other = far_end();
  other->set_host(test::HostKind::silent);
  config_.bmcs["relay1"] = terms(*far);
  config_.bmcs["relay2"] = terms(*other);
  config_.devices["edge1"] = device("relay1");
  config_.devices["edge2"] = device("relay2");
  start();
  ASSERT_TRUE(up("edge1"));
  talk("edge2", *other, "before");

  Config next = config_;
  next.bmcs.erase("relay1");
  next.devices.erase("edge1");
  EXPECT_EQ(gear_->change(next), "0 devices added, 1 removed, 0 changed");
  EXPECT_EQ(inventory_.find("edge1"), nullptr);
  EXPECT_EQ(power("edge1", PowerAction::off), "Fault 66: no such device: edge1");
  EXPECT_TRUE(until([&] { return !far->sol_active(); }));
  talk("edge2", *other, "after");
  EXPECT_EQ(gear_->change(config_), "1 devices added, 0 removed, 0 changed");
  EXPECT_TRUE(up("edge1"));
  EXPECT_EQ(power("edge1", PowerAction::off), "off");
}

TEST_F(AGear, AnActionWhoseBmcIsReplacedIsAnsweredAtOnce) {
  test::BmcOptions slow;
  slow.power_off_takes = milliseconds(60'000);
  auto far = far_end(slow), other = far_end();
  config_.bmcs["relay1"] = terms(*far);
  for (const char* name : {"edge1", "edge2"}) config_.devices[name] = device("relay1");
  config_.devices["edge2"].line = TcpLine{"127.0.0.1:1"};
  start();
  ASSERT_TRUE(up("edge1"));
  auto told = order("edge1", PowerAction::off, milliseconds(50'000));
  ASSERT_TRUE(until([&] { return far->seen.done(test::PowerAction::off) == 1; }));
  // The other device of that BMC has to wait.
  EXPECT_EQ(power("edge2", PowerAction::cycle), "Fault 75: a power off is under way");
  EXPECT_EQ(*told, "");

  Config next = config_;
  next.bmcs["relay1"] = terms(*other);
  gear_->change(next);
  auto changed = base::Clock::now();
  ASSERT_TRUE(until([&] { return !told->empty(); }));
  EXPECT_LT(base::Clock::now() - changed, milliseconds(20'000)) << "it waited for its BMC";
  EXPECT_EQ(*told, "Fault 69: a reload replaced or removed its BMC; 'off' may have been done");
  EXPECT_TRUE(until([&] { return journal_text().find("'off' may have been done") != std::string::npos; }));
  EXPECT_EQ(core_.deeds->under_way(), 0u);
  EXPECT_EQ(power("edge2", PowerAction::off), "off");
}

TEST_F(AGear, AnActionWhoseDeviceIsTakenAwayIsAnsweredAtOnce) {
  auto far = far_end();
  config_.bmcs["relay1"] = terms(*far);
  config_.devices["edge1"] = device("relay1");
  start();
  ASSERT_TRUE(up("edge1"));
  far->faults.deaf = true;  // so that it is not sent
  auto told = order("edge1", PowerAction::off);
  ASSERT_TRUE(until([&] { return journal_text().find("power.request") != std::string::npos; }));
  gear_->change(Config());
  ASSERT_TRUE(until([&] { return !told->empty(); }));
  EXPECT_EQ(far->seen.done(test::PowerAction::off), 0u);
  EXPECT_TRUE(told->find("'off' was not sent: nothing was done") != std::string::npos ||
              *told == "Fault 66: no such device: edge1")
      << *told;
}

}  // namespace
}  // namespace oob

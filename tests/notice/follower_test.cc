#include "notice/follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <boost/json.hpp>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "auth/journal_disk.h"
#include "tests/support/support.h"

namespace oob::notice {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class DeadDisk : public auth::JournalDisk {
 public:
  int sync(File& file) override { return dead ? EIO : JournalDisk::sync(file); }
  std::atomic<bool> dead{false};
};

// A journal, and somebody who is told: at once, unless `answer` says otherwise.
class FollowerTest : public testing::Test {
 protected:
  FollowerTest() {
    limits_.again_least = milliseconds(2);
    limits_.again_most = milliseconds(5);
    limits_.read_again = milliseconds(20);
    limits_.position_every = milliseconds(1);
    settings_.choice.events = {"line.*"};
    settings_.most = 3600;
    open();
  }
  void open() {
    follower_.reset();
    journal_.reset();
    disk_.reset();
    disk_.emplace(loop_);
    auto opened = auth::Journal::open(loop_, *disk_, dir_.path(), {}, files_);
    ASSERT_TRUE(opened) << opened.error().what;
    journal_ = std::move(*opened);
  }
  // Records that are on the disk: "line.down" of these devices.
  void down(const std::vector<std::string>& devices) {
    for (const std::string& device : devices) journal_->note(auth::Entry("line.down").with("device", device));
    synced();
  }
  void synced() {
    bool done = false;
    journal_->commit(auth::Entry("note"), [&](base::Result<> result) { done = bool(result); });
    ASSERT_TRUE(test::run_until(loop_, [&] { return done; }));
  }
  void follow() {
    auto deliver = [this](const Notice& notice, std::function<void(Outcome)> done) {
      tried_.push_back(notice);
      Outcome outcome = answer_(notice);
      if (hold_) {
        held_ = [done = std::move(done), outcome] { done(outcome); };
        return;
      }
      if (outcome.kind == Outcome::Kind::delivered) told_.push_back(notice);
      loop_.post([done = std::move(done), outcome] { done(outcome); });
    };
    follower_ = std::make_unique<Follower>(loop_, blocking_, *journal_, dir_.path(), "sms", "board1",
                                           std::move(deliver), limits_);
    follower_->adopt(settings_);
    // It has read the position once it says that nothing is lost.
    bool ready = false;
    blocking_.run([] {}, [&] { ready = true; });
    ASSERT_TRUE(test::run_until(loop_, [&] { return ready; }));
  }
  // One whose position file is there already.
  void follow_from_here() {
    follow();
    ASSERT_TRUE(is_settled());
  }
  // Whether the file comes to say that all was told. No write of it is under way then, which a follower that
  // ends would leave behind.
  bool is_settled() {
    return wait([&] { return position().ends_with(base::str(" ", journal_->written(), "\n")); });
  }
  bool wait(std::function<bool()> condition) { return test::run_until(loop_, std::move(condition)); }
  std::string position() const { return test::read_file(dir_ / "notify/sms.position"); }
  std::vector<std::string> devices() const {
    std::vector<std::string> found;
    for (const Notice& notice : told_) found.push_back(notice.device);
    return found;
  }
  std::vector<json::object> journalled(const std::string& event) {
    synced();
    std::vector<json::object> found;
    auto reader = auth::JournalReader::open(dir_ / "journal");
    std::string line;
    auth::JournalReader::Place place;
    while (reader && *(*reader)->next(line, place)) {
      json::object object = json::parse(line).as_object();
      if (object["ev"].as_string() == event) found.push_back(std::move(object));
    }
    return found;
  }

  base::Loop loop_;
  base::Blocking blocking_{loop_};
  test::TempDir dir_;
  std::optional<base::Disk> disk_;
  std::shared_ptr<DeadDisk> files_ = std::make_shared<DeadDisk>();
  std::unique_ptr<auth::Journal> journal_;
  Follower::Settings settings_;
  Follower::Limits limits_;
  std::function<Outcome(const Notice&)> answer_ = [](const Notice&) {
    return Outcome{Outcome::Kind::delivered, ""};
  };
  bool hold_ = false;
  std::function<void()> held_;
  std::vector<Notice> tried_, told_;
  std::unique_ptr<Follower> follower_;
};

Outcome no_way_out(const Notice&) { return {Outcome::Kind::failed, "192.0.2.1: no route"}; }

TEST_F(FollowerTest, TellsWhatComesInOrderAndNothingOfBefore) {
  down({"old"});
  follow_from_here();
  down({"a", "b"});
  journal_->note(auth::Entry("stop"));
  down({"c"});
  ASSERT_TRUE(wait([&] { return follower_->figures().sent == 3; }));
  EXPECT_THAT(devices(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(follower_->figures().sent, 3u);
  EXPECT_EQ(follower_->figures().waiting, 0u);
}

TEST_F(FollowerTest, GoesOnWhereItWasLeft) {
  follow_from_here();
  down({"a"});
  // Told, and known to be: what ends in between is told again.
  ASSERT_TRUE(wait([&] { return follower_->figures().sent == 1; }));
  ASSERT_TRUE(is_settled());
  open();
  down({"b", "c"});
  follow();
  ASSERT_TRUE(wait([&] { return told_.size() == 3; }));
  EXPECT_THAT(devices(), ElementsAre("a", "b", "c"));
}

TEST_F(FollowerTest, TellsTwiceRatherThanNeverAfterACrash) {
  follow_from_here();
  std::string before = position();
  down({"a"});
  ASSERT_TRUE(wait([&] { return told_.size() == 1 && position() != before; }));
  ASSERT_TRUE(is_settled());
  open();
  test::write_file(dir_ / "notify/sms.position", before);
  follow();
  ASSERT_TRUE(wait([&] { return told_.size() == 2; }));
  EXPECT_THAT(devices(), ElementsAre("a", "a"));
}

TEST_F(FollowerTest, KeepsWhatCannotBeToldOverARestart) {
  follow_from_here();
  answer_ = no_way_out;
  down({"a", "b"});
  ASSERT_TRUE(wait([&] { return tried_.size() > 3 && follower_->figures().waiting == 2; }));
  EXPECT_EQ(follower_->figures().trouble, "192.0.2.1: no route");
  open();
  answer_ = [](const Notice&) { return Outcome{Outcome::Kind::delivered, ""}; };
  follow();
  ASSERT_TRUE(wait([&] { return told_.size() == 2; }));
  EXPECT_THAT(devices(), ElementsAre("a", "b"));
}

TEST_F(FollowerTest, SaysOnceThatItFailsAndOnceThatItWorksAgain) {
  settings_.choice.events = {"*"};
  follow_from_here();
  answer_ = no_way_out;
  down({"a"});
  ASSERT_TRUE(wait([&] { return tried_.size() > 8; }));
  answer_ = [](const Notice&) { return Outcome{Outcome::Kind::delivered, ""}; };
  ASSERT_TRUE(wait([&] { return follower_->figures().waiting == 0; }));
  EXPECT_EQ(follower_->figures().trouble, "");
  std::vector<json::object> failed = journalled("notify.failed");
  ASSERT_THAT(failed, SizeIs(1));
  EXPECT_EQ(failed[0]["notify"], "sms");
  EXPECT_EQ(failed[0]["text"], "192.0.2.1: no route");
  EXPECT_THAT(journalled("notify.recovered"), SizeIs(1));
  ASSERT_TRUE(wait([&] { return follower_->figures().waiting == 0; }));
  for (const Notice& notice : tried_) EXPECT_FALSE(notice.event.starts_with("notify.")) << notice.json;
}

TEST_F(FollowerTest, GivesUpWhatIsRefusedAndGoesOn) {
  follow_from_here();
  answer_ = [](const Notice& notice) {
    bool refused = notice.device == "a";
    return Outcome{refused ? Outcome::Kind::refused : Outcome::Kind::delivered,
                   "h: answered with status 422"};
  };
  down({"a", "b"});
  ASSERT_TRUE(wait([&] { return told_.size() == 1; }));
  EXPECT_THAT(devices(), ElementsAre("b"));
  EXPECT_EQ(tried_.size(), limits_.refused_after + 1);
  std::vector<json::object> failed = journalled("notify.failed");
  ASSERT_FALSE(failed.empty());
  EXPECT_THAT(std::string(failed.back()["text"].as_string()),
              HasSubstr("was refused 10 times and is told to nobody: h: answered with status 422"));
}

TEST_F(FollowerTest, TellsTogetherWhatIsBeyondItsRate) {
  settings_.most = 4;  // one at once, and another each 20 minutes
  follow_from_here();
  down({"a", "b", "c"});
  ASSERT_TRUE(wait([&] { return follower_->figures().waiting == 2; }));
  EXPECT_THAT(devices(), ElementsAre("a"));
  settings_.most = 3600;
  follower_->adopt(settings_);
  ASSERT_TRUE(wait([&] { return told_.size() == 2; }));
  EXPECT_EQ(told_[1].event, "many");
  EXPECT_THAT(told_[1].json, HasSubstr(R"("count":2,"events":{"line.down":2})"));
}

TEST_F(FollowerTest, KeepsSomeOfItsRateForWhatMattersMost) {
  settings_.most = 6;  // two at once, one of these for what is urgent
  settings_.choice.events = {"line.*", "console.alarm"};
  follow_from_here();
  std::string before = position();
  journal_->note(auth::Entry("line.down").with("device", "a"));
  journal_->note(auth::Entry("line.down").with("device", "b"));
  journal_->note(auth::Entry("console.alarm").with("device", "c").with("text", "panic: page fault"));
  down({"d"});
  ASSERT_TRUE(wait([&] { return told_.size() == 2 && follower_->figures().waiting == 2; }));
  EXPECT_THAT(devices(), ElementsAre("a", "c"));
  ASSERT_TRUE(wait([&] { return position() != before; }));
  // Its place is before those that still wait: a crash tells twice, and not never.
  open();
  settings_.most = 3600;
  follow();
  ASSERT_TRUE(wait([&] { return told_.size() == 5; }));
  EXPECT_THAT(devices(), ElementsAre("a", "c", "b", "c", "d"));
}

TEST_F(FollowerTest, NamesWhatIsUrgentAmongWhatWaitsForTheRate) {
  settings_.most = 6;
  settings_.choice.events = {"line.*", "console.alarm"};
  follow_from_here();
  for (const char* device : {"a", "b", "c"})
    journal_->note(auth::Entry("console.alarm").with("device", device).with("text", "panic: page fault"));
  down({"d"});
  ASSERT_TRUE(wait([&] { return told_.size() == 2 && follower_->figures().waiting == 2; }));
  settings_.most = 30;
  follower_->adopt(settings_);
  ASSERT_TRUE(wait([&] { return told_.size() == 3; }));
  EXPECT_EQ(told_[2].event, "many");
  EXPECT_THAT(told_[2].json, HasSubstr(": 2 events: c: panic: page fault; console.alarm 1, line.down 1\""));
  EXPECT_THAT(told_[2].json, HasSubstr(R"("last":["c: panic: page fault","d: line.down"])"));
}

TEST_F(FollowerTest, TellsAnUrgentOneByItselfThoughItsFirstTryFails) {
  settings_.most = 6;
  settings_.choice.events = {"line.*", "console.alarm"};
  follow_from_here();
  down({"a", "b"});
  ASSERT_TRUE(wait([&] { return told_.size() == 1 && follower_->figures().waiting == 1; }));
  answer_ = no_way_out;
  journal_->note(auth::Entry("console.alarm").with("device", "c"));
  down({"d"});
  ASSERT_TRUE(wait([&] { return follower_->figures().failed > 2 && follower_->figures().waiting == 3; }));
  answer_ = [](const Notice&) { return Outcome{Outcome::Kind::delivered, ""}; };
  ASSERT_TRUE(wait([&] { return follower_->figures().waiting == 2; }));
  EXPECT_THAT(devices(), ElementsAre("a", "c"));
  EXPECT_EQ(told_[1].event, "console.alarm");
}

TEST_F(FollowerTest, TellsAtOnceOfTheManyAmongWhichOneIsUrgent) {
  settings_.most = 6;
  settings_.choice.events = {"line.*", "console.alarm"};
  limits_.most_waiting = 4;
  limits_.newest = 2;
  follow_from_here();
  down({"a", "b"});
  ASSERT_TRUE(wait([&] { return told_.size() == 1 && follower_->figures().waiting == 1; }));
  journal_->note(auth::Entry("console.alarm").with("device", "c").with("text", "panic: page fault"));
  down({"d", "e", "f", "g"});
  ASSERT_TRUE(wait([&] { return follower_->figures().waiting < 6 && told_.size() == 2; }));
  EXPECT_THAT(told_[1].json, HasSubstr("c: panic: page fault"));
}

TEST_F(FollowerTest, TellsAfterALongOutageOneByOneOnlyOfTheNewest) {
  follow_from_here();
  answer_ = no_way_out;
  std::vector<std::string> many;
  for (int i = 0; i < 130; ++i) many.push_back("d" + std::to_string(i));
  down(many);
  ASSERT_TRUE(wait([&] { return follower_->figures().waiting == 130 && tried_.size() > 2; }));
  answer_ = [](const Notice&) { return Outcome{Outcome::Kind::delivered, ""}; };
  follower_->hurry();
  ASSERT_TRUE(wait([&] { return follower_->figures().waiting == 0; }));
  ASSERT_THAT(told_, SizeIs(51));
  EXPECT_THAT(told_[0].json, HasSubstr(R"("count":80,"events":{"line.down":80})"));
  EXPECT_EQ(told_[1].device, "d80");
  EXPECT_EQ(told_.back().device, "d129");
}

TEST_F(FollowerTest, TriesAgainAtOnceWhenItIsToldToHurry) {
  limits_.again_least = limits_.again_most = milliseconds(600'000);
  follow_from_here();
  answer_ = no_way_out;
  down({"a"});
  ASSERT_TRUE(wait([&] { return follower_->figures().failed == 1; }));
  answer_ = [](const Notice&) { return Outcome{Outcome::Kind::delivered, ""}; };
  follower_->hurry();
  EXPECT_TRUE(wait([&] { return told_.size() == 1; }));
}

TEST_F(FollowerTest, UsesNoTryOfARefusedOneUpWhenUplinksComeAndGo) {
  limits_.again_most = milliseconds(600'000);
  limits_.refused_after = 3;
  follow_from_here();
  answer_ = [](const Notice&) { return Outcome{Outcome::Kind::refused, "h: answered with status 422"}; };
  down({"a"});
  ASSERT_TRUE(wait([&] { return follower_->figures().failed == 1; }));
  for (int i = 0; i < 5; ++i) follower_->hurry();
  bool passed = false;
  loop_.post([&] { passed = true; });
  ASSERT_TRUE(wait([&] { return passed; }));
  EXPECT_EQ(tried_.size(), 1u);
  // A reload may have mended it: it is asked at once, and has all its tries.
  for (unsigned i = 2; i < 6; ++i) {
    follower_->adopt(settings_);
    ASSERT_TRUE(wait([&] { return follower_->figures().failed == i; }));
  }
  EXPECT_EQ(follower_->figures().waiting, 1u);
  EXPECT_THAT(journalled("notify.recovered"), IsEmpty());
}

TEST_F(FollowerTest, BeginsAnewWithAnotherChoice) {
  follow_from_here();
  hold_ = true;
  down({"a"});
  journal_->note(auth::Entry("power.change").with("device", "a"));
  ASSERT_TRUE(wait([&] { return tried_.size() == 1; }));
  hold_ = false;
  settings_.choice.events = {"power.*"};
  follower_->adopt(settings_);
  held_();  // what became of a notice that nobody waits for any more
  ASSERT_TRUE(wait([&] { return told_.size() == 1; }));
  EXPECT_EQ(told_[0].event, "power.change");
}

TEST_F(FollowerTest, GoesOnInANewLifeAndSaysSo) {
  follow_from_here();
  open();
  test::write_file(dir_ / "notify/sms.position", "oobd notify position 1\nboard1/oobd/gone/1 700\n");
  down({"a"});
  follow();
  ASSERT_TRUE(wait([&] { return told_.size() == 1; }));
  std::vector<json::object> said = journalled("notify.failed");
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_THAT(std::string(said[0]["text"].as_string()), HasSubstr("the journal began anew"));
}

TEST_F(FollowerTest, TellsAllWhereItsPositionIsDamaged) {
  down({"a"});
  follow_from_here();
  open();
  for (const char* text :
       {"", "oobd notify position 1\n", "oobd notify position 1\nx\n", "oobd notify position 2\nx 1\n",
        "oobd notify position 1\nx 1", "oobd notify position 1\n 1\n", "oobd notify position 1\nx -1\n"}) {
    told_.clear();
    follower_.reset();
    test::write_file(dir_ / "notify/sms.position", text);
    follow();
    ASSERT_TRUE(wait([&] { return told_.size() == 1; })) << text;
    EXPECT_THAT(devices(), ElementsAre("a"));
    ASSERT_TRUE(is_settled());
  }
}

TEST_F(FollowerTest, GoesOnInTheNextFileWhereOneCannotBeReadForLong) {
  follow_from_here();
  follower_.reset();
  const std::string file = dir_ / "journal/000000000000.jsonl";
  down({"a", "b"});
  const std::string first = test::read_file(file);
  const std::uint64_t records = journal_->written();
  down({"c"});
  std::string name = std::to_string(records);
  name.insert(0, 12 - name.size(), '0');
  test::write_file(dir_ / "journal" + ("/" + name + ".jsonl"), test::read_file(file).substr(first.size()));
  ASSERT_EQ(::truncate(file.c_str(), static_cast<off_t>(first.find("line.down"))), 0);
  limits_.unread = milliseconds(200);
  follow();
  ASSERT_TRUE(wait([&] { return !told_.empty(); })) << follower_->figures().trouble;
  EXPECT_THAT(devices(), ElementsAre("c"));
}

TEST_F(FollowerTest, TellsFromMemoryThatTheJournalCannotBeReadForLong) {
  follow_from_here();
  follower_.reset();
  const std::string file = dir_ / "journal/000000000000.jsonl";
  down({"a"});
  std::filesystem::rename(file, dir_ / "elsewhere");
  limits_.unread = milliseconds(200);
  follow();
  ASSERT_TRUE(wait([&] { return !told_.empty(); })) << follower_->figures().trouble;
  EXPECT_EQ(told_[0].event, "journal.failing");
  EXPECT_THAT(told_[0].json, HasSubstr(R"("text":"the journal can't be read: )"));
  std::filesystem::rename(dir_ / "elsewhere", file);
  ASSERT_TRUE(wait([&] { return told_.size() == 2; }));
  EXPECT_EQ(told_[1].device, "a");
}

// Nothing comes out of the journal then.
TEST_F(FollowerTest, TellsOnceAndFromMemoryThatTheJournalCannotBeWritten) {
  follow_from_here();
  for (int times = 1; times < 3; ++times) {
    files_->dead = true;
    journal_->note(auth::Entry("line.down").with("device", "a"));
    ASSERT_TRUE(wait([&] { return told_.size() == 1; }));
    EXPECT_EQ(told_[0].event, "journal.failing");
    EXPECT_THAT(told_[0].json, HasSubstr(R"("text":"the journal can't be written: )"));
    EXPECT_THAT(told_[0].json, HasSubstr("Input/output error; what happens is told when it can be again"));
    EXPECT_THAT(follower_->figures().trouble, HasSubstr("the journal can't be written: "));
    files_->dead = false;
    ASSERT_TRUE(wait([&] { return told_.size() == 2; }));
    EXPECT_EQ(told_[1].device, "a");
    ASSERT_TRUE(wait([&] { return follower_->figures().trouble.empty(); }));
    told_.clear();
  }
}

TEST_F(FollowerTest, ForgetsWithItsFile) {
  follow_from_here();
  auto file = follower_->forget();
  follower_.reset();
  file->remove();
  EXPECT_FALSE(std::filesystem::exists(dir_ / "notify/sms.position"));
  down({"a"});
  follow_from_here();
  down({"b"});
  ASSERT_TRUE(wait([&] { return told_.size() == 1; }));
  EXPECT_THAT(devices(), ElementsAre("b"));
}

}  // namespace
}  // namespace oob::notice

#include "audit/syslog_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "audit/syslog_spool.h"
#include "tests/audit/syslog_collector.h"

namespace oob::audit {
namespace {

using std::chrono::milliseconds;
using test::Collector;
using test::TestCa;
using testing::HasSubstr;
using testing::Not;

// The numbers of the records among these messages, in their order.
std::vector<std::uint64_t> numbers_of(const std::vector<std::string>& messages) {
  std::vector<std::uint64_t> numbers;
  for (const std::string& message : messages) {
    constexpr std::string_view kBefore = "[oobd@32473 n=\"";
    std::size_t at = message.find(kBefore);
    if (at == std::string::npos) continue;
    std::string_view rest = std::string_view(message).substr(at + kBefore.size());
    std::uint64_t n = 0;
    EXPECT_TRUE(base::parse_number(rest.substr(0, rest.find('"')), n)) << message;
    numbers.push_back(n);
  }
  return numbers;
}

class SyslogExportTest : public testing::Test {
 protected:
  SyslogExportTest() {
    limits_.again_least = limits_.again_most = milliseconds(5);
    limits_.checkpoint_every = limits_.position_every = limits_.read_again = milliseconds(20);
    limits_.link.ask = milliseconds(5);
    limits_.link.unanswered = milliseconds(600'000);  // so that only an answer tells what has arrived
    open();
  }
  void open() {
    export_.reset();
    journal_.reset();
    disk_.reset();
    disk_.emplace(loop_);
    auto opened = auth::Journal::open(loop_, *disk_, dir_.path());
    ASSERT_TRUE(opened) << opened.error().what;
    journal_ = std::move(*opened);
  }
  void note(int count) {
    for (int i = 0; i < count; ++i)
      journal_->note(auth::Entry("note").with("text", std::string(200, 'x')).with("i", std::int64_t{i}));
    bool synced = false;
    journal_->commit(auth::Entry("note"), [&](base::Result<> done) { synced = bool(done); });
    ASSERT_TRUE(test::run_until(loop_, [&] { return synced; }));
  }
  void begin(const Collector& collector) {
    export_ = std::make_unique<SyslogExport>(loop_, blocking_, *journal_, dir_.path(), "board1", limits_);
    export_->adopt(settings(collector));
  }
  SyslogSettings settings(const Collector& collector) { return settings(collector.address()); }
  SyslogSettings settings(const std::string& server) {
    test::write_file(dir_ / "ca.pem", ca_.certificate());
    return {server, dir_ / "ca.pem", "logs.example.net", "", ""};
  }
  bool all_arrive(const Collector& collector) {
    return test::run_until(
        loop_,
        [&] {
          std::set<std::uint64_t> got;
          for (const std::string& one : collector.heard())
            for (std::uint64_t n : numbers_of(test::messages_of(one))) got.insert(n);
          return got.size() == journal_->written();
        },
        milliseconds(60'000));
  }
  // A life of the journal that was set aside: of its records, `from` to `to` are left.
  void lose(std::size_t from, std::size_t to) {
    note(50);
    export_.reset();
    journal_.reset();
    disk_.reset();
    std::string file = dir_ / "journal/000000000000.jsonl", left;
    std::istringstream all(test::read_file(file));
    std::string line;
    for (std::size_t n = 0; n < to && std::getline(all, line); ++n) left += line + "\n";
    test::write_file(file, left);
    open();
    ASSERT_NE(journal_->loss(), "");
    std::string aside = dir_ / "journal.lost-1/000000000000.jsonl", rest;
    ASSERT_EQ(test::read_file(aside), left);
    if (from == 0) return;
    std::istringstream kept(left);
    for (std::size_t n = 0; std::getline(kept, line); ++n)
      if (n >= from) rest += line + "\n";
    std::filesystem::remove(aside);
    test::write_file(base::str(dir_ / "journal.lost-1/00000000000", from, ".jsonl"), rest);
  }
  std::string origin() {
    auto key = auth::NoteKey::parse(journal_->vkey());
    return key ? key->name() : "";
  }
  // Of all that was sent until nothing waits.
  std::vector<std::uint64_t> numbers_until_all(const Collector& collector) {
    EXPECT_TRUE(test::run_until(loop_, [&] { return export_->figures().waiting == 0; }))
        << export_->figures().trouble;
    return numbers_of(test::messages_of(collector.all()));
  }
  std::string journal_text() {
    std::string text;
    for (const auto& file : std::filesystem::directory_iterator(dir_ / "journal"))
      if (file.path().extension() == ".jsonl") text += test::read_file(file.path());
    return text;
  }

  test::TempDir dir_;
  TestCa ca_;
  base::Loop loop_;
  base::Blocking blocking_{loop_};
  SyslogExport::Limits limits_;
  std::optional<base::Disk> disk_;
  std::unique_ptr<auth::Journal> journal_;
  std::unique_ptr<SyslogExport> export_;
};

TEST_F(SyslogExportTest, SendsEveryRecordInOrder) {
  note(3000);  // more than may be under way
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  begin(collector);
  ASSERT_TRUE(all_arrive(collector)) << export_->figures().trouble;
  std::vector<std::uint64_t> numbers = numbers_of(test::messages_of(collector.all()));
  for (std::size_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(numbers[i], i);
  EXPECT_TRUE(test::run_until(loop_, [&] { return export_->figures().waiting == 0; }));
  EXPECT_TRUE(export_->figures().connected);
  EXPECT_EQ(export_->figures().trouble, "");
}

TEST_F(SyslogExportTest, SendsWhatComesLater) {
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  begin(collector);
  ASSERT_TRUE(test::run_until(loop_, [&] { return export_->figures().connected; }));
  note(5);
  EXPECT_TRUE(all_arrive(collector));
}

TEST_F(SyslogExportTest, LosesNothingWhereverTheConnectionIsCut) {
  note(300);
  Collector::Manners manners;
  // Many lengths, some within a frame's first digits, each longer than what is sent twice by a little more.
  manners.reads = [](std::size_t number) { return number < 60 ? 1 + number * 997 : Collector::kAll; };
  Collector collector(dir_, ca_.issue("logs.example.net"), manners);
  begin(collector);
  ASSERT_TRUE(all_arrive(collector)) << export_->figures().trouble;
  EXPECT_GT(collector.heard().size(), 20u);
  for (const std::string& one : collector.heard()) {
    std::vector<std::uint64_t> numbers = numbers_of(test::messages_of(one));
    for (std::size_t i = 1; i < numbers.size(); ++i) ASSERT_EQ(numbers[i], numbers[i - 1] + 1);
  }
}

TEST_F(SyslogExportTest, GoesOnWhereItWasAndALittleBefore) {
  note(500);
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  begin(collector);
  ASSERT_TRUE(all_arrive(collector));
  // What has arrived is told by the collector, and then kept.
  ASSERT_TRUE(test::run_until(loop_, [&] {
    auto kept = read_position(dir_.path());
    return kept && *kept && (*kept)->n >= 500;
  }));
  open();
  auto position = read_position(dir_.path());
  ASSERT_TRUE(position && *position);
  Collector later(dir_, ca_.issue("logs.example.net"), {});
  begin(later);
  note(1);
  std::uint64_t last = journal_->written() - 1;
  ASSERT_TRUE(test::run_until(loop_, [&] {
    std::vector<std::uint64_t> numbers = numbers_of(test::messages_of(later.all()));
    return !numbers.empty() && numbers.back() >= last;
  }));
  EXPECT_EQ(numbers_of(test::messages_of(later.all())).front(), (*position)->n - SyslogExport::kMargin);
}

TEST_F(SyslogExportTest, SendsACheckpointAfterWhatItCovers) {
  note(40);
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  begin(collector);
  ASSERT_TRUE(test::run_until(
      loop_, [&] { return collector.all().find(" checkpoint [oobd@32473 size=\"") != std::string::npos; }));
  std::uint64_t next = 0;
  for (const std::string& message : test::messages_of(collector.all())) {
    std::vector<std::uint64_t> number = numbers_of({message});
    if (!number.empty()) {
      next = number[0] + 1;
      continue;
    }
    std::string_view rest = std::string_view(message).substr(message.find("size=\"") + 6);
    std::uint64_t size = 0;
    ASSERT_TRUE(base::parse_number(rest.substr(0, rest.find('"')), size));
    EXPECT_LE(size, next);
  }
  EXPECT_TRUE(
      test::run_until(loop_, [&] { return test::count(journal_text(), "\"checkpoint.sent\"") == 1; }));
}

TEST_F(SyslogExportTest, JournalsEachReasonOnceAndThatItWorksAgain) {
  test::HeldPort port;
  Collector::Manners manners;
  manners.port = port.port();
  auto collector = std::make_unique<Collector>(dir_, ca_.issue("other.example.net"), manners);
  begin(*collector);
  ASSERT_TRUE(test::run_until(loop_, [&] { return test::count(journal_text(), "\"syslog.down\"") == 1; }));
  EXPECT_THAT(export_->figures().trouble, HasSubstr("is not for logs.example.net"));
  std::size_t tries = collector->came();
  ASSERT_TRUE(test::run_until(loop_, [&] { return collector->came() >= tries + 5; }));
  note(50);  // behind what those tries have noted
  EXPECT_EQ(test::count(journal_text(), "\"syslog.down\""), 1u);
  collector.reset();
  collector = std::make_unique<Collector>(dir_, ca_.issue("logs.example.net"), manners);
  EXPECT_TRUE(test::run_until(loop_, [&] { return test::count(journal_text(), "\"syslog.up\"") == 1; }));
  EXPECT_EQ(export_->figures().trouble, "");
}

TEST_F(SyslogExportTest, GoesToAnotherCollectorAfterAReload) {
  Collector first(dir_, ca_.issue("logs.example.net"), {});
  begin(first);
  note(10);
  ASSERT_TRUE(all_arrive(first));
  export_->adopt(settings(first));  // the same: the connection stays
  EXPECT_TRUE(export_->figures().connected);
  Collector second(dir_, ca_.issue("logs.example.net"), {});
  export_->adopt(settings(second));
  note(1);
  std::uint64_t last = journal_->written() - 1;
  EXPECT_TRUE(test::run_until(loop_, [&] {
    std::vector<std::uint64_t> numbers = numbers_of(test::messages_of(second.all()));
    return !numbers.empty() && numbers.back() >= last;
  }));
  export_->adopt(std::nullopt);
  EXPECT_EQ(export_->figures().server, "");
}

TEST_F(SyslogExportTest, GoesOnFromALifeThatWasSetAsideToTheNewOne) {
  std::string old = origin();
  lose(0, 10);
  ASSERT_NE(origin(), old);
  ASSERT_TRUE(write_position(dir_.path(), {old, 0}));
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  limits_.position_every = milliseconds(600'000);  // at its end alone, and no write is under way then
  begin(collector);
  std::vector<std::uint64_t> numbers = numbers_until_all(collector);
  ASSERT_GT(numbers.size(), 10u);
  for (std::size_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(numbers[i], i < 10 ? i : i - 10);
  EXPECT_EQ(export_->figures().lost, 0u);
  EXPECT_THAT(journal_text(), Not(HasSubstr("\"syslog.lost\"")));
  export_.reset();
  EXPECT_EQ((*read_position(dir_.path()))->origin, origin());
}

TEST_F(SyslogExportTest, TellsWhatWasRemovedBeforeItWasSent) {
  std::string old = origin();
  lose(4, 10);
  ASSERT_TRUE(write_position(dir_.path(), {old, 1}));
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  begin(collector);
  std::vector<std::uint64_t> numbers = numbers_until_all(collector);
  ASSERT_GT(numbers.size(), 6u);
  for (std::size_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(numbers[i], i < 6 ? i + 4 : i - 6);
  EXPECT_EQ(export_->figures().lost, 3u);
  note(1);
  std::string text = journal_text();
  EXPECT_EQ(test::count(text, "\"syslog.lost\""), 1u);
  EXPECT_THAT(text, HasSubstr(base::str("\"origin\":\"", old, '"')));
  EXPECT_THAT(text, HasSubstr("\"from\":1,"));
  EXPECT_THAT(text, HasSubstr("\"to\":4,"));
}

TEST_F(SyslogExportTest, TellsThatALifeIsThereNoMore) {
  ASSERT_TRUE(write_position(dir_.path(), {"board1/oobd/00000000/1", 7}));
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  begin(collector);
  EXPECT_EQ(numbers_until_all(collector).front(), 0u);
  note(1);
  EXPECT_EQ(test::count(journal_text(), "\"syslog.lost\""), 1u);
  EXPECT_THAT(journal_text(), HasSubstr("\"why\":\"the rest of that journal is not there any more\""));
}

TEST_F(SyslogExportTest, TellsThatTheJournalCantBeReadUntilItCan) {
  note(5);
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  std::string file = dir_ / "journal/000000000000.jsonl";
  std::filesystem::rename(file, dir_ / "away");
  begin(collector);
  ASSERT_TRUE(test::run_until(loop_, [&] { return export_->figures().connected; }));
  ASSERT_TRUE(test::run_until(loop_, [&] { return !export_->figures().trouble.empty(); }));
  EXPECT_THAT(export_->figures().trouble, HasSubstr("there is no journal"));
  std::filesystem::rename(dir_ / "away", file);
  ASSERT_TRUE(all_arrive(collector));
  ASSERT_TRUE(test::run_until(loop_, [&] { return export_->figures().trouble.empty(); }));
  ASSERT_TRUE(test::run_until(loop_, [&] { return test::count(journal_text(), "\"syslog.up\"") == 1; }));
  EXPECT_EQ(test::count(journal_text(), "\"syslog.down\""), 1u);
}

TEST(SyslogPosition, IsReadBackAndRefusedWhenDamaged) {
  test::TempDir dir;
  auto none = read_position(dir.path());
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  SyslogPlace place{"board1/oobd/3fc27d19/1", 18231};
  ASSERT_TRUE(write_position(dir.path(), place));
  auto back = read_position(dir.path());
  ASSERT_TRUE(back && *back);
  EXPECT_EQ(**back, place);
  std::string text = test::read_file(dir / "syslog/position");
  EXPECT_EQ(text, "oobd syslog position 1\nboard1/oobd/3fc27d19/1 18231\n");
  for (std::size_t size = 0; size < text.size(); ++size) {
    test::write_file(dir / "syslog/position", text.substr(0, size));
    EXPECT_FALSE(read_position(dir.path())) << size;
  }
}

#ifdef __linux__
class SyslogWaysTest : public SyslogExportTest {
 protected:
  void begin_by(const std::string& server, std::vector<std::string> ways) {
    ways_ = std::move(ways);
    export_ = std::make_unique<SyslogExport>(loop_, blocking_, *journal_, dir_.path(), "board1", limits_);
    export_->go_by({[this](const std::string& server) {
                      asked_ = server;
                      return ways_;
                    },
                    [this](const std::string&) { return lives_; }});
    export_->adopt(settings(server));
  }
  void ways_are(std::vector<std::string> ways) {
    ways_ = std::move(ways);
    export_->ways_changed();
  }
  bool connects() {
    return test::run_until(loop_, [&] { return export_->figures().connected; });
  }
  bool fails() {
    return test::run_until(loop_, [&] { return !export_->figures().trouble.empty(); });
  }
  void waits_for_another_way() { limits_.again_least = limits_.again_most = milliseconds(600'000); }

  std::vector<std::string> ways_;
  std::string asked_;
  bool lives_ = true;
};

TEST_F(SyslogWaysTest, GoesByTheWayThatItIsToldAndLeavesOneThatIsDead) {
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  waits_for_another_way();
  begin_by(collector.address(), {"wwan7"});  // which is not there
  ASSERT_TRUE(fails());
  EXPECT_EQ(asked_, collector.address());
  EXPECT_EQ(export_->figures().trouble, collector.address() + " by wwan7: interface wwan7: not there now");
  ways_are({"lo", ""});
  ASSERT_TRUE(connects()) << export_->figures().trouble;
  note(1);
  ASSERT_TRUE(all_arrive(collector));
  ASSERT_EQ(collector.heard().size(), 1U);

  ways_are({"wwan7", "lo", ""});  // better, but this one works
  EXPECT_TRUE(export_->figures().connected);
  ways_are({"wwan7", ""});
  EXPECT_FALSE(export_->figures().connected);
  ASSERT_TRUE(connects());  // by the routing table, after wwan7
  ways_are({"wwan7", "lo", ""});
  EXPECT_FALSE(export_->figures().connected) << "by the routing table, though there is a way";
  ASSERT_TRUE(connects());
  lives_ = false;  // each byte costs there, and something else works
  ways_are({"wwan7", "lo", ""});
  EXPECT_TRUE(export_->figures().connected) << "left for one that was just tried";
  ways_are({"lo", ""});
  ways_are({"wwan7", "lo", ""});
  EXPECT_FALSE(export_->figures().connected);
  ASSERT_TRUE(connects());
  note(1);
  ASSERT_TRUE(test::run_until(loop_, [&] { return export_->figures().waiting == 0; }));
  EXPECT_TRUE(all_arrive(collector));
}

TEST_F(SyslogWaysTest, TriesOneWayAfterTheOther) {
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  waits_for_another_way();
  begin_by(collector.address(), {"wwan7", "wwan8", "lo"});
  ASSERT_TRUE(connects()) << export_->figures().trouble;
  note(1);
  EXPECT_TRUE(all_arrive(collector));
  EXPECT_THAT(journal_text(), Not(HasSubstr("syslog.down")));
}

TEST_F(SyslogWaysTest, SaysOfEachWayWhyItLedNowhere) {
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  waits_for_another_way();
  begin_by(collector.address(), {"wwan7", "wwan8"});
  ASSERT_TRUE(fails());
  std::string at = collector.address();
  EXPECT_EQ(export_->figures().trouble, base::str(at, " by wwan7: interface wwan7: not there now; ", at,
                                                  " by wwan8: interface wwan8: not there now"));
  ways_are({"wwan8", "wwan7", ""});
  EXPECT_TRUE(connects());
}

// Whose queue is full, so that no connect to it is answered.
class Swallower {
 public:
  Swallower() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* at = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_.get(), at, size), 0);
    EXPECT_EQ(::listen(listener_.get(), 0), 0);
    EXPECT_EQ(::getsockname(listener_.get(), at, &size), 0);
    for (int i = 0; i < 4; ++i) {
      waiting_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      ::connect(waiting_.back().get(), at, size);
    }
    address_ = base::str("127.0.0.1:", ntohs(address.sin_port));
  }
  const std::string& address() const { return address_; }

 private:
  base::Fd listener_;
  std::vector<base::Fd> waiting_;
  std::string address_;
};

TEST_F(SyslogWaysTest, LeavesAWayThatSwallowsEverythingForTheNext) {
  Swallower swallower;
  waits_for_another_way();
  limits_.way = milliseconds(50);
  limits_.link.connect = milliseconds(600'000);
  begin_by(swallower.address(), {"lo", "wwan7"});
  ASSERT_TRUE(fails());
  const std::string& at = swallower.address();
  EXPECT_EQ(export_->figures().trouble, base::str(at, " by lo: no answer to the connect; ", at,
                                                  " by wwan7: interface wwan7: not there now"));
}

TEST_F(SyslogWaysTest, ReturnsToAWayThatItLeftForABetterOneBeforeItsEnd) {
  Swallower swallower;
  waits_for_another_way();
  limits_.way = milliseconds(50);
  limits_.link.connect = milliseconds(600'000);
  begin_by(swallower.address(), {"lo"});
  ASSERT_TRUE(test::run_until(loop_, [&] { return !asked_.empty(); }));
  ways_are({"wwan7", "lo", "wwan8"});
  ASSERT_TRUE(fails());
  const std::string& at = swallower.address();
  EXPECT_EQ(export_->figures().trouble,
            base::str(at, " by wwan7: interface wwan7: not there now; ", at,
                      " by lo: no answer to the connect; ", at, " by wwan8: interface wwan8: not there now"));
}

TEST_F(SyslogWaysTest, ReturnsToTheBetterWayThatLedNowhere) {
  Collector collector(dir_, ca_.issue("logs.example.net"), {});
  limits_.better = milliseconds(20);
  begin_by(collector.address(), {"wwan7", "lo"});
  ASSERT_TRUE(connects());
  note(1);
  ASSERT_TRUE(all_arrive(collector));
  ways_ = {"", "lo"};  // the better one leads there now, of which nobody tells
  ASSERT_TRUE(test::run_until(loop_, [&] { return collector.heard().size() >= 3; }));
  note(1);
  EXPECT_TRUE(all_arrive(collector));
  EXPECT_TRUE(test::run_until(loop_, [&] { return export_->figures().waiting == 0; }));
}
#endif

}  // namespace
}  // namespace oob::audit

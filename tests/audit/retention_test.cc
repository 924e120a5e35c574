#include "audit/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fcntl.h>
#include <filesystem>
#include <optional>

#include "base/sha256.h"
#include "tests/support/support.h"

namespace oob::audit {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = KeptFile::Kind;

constexpr base::Micros kDay = 86'400'000'000, kNow = 20'000 * kDay;

KeptFile file_of(Kind kind, const std::string& name, std::uint64_t bytes, int days_old) {
  KeptFile file;
  file.kind = kind;
  file.name = name;
  file.bytes = bytes;
  file.written = kNow - days_old * kDay;
  return file;
}
KeptFile recording(const std::string& name, std::uint64_t bytes, int days_old) {
  return file_of(Kind::recording, name, bytes, days_old);
}
KeptFile pinned(KeptFile file) {
  file.pinned = true;
  return file;
}

std::vector<std::string> chosen(const std::vector<KeptFile>& files, const RetentionRules& rules,
                                base::Micros now = kNow, std::uint64_t wanted = 0) {
  std::vector<std::string> names;
  for (const Victim& victim : choose(files, rules, now, wanted))
    names.push_back(base::str(victim.file.name, ":", victim.why));
  return names;
}

TEST(Retention, RemovesWhatIsTooOld) {
  std::vector<KeptFile> files = {recording("a", 10, 91), recording("b", 10, 90), recording("c", 10, 1)};
  RetentionRules rules;
  EXPECT_THAT(chosen(files, rules), IsEmpty());  // for ever
  rules.recordings.keep = 90 * kDay;
  EXPECT_THAT(chosen(files, rules), ElementsAre("a:age"));
  rules.recordings.floor = 1000;  // is for a full disk alone
  EXPECT_THAT(chosen(files, rules), ElementsAre("a:age"));
  EXPECT_THAT(chosen(files, rules, 0), IsEmpty()) << "by a clock that is not believed";
}

TEST(Retention, RemovesTheOldestOfWhatIsTooMuch) {
  std::vector<KeptFile> files = {recording("a", 40, 3), recording("b", 40, 2), recording("c", 40, 1)};
  RetentionRules rules;
  rules.recordings.most = 120;
  EXPECT_THAT(chosen(files, rules), IsEmpty());
  rules.recordings.most = 119;
  EXPECT_THAT(chosen(files, rules), ElementsAre("a:size"));
  rules.recordings.most = 1;
  EXPECT_THAT(chosen(files, rules), ElementsAre("a:size", "b:size", "c:size"));
  EXPECT_THAT(chosen(files, rules, 0), ElementsAre("a:size", "b:size", "c:size"));
}

TEST(Retention, NeverRemovesWhatIsHeldOrLive) {
  std::vector<KeptFile> files = {pinned(recording("held", 40, 300)), recording("b", 40, 2),
                                 pinned(recording("live", 40, 0))};
  RetentionRules rules;
  rules.recordings = {90 * kDay, 1, 0};
  EXPECT_THAT(chosen(files, rules, kNow, 1'000'000), ElementsAre("b:size"));
}

TEST(Retention, GivesAFullDiskTheOldestOfEachAboveTheFloors) {
  std::vector<KeptFile> files = {
      recording("r1", 50, 9),
      recording("r2", 50, 5),
      recording("r3", 50, 1),
      file_of(Kind::transcript, "edge1", 64, 7),
      file_of(Kind::transcript, "edge1", 64, 4),
      pinned(file_of(Kind::transcript, "edge1", 64, 0)),
      pinned(file_of(Kind::transcript, "edge2", 64, 8)),
      file_of(Kind::journal, "", 64, 30),
      pinned(file_of(Kind::journal, "", 64, 0)),
  };
  RetentionRules rules;
  EXPECT_THAT(chosen(files, rules, kNow, 1), ElementsAre("r1:disk"));
  EXPECT_THAT(chosen(files, rules, kNow, 51), ElementsAre("r1:disk", "edge1:disk"));
  EXPECT_THAT(chosen(files, rules, kNow, 1'000'000),
              ElementsAre("r1:disk", "edge1:disk", "r2:disk", "edge1:disk", "r3:disk"));
  rules.recordings.floor = 50;    // the newest of them alone make it up
  rules.transcripts.floor = 128;  // the newest two
  EXPECT_THAT(chosen(files, rules, kNow, 1'000'000), ElementsAre("r1:disk", "edge1:disk", "r2:disk"));
  rules.recordings.floor = 51;
  EXPECT_THAT(chosen(files, rules, kNow, 1'000'000), ElementsAre("r1:disk", "edge1:disk"));
}

TEST(Retention, CountsWhatGoesAnywayForAFullDisk) {
  std::vector<KeptFile> files = {recording("a", 50, 91), recording("b", 50, 2), recording("c", 50, 1)};
  RetentionRules rules;
  rules.recordings.keep = 90 * kDay;
  EXPECT_THAT(chosen(files, rules, kNow, 50), ElementsAre("a:age"));
  EXPECT_THAT(chosen(files, rules, kNow, 51), ElementsAre("a:age", "b:disk"));
}

TEST(Retention, KeepsEachTranscriptToItsOwnSize) {
  std::vector<KeptFile> files = {
      file_of(Kind::transcript, "edge1", 64, 7), pinned(file_of(Kind::transcript, "edge1", 64, 0)),
      file_of(Kind::transcript, "edge2", 30, 7), pinned(file_of(Kind::transcript, "edge2", 30, 0))};
  RetentionRules rules;
  rules.transcripts.most = 100;
  EXPECT_THAT(chosen(files, rules), ElementsAre("edge1:size"));
}

TEST(Retention, ShortensTheJournalFromItsFrontAndNeverForTheDisk) {
  std::vector<KeptFile> files = {file_of(Kind::journal, "0", 16, 500), file_of(Kind::journal, "1", 16, 300),
                                 file_of(Kind::journal, "2", 16, 450),
                                 pinned(file_of(Kind::journal, "3", 16, 0))};
  RetentionRules rules;
  rules.journal.keep = 400 * kDay;
  EXPECT_THAT(chosen(files, rules, kNow, 1'000'000), ElementsAre("0:age"));
  rules.journal.most = 32;
  EXPECT_THAT(chosen(files, rules), ElementsAre("0:age", "1:size"))
      << "2 is not older than 1, whatever its clock said";
}

KeptFile ordered(KeptFile file, std::uint64_t order) {
  file.order = order;
  return file;
}

// A board without a clock dates what it writes 1970, or long after everything else.
TEST(Retention, TellsByTheirOrderWhichAreTheOldestWhateverTheClockSaid) {
  for (int days_old : {20'000, 1'000, -10'000}) {
    SCOPED_TRACE(days_old);
    std::vector<KeptFile> files = {
        ordered(recording("outage", 40, days_old), 30), ordered(recording("before", 40, 20), 10),
        ordered(recording("between", 40, 9), 20), ordered(file_of(Kind::transcript, "edge1", 40, 15), 15)};
    RetentionRules rules;
    rules.recordings.most = 80;
    EXPECT_THAT(chosen(files, rules), ElementsAre("before:size"));
    rules.recordings.most = 0;
    EXPECT_THAT(chosen(files, rules, kNow, 81), ElementsAre("before:disk", "edge1:disk", "between:disk"));
    rules.recordings.floor = 40;
    EXPECT_THAT(chosen(files, rules, 0, 1'000'000), ElementsAre("before:disk", "edge1:disk", "between:disk"))
        << "the newest is that of the outage";
    rules.recordings.keep = 15 * kDay;
    EXPECT_THAT(chosen(files, rules), ElementsAre("before:age"));
  }
}

TEST(Retention, TakesADateThatIsNoneForThatOfTheNext) {
  RetentionRules rules;
  rules.recordings.keep = rules.transcripts.keep = rules.journal.keep = 90 * kDay;
  for (Kind kind : {Kind::recording, Kind::transcript, Kind::journal}) {
    for (int days_old : {20'000, -10'000}) {
      KeptFile odd = ordered(file_of(kind, "edge1", 8, days_old), 1);
      EXPECT_THAT(chosen({odd}, rules), IsEmpty());
      EXPECT_THAT(chosen({odd, ordered(file_of(kind, "edge1", 8, 89), 2)}, rules), IsEmpty());
      EXPECT_THAT(chosen({odd, ordered(file_of(kind, "edge1", 8, 91), 2)}, rules),
                  ElementsAre("edge1:age", "edge1:age"));
    }
  }
}

TEST(Retention, HoldsNoFileBackForOneThatWasRedactedLater) {
  std::vector<KeptFile> files = {recording("redacted", 8, 1), recording("b", 8, 91), recording("c", 8, 92)};
  RetentionRules rules;
  rules.recordings.keep = 90 * kDay;
  EXPECT_THAT(chosen(files, rules), ElementsAre("b:age", "c:age"));
}

TEST(Retention, TakesWhatNoJournalTellsOfForOlderThanWhatOneDoesUnlessItCameNow) {
  std::vector<KeptFile> files = {ordered(recording("now", 8, 20'000), KeptFile::kNewest),
                                 ordered(recording("told", 8, 5), 7), recording("untold", 8, 1),
                                 recording("untold too", 8, 2)};
  RetentionRules rules;
  EXPECT_THAT(chosen(files, rules, kNow, 1'000'000),
              ElementsAre("untold too:disk", "untold:disk", "told:disk", "now:disk"));
}

// A state folder with files of all kinds.
class State {
 public:
  std::string add_recording(const std::string& id, const std::string& text, int days_old) {
    std::string folder =
        base::str(path(), "/recordings/", id.substr(0, 4), "/", id.substr(4, 2), "/", id.substr(6, 2));
    return add(folder, id + ".cast", text, days_old);
  }
  std::string add_segment(const std::string& folder, std::uint64_t from, const std::string& text,
                          int days_old) {
    std::string digits = std::to_string(from), name = std::string(20 - digits.size(), '0') + digits;
    add(path() + "/transcripts/" + folder, name + ".idx", "index\n", days_old);
    return add(path() + "/transcripts/" + folder, name + ".log", text, days_old);
  }
  std::string add(const std::string& folder, const std::string& name, const std::string& text, int days_old) {
    fs::create_directories(folder);
    std::string whole = folder + "/" + name;
    test::write_file(whole, text);
    timespec when{static_cast<time_t>(base::wall_now() / 1'000'000 - days_old * 86'400), 0};
    timespec times[] = {when, when};
    EXPECT_EQ(::utimensat(AT_FDCWD, whole.c_str(), times, 0), 0);
    return whole;
  }
  const std::string& path() const { return dir_.path(); }

 private:
  test::TempDir dir_;
};

TEST(Retention, ListsWhatIsThere) {
  State state;
  state.add_recording("20260101-100000-1", "one", 9);
  state.add_recording("20260101-100000-2", "held", 8);
  state.add_recording("20260102-100000-3", "live", 7);
  state.add(state.path() + "/recordings/holds", "20260101-100000-2", "", 0);
  state.add(state.path() + "/recordings/open", "20260102-100000-3", "", 0);
  state.add(state.path() + "/recordings/2026/01/02", "notes.txt", "not ours", 0);
  state.add_segment("%2Edot%2Fedge%25", 0, "abc", 2);
  state.add_segment("%2Edot%2Fedge%25", 3, "defg", 1);
  state.add(state.path() + "/transcripts/edge2", "readme.log", "not ours", 0);
  state.add(state.path() + "/journal", "000000000000.jsonl", "{}\n", 1);
  state.add(state.path() + "/journal", "000000000001.jsonl", "{}\n", 0);
  state.add(state.path() + "/journal", "checkpoints", "x", 0);
  KeptFiles kept = list_kept(state.path());
  EXPECT_EQ(kept.trouble, "");
  EXPECT_EQ(kept.holds, 1u);
  std::vector<std::string> found;
  for (const KeptFile& file : kept.files)
    found.push_back(
        base::str(file.name, " ", file.from, "-", file.to, " ", file.bytes, file.pinned ? " pinned" : ""));
  EXPECT_THAT(found, ElementsAre("20260101-100000-1 0-0 3", "20260101-100000-2 0-0 4 pinned",
                                 "20260102-100000-3 0-0 4 pinned", ".dot/edge% 0-3 3",
                                 ".dot/edge% 3-7 4 pinned", " 0-3 3", " 1-4 3 pinned"));
  EXPECT_THAT(list_kept(state.path() + "/none").files, IsEmpty());
}

// While it lives no file of this process grows: as on a full disk, whatever the journal tries.
class NoRoom {
 public:
  NoRoom() {
    ::signal(SIGXFSZ, SIG_IGN);
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    rlimit none{0, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
  }
  ~NoRoom() { EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0); }

 private:
  rlimit before_{};
};

class Remover {
 public:
  Remover() {
    auto opened = auth::Journal::open(loop, disk, written.path());
    EXPECT_TRUE(opened) << opened.error().what;
    journal = std::move(*opened);
    retention.emplace(blocking, *journal,
                      Retention::Options{state.path(), [this](std::function<void(base::Result<>)> done) {
                                           ++dropped;
                                           done({});
                                         }});
  }
  // A round; false when it does not end.
  bool run(const RetentionRules& rules, std::uint64_t wanted = 0) {
    bool over = false;
    retention->run(rules, base::wall_now(), wanted, [&](std::size_t count, bool) {
      removed = count;
      over = true;
    });
    return test::run_until(loop, [&] { return over; });
  }
  std::string text() const {
    std::string text;
    for (const auto& entry : fs::directory_iterator(written.path() + "/journal"))
      if (entry.path().extension() == ".jsonl") text += test::read_file(entry.path());
    return text;
  }

  State state;
  test::TempDir written;  // the journal that is written to
  base::Loop loop;
  base::Disk disk{loop};
  base::Blocking blocking{loop};
  std::unique_ptr<auth::Journal> journal;
  std::optional<Retention> retention;
  std::size_t removed = 0;
  int dropped = 0;
};

TEST(Retention, WritesDownWhatItRemovesWithTheSumOfItsBytes) {
  Remover remover;
  std::string old = remover.state.add_recording("20260101-100000-1", "what was said", 100),
              fresh = remover.state.add_recording("20260601-100000-2", "still fresh", 1),
              segment = remover.state.add_segment("edge1", 5, "bytes", 500),
              last = remover.state.add_segment("edge1", 10, "more", 499);
  RetentionRules rules;
  rules.recordings.keep = 90 * kDay;
  rules.transcripts.keep = 400 * kDay;
  ASSERT_TRUE(remover.run(rules));
  EXPECT_EQ(remover.removed, 2u);
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(fresh));
  EXPECT_FALSE(fs::exists(segment));
  EXPECT_FALSE(fs::exists(segment.substr(0, segment.size() - 4) + ".idx"));
  EXPECT_TRUE(fs::exists(last));
  std::string text = remover.text();
  EXPECT_THAT(text, HasSubstr(R"("bytes":13,)"));
  EXPECT_THAT(text, HasSubstr(base::str(R"("recording":"20260101-100000-1","sha256":")",
                                        base::hex(base::sha256("what was said")), "\"")));
  EXPECT_THAT(text, HasSubstr(R"("device":"edge1","ev":"retention","from":5,"kind":"transcript")"));
  EXPECT_THAT(text, HasSubstr(base::str(R"("sha256":")", base::hex(base::sha256("bytes")), "\"")));
  EXPECT_THAT(text, HasSubstr(R"("to":10,"why":"age")"));
  EXPECT_EQ(test::count(text, R"("ev":"retention")"), 2u);
  const Retention::Totals& totals = remover.retention->totals();
  EXPECT_EQ(totals.recordings, 1u);
  EXPECT_EQ(totals.segments, 1u);
  EXPECT_EQ(totals.bytes, 18u);
  EXPECT_EQ(remover.retention->trouble(), "");
}

TEST(Retention, RemovesNothingThatCanNotBeWrittenDown) {
  Remover remover;
  std::string one = remover.state.add_recording("20260101-100000-1", "one", 100),
              two = remover.state.add_recording("20260101-100000-2", "two", 100);
  RetentionRules rules;
  rules.recordings.keep = 90 * kDay;
  {
    NoRoom full;
    ASSERT_TRUE(remover.run(rules));
  }
  EXPECT_EQ(remover.removed, 0u);
  EXPECT_TRUE(fs::exists(one));
  EXPECT_TRUE(fs::exists(two));
  EXPECT_THAT(remover.retention->trouble(), HasSubstr("File too large"));
  ASSERT_TRUE(remover.run(rules));  // there is room again
  EXPECT_EQ(remover.removed, 2u);
}

TEST(Retention, LeavesFoldersThatItCanNotReadAndSaysSo) {
  Remover remover;
  test::write_file(remover.state.path() + "/transcripts", "no folder");
  std::string old = remover.state.add_recording("20260101-100000-1", "one", 100);
  RetentionRules rules;
  rules.recordings.keep = 90 * kDay;
  ASSERT_TRUE(remover.run(rules));
  EXPECT_EQ(remover.removed, 1u);
  EXPECT_EQ(remover.retention->trouble(), remover.state.path() + "/transcripts: Not a directory");
}

TEST(Retention, RemovesSoManyFilesARoundAndSaysThatThereAreMore) {
  Remover remover;
  constexpr std::size_t kFiles = Retention::kMostARound + 3;
  for (std::size_t i = 0; i < kFiles; ++i)
    remover.state.add_recording(base::str("20260101-100000-", i), "x", 100);
  RetentionRules rules;
  rules.recordings.keep = 90 * kDay;
  ASSERT_TRUE(remover.run(rules));
  EXPECT_EQ(remover.removed, Retention::kMostARound);
  ASSERT_TRUE(remover.run(rules));
  EXPECT_EQ(remover.removed, kFiles - Retention::kMostARound);
  ASSERT_TRUE(remover.run(rules));
  EXPECT_EQ(remover.removed, 0u);
}

TEST(Retention, HasTheJournalDropItsOldestFilesItself) {
  Remover remover;
  std::string first = remover.state.add(remover.state.path() + "/journal", "000000000000.jsonl", "{}\n", 500);
  remover.state.add(remover.state.path() + "/journal", "000000000001.jsonl", "{}\n", 1);
  RetentionRules rules;
  rules.journal.keep = 400 * kDay;
  ASSERT_TRUE(remover.run(rules));
  EXPECT_EQ(remover.dropped, 1);
  EXPECT_TRUE(fs::exists(first)) << "removed by Retention itself";
  EXPECT_EQ(remover.retention->totals().journal_files, 1u);
}

TEST(Retention, EndsWithTheObjectInTheMiddleOfARound) {
  Remover remover;
  for (int i = 0; i < 20; ++i) remover.state.add_recording(base::str("20260101-100000-", i), "x", 100);
  RetentionRules rules;
  rules.recordings.keep = 90 * kDay;
  bool over = false;
  remover.retention->run(rules, base::wall_now(), 0, [&](std::size_t, bool) { over = true; });
  ASSERT_TRUE(test::run_until(remover.loop, [&] { return remover.retention->totals().recordings > 2; }));
  remover.retention.reset();
  EXPECT_FALSE(test::run_until(
      remover.loop, [&] { return over; }, base::milliseconds(50)));
}

}  // namespace
}  // namespace oob::audit

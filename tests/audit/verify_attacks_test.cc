// What somebody who can write the state folder may try, on the trail of a real Journal and real Recordings,
// and beside each what honest work leaves there.
#include <gmock/gmock.h>

#include <filesystem>

#include "audit/library.h"
#include "audit/recorder.h"
#include "audit/redact.h"
#include "audit/verify.h"
#include "auth/journal_line.h"
#include "auth/journal_reader.h"
#include "auth/merkle.h"
#include "base/sha256.h"
#include "tests/support/support.h"

namespace oob::audit {
namespace {

using auth::Entry;
using auth::Record;
using base::Result;
using base::str;
using test::read_file;
using test::write_file;
using testing::HasSubstr;
using Kind = Finding::Kind;
namespace fs = std::filesystem;

std::string sum(base::Bytes bytes) { return base::hex(base::sha256(bytes)); }

// The daemon's part, for as long as it runs.
struct Daemon {
  explicit Daemon(const std::string& folder) : state(folder) {
    auto opened = auth::Journal::open(loop, disk, state);
    EXPECT_TRUE(opened) << opened.error().what;
    journal = std::move(*opened);
    recordings.emplace(loop, disk, *journal, state + "/recordings");
  }
  ~Daemon() {
    recordings.reset();
    journal.reset();
    disk.drain();
  }
  void commit(Entry entry) {
    std::optional<Result<>> done;
    journal->commit(std::move(entry), [&](Result<> result) { done = result; });
    EXPECT_TRUE(test::run_until(loop, [&] { return done.has_value(); }) && *done);
  }
  std::string seal() {
    std::string brief;
    journal->seal([&](const Result<auth::Checkpoint>& sealed) { brief = sealed ? sealed->brief() : "none"; });
    EXPECT_TRUE(test::run_until(loop, [&] { return !brief.empty(); }));
    return brief;
  }
  std::unique_ptr<Recorder> begin() {
    CastHeader header;
    header.user = "alice";
    header.device = "edge1";
    header.command = "attach";
    header.session = 17;
    header.started = 1'795'363'391'000'000;
    std::optional<Result<>> opened;
    auto recorder = recordings->begin(header, [&](Result<> result) { opened = result; });
    EXPECT_TRUE(test::run_until(loop, [&] { return opened.has_value(); }) && *opened);
    return recorder;
  }
  // A whole visit; its recording's id.
  std::string visit() {
    auto recorder = begin();
    std::string id = recorder->id();
    recorder->device("login: hunter2\r\n");
    recorder.reset();
    EXPECT_TRUE(test::run_until(loop, [&] { return !fs::exists(str(state, "/recordings/open/", id)); }));
    seal();
    return id;
  }

  std::string state;
  base::Loop loop;
  base::Disk disk{loop};
  std::unique_ptr<auth::Journal> journal;
  std::optional<Recordings> recordings;
};

class Attacks : public testing::Test {
 protected:
  // One visit under a daemon that has ended.
  void SetUp() override {
    Daemon daemon(state_);
    id_ = daemon.visit();
    remembered_ = daemon.seal();
    keys_ = {*auth::NoteKey::parse(daemon.journal->vkey())};
  }

  std::string cast() const { return str(state_, "/recordings/", recording_path(id_)); }
  std::string records() const { return state_ + "/journal/000000000000.jsonl"; }
  std::vector<Record> all() const {
    std::vector<Record> found;
    base::split(read_file(records()), '\n', [&](std::string_view line) {
      if (!line.empty()) found.push_back(*Record::parse(line));
    });
    return found;
  }
  Record last(const std::string& ev) const {
    std::vector<Record> found = all();
    std::erase_if(found, [&](const Record& record) { return record.ev != ev; });
    EXPECT_FALSE(found.empty()) << ev;
    return found.empty() ? Record() : found.back();
  }
  // A line that nobody signs, of the same moment as the last one.
  void append(const Entry& entry, int times = 1) {
    std::vector<Record> before = all();
    std::string text = read_file(records());
    for (int i = 0; i < times; ++i)
      text += auth::journal_line(entry, {before.back().wall, before.back().mono},
                                 before.size() + static_cast<std::size_t>(i), before.back().boot);
    write_file(records(), text);
  }
  Entry removal() const {
    std::string bytes = read_file(cast());
    return std::move(Entry("retention")
                         .with("kind", "recording")
                         .with("recording", id_)
                         .with("sha256", sum(bytes))
                         .with("bytes", static_cast<std::int64_t>(bytes.size()))
                         .with("why", "age"));
  }
  void overwrite(const std::string& path, const std::string& bytes) {
    fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
    write_file(path, bytes);
  }

  VerifyReport judge(bool daemon = false, const std::string& anchors = "") {
    VerifyOptions options;
    options.state = state_;
    options.keys = keys_;
    options.anchor_text = anchors.empty() ? remembered_ : anchors;
    options.daemon = daemon;
    Result<VerifyReport> report = verify(options);
    EXPECT_TRUE(report) << report.error().what;
    return report ? *report : VerifyReport();
  }
  void expect_whole() { EXPECT_TRUE(judge().whole()) << judge().text(); }
  void expect_found(Kind kind, const std::string& words) {
    VerifyReport report = judge();
    EXPECT_FALSE(report.whole());
    bool found = std::any_of(report.findings.begin(), report.findings.end(), [&](const Finding& finding) {
      return finding.kind == kind && finding.text.find(words) != std::string::npos;
    });
    EXPECT_TRUE(found) << words << "\n" << report.text();
  }

  test::TempDir folder_;
  std::string state_ = folder_.path(), id_, remembered_;
  std::vector<auth::NoteKey> keys_;
};

TEST_F(Attacks, ARetentionThatNobodySignedExcusesNothing) {
  append(removal());
  expect_whole();
  fs::remove(cast());
  expect_found(Kind::unsealed, "the retention that tells why has no checkpoint");
}

TEST_F(Attacks, ARetentionThatIsSealedIsWhole) {
  {
    Daemon daemon(state_);
    daemon.commit(removal());
    daemon.seal();
    fs::remove(cast());
  }
  expect_whole();
  EXPECT_EQ(judge().retired, 1u);
}

TEST_F(Attacks, ARedactionThatNobodySignedExcusesNothing) {
  Record mark = last("recording.mark");
  std::string forged = read_file(cast());
  forged.replace(forged.find("hunter2"), 7, "*******");
  append(Entry("redaction")
             .with("recording", id_)
             .with("from", *mark.number("from"))
             .with("to", *mark.number("to"))
             .with("before", *mark.text("sha256"))
             .with("after", sum(base::Bytes(forged).substr(static_cast<std::size_t>(*mark.number("from")))))
             .with("why", "forged"));
  expect_whole();
  overwrite(cast(), forged);
  expect_found(Kind::unsealed, "the redaction that tells why has no checkpoint");
}

TEST_F(Attacks, ARedactionThatHidesNothingIsNone) {
  Record mark = last("recording.mark");
  std::string forged = read_file(cast());
  forged.replace(forged.find("hunter2"), 7, "hunter3");
  {
    Daemon daemon(state_);
    daemon.commit(
        Entry("redaction")
            .with("recording", id_)
            .with("from", *mark.number("from"))
            .with("to", *mark.number("to"))
            .with("before", *mark.text("sha256"))
            .with("after", sum(base::Bytes(forged).substr(static_cast<std::size_t>(*mark.number("from")))))
            .with("why", "forged"));
    daemon.seal();
  }
  overwrite(cast(), forged);
  expect_found(Kind::altered, "nothing in them is '*'");
}

TEST_F(Attacks, WhatTheDaemonRedactsIsWhole) {
  {
    Daemon daemon(state_);
    base::Blocking blocking(daemon.loop);
    std::optional<Result<std::size_t>> done;
    redact(blocking, *daemon.journal, state_, id_, 0, 60'000'000,
           Entry("redaction").with("why", "a password"), [&](Result<std::size_t> result) { done = result; });
    ASSERT_TRUE(test::run_until(daemon.loop, [&] { return done.has_value(); }));
    ASSERT_TRUE(*done) << done->error().what;
  }
  EXPECT_EQ(read_file(cast()).find("hunter2"), std::string::npos);
  expect_whole();
  EXPECT_EQ(judge().redacted, 1u);
}

TEST_F(Attacks, NotAnyNumberOfRecordsIsOfOneSecond) {
  append(Entry("note"), 100);
  expect_whole();
  append(Entry("note"), 4096);
  expect_found(Kind::unsealed, "and never more than 4096");
}

// A start that finds no key begins a new life, and keeps the one before as journal.lost-1.
class LostLives : public Attacks {
 protected:
  void SetUp() override {
    Attacks::SetUp();
    fs::remove(state_ + "/journal_key");
    Daemon daemon(state_);
    remembered_ = daemon.seal();
    keys_.push_back(*auth::NoteKey::parse(daemon.journal->vkey()));
  }
  std::string lost() const { return state_ + "/journal.lost-1/000000000000.jsonl"; }
};

TEST_F(LostLives, AreWholeWhereTheNextOneTellsOfThem) {
  ASSERT_TRUE(fs::exists(lost()));
  expect_whole();
  EXPECT_TRUE(judge().trusted);
  EXPECT_EQ(judge().recordings, 1u);
}

TEST_F(LostLives, CannotPassForOlderThanTheSeal) {
  fs::remove(state_ + "/journal.lost-1/checkpoints");
  std::string text = read_file(lost());
  text.replace(text.find("\"ev\":\"journal.begin\""), 20, "\"ev\":\"start\"");
  text.replace(text.find("edge1"), 5, "edge2");
  write_file(lost(), text);
  expect_found(Kind::altered, "tells of another end of journal.lost-1 than it has");
}

TEST_F(LostLives, CannotBeSetBackToWhatTheyWere) {
  fs::remove(state_ + "/journal.lost-1/checkpoints");
  std::string text = read_file(lost());
  write_file(lost(), text.substr(0, text.find('\n') + 1));
  expect_found(Kind::missing, "tells of another end of journal.lost-1");
}

TEST_F(LostLives, AreNotBelievedWhereNobodyTellsOfThem) {
  std::string line = auth::journal_line(removal(), {1'795'363'391'000'000, 1}, 0, "boot");
  fs::create_directory(state_ + "/journal.lost-9");
  write_file(state_ + "/journal.lost-9/000000000000.jsonl", line);
  expect_found(Kind::altered, "no later life tells of it");
  fs::remove(cast());
  expect_found(Kind::missing, "the recording is missing, and no retention tells why");
}

// A journal that somebody made from nothing, with a key of their own, as if retention had removed its first
// thousand records.
class Forged : public Attacks {
 protected:
  void SetUp() override {
    Attacks::SetUp();
    keys_.clear();
    fs::remove_all(state_ + "/journal");
    fs::remove_all(state_ + "/recordings");
    fs::create_directory(state_ + "/journal");
    std::vector<std::string> subtrees(6, sum("anything").substr(0, 32));  // 1000 has six one bits
    std::string tree;
    for (const std::string& one : subtrees) tree += str(tree.empty() ? "" : " ", base::hex(one));
    auto signer = auth::NoteSigner::make();
    std::string origin = "board1/oobd/0a0b0c0d/1";
    auto leaves = auth::MerkleTree::resume(1000, std::move(subtrees));
    Entry entry("retention");
    entry.with("kind", "journal").with("to", 1000).with("tree", tree);
    entry.with("vkey", auth::NoteKey::of(origin, signer->public_key()).text());
    std::string line = auth::journal_line(entry, {1'795'363'391'000'000, 1}, 1000, "boot");
    write_file(state_ + "/journal/000000001000.jsonl", line);
    leaves->add(base::Bytes(line).substr(0, line.size() - 1));
    write_file(state_ + "/journal/checkpoints", signer->sign({origin, 1001, leaves->root()})->text());
  }
  void put(const std::string& id) {
    std::string path = str(state_, "/recordings/", recording_path(id));
    fs::create_directories(fs::path(path).parent_path());
    write_file(path, "{\"version\":2,\"width\":80,\"height\":24}\n[1.000000, \"o\", \"text\"]\n");
  }
};

TEST_F(Forged, JournalIsNotOlderThanAllThatIsRemembered) {
  expect_found(Kind::missing, "is all older than the records that are left");
  EXPECT_EQ(judge().anchors_matched, 0u);
}

TEST_F(Forged, AnchorsThatAreNoneAreNotTakenForSome) {
  VerifyReport report = judge(false, "nothing to remember\n");
  EXPECT_FALSE(report.whole());
  EXPECT_THAT(report.text(), HasSubstr("has no checkpoint in it"));
}

TEST_F(Forged, ExcusesOnlyRecordingsFromBeforeItsOldestRecord) {
  VerifyOptions options;
  options.state = state_;
  put("20261121-160311-3");
  EXPECT_TRUE(verify(options)->whole()) << verify(options)->text();
  put("20261123-160311-3");
  EXPECT_FALSE(verify(options)->whole());
}

TEST_F(Attacks, TheRunningDaemonWantsItsCheckpoints) {
  append(Entry("note"), 5000);
  EXPECT_TRUE(judge(true).whole()) << judge(true).text();
  VerifyReport report = judge(true, "9000 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  EXPECT_FALSE(report.whole());
  fs::remove(state_ + "/journal/checkpoints");
  report = judge(true);
  EXPECT_FALSE(report.whole());
  EXPECT_THAT(report.text(), HasSubstr("has no checkpoints"));
}

TEST_F(Attacks, ARecordingThatIsMarkedAsLiveHasToBeInTheJournal) {
  std::string id = "20261122-160311-99";
  write_file(str(state_, "/recordings/open/", id), "");
  expect_whole();  // of a crash before anything else was there
  std::string text = read_file(cast());
  std::string path = str(state_, "/recordings/", recording_path(id));
  fs::create_directories(fs::path(path).parent_path());
  write_file(path, text.substr(0, text.find('\n') + 1));
  expect_whole();
  write_file(path, text);
  expect_found(Kind::unsealed, "is marked as live, and the journal does not tell of it");
  fs::remove(str(state_, "/recordings/open/", id));
  expect_found(Kind::altered, "no recording of the journal's is this file");
}

TEST_F(Attacks, ARecordingIsNotBegunByItsMarks) {
  std::string id = "20261122-160311-99", path = str(state_, "/recordings/", recording_path(id));
  std::string text = read_file(cast());
  fs::create_directories(fs::path(path).parent_path());
  write_file(path, text);
  auto size = static_cast<std::int64_t>(text.size());
  {
    Daemon daemon(state_);
    daemon.commit(Entry("recording.mark")
                      .with("recording", id)
                      .with("from", 0)
                      .with("to", size)
                      .with("sha256", sum(text)));
    daemon.commit(Entry("recording.close").with("recording", id).with("size", size));
  }
  expect_found(Kind::altered, "no recording.open of the journal tells of it");
}

TEST_F(Attacks, WhatACrashLeavesIsWhole) {
  test::TempDir copy;
  {
    Daemon daemon(state_);
    auto recorder = daemon.begin();
    recorder->device("boot\r\n");
    std::string path = str(state_, "/recordings/", recording_path(recorder->id()));
    ASSERT_TRUE(
        test::run_until(daemon.loop, [&] { return read_file(path).find("boot") != std::string::npos; }));
    fs::copy(state_, copy.path(), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }
  expect_whole();
  state_ = copy.path();
  expect_whole();
  EXPECT_EQ(judge().live, 1u);
}

TEST_F(Attacks, NothingIsAddedToARecordingThatHasEnded) {
  std::string text = read_file(cast()), more = "[99.000000, \"o\", \"forged\"]\n";
  overwrite(cast(), text + more);
  auto from = static_cast<std::int64_t>(text.size()),
       to = static_cast<std::int64_t>(text.size() + more.size());
  append(Entry("recording.mark")
             .with("recording", id_)
             .with("from", from)
             .with("to", to)
             .with("sha256", sum(more)));
  append(Entry("recording.close").with("recording", id_).with("size", to));
  expect_found(Kind::unsealed, "have no mark in the journal");
}

class Transcripts : public Attacks {
 protected:
  static constexpr std::size_t kMost = (4 << 20) + (256 << 10);

  void put(const std::string& device, const std::string& bytes) {
    fs::create_directories(state_ + "/transcripts/" + device);
    write_file(str(state_, "/transcripts/", device, "/00000000000000000000.log"), bytes);
  }
  void mark(const std::string& device, const std::string& bytes) {
    Daemon daemon(state_);
    daemon.commit(Entry("transcript.open").with("device", device));
    daemon.commit(Entry("transcript.mark")
                      .with("device", device)
                      .with("from", 0)
                      .with("to", static_cast<std::int64_t>(bytes.size()))
                      .with("sha256", sum(bytes)));
  }
};

TEST_F(Transcripts, HaveNoMoreWithoutAMarkThanACrashLeaves) {
  put("edge1", "boot\r\n");
  mark("edge1", "boot\r\n");
  put("edge1", "boot\r\nmore\r\n");
  expect_whole();
  put("edge1", "boot\r\n" + std::string(kMost + 1, 'x'));
  expect_found(Kind::unsealed, "have no mark in the journal; a crash leaves at most");
}

TEST_F(Transcripts, AreOfConsolesThatTheJournalKnows) {
  mark("edge1", "");
  put("edge1", "boot\r\n");
  expect_whole();
  put("edge9", "boot\r\n");
  expect_found(Kind::unsealed, "the journal has no mark of any of its 6 bytes");
}

TEST_F(Transcripts, AreNotRemovedByARetentionThatNobodySigned) {
  put("edge1", "boot\r\n");
  mark("edge1", "boot\r\n");
  Entry entry("retention");
  entry.with("kind", "transcript").with("device", "edge1").with("from", 0).with("to", 6);
  append(entry.with("sha256", sum("boot\r\n")));
  expect_whole();
  fs::remove_all(state_ + "/transcripts/edge1");
  expect_found(Kind::unsealed, "are missing, and the retention that tells why has no checkpoint");
}

}  // namespace
}  // namespace oob::audit

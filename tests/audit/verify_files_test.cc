// What the journal binds: recordings, transcripts, lives before, the keys that follow each other.
#include <gmock/gmock.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "tests/audit/verify_trail.h"

namespace oob::audit {
namespace {

using auth::Entry;
using base::str;
using testing::HasSubstr;
namespace fs = std::filesystem;

class VerifyFiles : public Verify {
 protected:
  static std::string sum(std::string_view bytes) { return base::hex(base::sha256(bytes)); }
  static Entry of(const char* ev, const std::string& id) {
    return std::move(Entry(ev).with("recording", id));
  }

  std::string path(const std::string& id) const {
    return folder_ / ("recordings/2026/11/22/" + id + ".cast");
  }
  void mark(const std::string& id, std::size_t from, std::size_t to, const std::string& content) {
    note(of("recording.mark", id)
             .with("from", static_cast<std::int64_t>(from))
             .with("to", static_cast<std::int64_t>(to))
             .with("sha256", sum(std::string_view(content).substr(from, to - from))));
  }
  void put(const std::string& id, const std::string& content) {
    fs::create_directories(folder_ / "recordings/2026/11/22");
    test::write_file(path(id), content);
  }
  // Two marks: of the header, and of the rest.
  void record() {
    put(kId, kCast);
    note(of("recording.open", kId));
    mark(kId, 0, kHead, kCast);
    mark(kId, kHead, kCast.size(), kCast);
    note(of("recording.close", kId).with("size", static_cast<std::int64_t>(kCast.size())));
    seal();
  }
  void redact(const std::string& before, const std::string& after) {
    note(of("redaction", kId)
             .with("from", static_cast<std::int64_t>(kHead))
             .with("to", static_cast<std::int64_t>(kCast.size()))
             .with("before", sum(std::string_view(before).substr(kHead)))
             .with("after", sum(std::string_view(after).substr(kHead)))
             .with("why", "a password"));
    seal();
  }
  void segment(std::int64_t at, const std::string& bytes) {
    fs::create_directories(folder_ / "transcripts/r1");
    test::write_file(log(at), bytes);
    note(Entry("transcript.mark")
             .with("device", "r1")
             .with("from", at)
             .with("to", at + static_cast<std::int64_t>(bytes.size()))
             .with("sha256", sum(bytes)));
  }
  std::string log(std::int64_t at) const {
    std::string digits = std::to_string(at);
    std::string name = str("transcripts/r1/", std::string(20 - digits.size(), '0'), digits, ".log");
    return folder_ / name;
  }

  const std::string kId = "20261122-160311-7";
  const std::string kCast =
      "{\"version\":2,\"width\":80,\"height\":24}\n[0.5, \"o\", \"login: hunter2\"]\n[0.7, \"o\", \"ok\"]\n";
  const std::size_t kHead = kCast.find('\n') + 1;
};

TEST_F(VerifyFiles, FindEachByteOfARecordingThatIsFlippedAndEachCut) {
  record();
  ASSERT_TRUE(judge().whole()) << judge().text();
  EXPECT_EQ(judge().recording_bytes, kCast.size());
  for (std::size_t at = 0; at < kCast.size(); ++at) {
    std::string changed = kCast;
    changed[at] = static_cast<char>(changed[at] ^ 1 << at % 8);
    test::write_file(path(kId), changed);
    ASSERT_FALSE(judge().whole()) << "byte " << at;
    test::write_file(path(kId), kCast.substr(0, at));
    ASSERT_FALSE(judge().whole()) << "cut to " << at;
  }
  test::write_file(path(kId), kCast + "[0.9, \"o\", \"more\"]\n");
  expect(Kind::altered, "bytes, and had");
}

TEST_F(VerifyFiles, FindARecordingThatIsDeletedAddedOrRenamed) {
  record();
  std::string other = "20261122-160311-8";
  fs::rename(path(kId), path(other));
  VerifyReport report = judge();
  EXPECT_EQ(report.faults, 2u) << report.text();
  EXPECT_THAT(report.text(), HasSubstr("MISSING: " + kId + ": the recording is missing"));
  EXPECT_THAT(report.text(), HasSubstr(other + ".cast: no recording of the journal's is this file"));
  fs::rename(path(other), path(kId));
  ASSERT_TRUE(judge().whole());
  put(other, kCast);
  EXPECT_EQ(judge().faults, 1u);
  fs::remove(path(other));
  fs::copy_file(path(kId), folder_ / ("recordings/" + kId + ".cast"));
  EXPECT_EQ(judge().faults, 1u) << "in another folder";
}

TEST_F(VerifyFiles, TellWhatIsRedactedFromWhatIsAltered) {
  record();
  std::string once = kCast, twice;
  once.replace(once.find("hunter2"), 7, "*******");
  redact(kCast, once);
  EXPECT_TRUE(judge().whole()) << "told, and not done yet";
  test::write_file(path(kId), once);
  VerifyReport report = judge();
  EXPECT_TRUE(report.whole()) << report.text();
  EXPECT_EQ(report.redacted, 1u);
  EXPECT_THAT(report.text(), HasSubstr("redacted: " + kId));
  twice = once;
  twice.replace(twice.find("login"), 5, "*****");
  test::write_file(path(kId), twice);
  EXPECT_FALSE(judge().whole()) << "no redaction hides this";
  redact(once, twice);
  EXPECT_TRUE(judge().whole()) << judge().text();
}

TEST_F(VerifyFiles, TakeARedactionThatACrashKeptFromBeingDoneForThat) {
  record();
  std::string first = kCast, second = kCast;
  first.replace(first.find("hunter2"), 7, "*******");
  second.replace(second.find("ok"), 2, "**");
  redact(kCast, first);
  redact(kCast, second);
  test::write_file(path(kId), second);
  EXPECT_TRUE(judge().whole()) << judge().text();
}

TEST_F(VerifyFiles, KnowWhatRetentionRemoved) {
  record();
  fs::remove(path(kId));
  EXPECT_FALSE(judge().whole());
  note(of("retention", kId).with("kind", "recording").with("sha256", sum(kCast)).with("why", "age"));
  seal();
  VerifyReport report = judge();
  EXPECT_TRUE(report.whole()) << report.text();
  EXPECT_EQ(report.retired, 1u);
  // A crash, or a hold, kept it after all: then it is held to its marks as any.
  put(kId, kCast);
  EXPECT_TRUE(judge().whole()) << judge().text();
  EXPECT_EQ(judge().recordings, 1u);
  put(kId, kCast.substr(0, kCast.size() - 1) + " ");
  EXPECT_FALSE(judge().whole());
}

TEST_F(VerifyFiles, TakeWhatACrashBringsTwice) {
  put(kId, kCast);
  for (int i = 0; i < 2; ++i) note(of("recording.open", kId));
  for (int i = 0; i < 2; ++i) mark(kId, 0, kCast.size(), kCast);
  for (int i = 0; i < 2; ++i)
    note(of("recording.close", kId).with("size", static_cast<std::int64_t>(kCast.size())));
  seal();
  VerifyReport report = judge();
  EXPECT_TRUE(report.whole()) << report.text();
  EXPECT_EQ(report.recordings, 1u);
  EXPECT_EQ(report.recording_bytes, kCast.size());
}

TEST_F(VerifyFiles, FindWhatIsClosedWithBytesThatNoMarkHas) {
  put(kId, kCast);
  note(of("recording.open", kId));
  mark(kId, 0, kHead, kCast);
  seal();
  EXPECT_TRUE(judge().whole()) << "it has not ended: " << judge().text();
  EXPECT_EQ(judge().live, 1u);
  note(of("recording.close", kId).with("size", static_cast<std::int64_t>(kCast.size())));
  seal();
  expect(Kind::unsealed, "have no mark in the journal");
}

TEST_F(VerifyFiles, HoldTranscriptsToTheirMarksSaveWhatRetentionRemoved) {
  segment(0, "boot\r\n");
  segment(6, "panic\r\n");
  seal();
  ASSERT_TRUE(judge().whole()) << judge().text();
  EXPECT_EQ(judge().transcript_bytes, 13u);
  for (std::size_t at = 0; at < 7; ++at) {
    std::string changed = "panic\r\n";
    changed[at] = static_cast<char>(changed[at] ^ 4);
    test::write_file(log(6), changed);
    EXPECT_FALSE(judge().whole()) << at;
    test::write_file(log(6), std::string("panic\r\n").substr(0, at));
    EXPECT_FALSE(judge().whole()) << "cut to " << at;
  }
  test::write_file(log(6), "panic\r\n");
  fs::remove(log(0));
  expect(Kind::altered, "transcript of r1: bytes 0 to 6 are not those that were recorded");
  note(Entry("retention")
           .with("kind", "transcript")
           .with("device", "r1")
           .with("from", 0)
           .with("to", 6)
           .with("sha256", sum("boot\r\n"))
           .with("why", "size"));
  seal();
  EXPECT_TRUE(judge().whole()) << judge().text();
  fs::remove(log(6));
  EXPECT_FALSE(judge().whole()) << "of this one no retention tells";
}

TEST_F(VerifyFiles, FollowAKeyOnlyWhereTheOneBeforeSignedAllUpToIt) {
  auth::NoteSigner late = *auth::NoteSigner::make();
  note(Entry("key.rotate").with("next", auth::NoteKey::of(origin_, late.public_key()).text()));
  std::string at_turn = signer_.sign({origin_, tree_.size(), tree_.root()})->text();
  std::string forged = late.sign({origin_, tree_.size(), tree_.root()})->text();
  std::swap(signer_, late);
  note(Entry("note"));
  std::string after = signer_.sign({origin_, tree_.size(), tree_.root()})->text();
  std::string by_old = late.sign({origin_, tree_.size(), tree_.root()})->text();
  test::write_file(checkpoints_, at_turn + after);
  EXPECT_TRUE(judge().whole()) << judge().text();
  EXPECT_TRUE(judge("", {key_}).trusted) << "the first key is trusted, and it signed for the second";
  test::write_file(checkpoints_, at_turn);
  EXPECT_TRUE(judge().whole()) << "a crash came before the second";
  test::write_file(checkpoints_, after);
  expect(Kind::missing, "the checkpoint of exactly the records up to this one is missing");
  test::write_file(checkpoints_, forged + after);
  expect(Kind::altered, "does not have the signature of the key that was in force");
  test::write_file(checkpoints_, at_turn + by_old);
  expect(Kind::altered, "does not have the signature of the key that was in force");
}

// The journal so far becomes a lost one, and another life begins in its place.
class VerifyLives : public VerifyFiles {
 protected:
  void lose(const std::string& previous, std::int64_t size, const std::string& root) {
    fs::rename(folder_ / "journal", folder_ / "journal.lost-1");
    fs::create_directories(folder_ / "journal");
    signer_ = *auth::NoteSigner::make();
    tree_ = auth::MerkleTree();
    origin_ = "board1/oobd/0a0b0c0d/2";
    note(Entry("journal.begin")
             .with("format", 1)
             .with("origin", origin_)
             .with("vkey", auth::NoteKey::of(origin_, signer_.public_key()).text())
             .with("why", "there was no key")
             .with("previous", previous)
             .with("lost_size", size)
             .with("lost_root", root)
             .with("kept", "journal.lost-1"));
    note(Entry("start"));
    seal();
  }
  const std::string kFirst = origin_;
};

TEST_F(VerifyLives, AreOneTrailWithWhatWasLost) {
  fill();
  std::string root = base::base64(tree_.root()), brief = judge().newest->brief();
  lose(kFirst, static_cast<std::int64_t>(tree_.size()), root);
  VerifyReport report = judge(brief);
  EXPECT_TRUE(report.whole()) << report.text();
  EXPECT_EQ(report.lives, 2u);
  EXPECT_EQ(report.anchors_matched, 1u);
  EXPECT_THAT(report.text(), HasSubstr("a new life began here: there was no key"));
  std::string lost = folder_ / "journal.lost-1";
  std::string records = test::read_file(lost + "/000000000000.jsonl");
  std::string seals = test::read_file(lost + "/checkpoints");
  for (std::size_t at = 0; at < records.size(); at += 7) {
    std::string changed = records;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    test::write_file(lost + "/000000000000.jsonl", changed);
    ASSERT_FALSE(judge().whole()) << at;
  }
  test::write_file(lost + "/000000000000.jsonl", records);
  // Its end taken off, records and checkpoints together: the later life tells of more.
  std::size_t half = seals.size() / 2;
  test::write_file(lost + "/checkpoints", seals.substr(0, half));
  expect(Kind::altered, "tells of another end of journal.lost-1");
  fs::remove(lost + "/checkpoints");
  test::write_file(lost + "/000000000000.jsonl", records.substr(records.find('\n') + 1));
  EXPECT_FALSE(judge().whole()) << "as if it were older than the seal";
  fs::remove_all(lost);
  expect(Kind::missing, "journal.lost-1, the life before this, is missing");
}

TEST_F(VerifyLives, DoNotTellOfAnotherEndThanThereIs) {
  fill();
  lose(kFirst, static_cast<std::int64_t>(tree_.size()), base::base64(base::sha256("another")));
  expect(Kind::altered, "tells of another end of journal.lost-1 than it has");
}

TEST_F(VerifyLives, AreToldOfByALaterOne) {
  fill();
  fs::copy(folder_ / "journal", folder_ / "journal.lost-1");
  expect(Kind::altered, "journal.lost-1: no later life tells of it");
}

}  // namespace
}  // namespace oob::audit

#include "audit/redact.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/json.hpp>
#include <filesystem>

#include "audit/library.h"
#include "audit/recorder.h"
#include "auth/public_key.h"
#include "base/sha256.h"
#include "tests/support/support.h"

namespace oob::audit {
namespace {

using base::Fault;
using base::Result;
using base::str;
using test::read_file;
using test::run_until;
using test::TempDir;
using test::write_file;

const std::string kId = "20261122-160311-17";

// A closed recording with a secret in every form, and marks that cover it.
struct Sample {
  Sample() {
    CastHeader header;
    header.id = kId;
    header.user = "alice";
    header.device = "edge1";
    header.command = "attach";
    header.started = 1'795'363'391'000'000;
    text = header.line();
    CastEncoder encoder;
    encoder.device(text, 1'000'000, "login: ");
    encoder.device(text, 2'000'000, "hunt\"er\\2\x1b[m\xc3\xbc\r\n\t\x01");
    encoder.device(text, 2'500'000, "secret\xff\xfe");
    encoder.typed(text, 3'000'000, "hunter2\r");
    encoder.event(text, 3'000'000, R"({"ev":"break"})");
    encoder.own(text, 4'000'000, "[oobd: bye]\r\n");
    std::size_t third = text.size() / 3;
    for (std::size_t from : {std::size_t{0}, third, 2 * third}) {
      std::size_t to = from == 2 * third ? text.size() : from + third;
      known.marks.push_back({from, to, base::hex(base::sha256(text.substr(from, to - from)))});
    }
    path = folder / recording_path(kId);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    write_file(path, text, 0400);
  }
  Result<RedactionPlan> plan(base::Micros from, base::Micros to) const {
    return plan_redaction(folder.path(), kId, from, to, known);
  }
  TempDir folder;
  std::string text, path;
  RecordingMarks known;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  base::split(text, '\n', [&](std::string_view line) { lines.emplace_back(line); });
  return lines;
}

TEST(Redaction, HidesWhatWasShownAndTypedAtThatTimeAndMovesNothing) {
  Sample sample;
  Result<RedactionPlan> plan = sample.plan(2'000'000, 3'000'000);
  ASSERT_TRUE(plan) << plan.error().what;
  EXPECT_EQ(plan->events, 3u);
  Result<> applied = apply(*plan);
  ASSERT_TRUE(applied) << applied.error().what;
  std::string now = read_file(sample.path);
  ASSERT_EQ(now.size(), sample.text.size());
  std::vector<std::string> before = lines_of(sample.text), after = lines_of(now);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i + 1 < after.size(); ++i) {
    EXPECT_EQ(after[i].size(), before[i].size());
    EXPECT_EQ(after[i].substr(0, 17), before[i].substr(0, 17));
    boost::system::error_code error;
    boost::json::value value = boost::json::parse(after[i], error);
    EXPECT_FALSE(error) << after[i];
    std::string bytes;
    if (after[i].find("\"b\"") != std::string::npos) {
      ASSERT_TRUE(auth::decode_base64(std::string(value.at(2).as_string()), bytes));
      EXPECT_EQ(bytes, "********");
    }
  }
  EXPECT_EQ(now.find("hunt"), std::string::npos);
  EXPECT_EQ(now.find("secret"), std::string::npos);
  EXPECT_EQ(now.find("c2VjcmV0"), std::string::npos);
  EXPECT_EQ(after[2], "[2.000000, \"o\", \"" + std::string(21, '*') + "\\r\\n" + std::string(8, '*') + "\"]");
  EXPECT_NE(now.find("*******\\r\"]"), std::string::npos);
  EXPECT_NE(now.find("login: "), std::string::npos);
  EXPECT_NE(now.find("[oobd: bye]"), std::string::npos);
  EXPECT_NE(now.find("{\\\"ev\\\":\\\"break\\\"}"), std::string::npos);
  struct stat about {};
  ASSERT_EQ(::stat(sample.path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0400u);
}

TEST(Redaction, HidesTheWordsOfMessagesAndNotes) {
  for (const char* words : {"hunter2", "", "\"text\":\"hunter2\"", "hunter2\\", "\\\"hunter2",
                            "\r\n\x01hunter2\x7f", "hunter2\xc3\xbc\\n", "\\\\\"\\\""}) {
    Sample sample;
    std::string object = str(R"({"ev":"note","a":"kept","text":)", json_text(words), R"(,"z":"kept"})"), line;
    CastEncoder().event(line, 5'000'000, object);
    std::filesystem::remove(sample.path);
    write_file(sample.path, sample.text + line, 0400);
    sample.known.marks.push_back(
        {sample.text.size(), sample.text.size() + line.size(), base::hex(base::sha256(line))});
    Result<RedactionPlan> plan = sample.plan(5'000'000, 5'000'000);
    ASSERT_TRUE(plan) << plan.error().what;
    EXPECT_EQ(plan->events, 1u);
    ASSERT_TRUE(apply(*plan));
    std::string now = read_file(sample.path).substr(sample.text.size());
    ASSERT_EQ(now.size(), line.size());
    Result<CastEvent> event = CastEvent::parse(now.substr(0, now.size() - 1));
    ASSERT_TRUE(event) << now;
    boost::json::value value = boost::json::parse(event->text);
    EXPECT_EQ(value.at("a").as_string(), "kept");
    EXPECT_EQ(value.at("z").as_string(), "kept");
    EXPECT_EQ(std::string(value.at("text").as_string()).find_first_not_of('*'), std::string::npos) << now;
  }
}

TEST(Redaction, TellsTheHashesOfEachMarkedRangeBeforeAndAfter) {
  Sample sample;
  Result<RedactionPlan> plan = sample.plan(0, 9'000'000);
  ASSERT_TRUE(plan);
  ASSERT_TRUE(apply(*plan));
  std::string now = read_file(sample.path);
  ASSERT_GE(plan->ranges.size(), 2u);
  for (const RedactionPlan::Range& range : plan->ranges) {
    EXPECT_EQ(range.before, base::hex(base::sha256(sample.text.substr(range.from, range.to - range.from))));
    EXPECT_EQ(range.after, base::hex(base::sha256(now.substr(range.from, range.to - range.from))));
    EXPECT_NE(range.before, range.after);
  }
}

TEST(Redaction, MayBeDoneTwiceAndByAnotherTime) {
  Sample sample;
  Result<RedactionPlan> plan = sample.plan(2'000'000, 2'000'000);
  ASSERT_TRUE(plan);
  ASSERT_TRUE(apply(*plan));
  sample.known.redactions = plan->ranges;
  std::string now = read_file(sample.path);
  Result<RedactionPlan> again = sample.plan(2'000'000, 2'000'000);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_TRUE(again->ranges.empty());
  ASSERT_TRUE(apply(*again));
  EXPECT_EQ(read_file(sample.path), now);
  Result<RedactionPlan> more = sample.plan(1'000'000, 3'000'000);
  ASSERT_TRUE(more) << more.error().what;
  ASSERT_FALSE(more->ranges.empty());
  ASSERT_TRUE(apply(*more));
  EXPECT_EQ(read_file(sample.path).find("login"), std::string::npos);
}

TEST(Redaction, GoesOnAfterACrashAtAnyPiece) {
  for (std::size_t done = 0; done < 4; ++done) {
    Sample sample;
    Result<RedactionPlan> plan = sample.plan(2'000'000, 3'000'000);
    ASSERT_TRUE(plan);
    ASSERT_EQ(plan->pieces.size(), 4u);
    RedactionPlan part = *plan;
    part.pieces.resize(done);
    ASSERT_TRUE(apply(part));
    sample.known.redactions = plan->ranges;
    Result<RedactionPlan> again = sample.plan(2'000'000, 3'000'000);
    ASSERT_TRUE(again) << done << again.error().what;
    EXPECT_TRUE(again->ranges.empty());
    ASSERT_TRUE(apply(*again));
    EXPECT_EQ(read_file(sample.path).find("hunt"), std::string::npos);
    for (const RedactionPlan::Range& range : plan->ranges)
      EXPECT_EQ(base::hex(base::sha256(read_file(sample.path).substr(range.from, range.to - range.from))),
                range.after);
  }
}

TEST(Redaction, DoesNotMakeGoodWhatWasAltered) {
  Sample sample;
  std::string altered = sample.text;
  altered[altered.find("login")] = 'L';
  std::filesystem::remove(sample.path);
  write_file(sample.path, altered, 0400);
  Result<RedactionPlan> plan = sample.plan(0, 9'000'000);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().fault, Fault::failed);
  EXPECT_NE(plan.error().what.find("are not what was recorded"), std::string::npos);
}

TEST(Redaction, LeavesAloneWhatIsLiveMissingOrAtAnotherTime) {
  Sample sample;
  EXPECT_EQ(sample.plan(5'000'000, 6'000'000).error().fault, Fault::missing);
  EXPECT_EQ(plan_redaction(sample.folder.path(), "20261122-160311-18", 0, 1, {}).error().fault,
            Fault::missing);
  std::filesystem::create_directories(sample.folder / "open");
  write_file(sample.folder / ("open/" + kId), "");
  EXPECT_EQ(sample.plan(0, 9'000'000).error().fault, Fault::busy);
}

TEST(Redaction, TellsOfWhatNoMarkCoversByItself) {
  Sample sample;
  sample.known.marks.clear();
  Result<RedactionPlan> plan = sample.plan(3'000'000, 3'000'000);
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->ranges.size(), 1u);
  EXPECT_EQ(plan->ranges[0].before, base::hex(base::sha256("hunter2\\r")));
  EXPECT_EQ(plan->ranges[0].after, base::hex(base::sha256("*******\\r")));
}

TEST(Redaction, IsInTheJournalBeforeItIsDone) {
  TempDir folder;
  base::Loop loop;
  base::Disk disk(loop);
  base::Blocking blocking(loop);
  std::unique_ptr<auth::Journal> journal = *auth::Journal::open(loop, disk, folder.path());
  Recordings recordings(loop, disk, *journal, folder / "recordings");
  CastHeader header;
  header.user = "alice";
  std::unique_ptr<Recorder> recorder = recordings.begin(header, [](const Result<>&) {});
  recorder->device("hunter2");
  ASSERT_TRUE(run_until(loop, [&] { return !recorder->id().empty(); }));
  std::string id = recorder->id(), path = str(folder.path(), "/recordings/", recording_path(id));
  recorder.reset();
  ASSERT_TRUE(run_until(loop, [&] { return !std::filesystem::exists(folder / ("recordings/open/" + id)); }));
  std::optional<Result<std::size_t>> answer;
  redact(blocking, *journal, folder.path(), id, 0, 60'000'000,
         auth::Entry("redaction").with("user", "bob").with("why", "a password"),
         [&](Result<std::size_t> result) { answer = result; });
  ASSERT_TRUE(run_until(loop, [&] { return answer.has_value(); }));
  ASSERT_TRUE(*answer) << answer->error().what;
  EXPECT_EQ(**answer, 1u);
  EXPECT_EQ(read_file(path).find("hunter2"), std::string::npos);
  Result<RecordingMarks> known = marks_of(folder / "journal", id);
  ASSERT_TRUE(known) << known.error().what;
  ASSERT_EQ(known->redactions.size(), 1u);
  EXPECT_EQ(known->redactions[0].after, base::hex(base::sha256(read_file(path))));
  ASSERT_FALSE(known->marks.empty());
  EXPECT_EQ(known->redactions[0].before, known->marks.back().sha256);
}

// A state folder with a journal and one closed recording.
struct Board {
  Board() {
    CastHeader header;
    header.user = "alice";
    std::unique_ptr<Recorder> recorder = recordings.begin(header, [](const Result<>&) {});
    recorder->device("hunter2 ");
    // Meanwhile another microsecond comes, so that each can be hidden by its time.
    run_until(loop, [&] { return !recorder->id().empty(); });
    recorder->typed("swordfish");
    id = recorder->id();
    path = str(folder.path(), "/recordings/", recording_path(id));
    recorder.reset();
    run_until(loop, [&] { return !std::filesystem::exists(folder / ("recordings/open/" + id)); });
  }
  void redact(base::Micros from, base::Micros to, std::function<void(Result<std::size_t>)> done) {
    audit::redact(blocking, *journal, folder.path(), id, from, to, auth::Entry("redaction"), std::move(done));
  }
  TempDir folder;
  base::Loop loop;
  base::Disk disk{loop};
  base::Blocking blocking{loop};
  std::unique_ptr<auth::Journal> journal = *auth::Journal::open(loop, disk, folder.path());
  Recordings recordings{loop, disk, *journal, folder / "recordings"};
  std::string id, path;
};

TEST(Redaction, ComesOneAfterAnotherForEachRecording) {
  Board board;
  Result<std::unique_ptr<CastReader>> reader = CastReader::open(board.path);
  ASSERT_TRUE(reader);
  CastReader::Item shown, typed;
  ASSERT_TRUE(*(*reader)->next(shown));
  ASSERT_TRUE(*(*reader)->next(typed));
  ASSERT_LT(shown.event.time, typed.event.time);
  int answers = 0;
  auto answer = [&](const Result<std::size_t>& result) {
    EXPECT_TRUE(result) << result.error().what;
    ++answers;
  };
  board.redact(shown.event.time, shown.event.time, answer);
  board.redact(typed.event.time, typed.event.time, answer);
  ASSERT_TRUE(run_until(board.loop, [&] { return answers == 2; }));
  Result<RecordingMarks> known = marks_of(board.folder / "journal", board.id);
  ASSERT_TRUE(known);
  ASSERT_EQ(known->redactions.size(), 2u);
  EXPECT_EQ(known->redactions[0].before, known->marks.back().sha256);
  EXPECT_EQ(known->redactions[1].before, known->redactions[0].after);
  EXPECT_EQ(known->redactions[1].after, base::hex(base::sha256(read_file(board.path))));
}

TEST(Redaction, IsFinishedAtTheStartAfterACrash) {
  Board board;
  std::string before = read_file(board.path);
  bool answered = false;
  board.redact(0, 60'000'000, [&](const Result<std::size_t>& result) { answered = result.has_value(); });
  ASSERT_TRUE(run_until(board.loop, [&] { return answered; }));
  std::string after = read_file(board.path), half = before, journal = board.folder / "journal";
  std::size_t secret = before.find("hunter2");
  half.replace(secret, 7, "*******");
  auto finish = [&](const std::string& file) {
    std::filesystem::remove(board.path);
    write_file(board.path, file, 0400);
    return finish_redactions(board.folder / "recordings", journal, board.journal->written());
  };
  for (const std::string& file : {before, half}) {
    EXPECT_EQ(finish(file), std::vector<std::string>{board.id});
    EXPECT_EQ(read_file(board.path), after);
  }
  EXPECT_TRUE(finish(after).empty());
  // What is neither is no crash's, and is left for verify.
  std::string altered = half;
  altered[altered.find("alice")] = 'A';
  EXPECT_TRUE(finish(altered).empty());
  EXPECT_EQ(read_file(board.path), altered);
  EXPECT_TRUE(finish_redactions(board.folder / "recordings", board.folder / "nowhere", 9).empty());
}

}  // namespace
}  // namespace oob::audit

#include "audit/recorder.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <boost/json.hpp>
#include <filesystem>
#include <random>

#include "audit/cast_file.h"
#include "audit/library.h"
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

constexpr std::size_t operator""_KiB(unsigned long long n) { return n << 10; }

// The whole records of a journal, in order.
std::vector<boost::json::object> records(const std::string& state) {
  std::vector<boost::json::object> all;
  std::vector<std::string> files;
  for (const auto& each : std::filesystem::directory_iterator(state + "/journal"))
    if (each.path().extension() == ".jsonl") files.push_back(each.path());
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) {
    std::string text = read_file(file);
    for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
      all.push_back(boost::json::parse(text.substr(at, end - at)).as_object());
  }
  return all;
}

std::vector<boost::json::object> records(const std::string& state, std::string_view ev) {
  std::vector<boost::json::object> all = records(state);
  std::erase_if(all, [&](const boost::json::object& one) { return one.at("ev").as_string() != ev; });
  return all;
}

// That the marks which the journal has of a recording fit its file; answers how much from its beginning on
// they cover without a hole.
std::uint64_t covered(const std::string& state, const std::string& id) {
  std::string file = read_file(str(state, "/recordings/", recording_path(id)));
  std::uint64_t whole = 0;
  for (const boost::json::object& mark : records(state, "recording.mark")) {
    if (mark.at("recording").as_string() != id) continue;
    auto from = static_cast<std::uint64_t>(mark.at("from").as_int64());
    auto to = static_cast<std::uint64_t>(mark.at("to").as_int64());
    EXPECT_LT(from, to);
    EXPECT_LE(to, file.size());
    EXPECT_EQ(mark.at("sha256").as_string(), base::hex(base::sha256(file.substr(from, to - from))));
    if (from <= whole) whole = std::max(whole, to);
  }
  return whole;
}

unsigned mode_of(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 ? about.st_mode & 07777 : 0;
}

// What a recording holds: the device's bytes, oobd's words, and the events' texts.
struct Played {
  CastHeader header;
  std::string device, own, events;
};

Played play(const std::string& path) {
  Played played;
  Result<std::unique_ptr<CastReader>> reader = CastReader::open(path);
  EXPECT_TRUE(reader) << reader.error().what;
  if (!reader) return played;
  played.header = (*reader)->header();
  CastReader::Item item;
  Result<bool> there = (*reader)->next(item);
  for (; there && *there; there = (*reader)->next(item)) {
    if (item.event.code == 'o') (item.own ? played.own : played.device) += item.raw;
    if (item.event.code != 'o') played.events += str(std::string(1, item.event.code), item.event.text, "\n");
  }
  EXPECT_TRUE(there) << there.error().what;
  return played;
}

CastHeader header(std::uint64_t session = 17) {
  CastHeader header;
  header.user = "alice";
  header.device = "edge1";
  header.command = "attach";
  header.session = session;
  return header;
}

// The daemon's part: a journal and the recordings below one state folder.
struct Daemon {
  explicit Daemon(const std::string& folder) : state(folder) {
    Result<std::unique_ptr<auth::Journal>> opened = auth::Journal::open(loop, disk, state);
    EXPECT_TRUE(opened) << opened.error().what;
    journal = std::move(*opened);
    recordings.emplace(loop, disk, *journal, state + "/recordings");
  }
  ~Daemon() { stop(); }
  void stop() {
    recordings.reset();
    journal.reset();
    disk.drain();
  }
  // Begins one and waits until it is open.
  std::unique_ptr<Recorder> begin(CastHeader of = header()) {
    std::optional<Result<>> answer;
    std::unique_ptr<Recorder> one = recordings->begin(std::move(of), [&](Result<> r) { answer = r; });
    EXPECT_FALSE(answer);
    EXPECT_TRUE(run_until(loop, [&] { return answer.has_value(); }));
    EXPECT_TRUE(*answer) << answer->error().what;
    return one;
  }
  std::string path(const std::string& id) const { return str(state, "/recordings/", recording_path(id)); }
  bool closed(const std::string& id) const {
    return !std::filesystem::exists(str(state, "/recordings/open/", id));
  }

  std::string state;
  base::Loop loop;
  base::Disk disk{loop};
  std::unique_ptr<auth::Journal> journal;
  std::optional<Recordings> recordings;
};

TEST(Recorder, WritesWhatHappenedAndBindsItToTheJournal) {
  TempDir folder;
  Daemon daemon(folder.path());
  std::unique_ptr<Recorder> recorder = daemon.begin();
  std::string id = recorder->id();
  ASSERT_TRUE(is_recording_id(id)) << id;
  EXPECT_EQ(mode_of(daemon.path(id)), 0600u);
  EXPECT_EQ(mode_of(folder / "recordings"), 0700u);
  EXPECT_EQ(mode_of(std::filesystem::path(daemon.path(id)).parent_path()), 0700u);
  EXPECT_FALSE(daemon.closed(id));
  EXPECT_EQ(daemon.recordings->live(), 1u);
  // It was on the disk before anything else was.
  std::vector<boost::json::object> open = records(folder.path(), "recording.open");
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].at("recording").as_string(), id);
  EXPECT_EQ(open[0].at("device").as_string(), "edge1");
  EXPECT_EQ(open[0].at("path").as_string(), recording_path(id));

  recorder->event(auth::Entry("attach").with("others", "bob \"x\" \xff").with("n", std::int64_t{-3}));
  recorder->own("[oobd: edge1: you may type]\r\n");
  recorder->device("log");
  recorder->device("in:\xff ");
  recorder->typed("al***\r");
  recorder->resized(132, 43);
  recorder->closing(77);
  recorder.reset();
  ASSERT_TRUE(run_until(daemon.loop, [&] { return daemon.closed(id); }));
  EXPECT_EQ(daemon.recordings->live(), 0u);
  EXPECT_EQ(mode_of(daemon.path(id)), 0400u);
  Played played = play(daemon.path(id));
  EXPECT_EQ(played.header.user, "alice");
  EXPECT_EQ(played.header.id, id);
  EXPECT_EQ(played.device, "login:\xff ");
  EXPECT_EQ(played.own, "[oobd: edge1: you may type]\r\n");
  EXPECT_EQ(played.events,
            "e{\"ev\":\"attach\",\"n\":-3,\"others\":\"bob \\\"x\\\" \xef\xbf\xbd\"}\nial***\r\nr132x43\n"
            "e{\"ev\":\"close\",\"status\":77}\n");
  daemon.stop();
  std::string file = read_file(daemon.path(id));
  EXPECT_EQ(covered(folder.path(), id), file.size());
  std::vector<boost::json::object> close = records(folder.path(), "recording.close");
  ASSERT_EQ(close.size(), 1u);
  EXPECT_EQ(close[0].at("size").as_int64(), static_cast<std::int64_t>(file.size()));
}

TEST(Recorder, TakesWhatComesBeforeItIsOpen) {
  TempDir folder;
  Daemon daemon(folder.path());
  bool opened = false;
  std::unique_ptr<Recorder> recorder = daemon.recordings->begin(header(), [&](Result<>) { opened = true; });
  EXPECT_EQ(recorder->id(), "");
  recorder->device("early");
  ASSERT_TRUE(run_until(daemon.loop, [&] { return opened; }));
  std::string id = recorder->id();
  ASSERT_TRUE(run_until(daemon.loop, [&] { return play(daemon.path(id)).device == "early"; }));
}

TEST(Recorder, EndsWellWhenItsVisitWasOverAtOnce) {
  TempDir folder;
  Daemon daemon(folder.path());
  daemon.recordings->begin(header(), [](Result<>) { ADD_FAILURE() << "nobody is there to be told"; });
  ASSERT_TRUE(run_until(daemon.loop, [&] {
    auto list = list_recordings(folder / "recordings", 0);
    return list && list->size() == 1 && !list->front().live;
  }));
}

TEST(Recorder, MarksAsTheFileGrows) {
  TempDir folder;
  Daemon daemon(folder.path());
  std::unique_ptr<Recorder> recorder = daemon.begin();
  std::string id = recorder->id(), sent;
  std::uint64_t first = 0;
  std::mt19937 random(1);
  for (int i = 0; i < 60; ++i) {
    // A disk that is late would take all of it for one batch, with one mark.
    if (i == 30) {
      ASSERT_TRUE(run_until(daemon.loop, [&] { return (first = covered(folder.path(), id)) > 0; }));
    }
    std::string piece(random() % 8000, '\0');
    for (char& c : piece) c = static_cast<char>(random());
    recorder->device(piece);
    sent += piece;
    std::size_t turns = 0;
    run_until(daemon.loop, [&] { return ++turns > 2; });
  }
  ASSERT_TRUE(run_until(
      daemon.loop, [&] { return covered(folder.path(), id) > std::max<std::uint64_t>(first, 200_KiB); }));
  recorder.reset();
  ASSERT_TRUE(run_until(daemon.loop, [&] { return daemon.closed(id); }));
  daemon.stop();
  EXPECT_EQ(play(daemon.path(id)).device, sent);
  EXPECT_EQ(covered(folder.path(), id), std::filesystem::file_size(daemon.path(id)));
  EXPECT_GT(records(folder.path(), "recording.mark").size(), 2u);
}

TEST(Recorder, TakesAFreeNameWhereOneIsTaken) {
  TempDir folder;
  CastHeader one = header();
  one.started = 1'795'363'391'123'456;
  std::string names;
  for (int i = 0; i < 3; ++i) {
    Result<std::shared_ptr<CastFile>> file = CastFile::create(folder.path(), one);
    ASSERT_TRUE(file);
    names += one.id + " ";
    if (i != 1) continue;
    ASSERT_TRUE((*file)->finish());  // the name of a closed one is taken as well
  }
  EXPECT_EQ(names, "20261122-160311-17 20261122-160311-17b 20261122-160311-17c ");
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(CastFile::create(folder.path(), one));
  EXPECT_EQ(list_recordings(folder.path(), 0)->size(), 33u);
}

TEST(Recorder, ClosesAllAtTheDaemonsEnd) {
  TempDir folder;
  std::string sent(300'000, 'x'), first, second;
  {
    Daemon daemon(folder.path());
    std::unique_ptr<Recorder> one = daemon.begin(header(1)), two = daemon.begin(header(2));
    first = one->id();
    second = two->id();
    one->device(sent);
    two->device("short");
    two.reset();
    one.reset();
    daemon.stop();  // the loop does not run any more
  }
  for (const std::string& id : {first, second}) {
    Result<Recording> found = find_recording(folder / "recordings", id);
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->live);
    EXPECT_EQ(covered(folder.path(), id), found->bytes);
  }
  EXPECT_EQ(play(str(folder.path(), "/recordings/", recording_path(first))).device, sent);
  EXPECT_EQ(records(folder.path(), "recording.close").size(), 2u);
}

TEST(Recorder, LeavesAGapWhereThereIsTooMuch) {
  TempDir folder;
  Daemon daemon(folder.path());
  std::unique_ptr<Recorder> recorder = daemon.begin();
  std::string id = recorder->id(), megabyte(1024_KiB, 'x');
  for (int i = 0; i < 6; ++i) recorder->device(megabyte);
  EXPECT_GT(daemon.recordings->lost(), 1024_KiB);
  EXPECT_LE(daemon.recordings->lost(), 3 * 1024_KiB);
  std::uint64_t lost = daemon.recordings->lost();
  ASSERT_TRUE(run_until(daemon.loop, [&] { return std::filesystem::file_size(daemon.path(id)) > 1024_KiB; }));
  recorder->device("after");
  recorder.reset();
  ASSERT_TRUE(run_until(daemon.loop, [&] { return daemon.closed(id); }));
  daemon.stop();
  Played played = play(daemon.path(id));
  EXPECT_EQ(played.device.size(), 6 * 1024_KiB + 5 - lost);
  EXPECT_NE(played.events.find(str("e{\"ev\":\"gap\",\"bytes\":", lost, "}\n")), std::string::npos);
  std::vector<boost::json::object> gaps = records(folder.path(), "recording.gap");
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].at("bytes").as_int64(), static_cast<std::int64_t>(lost));
}

TEST(Recorder, RecordsEventsAloneWhilePaused) {
  TempDir folder;
  Daemon daemon(folder.path());
  std::unique_ptr<Recorder> recorder = daemon.begin();
  std::string id = recorder->id();
  recorder->device("before ");
  daemon.recordings->pause(true);
  recorder->device("hidden");
  recorder->event(auth::Entry("break"));
  daemon.recordings->pause(false);
  recorder->device("after");
  recorder.reset();
  ASSERT_TRUE(run_until(daemon.loop, [&] { return daemon.closed(id); }));
  Played played = play(daemon.path(id));
  EXPECT_EQ(played.device, "before after");
  EXPECT_EQ(played.events,
            "e{\"ev\":\"gap\",\"bytes\":6}\ne{\"ev\":\"break\"}\ne{\"ev\":\"close\",\"status\":0}\n");
}

// A disk with no room: the process may write no file beyond a size.
class SmallDisk {
 public:
  explicit SmallDisk(std::size_t most) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = most;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(Recorder, GoesOnWhenAFullDiskHasRoomAgainAndLosesNothing) {
  TempDir folder;
  Daemon daemon(folder.path());
  std::unique_ptr<Recorder> recorder = daemon.begin();
  std::string id = recorder->id(), sent(200'000, 'y');
  {
    SmallDisk small(100_KiB);
    recorder->device(sent);
    ASSERT_TRUE(run_until(daemon.loop, [&] { return !daemon.recordings->trouble().empty(); }));
    EXPECT_NE(daemon.recordings->trouble().find(id + ".cast: "), std::string::npos);
    EXPECT_EQ(play(daemon.path(id)).device, "");  // no half of it
    recorder->device("more");
  }
  ASSERT_TRUE(run_until(daemon.loop, [&] { return daemon.recordings->trouble().empty(); }));
  recorder.reset();
  ASSERT_TRUE(run_until(daemon.loop, [&] { return daemon.closed(id); }));
  EXPECT_EQ(play(daemon.path(id)).device, sent + "more");
  EXPECT_EQ(daemon.recordings->lost(), 0u);
}

TEST(Recorder, TellsThatItCantBegin) {
  TempDir folder;
  Daemon daemon(folder.path());
  test::write_file(folder / "recordings", "no folder");
  std::optional<Result<>> answer;
  std::unique_ptr<Recorder> recorder = daemon.recordings->begin(header(), [&](Result<> r) { answer = r; });
  recorder->device("hello");
  ASSERT_TRUE(run_until(daemon.loop, [&] { return answer.has_value(); }));
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().fault, Fault::journal);
  recorder->device("again");
  EXPECT_EQ(daemon.recordings->lost(), 10u);
  EXPECT_FALSE(daemon.recordings->trouble().empty());
}

TEST(Recorder, BeginsLaterWhereItsFileCantBeMadeYet) {
  TempDir folder;
  Daemon daemon(folder.path());
  test::write_file(folder / "recordings", "no folder");
  bool answered = false;
  std::unique_ptr<Recorder> recorder = daemon.recordings->begin(header(), [&](Result<>) { answered = true; });
  recorder->device("hello");
  ASSERT_TRUE(run_until(daemon.loop, [&] { return answered; }));
  // The journal tells of the visit although it has no recording.
  ASSERT_TRUE(run_until(daemon.loop, [&] { return !records(folder.path(), "recording.gap").empty(); }));
  boost::json::object gap = records(folder.path(), "recording.gap")[0];
  EXPECT_EQ(gap.at("device").as_string(), "edge1");
  EXPECT_EQ(gap.at("session").as_int64(), 17);
  EXPECT_EQ(gap.at("bytes").as_int64(), 5);
  EXPECT_FALSE(gap.contains("recording"));
  recorder->device("again");
  std::filesystem::remove(folder / "recordings");
  ASSERT_TRUE(run_until(daemon.loop, [&] { return !recorder->id().empty(); }));
  std::string id = recorder->id();
  recorder->device("now");
  recorder.reset();
  ASSERT_TRUE(run_until(daemon.loop, [&] { return daemon.closed(id); }));
  daemon.stop();
  Played played = play(daemon.path(id));
  EXPECT_EQ(played.device, "now");
  EXPECT_EQ(played.events, "e{\"ev\":\"gap\",\"bytes\":10}\ne{\"ev\":\"close\",\"status\":0}\n");
  EXPECT_EQ(records(folder.path(), "recording.open").size(), 1u);
  EXPECT_EQ(covered(folder.path(), id), std::filesystem::file_size(daemon.path(id)));
}

TEST(Recorder, LeavesNothingOfAVisitWhoseFileWasNeverMade) {
  TempDir folder;
  Daemon daemon(folder.path());
  test::write_file(folder / "recordings", "no folder");
  bool answered = false;
  std::unique_ptr<Recorder> recorder = daemon.recordings->begin(header(), [&](Result<>) { answered = true; });
  ASSERT_TRUE(run_until(daemon.loop, [&] { return answered; }));
  recorder->device("hello");
  EXPECT_EQ(daemon.recordings->live(), 1u);
  recorder.reset();
  EXPECT_EQ(daemon.recordings->live(), 0u);
  daemon.stop();
  std::vector<boost::json::object> gaps = records(folder.path(), "recording.gap");
  ASSERT_EQ(gaps.size(), 2u);
  EXPECT_EQ(gaps[0].at("bytes").as_int64(), 0);
  EXPECT_EQ(gaps[1].at("bytes").as_int64(), 5);
}

TEST(Recorder, HasSoManyFilesMadeAtOnceAndNoMore) {
  TempDir folder;
  Daemon daemon(folder.path());
  std::vector<std::unique_ptr<Recorder>> many;
  std::size_t answered = 0, refused = 0;
  for (std::size_t i = 0; i < Recordings::kMostCreating; ++i)
    many.push_back(daemon.recordings->begin(header(i), [&](const Result<>& r) {
      ++answered;
      refused += !r;
    }));
  std::optional<Result<>> answer;
  many.push_back(daemon.recordings->begin(header(9999), [&](Result<> r) { answer = r; }));
  EXPECT_FALSE(answer);
  ASSERT_TRUE(run_until(daemon.loop, [&] { return answer.has_value(); }));
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().fault, Fault::journal);
  EXPECT_EQ(refused, 0u) << "who came before would have been refused before";
  // A busy disk may take longer for so many than each of them waits for its answer, but it makes them all.
  ASSERT_TRUE(run_until(daemon.loop, [&] {
    return answered == Recordings::kMostCreating &&
           std::none_of(many.begin(), many.end(), [](const auto& one) { return one->id().empty(); });
  }));
}

// The journal of an earlier run, which opened a recording.
void open_in_journal(const std::string& state, const std::string& id, int records_behind = 0) {
  base::Loop loop;
  base::Disk disk(loop);
  std::unique_ptr<auth::Journal> journal = *auth::Journal::open(loop, disk, state);
  bool done = false;
  journal->commit(auth::Entry("recording.open").with("recording", id), [&](const Result<>&) { done = true; });
  ASSERT_TRUE(run_until(loop, [&] { return done; }));
  for (int i = 0; i < records_behind; ++i) journal->note(auth::Entry("detach"));
}

TEST(Recordings, MoveAsideWhatTheJournalDoesNotKnow) {
  TempDir folder;
  CastHeader known = header(1), forged = header(2);
  known.started = forged.started = 1'795'363'391'123'456;
  std::string recordings = folder / "recordings";
  Result<std::shared_ptr<CastFile>> one = CastFile::create(recordings, known),
                                    two = CastFile::create(recordings, forged);
  ASSERT_TRUE(one && two);
  test::write_file(recordings + "/open/20261122-160311-3", "");  // and no file at all
  test::write_file(recordings + "/open/notes", "not an id");
  open_in_journal(folder.path(), known.id, 5);
  std::string text = read_file(str(recordings, "/", recording_path(forged.id)));
  Daemon daemon(folder.path());
  ASSERT_TRUE(run_until(daemon.loop, [&] {
    return daemon.closed(known.id) && daemon.closed(forged.id) && daemon.closed("20261122-160311-3");
  }));
  std::vector<boost::json::object> told = records(folder.path(), "recording.strange");
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].at("recording").as_string(), forged.id);
  EXPECT_EQ(told[0].at("path").as_string(), str("strange/", forged.id));
  EXPECT_EQ(read_file(str(recordings, "/strange/", forged.id)), text);
  EXPECT_EQ(records(folder.path(), "recording.recovered").size(), 1u);
  EXPECT_EQ(covered(folder.path(), known.id), std::filesystem::file_size(daemon.path(known.id)));
  for (const boost::json::object& mark : records(folder.path(), "recording.mark"))
    EXPECT_NE(mark.at("recording").as_string(), forged.id);
  EXPECT_EQ(list_recordings(recordings, 0)->size(), 1u);
  // The name is free again, and what is aside is kept.
  ASSERT_TRUE(CastFile::create(recordings, forged));
  EXPECT_EQ(*set_aside(recordings, forged.id), str("strange/", forged.id, ".2"));
  EXPECT_EQ(*set_aside(recordings, "20261122-160311-4"), "");
}

TEST(Recordings, EndWhatACrashLeftOpenAtEveryByte) {
  std::string text = header().line();
  std::size_t head = text.size();
  CastEncoder encoder;
  encoder.device(text, 1'000, "login: ");
  encoder.device(text, 2'000, "x\xff");
  std::string id = "20261122-160311-17";
  for (std::size_t size = 0; size <= text.size(); size += size < head - 2 ? head / 3 : 1) {
    TempDir folder;
    std::string recordings = folder / "recordings", path = str(recordings, "/", recording_path(id));
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::filesystem::create_directories(recordings + "/open");
    test::write_file(path, text.substr(0, size));
    test::write_file(recordings + "/open/" + id, "");
    open_in_journal(folder.path(), id);
    {
      Daemon daemon(folder.path());
      ASSERT_TRUE(run_until(daemon.loop, [&] { return daemon.closed(id); }));
    }
    std::uint64_t whole = text.substr(0, size).rfind('\n') + 1;
    ASSERT_EQ(read_file(path), text.substr(0, whole)) << size;
    EXPECT_EQ(std::filesystem::exists(path), whole > 0);
    std::vector<boost::json::object> told = records(folder.path(), "recording.recovered");
    ASSERT_EQ(told.size(), whole > 0 ? 1u : 0u);
    if (whole == 0) continue;
    EXPECT_EQ(mode_of(path), 0400u);
    EXPECT_EQ(told[0].at("size").as_int64(), static_cast<std::int64_t>(whole));
    EXPECT_EQ(told[0].at("cut").as_int64(), static_cast<std::int64_t>(size - whole));
    EXPECT_EQ(covered(folder.path(), id), whole);
  }
}

TEST(Recordings, AreWholeAfterTheProcessWasKilledAtAnyTime) {
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < 8; ++round) {
    TempDir folder;
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Daemon daemon(folder.path());
      for (std::uint64_t session = 1;; ++session) {
        std::unique_ptr<Recorder> one = daemon.begin(header(session));
        for (int i = 0; i < 50; ++i) {
          one->device(str(session, " ", i, "\r\n", std::string(3000, static_cast<char>(i * 5))));
          std::size_t turns = 0;
          run_until(daemon.loop, [&] { return ++turns > 2; });
        }
      }
    }
    std::size_t least = random() % 400'000;
    auto written = [&] {
      std::size_t bytes = 0;
      std::error_code error;
      for (std::filesystem::recursive_directory_iterator each(folder / "recordings", error), end;
           !error && each != end; each.increment(error))
        if (each->is_regular_file(error)) bytes += each->file_size(error);
      return bytes;
    };
    base::Loop waiting;
    bool enough = run_until(waiting, [&] { return written() >= least; });
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ASSERT_TRUE(enough);
    Daemon daemon(folder.path());
    ASSERT_TRUE(run_until(daemon.loop, [&] {
      std::error_code error;
      return std::filesystem::directory_iterator(folder / "recordings/open", error) ==
             std::filesystem::directory_iterator();
    }));
    daemon.stop();
    std::size_t damaged = 0;
    std::vector<Recording> list = *list_recordings(folder / "recordings", 0, &damaged);
    EXPECT_EQ(damaged, 0u);
    for (const Recording& one : list) {
      play(daemon.path(one.header.id));
      EXPECT_EQ(covered(folder.path(), one.header.id), one.bytes) << one.header.id;
    }
    // Whoever was let in by then has a recording.
    for (const boost::json::object& open : records(folder.path(), "recording.open"))
      EXPECT_TRUE(std::filesystem::exists(daemon.path(std::string(open.at("recording").as_string()))));
  }
}

}  // namespace
}  // namespace oob::audit

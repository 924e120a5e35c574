#include "console/sftp_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "console/sftp_tree.h"
#include "tests/console/one_revision.h"
#include "tests/console/recordings.h"
#include "tests/console/sftp_client.h"

namespace oob::console {

using test::Board;
using test::OneRevision;
using test::read_file;
using test::Recorded;
using test::sftp;
using test::sftp_init;
using test::sftp_of;
using test::sftp_open;
using test::sftp_read;
using test::SftpAnswer;
using test::Visit;
using test::write_file;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace {

constexpr std::uint32_t kOk = 0, kEof = 1, kNoSuchFile = 2, kDenied = 3, kFailure = 4, kBadMessage = 5,
                        kUnsupported = 8;
constexpr const char* kSegment = "00000000000000000000.log";

// alice audits, watches and may snapshot r*; each device has a file of each kind.
class Files : public Board {
 public:
  Files() {
    using auth::Action;
    allow({Action::watch, Action::audit, Action::snapshot});
    core.history = &history;
    for (const char* name : {"r1", "r2", "x1"}) {
      history.add(name, "config.xml", base::str("<config of ", name, ">"));
      std::string folder = base::str(core.transcripts, "/", name);
      std::filesystem::create_directories(folder);
      write_file(base::str(folder, "/", kSegment), base::str("said by ", name));
    }
    history.add("r1", "etc/rc.conf", "hostname=r1");
    Recorded("20261122-160311-7", "alice", "r1").device(1, "hello").closed(2).write(dir.path());
    Recorded("20261123-160311-8", "bob", "x1").device(1, "secret").closed(2).write(dir.path());
  }
  OneRevision history{loop};
};

// A visit by SFTP that has begun.
class SftpVisit {
 public:
  SftpVisit(Board& board, const std::string& user, Session::Terms terms = {})
      : board_(board), visit(board, user, "sftp", false, std::move(terms), true) {
    EXPECT_EQ(ask(sftp_init()).kind, SftpKind::version);
  }
  SftpAnswer ask(const std::string& request) {
    visit.type(request);
    return next();
  }
  SftpAnswer next() {
    test::run_until(board_.loop, [&] {
      visit.hear();
      for (SftpAnswer& each : test::sftp_answers(visit.out)) waiting_.push_back(std::move(each));
      return !waiting_.empty() || visit.closed;
    });
    if (waiting_.empty()) return {};
    SftpAnswer first = waiting_.front();
    waiting_.erase(waiting_.begin());
    return first;
  }
  std::vector<std::string> list(const std::string& path) {
    SftpAnswer handle = ask(sftp_of(SftpKind::opendir, 1, path));
    if (handle.kind != SftpKind::handle) return {handle.text};
    std::vector<std::string> names;
    while (true) {
      SftpAnswer more = ask(sftp_of(SftpKind::readdir, 2, handle.text));
      if (more.kind != SftpKind::name) break;
      names.insert(names.end(), more.names.begin(), more.names.end());
    }
    EXPECT_EQ(ask(sftp_of(SftpKind::close, 3, handle.text)).status, kOk);
    return names;
  }
  // The bytes of a file, or the words of a refusal.
  std::string get(const std::string& path) {
    SftpAnswer handle = ask(sftp_open(1, path));
    if (handle.kind != SftpKind::handle) return handle.text;
    std::string bytes;
    while (true) {
      SftpAnswer more = ask(sftp_read(2, handle.text, bytes.size(), 7));
      if (more.kind != SftpKind::data) break;
      bytes += more.text;
    }
    EXPECT_EQ(ask(sftp_of(SftpKind::close, 3, handle.text)).status, kOk);
    return bytes;
  }

 private:
  Board& board_;
  std::vector<SftpAnswer> waiting_;

 public:
  Visit visit;
};

}  // namespace

TEST(Sftp, ShowsWhatOneMaySee) {
  Files board;
  SftpVisit alice(board, "alice"), bob(board, "bob"), root(board, "root");
  EXPECT_THAT(alice.list("/"), ElementsAre("recordings", "snapshots", "transcripts"));
  EXPECT_THAT(bob.list("/"), ElementsAre("transcripts"));
  EXPECT_THAT(alice.list("/snapshots"), ElementsAre("r1", "r2"));
  EXPECT_THAT(root.list("/snapshots"), ElementsAre("r1", "r2", "x1"));
  EXPECT_THAT(alice.list("/snapshots/r1"), ElementsAre("config.xml", "etc", "meta.json"));
  EXPECT_THAT(alice.list("/snapshots/r1/etc"), ElementsAre("rc.conf"));
  EXPECT_THAT(bob.list("/transcripts"), ElementsAre("r1"));
  EXPECT_THAT(alice.list("/transcripts/r1"), Contains(kSegment));
  EXPECT_THAT(alice.list("/recordings"), ElementsAre("2026"));
  EXPECT_THAT(alice.list("/recordings/2026/11"), ElementsAre("22"));
  EXPECT_THAT(root.list("/recordings/2026/11"), ElementsAre("22", "23"));
  EXPECT_THAT(alice.list("/recordings/2026/11/22"), ElementsAre("20261122-160311-7.cast"));
}

TEST(Sftp, GivesBytesExactly) {
  Files board;
  std::string all(256, '\0');
  for (int i = 0; i < 256; ++i) all[static_cast<std::size_t>(i)] = static_cast<char>(i);
  write_file(board.core.transcripts + "/r1/" + kSegment, all + all);
  SftpVisit alice(board, "alice");
  EXPECT_EQ(alice.get(base::str("/transcripts/r1/", kSegment)), all + all);
  EXPECT_EQ(alice.get("snapshots/r1/../r1/etc/rc.conf"), "hostname=r1");
  EXPECT_EQ(alice.get("/recordings/2026/11/22/20261122-160311-7.cast"),
            read_file(board.dir / "recordings/2026/11/22/20261122-160311-7.cast"));
}

TEST(Sftp, GivesAConfigurationWithWhatProvesIt) {
  Files board;
  SftpVisit alice(board, "alice");
  SftpAnswer about = alice.ask(sftp_of(SftpKind::stat, 1, "/snapshots/r1/meta.json"));
  EXPECT_EQ(about.size, 14u);
  EXPECT_EQ(about.mode, 0100400u);
  EXPECT_EQ(alice.get("/snapshots/r1/meta.json"), "{\"format\": 1}\n");
  EXPECT_TRUE(board.journalled(R"("path":"/snapshots/r1/meta.json")"));
  EXPECT_EQ(alice.get("/snapshots/r1/etc/meta.json"), "no such file");
}

TEST(Sftp, SaysTheSameOfWhatIsHiddenAndWhatIsNotThere) {
  Files board;
  SftpVisit alice(board, "alice"), bob(board, "bob");
  for (std::string path :
       {"/snapshots/x1/config.xml", "/snapshots/none/config.xml", "/transcripts/x1/00000000000000000000.log",
        "/recordings/2026/11/23/20261123-160311-8.cast", "/recordings/2026/11/22/20261122-160311-9.cast",
        "/snapshots/r1/none", "/snapshots/r1/etc%2Frc.conf", "/snapshots/r1/et",
        "/snapshots/r1/etc/rc.conf/x", "/recordings/2026/11/23",
        "/recordings/2026/11/23/20261122-160311-7.cast", "/transcripts/r1/0.log", "/etc/passwd",
        "/../../etc/passwd", "/transcripts/r1/../../journal", "/journal",
        "/transcripts/%2E%2E/journal/000000000000.jsonl", "/snapshots/r1/config.xml/x"}) {
    EXPECT_EQ(alice.get(path), "no such file") << path;
    for (SftpKind kind : {SftpKind::stat, SftpKind::lstat, SftpKind::opendir}) {
      SftpAnswer answer = alice.ask(sftp_of(kind, 9, path));
      EXPECT_EQ(answer.status, kNoSuchFile) << path;
      EXPECT_EQ(answer.text, "no such file") << path;
    }
  }
  for (const char* path : {"/snapshots", "/recordings", "/recordings/2026", "/snapshots/r1"})
    EXPECT_THAT(bob.list(path), ElementsAre("no such file")) << path;
  EXPECT_TRUE(board.journalled(R"("ev":"denied")"));
}

TEST(Sftp, TellsSizesAndKinds) {
  Files board;
  SftpVisit alice(board, "alice");
  SftpAnswer file = alice.ask(sftp_of(SftpKind::stat, 1, "/snapshots/r1/config.xml"));
  EXPECT_EQ(file.size, 14u);
  EXPECT_EQ(file.mode, 0100400u);
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::lstat, 1, "/")).mode, 0040500u);
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::stat, 1, "/snapshots/r1/etc")).mode, 0040500u);
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::stat, 1, "/snapshots/r1/etc/rc.conf")).size, 11u);
  EXPECT_EQ(alice.get("/snapshots/r1/etc"), "it is a folder");
  EXPECT_EQ(alice.get("/recordings/2026"), "it is a folder");
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::stat, 1, "/recordings/2026")).mode, 0040500u);
  SftpAnswer handle = alice.ask(sftp_open(2, base::str("/transcripts/r2/", kSegment)));
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::fstat, 3, handle.text)).size, 10u);
}

TEST(Sftp, RefusesWhateverWrites) {
  Files board;
  SftpVisit alice(board, "alice");
  for (std::uint32_t flags : {2u, 3u, 5u, 9u, 11u, 26u, 0u})
    EXPECT_EQ(alice.ask(sftp_open(1, "/snapshots/r1/config.xml", flags)).status, kDenied) << flags;
  for (SftpKind kind : {SftpKind::write, SftpKind::setstat, SftpKind::fsetstat, SftpKind::remove,
                        SftpKind::mkdir, SftpKind::rmdir, SftpKind::rename, SftpKind::symlink}) {
    SftpAnswer answer = alice.ask(sftp_of(kind, 2, "/snapshots/r1/config.xml"));
    EXPECT_EQ(answer.status, kDenied);
    EXPECT_EQ(answer.text, "everything here is read only");
  }
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::extended, 3, "posix-rename@openssh.com")).status, kUnsupported);
  EXPECT_EQ(alice.ask(sftp(static_cast<SftpKind>(99), 4)).status, kUnsupported);
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::extended, 5, "limits@openssh.com")).kind, SftpKind::extended_reply);
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::readlink, 6, "/snapshots")).status, kNoSuchFile);
  EXPECT_EQ(alice.ask(sftp(SftpKind::read, 7)).status, kBadMessage);
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::realpath, 8, "transcripts/..")).text, "/");
}

TEST(Sftp, WritesDownWhatIsFetchedBeforeItIs) {
  Files board;
  SftpVisit alice(board, "alice");
  SftpAnswer handle = alice.ask(sftp_open(1, "/snapshots/r1/config.xml"));
  ASSERT_EQ(handle.kind, SftpKind::handle);
  EXPECT_THAT(board.journal_text(), HasSubstr(R"("device":"r1","ev":"file.read")"));
  EXPECT_THAT(board.journal_text(), HasSubstr(R"("path":"/snapshots/r1/config.xml")"));
}

TEST(Sftp, WritesDownWhatIsRefused) {
  for (const auto& [path, action] : {std::pair{"/recordings/2026/11/23/20261123-160311-8.cast", "audit"},
                                     {"/snapshots/x1/config.xml", "snapshot"},
                                     {"/transcripts/x1/00000000000000000000.log", "watch"}}) {
    Files board;
    SftpVisit alice(board, "alice");
    EXPECT_EQ(alice.get(path), "no such file");
    EXPECT_TRUE(board.journalled(base::str(R"("action":")", action, R"(",)")));
    EXPECT_THAT(board.journal_text(), HasSubstr(R"("device":"x1","ev":"denied")"));
    EXPECT_THAT(board.journal_text(), HasSubstr(base::str(R"("path":")", path)));
  }
}

TEST(Sftp, HoldsNoMoreInMemoryThanAllTogetherMay) {
  Files board;
  const std::uint64_t others = SftpTree::kMostHeldOfAll - 13;
  *board.history.lent = others;
  SftpVisit alice(board, "alice");
  SftpAnswer refused = alice.ask(sftp_open(1, "/snapshots/r1/config.xml"));  // 14 bytes
  EXPECT_EQ(refused.text, "too much is open: close something first");
  EXPECT_EQ(board.history.read, 0) << "its size is known before";
  *board.history.lent = others - 1;
  SftpAnswer open = alice.ask(sftp_open(1, "/snapshots/r1/config.xml"));
  ASSERT_EQ(open.kind, SftpKind::handle);
  EXPECT_EQ(*board.history.lent, others + 13);
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::close, 2, open.text)).status, kOk);
  EXPECT_EQ(*board.history.lent, others - 1);
  ASSERT_EQ(alice.ask(sftp_open(3, "/snapshots/r1/config.xml")).kind, SftpKind::handle);
  alice.visit.hang_up();
  EXPECT_TRUE(test::run_until(board.loop, [&] { return *board.history.lent == others - 1; }));
}

TEST(Sftp, AnswersInOrderWhatIsSentAheadInWhateverPieces) {
  Files board;
  std::string stream =
      sftp_of(SftpKind::stat, 10, "/snapshots/r1/config.xml") + sftp_of(SftpKind::realpath, 11, ".") +
      sftp_of(SftpKind::opendir, 12, "/recordings") + sftp_of(SftpKind::close, 13, "none") +
      sftp(SftpKind::write, 14, std::string(50000, 'x')) + sftp_of(SftpKind::stat, 15, "/transcripts/r1");
  for (std::size_t piece : {std::size_t{1000000}, std::size_t{9973}, std::size_t{7}}) {
    SftpVisit alice(board, "alice");
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      alice.visit.type(stream.substr(at, piece));
      alice.visit.hear();
    }
    for (std::uint32_t id = 10; id <= 15; ++id) EXPECT_EQ(alice.next().id, id) << piece;
    if (piece == 9973) alice.visit.hang_up();
  }
}

TEST(Sftp, OpensNoMoreFilesThanItSays) {
  Files board;
  SftpVisit alice(board, "alice");
  std::vector<std::string> handles;
  for (std::size_t i = 0; i < SftpServer::kMostHandles; ++i) {
    SftpAnswer answer =
        alice.ask(i % 2 ? sftp_of(SftpKind::opendir, 1, "/") : sftp_open(1, "/snapshots/r1/config.xml"));
    ASSERT_EQ(answer.kind, SftpKind::handle);
    handles.push_back(answer.text);
  }
  EXPECT_EQ(alice.ask(sftp_open(1, "/snapshots/r1/config.xml")).text, "too many open files");
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::opendir, 1, "/")).status, kFailure);
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::close, 2, handles[5])).status, kOk);
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::close, 2, handles[5])).text, "no such handle");
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::readdir, 2, handles[4])).status, kFailure);
  EXPECT_EQ(alice.ask(sftp_read(2, handles[7], 0, 1)).status, kFailure);
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::opendir, 1, "/")).kind, SftpKind::handle);
}

TEST(Sftp, StopsGivingWhenTheRightEnds) {
  Files board;
  SftpVisit alice(board, "alice");
  SftpAnswer open = alice.ask(sftp_open(1, base::str("/transcripts/r1/", kSegment)));
  ASSERT_EQ(alice.ask(sftp_read(2, open.text, 0, 4)).text, "said");
  board.allow({auth::Action::snapshot});
  SftpAnswer refused = alice.ask(sftp_read(3, open.text, 0, 4));
  EXPECT_EQ(refused.status, kDenied);
  EXPECT_THAT(refused.text, HasSubstr("you may no longer watch r1"));
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::fstat, 3, open.text)).status, kDenied);
  EXPECT_EQ(alice.ask(sftp_of(SftpKind::close, 4, open.text)).status, kOk);
  EXPECT_THAT(alice.list("/"), ElementsAre("snapshots"));
}

TEST(Sftp, GivesNothingMoreOfAFileThatWasRemoved) {
  Files board;
  std::string path = board.core.transcripts + "/r1/" + kSegment;
  SftpVisit alice(board, "alice");
  SftpAnswer open = alice.ask(sftp_open(1, base::str("/transcripts/r1/", kSegment)));
  write_file(path, read_file(path) + ", and more");
  EXPECT_EQ(alice.ask(sftp_read(2, open.text, 10, 100)).text, ", and more");
  EXPECT_EQ(alice.ask(sftp_read(2, open.text, 1000, 100)).status, kEof);
  EXPECT_EQ(alice.ask(sftp_read(2, open.text, UINT64_MAX, 100)).status, kEof);
  std::filesystem::remove(path);
  EXPECT_EQ(alice.ask(sftp_read(3, open.text, 0, 4)).text, "it has been removed");
}

TEST(Sftp, IsNoWayAroundSymlinks) {
  Files board;
  std::string path = board.core.transcripts + "/r1/00000000000000001000.log";
  std::filesystem::create_symlink("/etc/passwd", path);
  SftpVisit alice(board, "alice");
  EXPECT_THAT(alice.list("/transcripts/r1"), Not(Contains("00000000000000001000.log")));
  EXPECT_EQ(alice.get("/transcripts/r1/00000000000000001000.log"), "no such file");
}

TEST(Sftp, EndsWithWhatIsNoSftp) {
  Files board;
  for (const std::string& wrong :
       {std::string("\0\0\0\0", 4), std::string("\xff\xff\xff\xff"), sftp_of(SftpKind::stat, 1, "/"),
        sftp_init() + sftp_init(), std::string("\0\0\0\1\5", 5), std::string("GET / HTTP/1.1\r\n")}) {
    Visit visit(board, "alice", "sftp", false, {}, true);
    visit.type(wrong);
    EXPECT_EQ(visit.wait(), 64);
    EXPECT_THAT(visit.err, HasSubstr("oobd: sftp: "));
  }
}

TEST(Sftp, EndsWithItsInput) {
  Files board;
  SftpVisit alice(board, "alice");
  alice.visit.type(sftp_of(SftpKind::stat, 1, "/snapshots/r1/config.xml"));
  alice.visit.eof();
  EXPECT_EQ(alice.next().size, 14u);
  EXPECT_EQ(alice.visit.wait(), 0);
}

TEST(Sftp, IsNotForAKeyWithACommandOrForAConsole) {
  Files board;
  Session::Terms forced, console;
  forced.has_forced_command = true;
  forced.forced_command = "version";
  console.device = "r1";
  for (const Session::Terms& terms : {forced, console}) {
    Visit visit(board, "alice", "sftp", false, terms, true);
    EXPECT_EQ(visit.wait(), 77);
    EXPECT_THAT(visit.out, IsEmpty());
  }
  Visit other(board, "alice", "netconf", false, {}, true);
  EXPECT_EQ(other.wait(), 77);
  Visit command(board, "alice", "sftp");
  EXPECT_EQ(command.wait(), 64);
}

// Who asks and never takes an answer costs what one answer does.
TEST(Sftp, WaitsForAClientThatDoesNotRead) {
  Files board;
  write_file(board.core.transcripts + "/r1/" + kSegment, std::string(1 << 20, 'x'));
  SftpVisit slow(board, "alice"), quick(board, "alice");
  SftpAnswer open = slow.ask(sftp_open(1, base::str("/transcripts/r1/", kSegment)));
  for (std::uint32_t id = 0; id < 20000; ++id) slow.visit.type(sftp_read(id, open.text, 0, 32768));
  EXPECT_EQ(quick.get(base::str("/transcripts/r2/", kSegment)), "said by r2");
  auto all_is_taken = [&] {
    slow.visit.push();
    return slow.visit.unsent() == 0;
  };
  EXPECT_FALSE(test::run_until(board.loop, all_is_taken, base::milliseconds(300)));
  EXPECT_GT(slow.visit.unsent(), 100000u);
  for (std::uint32_t id = 0; id < 300; ++id) {
    SftpAnswer answer = slow.next();
    ASSERT_EQ(answer.id, id);
    ASSERT_EQ(answer.text.size(), 32768u);
  }
}

}  // namespace oob::console

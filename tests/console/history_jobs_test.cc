#include "console/history_jobs.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tests/console/shelf.h"

namespace oob::console {

using auth::Action;
using test::count;
using test::run_until;
using test::Shelf;
using test::Visit;

namespace {

// r1 was pulled twice: config.xml with a password, and something that is no text.
struct Library : Shelf {
  Library() {
    puller->has["r1"]["config.xml"] = "<password>hunter2</password>\n";
    pull();
    puller->has["r1"]["config.xml"] = config;
    puller->has["r1"]["etc/blob"] = blob;
    pull();
  }
  void pull() {
    Visit visit(*this, "alice", "snapshot r1");
    EXPECT_EQ(visit.wait(), 0) << visit.err;
  }
  // From the second revision to the third.
  void hidden_differs() {
    history.hidden = "etc/blob";
    puller->has["r1"]["etc/blob"] = "another";
    pull();
  }
  const std::string config = "<password>hunter2</password>\n<b/>\n";
  const std::string blob = std::string("\x00\xff\r\n\x1b[3J", 8);
};

}  // namespace

TEST(Snapshots, AreListedNewestFirst) {
  Library library;
  Visit visit(library, "alice", "snapshots r1"), one(library, "alice", "snapshots r1 --lines 1"),
      json(library, "alice", "snapshots r1 --json");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_TRUE(visit.out.starts_with(
      "REVISION  WHEN                  USER   HOW                  CHANGED\n22222222  20"))
      << visit.out;
  EXPECT_NE(visit.out.find("Z  alice  device, posix-block  config.xml +2 -1, etc/blob new\n11111111  "),
            std::string::npos)
      << visit.out;
  EXPECT_EQ(one.wait(), 0);
  EXPECT_EQ(count(one.out, "\n"), 2u);
  EXPECT_EQ(json.wait(), 0);
  boost::json::object newest = boost::json::parse(json.out.substr(0, json.out.find('\n'))).as_object();
  EXPECT_EQ(newest.at("revision"), std::string(40, '2').c_str());
  EXPECT_EQ(newest.at("device"), "r1");
  EXPECT_EQ(newest.at("quarantined"), false);
  EXPECT_EQ(newest.at("changes").at(0).at("lines_added"), 2);
  EXPECT_EQ(count(json.out, "\n"), 2u);
}

TEST(Snapshots, OfAGlobAreThoseOneMaySee) {
  Library library;
  Visit visit(library, "root", "snapshots '*'"), none(library, "root", "snapshots x1"),
      denied(library, "bob", "snapshots r1"), empty(library, "root", "snapshots 'x*'"),
      wrong(library, "root", "snapshots r1 --lines 0");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_TRUE(visit.out.starts_with("DEVICE  REVISION")) << visit.out;
  EXPECT_EQ(count(visit.out, "\nr1 "), 2u);
  EXPECT_EQ(none.wait(), 66);
  EXPECT_EQ(none.err, "oobd: x1 has no snapshot yet: 'snapshot x1' pulls one\n");
  EXPECT_EQ(denied.wait(), 77);
  EXPECT_EQ(empty.wait(), 66);
  EXPECT_EQ(wrong.wait(), 64);
}

TEST(Snapshots, MarkThoseInQuarantine) {
  Library library;
  library.puller->has["r1"] = {{"config.xml", "x"}};
  Visit shrunk(library, "alice", "snapshot r1");
  EXPECT_EQ(shrunk.wait(), 1);
  Visit visit(library, "alice", "snapshots r1");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_NE(visit.out.find("QUARANTINED: config.xml"), std::string::npos) << visit.out;
}

TEST(Show, GivesAPipeEveryByte) {
  Library library;
  Visit text(library, "alice", "show r1 config.xml"), blob(library, "alice", "show r1 etc/blob"),
      old(library, "alice", "show r1 --at 1111"), back(library, "alice", "show r1 config.xml --at @1");
  EXPECT_EQ(text.wait(), 0);
  EXPECT_EQ(text.out, library.config);
  EXPECT_EQ(text.err, "");
  EXPECT_EQ(blob.wait(), 0);
  EXPECT_EQ(blob.out, library.blob);
  EXPECT_EQ(old.wait(), 0);
  EXPECT_EQ(old.out, "<password>hunter2</password>\n");
  EXPECT_EQ(back.wait(), 0);
  EXPECT_EQ(back.out, old.out);
  EXPECT_TRUE(library.journalled(
      "\"bytes\":0,\"device\":\"r1\",\"ev\":\"file.read\",\"file\":\"etc/blob\",\"key\":\"SHA256:alice\""));
}

TEST(Show, MasksSecretsOnATerminalUnlessTheTruthIsAskedFor) {
  Library library;
  Visit visit(library, "alice", "show r1 config.xml", true),
      truth(library, "alice", "show r1 config.xml --bytes", true),
      blob(library, "alice", "show r1 etc/blob", true);
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.out, "<password>****</password>\r\n<b/>\r\n");
  EXPECT_EQ(visit.err, "oobd: secrets are masked; --bytes shows them\r\n");
  EXPECT_EQ(truth.wait(), 0);
  EXPECT_EQ(truth.out, "<password>hunter2</password>\r\n<b/>\r\n");
  EXPECT_TRUE(library.journalled("\"bytes\":1,\"device\":\"r1\",\"ev\":\"file.read\""));
  EXPECT_EQ(blob.wait(), 0);
  EXPECT_EQ(blob.out.find("\x1b[3J"), std::string::npos);
}

TEST(Show, MasksAnOldRevisionAsItWasPulled) {
  Library library;
  Visit visit(library, "alice", "show r1 config.xml --at 1111", true);
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_EQ(visit.out, "<password>****</password>\r\n");
  EXPECT_EQ(library.history.masked_at, std::vector<std::string>{"1111"});
}

TEST(Show, WithoutAFileListsThem) {
  Library library;
  Visit visit(library, "alice", "show r1");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_TRUE(visit.out.starts_with("FILE        SIZE  SHA-256\nconfig.xml  34    ")) << visit.out;
  EXPECT_TRUE(visit.out.ends_with("\nmeta.json   -     -\n")) << visit.out;
  EXPECT_EQ(count(visit.out, "\n"), 4u);
  EXPECT_EQ(library.whole_journal().find("file.read"), std::string::npos);
}

TEST(Show, GivesWhatIsKnownOfTheFilesAsWell) {
  Library library;
  Visit visit(library, "alice", "show r1 meta.json");
  EXPECT_EQ(visit.wait(), 0) << visit.err;
  EXPECT_EQ(visit.out, "{\"files\": {}}\n");
  EXPECT_TRUE(library.journalled("\"file\":\"meta.json\""));
}

TEST(Show, HelpsWhoeverMistypes) {
  Library library;
  Visit file(library, "alice", "show r1 confg.xml"), revision(library, "alice", "show r1 --at 9999"),
      none(library, "alice", "show r2"), denied(library, "bob", "show r1"),
      hidden(library, "alice", "show x1");
  EXPECT_EQ(file.wait(), 66);
  EXPECT_EQ(
      file.err,
      "oobd: r1: no such file: confg.xml; did you mean 'config.xml'? (there is config.xml, etc/blob)\n");
  EXPECT_EQ(revision.wait(), 66);
  EXPECT_TRUE(revision.err.starts_with("oobd: r1: no revision 9999; the newest are 22222222 (20"))
      << revision.err;
  EXPECT_EQ(none.wait(), 66);
  EXPECT_EQ(none.err, "oobd: r2 has no snapshot yet: 'snapshot r2' pulls one\n");
  EXPECT_EQ(denied.wait(), 77);
  EXPECT_EQ(hidden.wait(), 66);
}

TEST(Show, LargeFilesGoAsTheirReaderTakesThem) {
  Library library;
  std::string large;
  for (int i = 0; i < 200'000; ++i) large += base::str("line ", i, "\n");
  library.puller->has["r1"] = {{"large", large}};
  library.pull();
  Visit visit(library, "alice", "show r1");
  EXPECT_EQ(visit.wait(), 0);
  EXPECT_TRUE(visit.out == large);
}

TEST(Diff, IsOfTheNewestTwoOrOfThoseThatAreNamed) {
  Library library;
  library.puller->has["r1"]["etc/blob"] = "another";
  library.pull();
  struct Case {
    const char *command, *out;
  };
  for (Case one :
       {Case{"diff r1", "2..3\n"}, Case{"diff r1 1111", "1..3\n"}, Case{"diff r1 1111 2222", "1..2\n"},
        Case{"diff r1 @2 @1 --bytes", "1..2 bytes\n"}, Case{"diff r1 3333", ""}}) {
    Visit visit(library, "alice", one.command);
    EXPECT_EQ(visit.wait(), 0) << one.command;
    EXPECT_EQ(visit.out, one.out) << one.command;
    EXPECT_EQ(visit.err, "") << one.command;
  }
  Visit same(library, "alice", "diff r1 3333", true), wrong(library, "alice", "diff r1 3333 9999");
  EXPECT_EQ(same.wait(), 0);
  EXPECT_EQ(same.err, "oobd: no difference\r\n");
  EXPECT_EQ(wrong.wait(), 66);
  EXPECT_TRUE(wrong.err.starts_with("oobd: r1: no revision 9999; the newest are 33333333")) << wrong.err;
  EXPECT_TRUE(library.journalled("\"file\":\"*\""));
  EXPECT_TRUE(library.journalled("\"revision\":\"@2..@1\""));
}

TEST(Diff, SaysThatOnlyWhatItHidesDiffers) {
  Library library;
  library.hidden_differs();
  for (bool pty : {false, true}) {
    Visit visit(library, "alice", "diff r1", pty);
    EXPECT_EQ(visit.wait(), 0);
    EXPECT_EQ(visit.out, "");
    EXPECT_EQ(visit.err, base::str("oobd: only what changes all the time differs; --bytes shows it",
                                   pty ? "\r" : "", "\n"));
  }
  Visit truth(library, "alice", "diff r1 --bytes");
  EXPECT_EQ(truth.wait(), 0);
  EXPECT_EQ(truth.out + truth.err, "2..3 bytes\n");
}

TEST(Show, NeedsTheRight) {
  Library library;
  library.allow({Action::watch});
  Visit visit(library, "alice", "show r1 config.xml");
  EXPECT_EQ(visit.wait(), 77);
  EXPECT_EQ(visit.out, "");
}

}  // namespace oob::console

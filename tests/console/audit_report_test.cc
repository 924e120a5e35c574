#include "console/audit_report.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/json.hpp>

#include "tests/console/visit.h"

namespace oob::console {
namespace {

using test::Board;
using test::run_until;
using test::Visit;

TEST(AuditReport, TellsTheNewestCheckpointAsVerifyTakesIt) {
  Board board;
  std::optional<auth::Checkpoint> sealed;
  board.core.journal.seal([&](const base::Result<auth::Checkpoint>& done) {
    if (done) sealed = *done;
  });
  ASSERT_TRUE(run_until(board.loop, [&] { return sealed.has_value(); }));
  std::string text = audit_status(board.core);
  EXPECT_NE(text.find(base::str("checkpoint   ", sealed->brief(), "\n")), std::string::npos) << text;
  EXPECT_NE(text.find(board.core.journal.vkey()), std::string::npos) << text;

  boost::json::object object;
  audit_status(board.core, object);
  EXPECT_EQ(object["checkpoint"].at("size").as_uint64(), sealed->size);
  EXPECT_EQ(object["checkpoint"].at("origin").as_string(), sealed->origin);
  EXPECT_NE(audit_metrics(board.core).find(base::str("oobd_journal_checkpoint_size ", sealed->size, "\n")),
            std::string::npos);
}

// An interactive session ends with a line that `verify --anchor` takes; one for a script does not.
TEST(AuditReport, DoesNotForgetAJournalThatWasLost) {
  Board board;
  EXPECT_EQ(audit_status(board.core).find("journal.lost-1"), std::string::npos);
  ASSERT_EQ(::mkdir((board.core.state + "/journal.lost-1").c_str(), 0700), 0);
  EXPECT_NE(audit_status(board.core).find("journal.lost-1"), std::string::npos);
}

TEST(AuditReport, GoesWithWhoeverSatAtATerminal) {
  Board board;
  Visit person(board, "alice", "attach r1 --watch", true);
  ASSERT_TRUE(person.wait_for("leaves]"));
  person.type(
      "\x05"
      "c.");
  EXPECT_EQ(person.wait(), 0);
  ASSERT_TRUE(board.core.journal.checkpoint().has_value());
  EXPECT_NE((person.out + person.err).find("[oobd: journal "), std::string::npos);
  Visit by_name(board, "alice", "r1", true);  // the commonest way in
  ASSERT_TRUE(by_name.wait_for("leaves]"));
  by_name.type(
      "\x05"
      "c.");
  EXPECT_EQ(by_name.wait(), 0);
  EXPECT_NE((by_name.out + by_name.err).find("[oobd: journal "), std::string::npos);
  Visit script(board, "alice", "list", false);
  EXPECT_EQ(script.wait(), 0);
  EXPECT_EQ((script.out + script.err).find("[oobd: journal "), std::string::npos);

  board.core.checkpoint_line = false;
  Visit silent(board, "alice", "attach r1 --watch", true);
  ASSERT_TRUE(silent.wait_for("leaves]"));
  silent.type(
      "\x05"
      "c.");
  EXPECT_EQ(silent.wait(), 0);
  EXPECT_EQ((silent.out + silent.err).find("[oobd: journal "), std::string::npos);
}

}  // namespace
}  // namespace oob::console

#include "console/reports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "console/core.h"
#include "tests/console/visit.h"

namespace oob::console {
namespace {

using testing::HasSubstr;

TEST(StatusReport, SaysWhyNoProgramIsRun) {
  test::Board board;
  Visitor visitor;
  visitor.who = auth::Policy::local(0);
  EXPECT_THAT(status_report(board.core, visitor, false), testing::Not(HasSubstr("programs")));
  EXPECT_THAT(status_report(board.core, visitor, true), HasSubstr(R"("programs_trouble":"")"));
  board.core.programs_trouble = [] { return std::string("fork: Resource temporarily unavailable"); };
  EXPECT_THAT(status_report(board.core, visitor, false),
              HasSubstr("\nprograms     NOT RUN: fork: Resource temporarily unavailable\n"));
  EXPECT_THAT(status_report(board.core, visitor, true),
              HasSubstr(R"("programs_trouble":"fork: Resource temporarily unavailable")"));
}

}  // namespace
}  // namespace oob::console

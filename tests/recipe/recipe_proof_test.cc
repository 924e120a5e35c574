#include "recipe/recipe_proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/recipe/recipe_text.h"

namespace oob::recipe {
namespace {

using test::faults_of;
using test::kShellRecipe;
using test::kTextRecipe;
using test::replaced;
using testing::HasSubstr;
using testing::StartsWith;

std::string shell_with(const std::string& part, const std::string& by) {
  return faults_of(replaced(kShellRecipe, part, by));
}
std::string shell_and(const std::string& lines) { return faults_of(kShellRecipe + lines); }

TEST(RecipeProof, TakesTheSmallestRecipes) {
  EXPECT_EQ(faults_of(kShellRecipe), "");
  EXPECT_EQ(faults_of(kTextRecipe), "");
}

TEST(RecipeProof, WantsNamesOnceAndKnown) {
  EXPECT_THAT(shell_and("state login tail /x/\n"), StartsWith("7:7: there is a state 'login' already"));
  EXPECT_THAT(shell_with("after login", "after logn"),
              StartsWith("4:39: no state 'logn' to come from: did you mean 'login'?"));
  EXPECT_THAT(shell_and("state dumb tail /x/\nstate next tail /y/ after dumb\n"),
              StartsWith("8:27: nothing is ever typed at 'dumb'"));
  EXPECT_THAT(shell_and("file hosts /etc/hosts2\n"),
              StartsWith("7:6: there is something called 'hosts' already"));
}

TEST(RecipeProof, WantsAPlaceToWorkAndOneToBeLeftAt) {
  EXPECT_THAT(shell_with(" work", ""), HasSubstr("no state is 'work'"));
  EXPECT_THAT(shell_with(" home", ""), HasSubstr("no state is 'home'"));
}

TEST(RecipeProof, EveryWayInEnds) {
  // The shell answers to the password alone, so that a login without one leads nowhere.
  std::string text = replaced(kShellRecipe, "tail /# ?/", "tail /# ?/ after passwd");
  EXPECT_EQ(faults_of(text), "");
  text = replaced(text, "after login go \"{secret}\\r\"", "after login");
  text = replaced(text, "after passwd", "after login,shell");
  EXPECT_EQ(faults_of(text), "");
  text = replaced(text, "after login,shell", "after shell");
  EXPECT_THAT(faults_of(text), StartsWith("3:32: from 'login' no 'work' state can be reached"));
}

TEST(RecipeProof, EveryWayOutEnds) {
  EXPECT_THAT(shell_with(" leave \"exit\\r\"", ""),
              StartsWith("5:7: from 'shell' no 'home' state can be reached"));
  // What it leaves to must come after it, or after anything.
  EXPECT_THAT(shell_with("state login tail /login: ?/", "state login after passwd tail /login: ?/"),
              HasSubstr("from 'shell' no 'home' state can be reached by 'leave'"));
}

TEST(RecipeProof, APasswordIsAnAnswer) {
  EXPECT_THAT(shell_with("after login go", "go"),
              StartsWith("4:36: {secret} is an answer: 'passwd' needs 'after'"));
  EXPECT_EQ(shell_with("tail /Password: ?/ after login", "screen /Verification\\s+Password: ?/"), "");
}

TEST(RecipeProof, AMenuIsRecognisedAsAWholeAndHasForbiddenLines) {
  EXPECT_THAT(
      shell_and("state menu tail /option:/ go \"8\\r\"\n"),
      StartsWith(
          "7:30: '8' picks from a menu, and a menu is recognised as a whole: 'menu' must be a 'screen'"));
  EXPECT_THAT(shell_and("state menu screen /option:/ go \"8\\r\"\n"),
              StartsWith("7:7: the menu 'menu' has no 'forbid' list"));
  EXPECT_EQ(shell_and("state menu screen /option:/ go \"8\\r\"\nforbid menu \"5\"\n"), "");
  EXPECT_THAT(shell_and("state menu screen /option:/ go \"8\\r\"\nforbid menu \"5\" \"8\"\n"),
              StartsWith("7:32: the go of 'menu' is forbidden there"));
  for (const char* pick : {"y", "ok", "123"})
    EXPECT_THAT(shell_and(base::str("state menu tail /option:/ go \"", pick, "\\r\"\n")),
                HasSubstr("picks from a menu"));
  for (const char* line : {"cli", "exit", "1234", ""})
    EXPECT_EQ(shell_and(base::str("state menu tail /option:/ go \"", line, "\\r\"\n")), "") << line;
}

TEST(RecipeProof, WhereEnterDoesHarmMoreIsTyped) {
  EXPECT_THAT(shell_and("state menu tail /option:/ no-enter go \"\\r\"\n"),
              StartsWith("7:39: an empty line does harm at 'menu'"));
}

TEST(RecipeProof, NoStateIsFoundInAnEmptyScreen) {
  EXPECT_THAT(shell_with("/# ?/", "/#* ?/"),
              StartsWith("5:18: the pattern of 'shell' is found in an empty screen"));
  EXPECT_THAT(shell_with("/# ?/", "/$/"), HasSubstr("empty screen"));
}

TEST(RecipeProof, EachMethodHasItsOwnDirectives) {
  for (const char* line : {"setup \"x\"", "noise /x/", "error /x/"})
    EXPECT_THAT(shell_and(base::str(line, "\n")), HasSubstr("does not go with method posix-block")) << line;
  for (const char* line : {"file a /a", "files /a*", "quiet \"x\"\nunquiet \"y\""})
    EXPECT_THAT(faults_of(base::str(kTextRecipe, line, "\n")),
                HasSubstr("does not go with method text-twice"))
        << line;
  EXPECT_THAT(shell_and("quiet \"x\"\n"), StartsWith("7:1: 'quiet' and 'unquiet' go together"));
  EXPECT_THAT(
      faults_of(replaced(kTextRecipe, " end /^end$/", "")),
      StartsWith("5:5: 'running-config' has no 'end': with text-twice only that shows that it is whole"));
  EXPECT_THAT(shell_with("file hosts /etc/hosts\n", ""), StartsWith("0:0: nothing is fetched"));
}

}  // namespace
}  // namespace oob::recipe

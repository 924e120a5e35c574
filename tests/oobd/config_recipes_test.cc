#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "oobd/recipe_command.h"
#include "tests/oobd/config_folder.h"

namespace oob {
namespace {

using testing::HasSubstr;

constexpr char kOwnRecipe[] =
    "recipe linux version 9\n"
    "method posix-block\n"
    "state shell tail /# ?/ work home\n"
    "file hosts /etc/hosts\n";
constexpr char kWithRecipes[] =
    "[server]\nlisten = [\"127.0.0.1:0\"]\nstate = \"state\"\n"
    "[snapshot]\nrecipes = \"recipes/\"\n"
    "[device.a]\nline = { tcp = \"192.0.2.1:1\" }\nmodel = \"linux\"\n";

std::string faults_of(const ConfigOutcome& outcome) {
  std::string all;
  for (const ConfigFault& fault : outcome.faults) all += fault.text() + "\n";
  return all;
}

TEST(ConfigRecipes, AreThoseOfTheProgramUnlessAFolderHasOthers) {
  test::ConfigFolder folder;
  ConfigOutcome plain = folder.read("[server]\nlisten = [\"127.0.0.1:0\"]\nstate = \"state\"\n");
  ASSERT_TRUE(plain.config) << faults_of(plain);
  ASSERT_TRUE(plain.config->recipes);
  EXPECT_EQ(plain.config->recipes->all().size(), recipe::shipped_recipes().size());

  test::write_file(folder / "recipes/linux.recipe", kOwnRecipe, 0644);
  test::write_file(folder / "recipes/README", "not one", 0666);
  ConfigOutcome own = folder.read(kWithRecipes);
  ASSERT_TRUE(own.config) << faults_of(own);
  EXPECT_EQ(own.config->snapshot.recipes, folder / "recipes");
  EXPECT_EQ(own.config->recipes->find("linux")->version, 9u);
  EXPECT_EQ(own.config->recipes->find("ios")->name, "ios");
}

TEST(ConfigRecipes, TellTheirFaultsInTheirOwnFiles) {
  test::ConfigFolder folder;
  test::write_file(folder / "recipes/linux.recipe", std::string(kOwnRecipe) + "fil x /y\n", 0644);
  test::write_file(folder / "recipes/wrong.recipe", kOwnRecipe, 0644);
  ConfigOutcome outcome = folder.read(kWithRecipes);
  EXPECT_FALSE(outcome.config);
  EXPECT_EQ(faults_of(outcome), base::str(folder / "recipes/linux.recipe",
                                          ":5:1: unknown directive 'fil': did you mean 'file'?\n",
                                          folder / "recipes/wrong.recipe",
                                          ":1:1: it is called wrong.recipe, and calls itself 'linux'\n"));
}

TEST(ConfigRecipes, AreRefusedWhereOthersCanChangeThem) {
  test::ConfigFolder folder;
  test::write_file(folder / "recipes/linux.recipe", kOwnRecipe, 0666);
  EXPECT_THAT(faults_of(folder.read(kWithRecipes)), HasSubstr("oobd.toml:5:11: recipes: "));
}

struct Printed {
  int status;
  std::string out;
};
Printed run(const std::vector<std::string>& words) {
  testing::internal::CaptureStdout();
  int status = run_recipe(words);
  return {status, testing::internal::GetCapturedStdout()};
}

TEST(RecipeCommand, ChecksFiles) {
  test::ConfigFolder folder;
  test::write_file(folder / "linux.recipe", kOwnRecipe);
  test::write_file(folder / "other.recipe", "recipe other version 1\nmethod posix\n");
  Printed good = run({"check", folder / "linux.recipe"});
  EXPECT_EQ(good.status, 0);
  EXPECT_THAT(good.out, HasSubstr("linux.recipe: 1 states, 1 things to fetch by posix-block: no fault"));
  Printed bad = run({"check", folder / "linux.recipe", folder / "other.recipe", folder / "none.recipe"});
  EXPECT_EQ(bad.status, 78);
  EXPECT_THAT(bad.out, HasSubstr("other.recipe:2:8: no method 'posix'"));
  EXPECT_THAT(bad.out, HasSubstr("none.recipe:1:1: can't read it: No such file"));
}

TEST(RecipeCommand, RunsARecipeAgainstARecording) {
  test::ConfigFolder folder;
  std::string recipe = test::source_tree() + "/etc/recipes/linux.recipe";
  std::string recording =
      "{\"version\": 2, \"width\": 80, \"height\": 24}\n"
      "[0.5, \"o\", \"relay1 login: \"]\n[2.0, \"o\", \"root\\r\\nPassword: \"]\n"
      "[4, \"o\", \"\\r\\nroot@relay1:~# \"]\n[6.25, \"o\", \"exit\\r\\n\\r\\nrelay1 login: \"]\n";
  test::write_file(folder / "good.cast", recording);
  Printed good = run({"test", recipe, "--replay", folder / "good.cast"});
  EXPECT_EQ(good.status, 0) << good.out;
  EXPECT_THAT(good.out, HasSubstr("     2.0 s  passwd: 'Password: ', typed: {secret}\n"));
  EXPECT_THAT(good.out, HasSubstr("recognised: login -> passwd -> shell -> login\n"));
  EXPECT_THAT(good.out, HasSubstr("where commands are run: reached; left again: yes\n"));
  test::write_file(folder / "cut.cast", recording.substr(0, recording.find("[6.25")));
  Printed cut = run({"test", recipe, "--replay", folder / "cut.cast"});
  EXPECT_EQ(cut.status, 1);
  EXPECT_THAT(cut.out, HasSubstr("     4.0 s  'root@relay1:~# ' (shell): the recipe types 'exit'"));
  test::write_file(folder / "none.cast", "no recording\n");
  EXPECT_EQ(run({"test", recipe, "--replay", folder / "none.cast"}).status, 1);
  EXPECT_EQ(run({"test", recipe}).status, 64);
}

}  // namespace
}  // namespace oob

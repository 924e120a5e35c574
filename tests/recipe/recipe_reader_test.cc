#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/book.h"
#include "tests/recipe/recipe_text.h"

namespace oob::recipe {
namespace {

using test::faults_of;
using test::kShellRecipe;
using test::kTextRecipe;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

Recipe read_whole(const std::string& text) {
  RecipeOutcome outcome = read_recipe(text);
  EXPECT_TRUE(outcome.recipe) << faults_of(text);
  return outcome.recipe ? *outcome.recipe : Recipe();
}

TEST(RecipeReader, ReadsAWholeOne) {
  Recipe recipe = read_whole(
      "# a comment\n"
      "\n"
      "recipe wall version 3   # of a firewall\r\n"
      "method posix-block\n"
      "state login tail /login: ?/i go \"{user}\\r\" home\n"
      "state passwd go \"{secret}\\r\" after login,menu tail /Password:/\n"
      "state menu screen /0\\) Logout.*a\\/b/s no-enter leave \"0\\r\" go \"8\\r\" home\n"
      "forbid menu \"5\" \"6\"\n"
      "forbid menu \"\"\n"
      "state shell tail /# ?/ work leave \"exit\\r\"\n"
      "begun /# \\S/\n"
      "refused /incorrect/\n"
      "answer /\\x1b\\[6n/ \"\\x1b[24;80R\"\n"
      "quiet \"m=1; mute \\\"$m\\\"\"\n"
      "unquiet \"unmute\"\n"
      "version \"cat /etc/version\"\n"
      "file config.xml /cf/config.xml end \"</wall>\\n\" parse xml max 4M\n"
      "file other /etc/other optional end /^end$/\n"
      "files /etc/*.conf /etc/rc.d/? max 64K\n"
      "cmd list \"list # all\" optional\n"
      "hide config.xml /<revision>.*?<\\/revision>/s\n"
      "secret * /key=(\\S+)/\n"
      "secret *.xml xml password bcrypt-hash\n");
  EXPECT_EQ(recipe.name, "wall");
  EXPECT_EQ(recipe.version, 3u);
  EXPECT_EQ(recipe.method, Method::posix_block);
  ASSERT_EQ(recipe.states.size(), 4u);
  const State& menu = *recipe.state("menu");
  EXPECT_TRUE(menu.screen && menu.no_enter && menu.home && !menu.work);
  EXPECT_EQ(menu.go, "8\r");
  EXPECT_EQ(menu.leave, "0\r");
  EXPECT_EQ(menu.pattern.text, "/0\\) Logout.*a\\/b/s");
  EXPECT_TRUE(menu.pattern.search("0) Logout\n8) Shell\na/b"));
  EXPECT_THAT(menu.forbid, ElementsAre("5", "6", ""));
  EXPECT_THAT(recipe.state("passwd")->after, ElementsAre("login", "menu"));
  EXPECT_TRUE(recipe.state("login")->pattern.search("relay1 LOGIN: "));
  EXPECT_EQ(recipe.state("nowhere"), nullptr);
  ASSERT_EQ(recipe.answers.size(), 1u);
  EXPECT_TRUE(recipe.answers[0].query.search("\x1b[6n"));
  EXPECT_EQ(recipe.answers[0].text, "\x1b[24;80R");
  EXPECT_EQ(recipe.quiet, "m=1; mute \"$m\"");
  EXPECT_EQ(recipe.device_version, "cat /etc/version");
  ASSERT_EQ(recipe.fetches.size(), 5u);
  EXPECT_EQ(recipe.fetches[0].end, "</wall>\n");
  EXPECT_EQ(recipe.fetches[0].parse, "xml");
  EXPECT_EQ(recipe.fetches[0].most, 4u << 20);
  EXPECT_TRUE(recipe.fetches[1].optional && recipe.fetches[1].end_line->search("end"));
  EXPECT_EQ(recipe.fetches[2].kind, Fetch::Kind::files);
  EXPECT_EQ(recipe.fetches[3].source, "/etc/rc.d/?");
  EXPECT_EQ(recipe.fetches[3].most, 64u * 1024);
  EXPECT_EQ(recipe.fetches[4].source, "list # all");
  ASSERT_EQ(recipe.hidden.size(), 3u);
  EXPECT_EQ(recipe.hidden[0].kind, Hidden::Kind::oscillating);
  EXPECT_THAT(recipe.hidden[2].xml, ElementsAre("password", "bcrypt-hash"));
}

TEST(RecipeReader, FindsAStateOnlyWhereTheTextEndsWithItBlanksAside) {
  Recipe recipe = read_whole(kShellRecipe);
  const Pattern& login = recipe.state("login")->pattern;
  EXPECT_TRUE(login.search("x login:"));
  EXPECT_TRUE(login.search("x login:   \t"));
  EXPECT_FALSE(login.search("Last login: Monday"));
  EXPECT_FALSE(login.search("login:\n"));
}

TEST(RecipeReader, TakesEveryByteOfADeviceForACharacter) {
  Recipe recipe = read_whole(test::replaced(kShellRecipe, "/# ?/", "/^.\\xff.# ?/s"));
  EXPECT_TRUE(recipe.state("shell")->pattern.search("\x80\xff\n# "));
}

struct Wrong {
  const char *part, *by, *fault;
};

TEST(RecipeReader, TellsWhatIsWrongWithItsPlaceAndTheCure) {
  const Wrong wrongs[] = {
      {"state login", "stat login", "3:1: unknown directive 'stat': did you mean 'state'?"},
      {"method posix-block", "method posix",
       "2:8: no method 'posix': known here are posix-block, text-twice"},
      {"version 1", "version one", "1:22: 'one' is not a version"},
      {"version 1", "", "1:14: here should be 'version'"},
      {"recipe small version 1\n", "", "1:1: the first line is recipe NAME version N"},
      {"method posix-block\n", "", "0:0: it does not say its method"},
      {"recipe small", "recipe Small", "1:8: a recipe's name has a-z"},
      {"tail /login: ?/", "tale /login: ?/", "3:13: no option 'tale' of a state: did you mean 'tail'?"},
      {"/login: ?/", "/login: ?", "3:18: the expression has no slash at its end"},
      {"/login: ?/", "/login: (/", "3:18: the expression is none (RE2 syntax): missing )"},
      {"/login: ?/", "/a)|(b/", "3:18: the expression is none (RE2 syntax): "},
      {"/login: ?/", "//", "3:18: the expression is empty"},
      {"/login: ?/", "/login: ?/x", "3:28: no flag 'x' is known behind an expression"},
      {"\"{user}\\r\"", "\"{user}\\q\"", "3:39: in a text \\r, \\n, \\t"},
      {"\"{user}\\r\" home", "\"{user}\\r home", "3:32: the text has no double quote at its end"},
      {"\"{user}\\r\" home", "\"{user}\\r\"home", "3:32: there is no blank behind the text"},
      {"\"{user}\\r\"", "\"{usr}\\r\"", "3:32: nothing is put in for '{usr}': did you mean '{user}'?"},
      {"\"{user}\\r\"", "\"a\\rb\\r\"", "3:32: what is typed is one line"},
      {"\"{user}\\r\"", "\"\"", "3:32: nothing is typed"},
      {"\"exit\\r\"", "\"{secret}\\r\"", "5:35: 'leave' holds no {secret}"},
      {"home", "home home", "3:48: the state has a 'home' already"},
      {"file hosts /etc/hosts", "file hosts etc/hosts",
       "6:12: the path 'etc/hosts' does not begin with a slash"},
      {"file hosts /etc/hosts", "file hosts /etc/*", "6:12: 'file' is one file: write 'files'"},
      {"file hosts", "file ../hosts", "6:6: the name '../hosts' is no path below a folder"},
      {"file hosts", "file meta.json", "6:6: the name 'meta.json' is what oobd itself writes"},
      {"file hosts", "file .gitattributes", "6:6: the name '.gitattributes' has a meaning to git"},
      {"/etc/hosts", "/etc/hosts optionl", "6:23: no option 'optionl' here: did you mean 'optional'?"},
      {"/etc/hosts", "/etc/hosts parse toml", "6:29: 'toml' is not looked into: xml and json are"},
      {"/etc/hosts", "/etc/hosts max 1G", "6:27: '1G' is not a size such as"},
      {"/etc/hosts", "/etc/hosts max 65M", "6:27: a size is from 1 to 64M"},
      {"/etc/hosts", "/etc/hosts end \"\"", "6:27: an empty end shows nothing"},
      {"/etc/ho", "/etc/h=", "6:12: here should be a path, and '=' can't be part of a word"},
      {"file hosts", "forbid shel \"x\"\nfile hosts", "6:8: no state 'shel': did you mean 'shell'?"},
      {"file hosts", "forbid shell \"x\\r\"\nfile hosts",
       "6:14: a forbidden line is written without its Enter"},
      {"file hosts", "hide * /x*/\nfile hosts", "6:8: /x*/ is found in an empty text, so everywhere"},
      {"file hosts", "version \"a\\nb\"\nfile hosts", "6:9: a command is one line"},
      {"file hosts", "version \"a\"\nversion \"b\"\nfile hosts", "7:1: 'version' stands in line 6 already"},
      {"file hosts", "secret * text a\nfile hosts", "6:10: here should be an expression, or 'xml'"},
      {"file hosts", "\x01\nfile hosts", "6:0: there is a control character in the line"},
      {"version 1", "version 1 2", "1:24: this is too much for 'recipe'"},
  };
  for (const Wrong& wrong : wrongs) {
    std::string text = test::replaced(kShellRecipe, wrong.part, wrong.by);
    ASSERT_FALSE(text.empty()) << wrong.part;
    std::string faults = faults_of(text);
    EXPECT_THAT(faults, StartsWith(wrong.fault)) << text;
    EXPECT_EQ(faults.find('\n') + 1, faults.size()) << "one fault: " << faults;
  }
}

TEST(RecipeReader, CountsColumnsInCharacters) {
  EXPECT_THAT(faults_of(test::replaced(kShellRecipe, "/login: ?/", "/l\xc3\xb6gin: ?/ wrk")),
              StartsWith("3:29: no option 'wrk' of a state: did you mean 'work'?"));
}

TEST(RecipeReader, TellsTheFaultsOfAllLinesAtOnce) {
  std::string text = test::replaced(kShellRecipe, "state login", "stat login");
  text = test::replaced(text, "file hosts", "fil hosts");
  EXPECT_THAT(faults_of(text), HasSubstr("3:1: "));
  EXPECT_THAT(faults_of(text), HasSubstr("6:1: unknown directive 'fil': did you mean 'file'?"));
}

TEST(RecipeReader, HasBounds) {
  EXPECT_THAT(faults_of(std::string(kMostRecipe + 1, '#')),
              StartsWith("0:0: a recipe has at most 262144 bytes"));
  std::string many = kShellRecipe;
  for (int i = 0; i < 700; ++i) many += "begun /x/\n";
  EXPECT_THAT(faults_of(many), StartsWith("601:0: a recipe has at most 600 lines"));
  many = kShellRecipe;
  for (int i = 0; i < 70; ++i) many += base::str("state s", i, " tail /x/\n");
  EXPECT_THAT(faults_of(many), HasSubstr("a recipe has at most 64 states"));
  EXPECT_THAT(faults_of(kShellRecipe + std::string("version \"") + std::string(201, 'x') + "\"\n"),
              HasSubstr("a command has at most 200 bytes"));
  EXPECT_THAT(faults_of(kShellRecipe + std::string("begun /") + std::string(5000, 'x') + "/\n"),
              HasSubstr("longer than 4096 bytes"));
}

TEST(RecipeReader, AnythingCutOrChangedIsReadOrHasPrintableFaults) {
  auto look = [](const std::string& text) {
    RecipeOutcome outcome = read_recipe(text);
    ASSERT_EQ(outcome.recipe.has_value(), outcome.faults.empty());
    for (const RecipeFault& fault : outcome.faults) {
      ASSERT_FALSE(fault.message.empty());
      for (unsigned char c : fault.message) ASSERT_TRUE(c >= 0x20 && c != 0x7f) << text;
    }
  };
  for (const std::string whole : {kShellRecipe, kTextRecipe}) {
    for (std::size_t size = 0; size < whole.size(); ++size) look(whole.substr(0, size));
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (int bits : {0x01, 0x20, 0x80}) {
        std::string flipped = whole;
        flipped[at] = static_cast<char>(flipped[at] ^ bits);
        look(flipped);
      }
    }
  }
}

TEST(Book, HoldsRecipesByTheNamesTheyGiveThemselves) {
  BookOutcome book =
      read_book({{"small", kShellRecipe}, {"other", kTextRecipe}, {"bad", "recipe bad version 0\n"}});
  EXPECT_EQ(book.recipes.count("small"), 1u);
  EXPECT_EQ(book.recipes.size(), 1u);
  ASSERT_EQ(book.faults.size(), 2u);
  EXPECT_EQ(book.faults[0].name, "bad");
  EXPECT_EQ(book.faults[1].fault.message, "it is called other.recipe, and calls itself 'small'");
  Book found(book.recipes);
  EXPECT_EQ(found.find("small")->name, "small");
  EXPECT_EQ(found.find("other"), nullptr);
}

TEST(RecipeReader, ReadsAlarms) {
  Recipe recipe =
      read_whole(std::string(kShellRecipe) +
                 "\nalarm /%BGP-5-ADJCHANGE: .* Down/   # a neighbour\nalarm /fan \\d\\/2 failed/i\n");
  ASSERT_EQ(recipe.alarms.size(), 2u);
  EXPECT_EQ(recipe.alarms[0].re2(), "%BGP-5-ADJCHANGE: .* Down");
  EXPECT_EQ(recipe.alarms[1].re2(), "(?i:fan \\d/2 failed)");
  EXPECT_THAT(faults_of(std::string(kShellRecipe) + "\nalarm /x*/\n"), HasSubstr("everywhere"));
  EXPECT_THAT(faults_of(std::string(kShellRecipe) + "\nalarm /" + std::string(257, 'x') + "/\n"),
              HasSubstr("longer than 256 bytes"));
  std::string many = kShellRecipe;
  for (int i = 0; i < 17; ++i) many += "\nalarm /x/\n";
  EXPECT_THAT(faults_of(many), HasSubstr("more than 16 'alarm'"));
}

}  // namespace
}  // namespace oob::recipe

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/recipe/real_shell.h"
#include "tests/recipe/shell_left.h"
#include "tests/recipe/shell_pull.h"

namespace oob::recipe {

using namespace std::chrono_literals;
using testing::HasSubstr;

namespace {

// For `sleep` of a device: sleeps as long as the device is there.
const char kSleepsForEver[] = "while [ -e \"$HOME\" ];do /usr/bin/sleep 0.2;done\n";

}  // namespace

TEST(PosixRun, WorksWhateverTheLengthOfThePrompt) {
  // The line that starts a shell ends at each place about the right edge.
  for (unsigned length = 26; length <= 31; ++length) {
    DeviceTools tools("bash");
    const std::string prompt = std::string(length - 8, 'p') + "device# ";
    RealShell shell(tools, {}, 4, "PS1='" + prompt + "'");
    ShellPull pull(shell, shell_recipe(tools), "echo $((6*7))", 30000ms);
    ASSERT_TRUE(pull.carry(60s)) << length;
    ASSERT_TRUE(pull.ran()) << length << ' ' << pull.ran().error().what;
    EXPECT_EQ(pull.ran()->out, "42\n") << length;
    expect_as_before(shell, tools);
  }
}

TEST(PosixRun, BringsOutputErrorsAndStatus) {
  for (const char* kind : {"dash", "bash", "busybox"}) {
    DeviceTools tools(kind);
    RealShell shell(tools, {1, 1e-4, 7}, 2);
    ShellPull run(shell, shell_recipe(tools), "printf 'a\\0b\\r\\n'; echo \"it's\" >&2; cat; exit 77",
                  30000ms);
    ASSERT_TRUE(run.carry(60s)) << kind;
    ASSERT_TRUE(run.ran()) << kind << ": " << run.ran().error().what;
    EXPECT_EQ(run.ran()->out, std::string("a\0b\r\n", 5));
    EXPECT_EQ(run.ran()->err, "it's\n");
    EXPECT_EQ(run.ran()->status, 77);
    expect_as_before(shell, tools);
  }
}

TEST(PosixRun, CarriesACommandOfAnyLength) {
  DeviceTools tools("dash");
  std::string text;
  for (int i = 0; i < 300; ++i) text += base::str("word", i, i % 7 ? " " : "\n");
  RealShell shell(tools, {2, 5e-4, 3}, 2);
  ShellPull run(shell, shell_recipe(tools), "printf %s '" + text + "'", 30000ms);
  ASSERT_TRUE(run.carry(90s));
  ASSERT_TRUE(run.ran()) << run.ran().error().what;
  EXPECT_EQ(run.ran()->out, text);
}

TEST(PosixRun, EndsWhatTakesTooLongAndBringsWhatItSaid) {
  struct Case {
    const char *kind, *line;
  };
  const char kStubborn[] = "trap '' INT TERM; /usr/bin/sleep 1000; /usr/bin/sleep 1000";
  for (const Case& one :
       {Case{"dash", "/usr/bin/sleep 1000"}, Case{"dash", kStubborn}, Case{"bash", kStubborn}}) {
    DeviceTools tools(one.kind);
    // The waits for what signals do: what was killed counts until init has taken its status, and there are
    // some that look every two seconds.
    tools.script("sleep", "exec /usr/bin/sleep 0.8\n");
    RealShell shell(tools, {}, 3);
    // The fifth word is the process group (proc(5)).
    std::string line = base::str("read a b c d group rest </proc/$$/stat; echo $group >", tools.home(),
                                 "/group; echo so far; ", one.line);
    ShellPull run(shell, shell_recipe(tools), line, 2000ms);
    ASSERT_TRUE(run.carry(60s)) << one.kind;
    ASSERT_TRUE(run.ran()) << one.kind << ": " << run.ran().error().what;
    EXPECT_TRUE(run.ran()->late);
    EXPECT_TRUE(run.ran()->ended) << one.kind;
    EXPECT_EQ(run.ran()->status, 124);
    EXPECT_EQ(run.ran()->out, "so far\n");
    int group = 0;
    std::string told = tools.read("group");
    ASSERT_TRUE(base::parse_number(told.substr(0, told.find('\n')), group) && group > 1) << told;
    EXPECT_NE(::kill(-group, SIGKILL), 0) << one.kind << ": something of '" << one.line << "' still runs";
    expect_as_before(shell, tools);
  }
  EXPECT_EQ(late_text(2000ms, true), "it did not end within 2 s, and was ended");
}

TEST(PosixRun, DoesNotSayThatACommandWasEndedWhereItCanNotKnow) {
  DeviceTools tools("dash");
  // Without job control there is no process group of the command's own.
  tools.script("sh", "exec /bin/dash +m \"$@\"\n");
  tools.script("sleep", "exec /usr/bin/sleep 0.5\n");
  RealShell shell(tools, {}, 4);
  std::string line = base::str("echo $$ >", tools.home(), "/pid; echo so far; exec /usr/bin/sleep 1000");
  ShellPull run(shell, shell_recipe(tools), line, 2000ms);
  ASSERT_TRUE(run.carry(60s));
  ASSERT_TRUE(run.ran()) << run.ran().error().what;
  EXPECT_TRUE(run.ran()->late);
  EXPECT_FALSE(run.ran()->ended);
  EXPECT_EQ(run.ran()->out, "so far\n");
  int pid = 0;
  std::string told = tools.read("pid");
  ASSERT_TRUE(base::parse_number(told.substr(0, told.find('\n')), pid) && pid > 1) << told;
  EXPECT_EQ(::kill(pid, SIGKILL), 0) << "it was ended after all";
  expect_as_before(shell, tools);
  EXPECT_EQ(late_text(1500ms, false), "it did not end within 1500 ms, and may still run on the device");
}

TEST(PosixRun, WaitsForNothingButTheCommand) {
  struct Case {
    const char* kind;
    bool terminal;
  };
  for (const Case& one : {Case{"dash", true}, Case{"bash", true}, Case{"busybox", false}}) {
    DeviceTools tools(one.kind);
    tools.write("config.xml", "<a/>\n");
    // What looks after those that commands leave running would end nothing before its first second is over.
    tools.script("sleep", kSleepsForEver);
    Recipe recipe = shell_recipe(tools);
    recipe.device_version = "echo 7.1";
    RealShell shell(tools, {}, 4, "", one.terminal);
    std::string said;
    shell.log = [&](char way, base::Bytes bytes) {
      if (way == '<') said += bytes;
    };
    ShellPull pull(shell, recipe, {command("a", "echo a"), command("b", "echo b; echo c >&2")});
    pull.visits = one.terminal;
    ASSERT_TRUE(pull.carry(60s)) << one.kind;
    ASSERT_TRUE(pull.result()) << one.kind << ": " << pull.result().error().what;
    EXPECT_EQ(pull.result()->device_version, "7.1");
    EXPECT_EQ(pull.result()->files.at(0).bytes, "a\n");
    EXPECT_EQ(pull.result()->files.at(1).bytes, "b\n");
    // Nor does the shell print what our jobs are made of on somebody's console.
    for (const char* word : {"Killed", "o_cap"}) EXPECT_THAT(said, testing::Not(HasSubstr(word))) << one.kind;
    if (one.terminal) expect_as_before(shell, tools);
  }
}

TEST(PosixRun, TakesNoStatusOfAnEarlierCommand) {
  DeviceTools tools("dash");
  tools.write("config.xml", "<a/>\n");
  RealShell shell(tools, {}, 2);
  // What would tell the status of the second one dies with it.
  ShellPull pull(shell, shell_recipe(tools), {command("a", "true"), command("b", "kill -9 $PPID")});
  ASSERT_TRUE(pull.carry(60s));
  ASSERT_FALSE(pull.result());
  EXPECT_EQ(pull.result().error().what, "b: the device did not tell how it ended");
  expect_as_before(shell, tools);
}

TEST(PosixRun, IsOverWhenTheCommandHasEndedWhateverItLeavesRunning) {
  for (const char* kind : {"dash", "bash", "busybox"}) {
    DeviceTools tools(kind);
    RealShell shell(tools, {}, 1);
    ShellPull run(shell, shell_recipe(tools), "sleep 61 & echo bg; echo err >&2; exit 3", 30000ms);
    ASSERT_TRUE(run.carry(50s)) << kind;
    ASSERT_TRUE(run.ran()) << kind << ": " << run.ran().error().what;
    EXPECT_FALSE(run.ran()->late);
    EXPECT_EQ(run.ran()->out, "bg\n");
    EXPECT_EQ(run.ran()->err, "err\n");
    EXPECT_EQ(run.ran()->status, 3);
    expect_as_before(shell, tools);
  }
}

TEST(PosixRun, CutsWhatPrintsForEverInsteadOfFillingTheDevice) {
  DeviceTools tools("dash");
  RealShell shell(tools, {}, 1);
  ShellPull run(shell, shell_recipe(tools), "while echo 0123456789012345678901234567890123456789;do :;done",
                60000ms);
  ASSERT_TRUE(run.carry(90s));
  ASSERT_FALSE(run.ran());
  EXPECT_THAT(run.ran().error().what, HasSubstr("more than 33554432"));
  expect_as_before(shell, tools);
}

}  // namespace oob::recipe

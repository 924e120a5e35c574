#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "tests/recipe/shell_pull.h"

namespace oob::recipe {

using namespace std::chrono_literals;
using testing::ContainsRegex;
using testing::IsEmpty;

namespace {

// A device whose line is cut in the middle of a pull, when so many bytes of the file are there.
struct Left {
  Left(const char* kind, std::uint64_t done, Noise noise) : tools(kind), config(like_pfsense(20000)) {
    tools.write("config.xml", config);
    shell = std::make_unique<RealShell>(tools, noise, 2);
    Recipe recipe = shell_recipe(tools);
    recipe.quiet = "echo quiet >" + tools.home() + "/muted";
    recipe.unquiet = "rm -f " + tools.home() + "/muted";
    ShellPull pull(*shell, recipe);
    shell->on_bytes([&] {
      if (!last.empty() || pull.told.empty() || pull.told.back().done < done) return;
      last = shell->talk().last_words();
      shell->cut();
    });
    EXPECT_TRUE(pull.carry(60s));
    EXPECT_FALSE(pull.result());
    shell->on_bytes(nullptr);
    EXPECT_NE(tools.read("muted"), "");
    EXPECT_NE(last, "");
  }

  void expect_a_pull_to_work() {
    ShellPull again(*shell, shell_recipe(tools));
    ASSERT_TRUE(again.carry(90s));
    ASSERT_TRUE(again.result()) << again.result().error().what;
    EXPECT_EQ(again.result()->files.at(0).bytes, config);
    EXPECT_THAT(tools.left_over(), IsEmpty());
    EXPECT_EQ(tools.read("muted"), "");
    EXPECT_THAT(shell->children(), IsEmpty());
    EXPECT_THAT(shell->ask("echo is-$((1+1))-back", "is-2-back"),
                ContainsRegex("echo is-[^\n]*\n(.*\n)?.*is-2-back"));
  }

  DeviceTools tools;
  std::string config, last;
  std::unique_ptr<RealShell> shell;
};

}  // namespace

TEST(LeftShell, IsEndedByTheLastWordsOfTheOneThatWasCutOff) {
  for (const char* kind : {"dash", "bash", "busybox"})
    for (std::uint64_t done : {0, 3000}) {
      Left left(kind, done, {});
      left.shell->plug_in();
      left.shell->type_raw(left.last);
      left.expect_a_pull_to_work();
    }
}

TEST(LeftShell, IsEndedWithoutThemWhereNothingElseAnswers) {
  for (const char* kind : {"dash", "bash", "busybox"})
    for (std::uint64_t done : {0, 3000}) {
      Left left(kind, done, {});
      left.shell->plug_in();
      left.expect_a_pull_to_work();
    }
}

TEST(LeftShell, IsNotMistakenForSomebodysOwn) {
  DeviceTools tools("dash");
  tools.write("config.xml", "<a/>\n");
  RealShell shell(tools, {}, 2, "N=5");
  // A Ctrl-C before that would end a shell that only starts.
  auto prompt = [&] { return shell.talk().heard().find("device# ") != base::Bytes::npos; };
  ASSERT_TRUE(shell.carry(prompt, 30s));
  shell.type_raw(base::str("\r", kEndShell, "\r\x03\r", kEndShell, "\r"));
  EXPECT_THAT(shell.ask("echo $((40+N))", "45"), testing::HasSubstr("45"));
}

}  // namespace oob::recipe

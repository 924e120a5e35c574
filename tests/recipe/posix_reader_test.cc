#include "recipe/posix_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/recipe/shell_left.h"
#include "tests/recipe/shell_pull.h"

namespace oob::recipe {

using namespace std::chrono_literals;
using base::Fault;
using testing::HasSubstr;

TEST(PosixReader, TakesNothingThatCannotBeReadToItsEndForAFile) {
  // Cut after the first page, and what the kernel itself refuses to read.
  for (bool cut : {true, false})
    for (const char* kind : {"dash", "bash", "busybox"}) {
      if (cut && kind == std::string("busybox")) continue;  // has a cat of its own
      DeviceTools tools(kind);
      tools.write("config.xml", like_pfsense(13893));
      if (cut)
        tools.script("cat",
                     "case \"$1\" in */config.xml)/usr/bin/head -c 4096 \"$1\";exit 1;;esac\n"
                     "exec /usr/bin/cat \"$@\"\n");
      Fetch other;
      other.name = "other";
      other.source = cut ? tools.home() + "/config.xml" : "/proc/self/mem";
      // Being optional is no excuse: it is there.
      other.optional = true;
      Recipe recipe = shell_recipe(tools);
      if (cut) recipe.fetches.clear();
      RealShell shell(tools, {}, 2);
      ShellPull pull(shell, recipe, {other});
      ASSERT_TRUE(pull.carry(60s)) << kind;
      ASSERT_FALSE(pull.result()) << kind;
      EXPECT_EQ(pull.result().error().fault, Fault::failed);
      EXPECT_EQ(pull.result().error().what,
                "other: it can't be read to its end: the device's cat has failed");
      expect_as_before(shell, tools);
    }
}

TEST(PosixReader, ReadsWhatSaysThatItHasNoBytes) {
  DeviceTools tools("dash");
  tools.write("config.xml", "<a/>\n");
  Fetch proc;
  proc.name = "proc";
  proc.source = "/proc/version";
  RealShell shell(tools, {}, 2);
  ShellPull pull(shell, shell_recipe(tools), {proc});
  ASSERT_TRUE(pull.carry(60s));
  ASSERT_TRUE(pull.result()) << pull.result().error().what;
  EXPECT_THAT(pull.result()->files.at(1).bytes, HasSubstr("Linux version"));
}

}  // namespace oob::recipe

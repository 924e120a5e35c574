#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <map>
#include <memory>

#include "base/sha256.h"
#include "tests/recipe/real_shell.h"
#include "tests/recipe/shell_left.h"
#include "tests/recipe/shell_pull.h"

namespace oob::recipe {

using namespace std::chrono_literals;
using base::Fault;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

Fetch file(const std::string& name, const std::string& path, bool optional = false) {
  Fetch fetch;
  fetch.name = name;
  fetch.source = path;
  fetch.optional = optional;
  return fetch;
}

// For root, who may read everything: the same user without that right.
const char kWithoutRights[] =
    "[ \"$LESS\" ]||exec /usr/bin/env LESS=1 /usr/bin/setpriv --bounding-set=-all --inh-caps=-all "
    "--no-new-privs sh -i";

}  // namespace

TEST(PosixPull, BringsTheBytesOfAFile) {
  for (const char* kind : {"dash", "bash", "busybox"}) {
    DeviceTools tools(kind);
    std::string config = like_pfsense(60000);
    tools.write("config.xml", config);
    RealShell shell(tools, {}, 1);
    ShellPull pull(shell, shell_recipe(tools));
    ASSERT_TRUE(pull.carry(60s)) << kind;
    ASSERT_TRUE(pull.result()) << kind << ": " << pull.result().error().what;
    ASSERT_EQ(pull.result()->files.size(), 1u);
    EXPECT_EQ(pull.result()->files[0].bytes, config) << kind;
    EXPECT_EQ(pull.result()->files[0].sha256, base::hex(base::sha256(config)));
    EXPECT_EQ(pull.result()->method, "posix-block");
    EXPECT_FALSE(pull.told.empty());
    expect_as_before(shell, tools);
  }
}

TEST(PosixPull, TellsOfNothingButTheFilesAndCountsNothingElse) {
  DeviceTools tools("dash");
  tools.write("config.xml", "<a/>\n");
  tools.write("b.conf", "b\n");
  Fetch pattern;
  pattern.kind = Fetch::Kind::files;
  pattern.source = tools.home() + "/*.conf";
  Recipe recipe = shell_recipe(tools);
  recipe.device_version = "echo 7.1";
  RealShell shell(tools, {}, 2);
  ShellPull pull(shell, recipe, {pattern});
  ASSERT_TRUE(pull.carry(60s));
  ASSERT_TRUE(pull.result()) << pull.result().error().what;
  EXPECT_EQ(pull.result()->device_version, "7.1");
  ASSERT_FALSE(pull.told.empty());
  for (const Progress& told : pull.told) {
    EXPECT_NE(told.file, "");
    EXPECT_GE(told.file_number, 1u);
    EXPECT_EQ(told.files, 2u);
    EXPECT_GT(told.of, 0u);
  }
}

TEST(PosixPull, BringsPatternsCommandsAndWhatIsOptional) {
  DeviceTools tools("dash");
  tools.write("config.xml", "<a/>\n");
  tools.write("b.conf", std::string("nul \0 and \xff", 11));
  tools.write("a.conf", "");
  Fetch pattern;
  pattern.kind = Fetch::Kind::files;
  pattern.source = tools.home() + "/*.conf";
  RealShell shell(tools, {}, 2);
  ShellPull pull(shell, shell_recipe(tools),
                 {pattern, command("said", "printf 'it''s %s' \"$HOME\"; echo not this >&2"),
                  file("gone", "/no/such/file", true)});
  ASSERT_TRUE(pull.carry(60s));
  ASSERT_TRUE(pull.result()) << pull.result().error().what;
  std::map<std::string, std::string> files;
  for (const PulledFile& one : pull.result()->files) files[one.name] = one.bytes;
  std::string home = tools.home().substr(1);
  EXPECT_EQ(files.size(), 4u);
  EXPECT_EQ(files[home + "/b.conf"], std::string("nul \0 and \xff", 11));
  EXPECT_EQ(files[home + "/a.conf"], "");
  EXPECT_EQ(files["said"], "its " + tools.home());
  EXPECT_EQ(pull.result()->absent, std::vector<std::string>{"gone"});
}

TEST(PosixPull, SaysWhatIsNotThereOrFails) {
  struct Case {
    Fetch fetch;
    const char* says;
  };
  DeviceTools tools("dash");
  tools.write("config.xml", "<a/>\n");
  Fetch large = file("large", tools.home() + "/config.xml");
  large.most = 3;
  std::filesystem::create_directory(tools.home() + "/folder");
  for (const Case& one : {Case{file("x", "/no/such/file"), "x: /no/such/file is not there"},
                          Case{file("x", tools.home() + "/folder"), "x: it is not a regular file"},
                          Case{command("x", "echo why >&2; exit 3"), "ended with status 3: why"},
                          Case{large, "large: it has 5 bytes, more than 3"}}) {
    RealShell shell(tools, {}, 2);
    ShellPull pull(shell, shell_recipe(tools), {one.fetch});
    ASSERT_TRUE(pull.carry(60s));
    ASSERT_FALSE(pull.result());
    EXPECT_EQ(pull.result().error().fault, Fault::failed);
    EXPECT_THAT(pull.result().error().what, HasSubstr(one.says));
    expect_as_before(shell, tools);
  }
}

TEST(PosixPull, BringsAFileThatIsCutAndSaysSo) {
  DeviceTools tools("dash");
  tools.write("config.xml", "<a>\n");
  Fetch cut = file("cut", tools.home() + "/config.xml"), whole = cut;
  cut.end = "</a>\n";
  whole.name = "whole";
  whole.end = "<a>\n";
  RealShell shell(tools, {}, 2);
  ShellPull pull(shell, shell_recipe(tools), {cut, whole});
  ASSERT_TRUE(pull.carry(60s));
  ASSERT_TRUE(pull.result()) << pull.result().error().what;
  ASSERT_EQ(pull.result()->files.size(), 3u);  // the recipe's own, and these
  EXPECT_TRUE(pull.result()->files[1].cut);
  EXPECT_EQ(pull.result()->files[1].bytes, "<a>\n");
  EXPECT_FALSE(pull.result()->files[2].cut);
  expect_as_before(shell, tools);
}

TEST(PosixPull, TakesBlanksInNamesAndLeavesOutControlCharacters) {
  for (const char* kind : {"dash", "bash", "busybox"}) {
    DeviceTools tools(kind);
    tools.write("config.xml", "<a/>\n");
    tools.write("my uplink.conf", "ssid=x\n");
    tools.write(" b$(x)'\".conf", "odd\n");
    tools.write("two\nlines.conf", "?");
    tools.write("tab\t.conf", "?");
    Fetch pattern;
    pattern.kind = Fetch::Kind::files;
    pattern.source = tools.home() + "//*.conf";
    RealShell shell(tools, {}, 2);
    ShellPull pull(shell, shell_recipe(tools), {pattern});
    ASSERT_TRUE(pull.carry(60s));
    ASSERT_TRUE(pull.result()) << pull.result().error().what;
    std::map<std::string, std::string> files;
    for (const PulledFile& one : pull.result()->files) files[one.name] = one.bytes;
    std::string home = tools.home().substr(1);
    EXPECT_EQ(files.size(), 3u);
    EXPECT_EQ(files[home + "/my uplink.conf"], "ssid=x\n");
    EXPECT_EQ(files[home + "/ b$(x)'\".conf"], "odd\n");
    EXPECT_THAT(pull.result()->absent,
                testing::ElementsAre(home + "/tab\\t.conf (its name has control characters)",
                                     home + "/two\\nlines.conf (its name has control characters)"));
  }
}

TEST(PosixPull, LeavesOutWhatItMayNotReadWhereThatIsOptional) {
  if (::geteuid() == 0 && !std::filesystem::exists("/usr/bin/setpriv")) GTEST_SKIP() << "root reads all";
  for (bool optional : {true, false}) {
    DeviceTools tools("dash");
    tools.write("config.xml", "<a/>\n");
    tools.write("secret.conf", "x\n");
    tools.write("plain.conf", "y\n");
    std::filesystem::permissions(tools.home() + "/secret.conf", std::filesystem::perms::none);
    Fetch pattern;
    pattern.kind = Fetch::Kind::files;
    pattern.source = tools.home() + "/*.conf";
    RealShell shell(tools, {}, 2, ::geteuid() == 0 ? kWithoutRights : "");
    ShellPull pull(shell, shell_recipe(tools), {pattern, file("x", tools.home() + "/secret.conf", optional)});
    ASSERT_TRUE(pull.carry(60s));
    std::string path = tools.home() + "/secret.conf";
    if (!optional) {
      ASSERT_FALSE(pull.result());
      EXPECT_EQ(pull.result().error().what, "x: " + path + " is not readable");
      expect_as_before(shell, tools);
      continue;
    }
    ASSERT_TRUE(pull.result()) << pull.result().error().what;
    EXPECT_EQ(pull.result()->files.size(), 2u);
    EXPECT_THAT(pull.result()->absent,
                testing::ElementsAre(path.substr(1) + " (not readable)", "x (not readable)"));
  }
}

TEST(PosixPull, FetchesAFileAgainThatChangesMeanwhile) {
  DeviceTools tools("dash");
  std::string config = like_pfsense(30000);
  tools.write("config.xml", config);
  RealShell shell(tools, {}, 2);
  ShellPull pull(shell, shell_recipe(tools));
  unsigned changes = 0;
  // Once the first blocks are here, what they are of has gone.
  shell.on_bytes([&] {
    if (changes || pull.told.empty() || pull.told.back().done < 2000) return;
    ++changes;
    config += "more\n";
    tools.write("config.xml", config);
  });
  ASSERT_TRUE(pull.carry(60s));
  ASSERT_TRUE(pull.result()) << pull.result().error().what;
  EXPECT_EQ(changes, 1u);
  EXPECT_GE(pull.result()->retries, 1u);
  EXPECT_EQ(pull.result()->files[0].bytes, config);
}

TEST(PosixPull, StoresNothingOfAFileThatKeepsChanging) {
  DeviceTools tools("dash");
  tools.write("config.xml", "0\n");
  tools.script("cat", "exec /bin/cat \"$@\"\n");
  // Each look at it finds it longer.
  tools.script("gzip", "echo more >>" + tools.home() + "/config.xml; exec /bin/gzip \"$@\"\n");
  RealShell shell(tools, {}, 2);
  ShellPull pull(shell, shell_recipe(tools));
  ASSERT_TRUE(pull.carry(60s));
  ASSERT_FALSE(pull.result());
  EXPECT_EQ(
      pull.result().error().what,
      "config.xml: it has changed 6 times while it was read; try again when it is left alone, or have the "
      "recipe read a copy: cmd NAME \"cat FILE\"");
  expect_as_before(shell, tools);
}

TEST(PosixPull, TakesTheToolsThatADeviceHas) {
  DeviceTools tools("dash");
  tools.write("config.xml", "<a/>\n");
  tools.remove("base64");
  tools.remove("shasum");
  tools.remove("cksum");
  tools.script("sha256sum", "echo 0000000000000000000000000000000000000000000000000000000000000000 -\n");
  {
    RealShell shell(tools, {}, 2);
    ShellPull pull(shell, shell_recipe(tools));
    ASSERT_TRUE(pull.carry(60s));
    ASSERT_TRUE(pull.result()) << pull.result().error().what;
    EXPECT_EQ(pull.result()->files[0].bytes, "<a/>\n");
  }
  struct Case {
    const char *tool, *says;
  };
  for (const Case& one : {Case{"openssl", "the device has none of base64"},
                          Case{"od", "the device has neither cksum nor gzip, tail and od"}}) {
    tools.remove(one.tool);
    RealShell shell(tools, {}, 2);
    ShellPull pull(shell, shell_recipe(tools));
    ASSERT_TRUE(pull.carry(60s));
    ASSERT_FALSE(pull.result());
    EXPECT_THAT(pull.result().error().what, HasSubstr(one.says));
    EXPECT_EQ(pull.result().error().fault, Fault::failed);
    expect_as_before(shell, tools);
  }
}

TEST(PosixPull, StoresNothingThatAWrongSumStandsFor) {
  DeviceTools tools("dash");
  tools.write("config.xml", "<a/>\n");
  // Right for what it is tried with, and for nothing else.
  tools.script("sha256sum",
               "read -r line\nif [ \"$line\" = oob ];then printf oob|/usr/bin/sha256sum;else "
               "printf wrong|/usr/bin/sha256sum;fi\n");
  RealShell shell(tools, {}, 2);
  ShellPull pull(shell, shell_recipe(tools));
  ASSERT_TRUE(pull.carry(60s));
  ASSERT_FALSE(pull.result());
  EXPECT_EQ(pull.result().error().fault, Fault::failed);
  expect_as_before(shell, tools);
}

TEST(PosixPull, NeedsNoPlaceToWriteForFiles) {
  std::string config = like_pfsense(12000);
  for (const char* limit : {"", "ulimit -f 0", "ulimit -f 2"}) {
    DeviceTools tools("dash");
    tools.write("config.xml", config);
    if (!*limit) tools.script("mkdir", "exit 1\n");
    {
      RealShell shell(tools, {}, 1, limit);
      ShellPull pull(shell, shell_recipe(tools));
      ASSERT_TRUE(pull.carry(60s));
      ASSERT_TRUE(pull.result()) << limit << ": " << pull.result().error().what;
      EXPECT_EQ(pull.result()->files[0].bytes, config);
      expect_as_before(shell, tools);
    }
    RealShell shell(tools, {}, 1, limit);
    ShellPull pull(shell, shell_recipe(tools), {command("x", "seq 1 2000")});
    ASSERT_TRUE(pull.carry(60s));
    ASSERT_FALSE(pull.result()) << limit;
    EXPECT_EQ(pull.result().error().fault, Fault::failed);
    expect_as_before(shell, tools);
  }
}

TEST(PosixPull, LeavesNothingWhenItsShellDies) {
  DeviceTools tools("dash");
  tools.write("config.xml", like_pfsense(60000));
  RealShell shell(tools, {}, 2);
  ShellPull pull(shell, shell_recipe(tools));
  bool killed = false;
  shell.on_bytes([&] {
    if (killed || pull.told.empty() || pull.told.back().done < 2000) return;
    killed = true;
    for (int child : shell.children()) ::kill(child, SIGKILL);
  });
  ASSERT_TRUE(pull.carry(60s));
  ASSERT_TRUE(killed);
  ASSERT_FALSE(pull.result());
  EXPECT_EQ(pull.result().error().fault, Fault::unavailable);
  EXPECT_THAT(pull.result().error().what, HasSubstr("the shell on the device has ended"));
  expect_as_before(shell, tools);
}

TEST(PosixPull, IsNotLedAstrayByAFunctionsNameThatIsDamaged) {
  std::string config = like_pfsense(6000);
  for (bool runs : {false, true}) {
    DeviceTools tools("dash");
    tools.write("config.xml", config);
    RealShell shell(tools, {}, 8);
    std::map<char, std::string> others{{'a', "ceikf"}, {'b', "cjfhke"}, {'f', "vbnkx"}, {'k', "jcaoifbxyz"}};
    std::map<char, unsigned> times;
    shell.spoil = [&](std::string& line) {
      if (line.size() < 4 || line[1] != ' ' || !others.contains(line[0])) return;
      unsigned time = times[line[0]]++;
      const std::string& to = others[line[0]];
      if (time % 2 == 0 && time / 2 < to.size()) line[0] = to[time / 2];
    };
    auto pull =
        runs ? std::make_unique<ShellPull>(shell, shell_recipe(tools), "cat config.xml; exit 77", 30000ms)
             : std::make_unique<ShellPull>(shell, shell_recipe(tools));
    ASSERT_TRUE(pull->carry(60s));
    if (runs) {
      ASSERT_TRUE(pull->ran()) << pull->ran().error().what;
      EXPECT_EQ(pull->ran()->out, config);
      EXPECT_EQ(pull->ran()->status, 77);
    } else {
      ASSERT_TRUE(pull->result()) << pull->result().error().what;
      EXPECT_EQ(pull->result()->files[0].bytes, config);
      EXPECT_GE(times['b'], 4u);
    }
    EXPECT_GE(times['k'], 20u);
    expect_as_before(shell, tools);
  }
}

TEST(PosixPull, CarriesALongCommandAgainThatTheDeviceHasLostPartsOf) {
  for (const char* loss : {"w=0\r", "W=${W}x\r"}) {
    DeviceTools tools("dash");
    tools.write("config.xml", "<a/>\n");
    RealShell shell(tools, {}, 2);
    ShellPull pull(shell, shell_recipe(tools));
    unsigned losses = 0;
    // Once in the first command, and once in the last, which cleans up.
    shell.spoil = [&](std::string& line) {
      bool second = line.starts_with("a ") && line.find(" 2 ") != std::string::npos;
      if (!second || losses > (pull.told.empty() ? 0 : 1)) return;
      ++losses;
      line = loss;
    };
    ASSERT_TRUE(pull.carry(60s));
    ASSERT_TRUE(pull.result()) << loss << pull.result().error().what;
    EXPECT_EQ(losses, 2u);
    expect_as_before(shell, tools);
  }
}

TEST(PosixPull, WaitsForADeviceThatIsSlow) {
  DeviceTools tools("dash");
  tools.write("config.xml", "<a/>\n");
  // Three seconds of the line, if nobody stops it before; later it has its programs in memory.
  tools.script("cksum", base::str("[ -e ", tools.home(), "/read ]||{ /bin/sleep 0.4&&>", tools.home(),
                                  "/read;}\nexec /usr/bin/cksum\n"));
  RealShell shell(tools, {}, 8);
  ShellPull pull(shell, shell_recipe(tools));
  ASSERT_TRUE(pull.carry(60s));
  ASSERT_TRUE(pull.result()) << pull.result().error().what;
  expect_as_before(shell, tools);
}

TEST(PosixPull, EndsWithTheLine) {
  DeviceTools tools("dash");
  tools.write("config.xml", like_pfsense(60000));
  RealShell shell(tools, {}, 2);
  ShellPull pull(shell, shell_recipe(tools));
  shell.on_bytes([&] {
    if (!pull.told.empty() && pull.told.back().done >= 2000)
      shell.talk().cut(fail(Fault::unavailable, "r1: the line is gone"));
  });
  ASSERT_TRUE(pull.carry(60s));
  ASSERT_FALSE(pull.result());
  EXPECT_THAT(
      pull.result().error().what,
      testing::MatchesRegex("r1: the line is gone \\(while config.xml was fetched\\); the temporary folder "
                            "/[^ ]*/\\.oob\\.[a-z0-9]* may still be there"));
}

TEST(PosixPull, LeavesTheShellToWhoTakesOver) {
  for (const char* kind : {"dash", "bash", "busybox"}) {
    for (std::uint64_t done : {0, 3000}) {
      DeviceTools tools(kind);
      tools.write("config.xml", like_pfsense(60000));
      RealShell shell(tools, {}, 2);
      ShellPull pull(shell, shell_recipe(tools));
      std::string last;
      shell.on_bytes([&] {
        if (!last.empty() || pull.told.empty() || pull.told.back().done < done) return;
        last = shell.talk().last_words();
        shell.talk().cut(fail(Fault::busy, "somebody has taken over"));
      });
      ASSERT_TRUE(pull.carry(60s)) << kind;
      ASSERT_FALSE(pull.result());
      ASSERT_NE(last, "");
      shell.type_raw(last);
      shell.ask("", "device# ");  // ours has no prompt
      expect_as_before(shell, tools);
    }
  }
}

TEST(PosixPull, LeavesInOrderWhenItIsNoLongerWanted) {
  DeviceTools tools("dash");
  tools.write("config.xml", like_pfsense(60000));
  RealShell shell(tools, {}, 2);
  Recipe recipe = shell_recipe(tools);
  recipe.quiet = "was=3; echo quiet >" + tools.home() + "/muted";
  recipe.unquiet = "echo $was >" + tools.home() + "/muted";
  ShellPull pull(shell, recipe);
  shell.on_bytes([&] {
    if (pull.told.empty() || pull.told.back().done < 2000 || pull.done()) return;
    EXPECT_EQ(tools.read("muted"), "quiet\n");
    shell.talk().interrupt(fail(Fault::unavailable, "its time is over"));
    shell.on_bytes([] {});
  });
  ASSERT_TRUE(pull.carry(60s));
  ASSERT_FALSE(pull.result());
  EXPECT_EQ(pull.result().error().what, "its time is over (while config.xml was fetched)");
  EXPECT_EQ(tools.read("muted"), "3\n");
  expect_as_before(shell, tools);
}

TEST(PosixPull, WorksInAShellWithoutATerminal) {
  for (const char* kind : {"dash", "bash", "busybox"}) {
    DeviceTools tools(kind);
    std::string config = like_pfsense(60000);
    tools.write("config.xml", config);
    RealShell shell(tools, {}, 1, "", false);
    ShellPull pull(shell, shell_recipe(tools), {command("said", "echo $((6*7))")});
    pull.visits = false;
    ASSERT_TRUE(pull.carry(60s)) << kind;
    ASSERT_TRUE(pull.result()) << kind << ": " << pull.result().error().what;
    EXPECT_EQ(pull.result()->files[0].bytes, config) << kind;
    EXPECT_EQ(pull.result()->files[1].bytes, "42\n") << kind;
    EXPECT_THAT(tools.left_over(), IsEmpty());
  }
}

}  // namespace oob::recipe

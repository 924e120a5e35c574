#include "oobd/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "oobd/config.h"
#include "tests/oobd/config_folder.h"

namespace oob {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

struct Checked {
  int status;
  std::string out;
};

Checked check(const std::string& file) {
  testing::internal::CaptureStdout();
  int status = run_check(file, false);
  return {status, testing::internal::GetCapturedStdout()};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Check, NamesEachFaultOfEachBrokenFileWithItsPlace) {
  constexpr char kExpect[] = "# expect: ";
  int files = 0;
  for (const auto& entry : fs::directory_iterator(test::source_tree() + "/tests/oobd/broken")) {
    std::string text = test::read_file(entry.path());
    SCOPED_TRACE(entry.path().filename().string());
    ++files;
    test::ConfigFolder folder;
    std::string file = folder / entry.path().filename().string();
    test::write_file(file, text);
    Checked checked = check(file);
    EXPECT_EQ(checked.status, 78);
    std::vector<std::string> expected;
    for (const std::string& line : lines_of(text)) {
      if (line.starts_with(kExpect)) expected.push_back(line.substr(sizeof kExpect - 1));
    }
    std::vector<std::string> faults = lines_of(checked.out);
    EXPECT_EQ(faults.size(), expected.size()) << checked.out;
    for (std::size_t i = 0; i < std::min(faults.size(), expected.size()); ++i) {
      std::size_t colon = expected[i].find(": ");
      ASSERT_NE(colon, std::string::npos) << expected[i];
      EXPECT_THAT(faults[i], StartsWith(file + ":" + expected[i].substr(0, colon + 2)));
      EXPECT_THAT(faults[i], HasSubstr(expected[i].substr(colon + 2)));
    }
  }
  EXPECT_GE(files, 20);
}

TEST(Check, SumsUpAFileWithoutFault) {
  test::ConfigFolder folder;
  test::write_file(folder.file(), R"(
[server]
listen = ["127.0.0.1:0"]
state = "state"
[user.alice]
keys = "keys/alice"
roles = ["operator"]
[role.operator]
on = ["*"]
may = ["watch"]
[device.edge1]
line = { serial = "/dev/ttyS0" }
[device.edge2]
line = { unix = "/run/edge2.sock" }
)");
  Checked checked = check(folder.file());
  EXPECT_EQ(checked.status, 0);
  EXPECT_EQ(checked.out, folder.file() + ": 1 user, 2 devices, 1 role: no fault\n");
}

TEST(Check, PrintsTheFileAsItWasGiven) {
  test::ConfigFolder folder;
  test::write_file(folder.file(), "x = 1\n");
  std::string relative = fs::relative(folder.file()).string();
  Checked checked = check(relative);
  EXPECT_THAT(checked.out, HasSubstr(relative + ":1:1: unknown key 'x'"));
}

TEST(Check, AFaultAboutTheWholeFileHasAPlaceToo) {
  Checked checked = check("/nonexistent/oobd.toml");
  EXPECT_EQ(checked.status, 78);
  EXPECT_EQ(checked.out,
            "/nonexistent/oobd.toml:1:1: can't read the configuration: No such file or directory\n");
}

TEST(Check, NamesAFaultyLineOfAKeysFileInThatFile) {
  test::ConfigFolder folder;
  test::write_file(folder / "keys/alice", std::string(test::kAliceKey) + "no-such-option " + test::kAliceKey,
                   0644);
  test::write_file(folder.file(), R"([server]
listen = ["127.0.0.1:0"]
state = "state"
[user.alice]
keys = "keys/alice"
roles = ["operator"]
[user.alice2]
keys = "keys/alice"
roles = ["operator"]
[role.operator]
on = ["*"]
may = ["watch"]
)");
  Checked checked = check(folder.file());
  EXPECT_EQ(checked.status, 78);
  std::vector<std::string> faults = lines_of(checked.out);
  ASSERT_EQ(faults.size(), 1u) << checked.out;  // once, though two users have the file
  EXPECT_THAT(faults[0], StartsWith(folder / "keys/alice:2:1: "));
  EXPECT_THAT(faults[0], HasSubstr("no-such-option"));
}

}  // namespace
}  // namespace oob

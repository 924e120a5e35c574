#include "console/guard_file.h"

#include <gtest/gtest.h>

namespace oob::console {

using base::Result;

TEST(GuardFile, ComesBackAsItWasAndIsRefusedWithAnyFault) {
  Guard guard;
  guard.device = "r1";
  guard.revert = "a \"b\" \xc3\xa4";
  guard.who = {"alice", "SHA256:x", "192.0.2.9"};
  guard.armed = 1, guard.until = 2, guard.span = 3, guard.ends = 4;
  guard.boot = "boot";
  guard.state = Guard::State::typed;
  std::map<std::string, PastGuard> past;
  past["r2"] = {"r2", "bob", 5, PastGuard::End::confirmed, "alice", ""};
  std::string text = guards_text({&guard}, past);
  Result<GuardFile> back = read_guards(text);
  ASSERT_TRUE(back && back->guards.size() == 1 && back->past.size() == 1);
  EXPECT_EQ(guards_text({&back->guards[0]}, {{"r2", back->past[0]}}), text);
  for (std::size_t size = 0; size < text.size(); ++size) {
    Result<GuardFile> cut = read_guards(text.substr(0, size));
    EXPECT_TRUE(!cut || cut->past.empty()) << size;
  }
  for (std::size_t at = 0; at < text.size(); ++at)
    for (char bit : {'\x01', '\x20', '\x7f'}) {
      std::string flipped = text;
      flipped[at] = static_cast<char>(flipped[at] ^ bit);
      Result<GuardFile> read = read_guards(flipped);
      EXPECT_TRUE(!read || (read->guards.size() <= 1 && read->past.size() <= 1));
    }
}

TEST(GuardFile, KeepsALineInAnyCharacterSet) {
  Guard guard;
  guard.device = "r1";
  guard.revert = "echo \xe4\xff";
  Result<GuardFile> back = read_guards(guards_text({&guard}, {}));
  ASSERT_TRUE(back && back->guards.size() == 1);
  EXPECT_EQ(back->guards[0].revert, guard.revert);
}

}  // namespace oob::console

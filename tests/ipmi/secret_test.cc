#include "ipmi/secret.h"

#include <gtest/gtest.h>

#include <utility>

namespace oob::ipmi {
namespace {

TEST(Secret, LeavesNothingInWhatItWasTakenFrom) {
  Secret from("secretpy"), into("another, longer than what comes");
  into = std::move(from);
  EXPECT_EQ(into.view(), "secretpy");
  EXPECT_TRUE(from.empty());
  Secret made(std::move(into));
  EXPECT_EQ(made.view(), "secretpy");
  EXPECT_TRUE(into.empty());
}

TEST(Secret, IsCopiedWhole) {
  Secret from(base::Bytes("a\0b", 3)), copy(from), assigned("x");
  assigned = from;
  EXPECT_EQ(copy.view(), base::Bytes("a\0b", 3));
  EXPECT_EQ(assigned.view(), from.view());
  Secret& itself = assigned;
  assigned = itself;
  EXPECT_EQ(assigned.view(), from.view());
  assigned = std::move(itself);
  EXPECT_EQ(assigned.view(), from.view());
}

TEST(Secret, IsOverwrittenWhereItWas) {
  Secret secret("a password of more bytes than fit inside a std::string");
  const char* where = secret.view().data();
  std::size_t size = secret.view().size();
  secret.wipe();  // keeps its capacity, so that looking there is allowed
  EXPECT_TRUE(secret.empty());
  EXPECT_EQ(std::string(where, where + size).find("password"), std::string::npos);
}

TEST(Same, NeedsEveryByteAndTheSameSize) {
  EXPECT_TRUE(same("", ""));
  EXPECT_TRUE(same("secret", "secret"));
  EXPECT_FALSE(same("secret", "secreT"));
  EXPECT_FALSE(same("Secret", "secret"));
  EXPECT_FALSE(same("secret", "secre"));
  EXPECT_FALSE(same("", "s"));
}

}  // namespace
}  // namespace oob::ipmi

#include "uplink/interfaces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace oob::uplink {
namespace {

using testing::Contains;
using testing::HasSubstr;

TEST(Interfaces, HaveTheirAddresses) {
  auto found = interfaces();
  ASSERT_TRUE(found) << found.error().what;
  ASSERT_TRUE(found->count("lo"));
  EXPECT_NE(found->at("lo").index, 0U);
  EXPECT_THAT(found->at("lo").addresses, Contains("127.0.0.1"));
}

TEST(Interfaces, AreOfNoUseWithoutCarrierOrAddress) {
  EXPECT_EQ(trouble_of({2, true, {"192.0.2.1"}}), "");
  EXPECT_EQ(trouble_of({2, true, {"2001:db8::1", "fe80::1%lte0"}}), "");
  EXPECT_EQ(trouble_of({2, false, {"192.0.2.1"}}), "its interface is switched off or has no carrier");
  for (const std::vector<std::string>& none : {std::vector<std::string>{}, {"fe80::1%lte0"}, {"169.254.7.8"}})
    EXPECT_EQ(trouble_of({2, true, none}), "its interface has no address");
}

TEST(Interfaces, HaveNamesThatTheSystemTakes) {
  for (const char* right : {"lte0", "enp0s31f6", "wwx0123456789ab", "oob0.100", "br-oob"})
    EXPECT_TRUE(check_interface_name(right)) << right;
  struct Wrong {
    const char *name, *why;
  };
  for (const Wrong& wrong :
       {Wrong{"", "is empty"}, Wrong{"wwx0123456789abc", "longer than 15 bytes"},
        Wrong{"lte 0", "no name of an interface"}, Wrong{"a/b", "no name of an interface"},
        Wrong{"eth0:1", "no name of an interface"}, Wrong{"..", "no name of an interface"},
        Wrong{"lte0\n", "no name of an interface"}}) {
    auto checked = check_interface_name(wrong.name);
    ASSERT_FALSE(checked) << wrong.name;
    EXPECT_THAT(checked.error().what, HasSubstr(wrong.why));
  }
}

}  // namespace
}  // namespace oob::uplink

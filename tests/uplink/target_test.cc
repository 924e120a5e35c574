#include "uplink/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace oob::uplink {
namespace {

using testing::HasSubstr;

TEST(Target, IsAnAddressAndAWayToAskIt) {
  struct Right {
    const char *text, *address;
    Target::Way way;
    bool is_v6;
    std::uint16_t port;
  };
  using Way = Target::Way;
  for (const Right& right : {
           Right{"tcp:192.0.2.1:443", "192.0.2.1", Way::tcp, false, 443},
           Right{"tcp:[2001:db8::1]:22", "2001:db8::1", Way::tcp, true, 22},
           Right{"icmp:192.0.2.1", "192.0.2.1", Way::icmp, false, 0},
           Right{"icmp:2001:db8::1", "2001:db8::1", Way::icmp, true, 0},
           Right{"icmp:[2001:db8::1]", "2001:db8::1", Way::icmp, true, 0},
       }) {
    base::Result<Target> target = Target::parse(right.text);
    ASSERT_TRUE(target) << target.error().what;
    EXPECT_EQ(target->address, right.address);
    EXPECT_EQ(target->way, right.way);
    EXPECT_EQ(target->is_v6, right.is_v6);
    EXPECT_EQ(target->port, right.port);
    EXPECT_EQ(target->text, right.text);
  }
}

TEST(Target, SaysWhatWouldBeRight) {
  struct Wrong {
    const char *text, *why;
  };
  for (const Wrong& wrong : {
           Wrong{"192.0.2.1:443", "begins with neither 'tcp:' nor 'icmp:'"},
           Wrong{"udp:192.0.2.1:53", "begins with neither"},
           Wrong{"tcp:example.net:443", "has no numeric address: names are not looked up"},
           Wrong{"tcp:192.0.2.1", "has no port: write \"tcp:192.0.2.1:443\""},
           Wrong{"tcp:[2001:db8::1]", "has no port: write \"tcp:[2001:db8::1]:443\""},
           Wrong{"tcp:192.0.2.1:0", "has a port that is no number from 1 to 65535"},
           Wrong{"tcp:192.0.2.1:65536", "has a port that is no number"},
           Wrong{"tcp:192.0.2.1:https", "has a port that is no number"},
           Wrong{"tcp:2001:db8::1", "is IPv6: write \"tcp:[2001:db8::1]:443\""},
           Wrong{"tcp:[2001:db8::1:443", "has a '[' without its ']'"},
           Wrong{"icmp:192.0.2.1:7", "has ':7' behind its address"},
           Wrong{"icmp:fe80::1%lte0", "has no numeric address"},
           Wrong{"icmp:", "has no numeric address"},
           Wrong{"", "begins with neither"},
       }) {
    base::Result<Target> target = Target::parse(wrong.text);
    ASSERT_FALSE(target) << wrong.text;
    EXPECT_EQ(target.error().fault, base::Fault::config);
    EXPECT_THAT(target.error().what, HasSubstr(wrong.why)) << wrong.text;
  }
}

}  // namespace
}  // namespace oob::uplink

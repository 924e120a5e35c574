#include "oobd/errands_table.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace oob::errands {
namespace {

Config errands_config() {
  Config config;
  config.state = "/var/lib/oobd";
  config.notifies["sms"].program = {"/usr/bin/sms", "a word", ""};
  config.notifies["post"];  // runs nothing
  config.call_homes["fra"] = {"192.0.2.7:22", "oob", "/etc/oobd/keys/home", "ssh-ed25519 AAAA",
                              "/run/oob/ssh.sock"};
  config.uplinks["lte"].interface = "wwan0";
  config.uplinks["dsl"].interface = "oob0";
  return config;
}

TEST(ErrandsTable, IsTheSameAfterItsWay) {
  const Table table = Table::of(errands_config());
  EXPECT_EQ(table.programs.size(), 1u);
  EXPECT_EQ(table.interfaces, (std::set<std::string>{"oob0", "wwan0"}));
  base::Result<Table> back = Table::decode(table.encode());
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, table);
}

TEST(ErrandsTable, IsNoneCutOrWithMoreBehindIt) {
  const std::string bytes = Table::of(errands_config()).encode();
  for (std::size_t cut = 0; cut < bytes.size(); ++cut)
    EXPECT_FALSE(Table::decode(bytes.substr(0, cut))) << cut;
  EXPECT_FALSE(Table::decode(bytes + "x"));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0xff);
    base::Result<Table> other = Table::decode(flipped);
    if (other) {
      EXPECT_NE(*other, Table::of(errands_config()));
    }
  }
}

TEST(KeptBytes, OutliveWhoeverPutThemThere) {
  base::Result<Kept> kept = Kept::make();
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->get(), "");
  const std::string much(100'000, 'x');
  const pid_t other = ::fork();
  ASSERT_GE(other, 0);
  if (other == 0) {
    kept->put(much);
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(other, nullptr, 0), other);
  EXPECT_EQ(kept->get(), much);
  kept->put("less");
  EXPECT_EQ(kept->get(), "less");
}

}  // namespace
}  // namespace oob::errands

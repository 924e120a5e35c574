#include "serial/settings.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace oob::serial {
namespace {

TEST(Settings, TakesEveryFormatAUartKnows) {
  for (char bits : std::string("5678"))
    for (char parity : std::string("NEOMS"))
      for (char stop : std::string("12")) EXPECT_TRUE(check_format(std::string{bits, parity, stop}));
  EXPECT_EQ(parse_format("7E2")->bits, 7);
  EXPECT_EQ(parse_format("7E2")->parity, 'E');
  EXPECT_EQ(parse_format("7E2")->stop, 2);
}

TEST(Settings, SaysWhatAFormatIsWhenItIsNone) {
  for (const char* text : {"", "8", "8N", "8n1", "9N1", "4N1", "8N3", "8N1 ", "N81", "8X1"})
    EXPECT_FALSE(check_format(text)) << text;
  EXPECT_EQ(check_format("8X1").error().what,
            "\"8X1\" is no format: 5 to 8 bits, parity N, E, O, M or S, 1 or 2 stop bits, as in \"8N1\"");
  EXPECT_EQ(check_format("8X1").error().fault, base::Fault::config);
}

TEST(Settings, KnowsThreeWaysOfFlowControl) {
  EXPECT_EQ(*parse_flow("none"), Flow::none);
  EXPECT_EQ(*parse_flow("rtscts"), Flow::rtscts);
  EXPECT_EQ(*parse_flow("xonxoff"), Flow::xonxoff);
  EXPECT_EQ(check_flow("hard").error().what, "\"hard\" is no flow control: none, rtscts or xonxoff");
}

TEST(Settings, TakesOddBaudRatesAndRefusesImpossibleOnes) {
  for (unsigned baud : {50U, 9600U, 250000U, 1500000U, 4000000U}) EXPECT_TRUE(check_baud(baud));
  EXPECT_EQ(check_baud(0).error().what, "0 is no baud rate: 50 to 20000000");
  EXPECT_FALSE(check_baud(4'000'000'000));
}

TEST(Settings, TakesNumericAddressesWithAPort) {
  auto v4 = parse_endpoint("192.0.2.40:4001");
  ASSERT_TRUE(v4);
  EXPECT_FALSE(v4->ipv6);
  EXPECT_EQ(v4->address[0], 192);
  EXPECT_EQ(v4->address[3], 40);
  EXPECT_EQ(v4->port, 4001);
  auto v6 = parse_endpoint("[2001:db8::1]:23");
  ASSERT_TRUE(v6);
  EXPECT_TRUE(v6->ipv6);
  EXPECT_EQ(v6->address[0], 0x20);
  EXPECT_EQ(v6->address[15], 1);
  EXPECT_EQ(v6->port, 23);
  auto local = parse_endpoint("[fe80::1%eth0]:23");
  ASSERT_TRUE(local);
  EXPECT_EQ(local->zone, "eth0");
  auto here = parse_endpoint("localhost:4001");
  ASSERT_TRUE(here);
  EXPECT_EQ(here->address[0], 127);
}

TEST(Settings, RefusesNamesAndHalfAddresses) {
  for (std::string text :
       {"", ":", "192.0.2.40", "192.0.2.40:", "192.0.2.40:0", "192.0.2.40:65536", "192.0.2.40:-1",
        "192.0.2:23", "0x7f.1:23", "2001:db8::1:23", "[2001:db8::1]", "[2001:db8::1]:", "[192.0.2.1]:23",
        "[::1%]:23", "switch1:23", "192.0.2.40:23 ", " 192.0.2.40:23", "[]:23"})
    EXPECT_FALSE(check_endpoint(text)) << text;
  EXPECT_FALSE(check_endpoint(std::string("192.0.2.40\0:23", 14)));
  EXPECT_EQ(check_endpoint("switch1:23").error().what,
            "\"switch1:23\" is no numeric address with a port, as in \"192.0.2.40:4001\" or "
            "\"[2001:db8::1]:4001\"");
}

}  // namespace
}  // namespace oob::serial

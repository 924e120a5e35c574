#include "ssh/proxy_line.h"

#include <gtest/gtest.h>

namespace oob::ssh {
namespace {

// As tor writes it: the address is printed by parts, so that it has a group of nil behind its "::".
constexpr char kLine[] = "PROXY TCP6 fc00:dead:beef:4dad::0:29 ::1 41 22\r\n";

ProxyLine fed(std::string_view bytes, std::size_t* taken = nullptr) {
  ProxyLine line;
  std::size_t size = line.feed(bytes);
  if (taken) *taken = size;
  return line;
}

TEST(ProxyLine, TellsTheCircuit) {
  std::size_t taken = 0;
  ProxyLine line = fed(kLine, &taken);
  ASSERT_EQ(line.state(), ProxyLine::State::done);
  EXPECT_EQ(line.circuit(), 41u);
  EXPECT_EQ(taken, sizeof kLine - 1);
}

TEST(ProxyLine, TakesACircuitOfAnyNumber) {
  for (auto [address, circuit] :
       {std::pair("fc00:dead:beef:4dad::0:0", 0u), std::pair("fc00:dead:beef:4dad::1:0", 65536u),
        std::pair("fc00:dead:beef:4dad::ffff:ffff", 4294967295u)}) {
    ProxyLine line = fed(base::str("PROXY TCP6 ", address, " ::1 0 65535\r\n"));
    ASSERT_EQ(line.state(), ProxyLine::State::done) << address;
    EXPECT_EQ(line.circuit(), circuit);
  }
}

TEST(ProxyLine, LeavesWhatFollows) {
  std::size_t taken = 0;
  ProxyLine line = fed(base::str(kLine, "SSH-2.0-x\r\n"), &taken);
  EXPECT_EQ(line.state(), ProxyLine::State::done);
  EXPECT_EQ(taken, sizeof kLine - 1);
  EXPECT_EQ(line.feed("SSH"), 0u);
}

TEST(ProxyLine, IsTheSameHoweverItIsCut) {
  const std::string_view whole(kLine);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    ProxyLine line;
    EXPECT_EQ(line.feed(whole.substr(0, cut)), cut);
    ASSERT_EQ(line.state(), ProxyLine::State::more) << cut;
    EXPECT_EQ(line.feed(whole.substr(cut)), whole.size() - cut);
    ASSERT_EQ(line.state(), ProxyLine::State::done) << cut;
    EXPECT_EQ(line.circuit(), 41u);
  }
  ProxyLine line;
  for (char byte : whole) line.feed(base::Bytes(&byte, 1));
  EXPECT_EQ(line.state(), ProxyLine::State::done);
}

TEST(ProxyLine, KnowsWhatIsWrong) {
  for (const char* text :
       {"SSH-2.0-OpenSSH_9.2\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY UNKNOWN\r\n", "\r\n",
        "PROXY TCP6 2001:db8::29 ::1 41 22\r\n", "PROXY TCP6 fc00:dead:beef:4dad:1::29 ::1 41 22\r\n",
        "PROXY TCP6 fc00:dead:beef:4dad::29 ::1 41\r\n", "PROXY TCP6 fc00:dead:beef:4dad::29 ::1 41 22 1\r\n",
        "PROXY TCP6 fc00:dead:beef:4dad::29 ::1 65536 22\r\n",
        "PROXY TCP6 fc00:dead:beef:4dad::29 ::1 041 22\r\n",
        "PROXY TCP6 fc00:dead:beef:4dad::29 ::1 -1 22\r\n", "PROXY TCP6 fc00:dead:beef:4dad::29 x 41 22\r\n",
        "PROXY TCP6  ::1 41 22\r\n", "PROXY TCP6 fc00:dead:beef:4dad::29 ::1 41 22\n", "proxy tcp6 "})
    EXPECT_EQ(fed(text).state(), ProxyLine::State::wrong) << text;
}

// Nobody need wait for the end of what can't become right.
TEST(ProxyLine, KnowsItAtOnce) {
  std::size_t taken = 0;
  EXPECT_EQ(fed("SSH-2.0-OpenSSH_9.2", &taken).state(), ProxyLine::State::wrong);
  EXPECT_EQ(taken, 1u);
  EXPECT_EQ(fed("PROXY TCP6 ").state(), ProxyLine::State::more);
}

TEST(ProxyLine, IsNoLongerThanTheProtocolHasIt) {
  std::string endless = base::str("PROXY TCP6 ", std::string(1000, '0'));
  std::size_t taken = 0;
  EXPECT_EQ(fed(endless, &taken).state(), ProxyLine::State::wrong);
  EXPECT_EQ(taken, ProxyLine::kMost);
}

TEST(ProxyLine, SurvivesFlippedBits) {
  for (std::size_t at = 0; at < sizeof kLine - 1; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string text = kLine;
      text[at] = static_cast<char>(text[at] ^ (1 << bit));
      ProxyLine line = fed(text);
      if (line.state() == ProxyLine::State::done) {
        // What may differ is a digit of the circuit, of the destination or of a port, or the case of one.
        EXPECT_GT(at, 10u);
        EXPECT_EQ(text.size(), sizeof kLine - 1);
      }
    }
  }
}

}  // namespace
}  // namespace oob::ssh

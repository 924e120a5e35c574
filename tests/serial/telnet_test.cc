#include "serial/telnet.h"

#include <gtest/gtest.h>

namespace oob::serial {
namespace {

using namespace std::string_literals;

// What is fed comes out, and what is answered, whatever the pieces.
struct Result {
  std::string data, sent, remark;
  bool operator==(const Result&) const = default;
};

Result feed_pieces(const TelnetSettings& wanted, const std::vector<std::string>& pieces) {
  Telnet telnet(wanted);
  telnet.start();
  telnet.pending().clear();
  Result result;
  for (std::string piece : pieces) {
    std::size_t kept = telnet.receive(piece.data(), piece.size());
    result.data.append(piece, 0, kept);
  }
  result.sent = telnet.pending();
  result.remark = telnet.take_remark();
  return result;
}

// Whole, byte by byte, and cut at every place: all must agree.
Result feed(const std::string& input, const TelnetSettings& wanted = {}) {
  Result whole = feed_pieces(wanted, {input});
  std::vector<std::string> bytes;
  for (char c : input) bytes.emplace_back(1, c);
  EXPECT_EQ(feed_pieces(wanted, bytes), whole);
  for (std::size_t i = 1; i < input.size(); ++i)
    EXPECT_EQ(feed_pieces(wanted, {input.substr(0, i), input.substr(i)}), whole) << "cut at " << i;
  return whole;
}

const std::string kDoComPort = "\xff\xfd\x2c";
const std::string kBinary = "\xff\xfb\0\xff\xfd\0"s;

TEST(Telnet, OffersWhatASerialLineNeedsOnce) {
  Telnet telnet({});
  telnet.start();
  EXPECT_EQ(telnet.pending(),
            "\xff\xfb\x2c"
            "\xff\xfb\0"
            "\xff\xfb\x03"
            "\xff\xfd\0"
            "\xff\xfd\x03"s);
  EXPECT_EQ(telnet.com_port(), Telnet::ComPort::asked);
}

TEST(Telnet, SaysNothingMoreWhenAllIsAgreed) {
  Result result = feed(kDoComPort + kBinary + "\xff\xfb\x03\xff\xfd\x03" + "login: ");
  EXPECT_EQ(result.data, "login: ");
  EXPECT_EQ(result.sent, "");
}

TEST(Telnet, LetsTheOtherSideEchoAndNeverEchoesItself) {
  EXPECT_EQ(feed("\xff\xfb\x01").sent, "\xff\xfd\x01");
  EXPECT_EQ(feed("\xff\xfd\x01").sent, "\xff\xfc\x01");
}

TEST(Telnet, RefusesUnknownOptionsOnceEach) {
  EXPECT_EQ(feed("\xff\xfd\x18\xff\xfd\x18\xff\xfb\x18\xff\xfb\x18\xff\xfd\x1f").sent,
            "\xff\xfc\x18\xff\xfe\x18\xff\xfc\x1f");
  EXPECT_EQ(feed("\xff\xfe\x18\xff\xfc\x18").sent, "");
}

TEST(Telnet, DoesNotLoopWithAPeerThatChangesItsMind) {
  std::string input;
  for (int i = 0; i < 10'000; ++i) input += "\xff\xfd\0\xff\xfe\0"s;
  Result result = feed_pieces({}, {input});
  EXPECT_LE(result.sent.size(), 3U * Telnet::kMostChanges);
}

TEST(Telnet, IsBoundedWhateverIsOffered) {
  std::string input;
  for (int round = 0; round < 50; ++round)
    for (int code = 0; code < 256; ++code)
      for (char verb : "\xfb\xfc\xfd\xfe"s) input += {'\xff', verb, static_cast<char>(code)};
  EXPECT_LE(feed_pieces({}, {input}).sent.size(), Telnet::kMostAnswers);
}

TEST(Telnet, TakesADoubledIacForOne) { EXPECT_EQ(feed("a\xff\xff\xff\xff\x62").data, "a\xff\xff\x62"); }

TEST(Telnet, IgnoresCommandsThatMeanNothingHere) {
  EXPECT_EQ(feed("a\xff\xf1\xff\xf9\xff\xf2\xff\xf0\xff\xf6\xff\x00z"s).data, "az");
}

TEST(Telnet, DropsTheNulAfterACarriageReturnUnlessBinary) {
  EXPECT_EQ(feed("a\r\0b\r\nc\0"s).data, "a\rb\r\nc\0"s);
  EXPECT_EQ(feed(kBinary + "a\r\0b"s).data, "a\r\0b"s);
}

TEST(Telnet, AsksForTheSettingsWhenTheOtherSideAgrees) {
  TelnetSettings wanted{"", 115200, "7E2", "rtscts"};
  EXPECT_EQ(feed(kDoComPort + kDoComPort, wanted).sent,
            "\xff\xfa\x2c\x01\x00\x01\xc2\x00\xff\xf0"
            "\xff\xfa\x2c\x02\x07\xff\xf0"
            "\xff\xfa\x2c\x03\x03\xff\xf0"
            "\xff\xfa\x2c\x04\x02\xff\xf0"
            "\xff\xfa\x2c\x05\x03\xff\xf0"s);
  EXPECT_EQ(feed(kDoComPort).sent, "") << "what was not given is left as it is there";
}

TEST(Telnet, DoublesAnIacInsideANumber) {
  EXPECT_EQ(feed(kDoComPort, {"", 0xff, "", ""}).sent, "\xff\xfa\x2c\x01\0\0\0\xff\xff\xff\xf0"s);
}

TEST(Telnet, TellsWhatWasRefused) {
  TelnetSettings wanted{"", 115200, "7E2", "rtscts"};
  std::string answers =
      "\xff\xfa\x2c\x65\x00\x00\x25\x80\xff\xf0"
      "\xff\xfa\x2c\x66\x08\xff\xf0"
      "\xff\xfa\x2c\x67\x01\xff\xf0"
      "\xff\xfa\x2c\x68\x01\xff\xf0"
      "\xff\xfa\x2c\x69\x01\xff\xf0"s;
  EXPECT_EQ(feed(kDoComPort + answers + answers, wanted).remark,
            "baud 115200 refused, the port stays at 9600; 7 data bits refused, the port stays at 8; "
            "parity even refused, the port stays at none; 2 stop bits refused, the port stays at 1; "
            "flow control rtscts refused, the port stays at none");
  std::string kept = "\xff\xfa\x2c\x65\x00\x01\xc2\x00\xff\xf0"s;
  EXPECT_EQ(feed(kDoComPort + kept, wanted).remark, "");
}

TEST(Telnet, TellsThatTheOtherSideKnowsNoRfc2217) {
  EXPECT_EQ(feed("\xff\xfe\x2c", {"", 9600, "", ""}).remark,
            "the other side knows no RFC 2217: baud, format and flow stay as they are there");
  EXPECT_EQ(feed("\xff\xfe\x2c").remark, "");
}

TEST(Telnet, OutlivesASubnegotiationThatIsTooLongOrDoesNotEnd) {
  EXPECT_EQ(feed("\xff\xfa\x2c" + std::string(1000, 'x') + "\xff\xf0 on").data, " on");
  Result lost = feed_pieces({}, {"\xff\xfa\x2c" + std::string(Telnet::kLostSubnegotiation, 'x') + "on"});
  EXPECT_EQ(lost.data, "xon");
  EXPECT_EQ(lost.remark, "a telnet subnegotiation did not end; what follows is taken for data");
  EXPECT_EQ(feed("\xff\xfa\x2c\x65\xff\xfd\x18" + "on"s).data, "on") << "broken off by a command";
}

TEST(Telnet, EscapesWhatIsTyped) {
  Telnet telnet({});
  telnet.start();
  char room[16];
  Telnet::Encoded made = telnet.encode("a\r\xff\x62", room, sizeof room);
  EXPECT_EQ(std::string(room, made.size), "a\r\0\xff\xff\x62"s);
  std::string agreed = kBinary;
  telnet.receive(agreed.data(), agreed.size());
  made = telnet.encode("a\r\xff\x62", room, sizeof room);
  EXPECT_EQ(std::string(room, made.size), "a\r\xff\xff\x62"s);
  made = telnet.encode("a\xff", room, 2);
  EXPECT_EQ(made.taken, 1U) << "no half of a pair";
}

}  // namespace
}  // namespace oob::serial

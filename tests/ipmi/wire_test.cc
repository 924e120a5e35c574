#include "ipmi/wire.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/ipmi/captured.h"

namespace oob::ipmi {
namespace {

using test::both_suites;
using test::Captured;
using test::payload_of;
using test::unhex;

std::size_t code_size(const Captured& captured) { return captured.suite.id == 3 ? 12 : 16; }

// Calls `decode` with `bytes` cut at every length and with every byte flipped; it must not crash, and refuses
// what is shorter than `least`.
template <class Decode>
void maul(const std::string& bytes, std::size_t least, Decode decode) {
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::string cut = bytes.substr(0, size);
    cut.shrink_to_fit();
    auto result = decode(Bytes(cut));
    if (size < least) {
      EXPECT_FALSE(result) << size;
    }
    if (!result) {
      EXPECT_EQ(result.error().fault, base::Fault::failed);
      EXPECT_FALSE(result.error().what.empty());
    }
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(~flipped[at]);
    decode(Bytes(flipped));
  }
}

// --- the session header --------------------------------------------------------------------------------

TEST(Packet, OfASessionComesApart) {
  for (const Captured& captured : both_suites()) {
    auto packet = decode_packet(captured.response, code_size(captured));
    ASSERT_TRUE(packet) << packet.error().what;
    EXPECT_EQ(packet->type, PayloadType::ipmi);
    EXPECT_TRUE(packet->encrypted && packet->authenticated);
    EXPECT_EQ(packet->session, 0xa0a2a3a4u);
    EXPECT_EQ(packet->sequence, 6u);
    EXPECT_EQ(packet->payload, Bytes(captured.response).substr(16, 32));
    EXPECT_EQ(packet->auth_code.size(), code_size(captured));
    EXPECT_EQ(std::string(packet->covered) + std::string(packet->auth_code), captured.response.substr(4));
  }
}

TEST(Packet, IsRefusedWhereverItIsCut) {
  for (const Captured& captured : both_suites()) {
    auto decode = [&](Bytes bytes) { return decode_packet(bytes, code_size(captured)); };
    maul(captured.response, captured.response.size(), decode);
    maul(captured.open_response, captured.open_response.size(), decode);
    EXPECT_FALSE(decode(captured.response + "x"));
    EXPECT_FALSE(decode(captured.open_response + "xy"));
  }
}

TEST(Packet, TellsWhatIsWrongWithIt) {
  auto error = [](const std::string& bytes) { return decode_packet(bytes, 16).error().what; };
  std::string good = test::captured_suite_17().response;
  auto with = [&](std::size_t at, char byte) {
    std::string bytes = good;
    bytes[at] = byte;
    return bytes;
  };
  EXPECT_EQ(error(""), "packet of 0 bytes, its header has 16");
  EXPECT_EQ(error(std::string(1501, 'x')), "packet of 1501 bytes");
  EXPECT_EQ(error(with(0, 5)), "not RMCP version 6");
  EXPECT_EQ(error(with(3, 6)), "RMCP, but no IPMI message");
  EXPECT_EQ(error(with(4, 0)), "not an RMCP+ packet");
  EXPECT_EQ(error(with(14, 33)), "integrity pad of a wrong length");
  EXPECT_EQ(error(with(15, 1)), "payload of 288 bytes in a packet that has 52");
  EXPECT_EQ(error(with(50, 3)), "integrity pad of a wrong length");
  EXPECT_EQ(error(with(51, 6)), "wrong next header");
  EXPECT_EQ(error(good.substr(0, 50)), "packet without a whole session trailer");
}

TEST(Packet, MayBePaddedToSixteen) {
  for (unsigned pad = 0; pad < 20; ++pad) {
    std::string bytes = unhex("0600ff0706c0010203040a0000000400") + "abcd" + std::string(pad, '\xff') +
                        static_cast<char>(pad) + '\x07' + std::string(12, 'c');
    auto packet = decode_packet(bytes, 12);
    ASSERT_TRUE(packet) << pad;
    EXPECT_EQ(packet->payload, "abcd");
    EXPECT_EQ(packet->auth_code, std::string(12, 'c'));
    EXPECT_EQ(packet->covered.size(), 16 + pad + 2);
  }
}

TEST(Packet, OutsideASessionMayHaveTheLegacyPad) {
  std::string bytes = encode_plain(PayloadType::rakp2, "payload");
  ASSERT_TRUE(decode_packet(bytes, 0));
  std::string longer = bytes + std::string(1, '\0');
  auto padded = decode_packet(longer, 0);
  ASSERT_TRUE(padded);
  EXPECT_EQ(padded->payload, "payload");
  EXPECT_EQ(padded->type, PayloadType::rakp2);
  EXPECT_FALSE(padded->encrypted || padded->authenticated);
  EXPECT_TRUE(padded->auth_code.empty());
}

TEST(Packet, CarriesTheLastSequenceNumber) {
  std::string bytes = encode_for_signing(PayloadType::sol, 0xfffffffe, 0xffffffff, "sixteen bytes...");
  auto packet = decode_packet(bytes + std::string(12, 'c'), 12);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->sequence, 0xffffffffu);
  EXPECT_EQ(packet->session, 0xfffffffeu);
  EXPECT_EQ(packet->type, PayloadType::sol);
}

TEST(Packet, IsPaddedToAMultipleOfFourWhateverItsSize) {
  for (std::size_t size = 0; size < 20; ++size) {
    std::string bytes = encode_for_signing(PayloadType::ipmi, 1, 1, std::string(size, 'p'));
    EXPECT_EQ((bytes.size() - 4) % 4, 0u) << size;
    EXPECT_EQ(bytes.back(), '\x07');
    EXPECT_LT(bytes[bytes.size() - 2], 4);
    EXPECT_TRUE(decode_packet(bytes + std::string(16, 'c'), 16)) << size;
  }
}

TEST(Packet, ForSigningIsAsIpmitoolMakesIt) {
  for (const Captured& captured : both_suites()) {
    auto packet = decode_packet(captured.request, code_size(captured));
    ASSERT_TRUE(packet);
    EXPECT_EQ(encode_for_signing(packet->type, packet->session, packet->sequence, packet->payload),
              captured.request.substr(0, captured.request.size() - code_size(captured)));
  }
}

TEST(V15, IsAsIpmitoolSendsAndTakesIt) {
  // Get Channel Authentication Capabilities of this channel, IPMI 2.0 data, administrator.
  std::string message = encode_message({NetFn::app, 0x38, unhex("8e04")}, 0);
  EXPECT_EQ(encode_v15(message), test::captured_v15_request());
  std::string datagram = test::captured_v15_response();
  auto inside = decode_v15(datagram);
  ASSERT_TRUE(inside);
  auto response = decode_message(*inside, Checksums::checked);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->command, 0x38);
  EXPECT_EQ(response->completion, 0);
  EXPECT_EQ(base::hex(response->data), "0180040200000000");
}

TEST(V15, IsRefusedWhereverItIsCut) {
  std::string good = test::captured_v15_response();
  maul(good, good.size(), [](Bytes bytes) { return decode_v15(bytes); });
  EXPECT_TRUE(decode_v15(good + "x"));
  EXPECT_EQ(decode_v15(good + "xy").error().what, "2 bytes after the message");
  EXPECT_EQ(decode_v15(test::captured_suite_3().rakp2).error().what,
            "not an IPMI 1.5 packet without authentication");
  EXPECT_FALSE(decode_v15(std::string(1501, '\0')));
}

// --- setting a session up --------------------------------------------------------------------------------

TEST(OpenSession, IsAskedForAsIpmitoolDoes) {
  for (const Captured& captured : both_suites()) {
    // ipmitool asks for 0, the highest privilege that there is.
    OpenSessionRequest request{0, Privilege::none, 0xa0a2a3a4, captured.suite};
    EXPECT_EQ(encode_plain(PayloadType::open_session_request, request.encode()), captured.open_request);
  }
}

TEST(OpenSession, IsAnsweredWithIdsAndAlgorithms) {
  for (const Captured& captured : both_suites()) {
    std::string payload = payload_of(captured.open_response);
    auto response = OpenSessionResponse::decode(payload);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 0);
    EXPECT_EQ(response->privilege, Privilege::admin);
    EXPECT_EQ(response->console_session, 0xa0a2a3a4u);
    EXPECT_EQ(response->bmc_session, captured.suite.id == 3 ? 0x1997233du : 0x588f8151u);
    EXPECT_TRUE(response->suite.same_algorithms(captured.suite));
    EXPECT_EQ(response->suite.id, 0);
    maul(payload, 36, [](Bytes bytes) { return OpenSessionResponse::decode(bytes); });
  }
}

TEST(OpenSession, RefusedMayBeShort) {
  std::string refusal = unhex("07110000a4a3a2a0");
  for (std::size_t size = 2; size <= refusal.size(); ++size) {
    auto response = OpenSessionResponse::decode(Bytes(refusal).substr(0, size));
    ASSERT_TRUE(response) << size;
    EXPECT_EQ(response->tag, 7);
    EXPECT_EQ(response->status, 0x11);
    EXPECT_EQ(response->bmc_session, 0u);
  }
  EXPECT_FALSE(OpenSessionResponse::decode(Bytes(refusal).substr(0, 1)));
}

TEST(OpenSession, WithoutAnIdOfTheBmcOrWithAlgorithmsInDisorderIsRefused) {
  std::string payload = payload_of(test::captured_suite_3().open_response);
  std::string no_id = payload, disorder = payload;
  no_id.replace(8, 4, 4, '\0');
  disorder[20] = 2;
  EXPECT_EQ(OpenSessionResponse::decode(no_id).error().what,
            "open session response: the BMC's session id is 0");
  EXPECT_EQ(OpenSessionResponse::decode(disorder).error().what,
            "open session response: algorithm 1 is not where it belongs");
}

TEST(Rakp1, IsAsIpmitoolSendsIt) {
  for (const Captured& captured : both_suites()) {
    std::string payload = payload_of(captured.rakp1);
    Rakp1 message{0, get32(payload, 4), payload.substr(8, 16),
                  static_cast<std::uint8_t>(Privilege::admin) | kNameOnly, test::kCapturedUser};
    EXPECT_EQ(encode_plain(PayloadType::rakp1, message.encode()), captured.rakp1);
  }
}

TEST(Rakp2, ComesApart) {
  for (const Captured& captured : both_suites()) {
    std::string payload = payload_of(captured.rakp2);
    auto message = Rakp2::decode(payload);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->tag, 0);
    EXPECT_EQ(message->status, 0);
    EXPECT_EQ(message->console_session, 0xa0a2a3a4u);
    EXPECT_EQ(message->bmc_random, payload.substr(8, 16));
    EXPECT_EQ(base::hex(message->guid), "d64cecdca4ac4948ab38c7c8f95276c3");
    EXPECT_EQ(message->auth_code.size(), captured.suite.id == 3 ? 20u : 32u);
    EXPECT_EQ(message->auth_code, payload.substr(40));
    maul(payload, 40, [](Bytes bytes) { return Rakp2::decode(bytes); });
    EXPECT_EQ(Rakp2::decode(payload.substr(0, 40))->auth_code, "");  // RAKP-none has no code
  }
}

TEST(Rakp2, WithAnErrorMayBeShort) {
  std::string refusal = unhex("000d0000a4a3a2a0");
  auto message = Rakp2::decode(refusal);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->status, 0x0d);
  EXPECT_EQ(message->console_session, 0xa0a2a3a4u);
  EXPECT_EQ(Rakp2::decode(refusal.substr(0, 2))->status, 0x0d);
  EXPECT_FALSE(Rakp2::decode(refusal.substr(0, 1)));
  EXPECT_EQ(Rakp2::decode(std::string(39, '\0')).error().what,
            "RAKP 2 of 39 bytes, at least 40 belong to it");
}

TEST(Rakp3, IsAsIpmitoolSendsIt) {
  for (const Captured& captured : both_suites()) {
    std::string payload = payload_of(captured.rakp3);
    Rakp3 message{0, 0, get32(payload, 4), payload.substr(8)};
    EXPECT_EQ(encode_plain(PayloadType::rakp3, message.encode()), captured.rakp3);
  }
}

TEST(Rakp3, ThatGivesUpCarriesNoCode) {
  Rakp3 message{5, 0x0f, 0x01020304, "never to be sent"};
  EXPECT_EQ(base::hex(message.encode()), "050f000004030201");
}

TEST(Rakp4, ComesApart) {
  for (const Captured& captured : both_suites()) {
    std::string payload = payload_of(captured.rakp4);
    auto message = Rakp4::decode(payload);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->status, 0);
    EXPECT_EQ(message->console_session, 0xa0a2a3a4u);
    EXPECT_EQ(message->integrity_check, payload.substr(8));
    EXPECT_EQ(message->integrity_check.size(), code_size(captured));
    maul(payload, 8, [](Bytes bytes) { return Rakp4::decode(bytes); });
  }
  auto refusal = Rakp4::decode(unhex("020f"));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->tag, 2);
  EXPECT_EQ(refusal->status, 0x0f);
}

// --- IPMI messages -----------------------------------------------------------------------------------------

TEST(Message, IsAsIpmitoolSendsAndTakesIt) {
  for (const Captured& captured : both_suites()) {
    EXPECT_EQ(encode_message({NetFn::chassis, 0x01, ""}, 6), captured.request_message);
    auto response = decode_message(captured.response_message, Checksums::checked);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->netfn, 1);
    EXPECT_EQ(response->command, 1);
    EXPECT_EQ(response->sequence, 6);
    EXPECT_EQ(response->completion, 0);
    EXPECT_EQ(base::hex(response->data), "010000");
    maul(captured.response_message, captured.response_message.size(),
         [](Bytes bytes) { return decode_message(bytes, Checksums::checked); });
    maul(captured.response_message, 8, [](Bytes bytes) { return decode_message(bytes, Checksums::ignored); });
  }
}

TEST(Message, WithAWrongChecksumIsTakenOnlyWhereThatIsAskedFor) {
  std::string good = test::captured_suite_3().response_message;
  for (std::size_t at = 0; at < good.size(); ++at)
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      EXPECT_EQ(decode_message(bad, Checksums::checked).error().what, "IPMI response with a wrong checksum");
    }
  good.back() = static_cast<char>(~good.back());
  auto taken = decode_message(good, Checksums::ignored);
  ASSERT_TRUE(taken);
  EXPECT_EQ(base::hex(taken->data), "010000");
}

TEST(Message, ThatIsARequestIsNoResponse) {
  std::string request = encode_message({NetFn::chassis, 1, "x"}, 6);
  EXPECT_EQ(decode_message(request, Checksums::checked).error().what,
            "an IPMI request where a response is due");
}

TEST(Message, NumbersRunFrom0To63) {
  EXPECT_EQ(base::hex(encode_message({NetFn::app, 0x01, ""}, 63)), "2018c881fc0182");
  EXPECT_EQ(encode_message({NetFn::app, 1, ""}, 64), encode_message({NetFn::app, 1, ""}, 0));
}

// --- texts and integers ----------------------------------------------------------------------------------

TEST(Texts, AreTheStandards) {
  EXPECT_EQ(status_text(0x11), "no cipher suite match with the proposed security algorithms");
  EXPECT_EQ(status_text(0x0d), "unauthorized name");
  EXPECT_EQ(status_text(0x13), "unknown status 13h");
  EXPECT_EQ(completion_text(0xd4), "insufficient privilege level (D4h)");
  EXPECT_EQ(completion_text(0xc1), "invalid command (C1h)");
  EXPECT_EQ(completion_text(0x80), "command-specific refusal (80h)");
  EXPECT_EQ(completion_text(0x7e), "OEM refusal (7Eh)");
  EXPECT_EQ(completion_text(0xe0), "unknown completion code (E0h)");
  EXPECT_STREQ(name_of(Privilege::op), "operator");
  EXPECT_STREQ(name_of(Privilege::admin), "administrator");
  EXPECT_STREQ(name_of(static_cast<Privilege>(9)), "reserved");
}

TEST(Texts, AreOfEveryCodeItsOwn) {
  std::set<std::string> texts;
  for (unsigned code = 0; code < 256; ++code) {
    texts.insert(completion_text(static_cast<std::uint8_t>(code)));
    EXPECT_FALSE(status_text(static_cast<std::uint8_t>(code)).empty());
  }
  EXPECT_EQ(texts.size(), 256u);
}

TEST(Integers, HaveTheirLeastByteFirst) {
  std::string bytes;
  put16(bytes, 0xf102);
  put32(bytes, 0xf3040506);
  EXPECT_EQ(base::hex(bytes), "02f1060504f3");
  EXPECT_EQ(get8(bytes, 1), 0xf1);
  EXPECT_EQ(get16(bytes, 0), 0xf102);
  EXPECT_EQ(get32(bytes, 2), 0xf3040506u);
}

}  // namespace
}  // namespace oob::ipmi

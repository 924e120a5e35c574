#include "ipmi/rakp.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "tests/ipmi/captured.h"

namespace oob::ipmi {
namespace {

using test::both_suites;
using test::Captured;
using test::keys_of;
using test::payload_of;

Exchange exchange_of(const Captured& captured) {
  std::string rakp1 = payload_of(captured.rakp1), rakp2 = payload_of(captured.rakp2);
  auto opened = OpenSessionResponse::decode(payload_of(captured.open_response));
  return {captured.suite,      opened->console_session, opened->bmc_session, rakp1.substr(8, 16),
          rakp2.substr(8, 16), rakp2.substr(24, 16),    get8(rakp1, 24),     test::kCapturedUser};
}

// What the far end would make of it: any plain bytes encrypted and any signed packet, as seal() never would.
std::string sealed_by_hand(const SessionKeys& keys, const std::string& plain, unsigned integrity_pad = 2) {
  std::string iv(16, 'i'), encrypted(plain.size(), '\0');
  auto* raw = reinterpret_cast<const unsigned char*>(plain.data());
  EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
  int size = 0;
  EVP_EncryptInit_ex(cipher, EVP_aes_128_cbc(), nullptr,
                     reinterpret_cast<const unsigned char*>(keys.aes.view().data()),
                     reinterpret_cast<const unsigned char*>(iv.data()));
  EVP_CIPHER_CTX_set_padding(cipher, 0);
  EVP_EncryptUpdate(cipher, reinterpret_cast<unsigned char*>(encrypted.data()), &size, raw,
                    static_cast<int>(plain.size()));
  EVP_CIPHER_CTX_free(cipher);
  std::string packet("\x06\x00\xff\x07\x06\xc0", 6);
  put32(packet, 0x11223344);
  put32(packet, 7);
  put16(packet, static_cast<std::uint16_t>(16 + plain.size()));
  packet += iv + encrypted + std::string(integrity_pad, '\xff');
  packet += static_cast<char>(integrity_pad);
  packet += '\x07';
  unsigned char code[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  HMAC(keys.suite.id == 3 ? EVP_sha1() : EVP_sha256(), keys.k1.view().data(),
       static_cast<int>(keys.k1.view().size()), reinterpret_cast<const unsigned char*>(packet.data()) + 4,
       packet.size() - 4, code, &length);
  return packet.append(reinterpret_cast<const char*>(code), keys.suite.id == 3 ? 12 : 16);
}

// A datagram, all the way to the plain payload.
Result<std::string> opened(const SessionKeys& keys, const std::string& datagram) {
  auto packet = decode_packet(datagram, auth_code_size(keys.suite));
  if (!packet) return packet.error();
  return unseal(keys, *packet);
}

TEST(Rakp, CodesAreThoseOfTheCapturedExchange) {
  for (const Captured& captured : both_suites()) {
    Exchange exchange = exchange_of(captured);
    Secret password(test::kCapturedPassword);
    EXPECT_EQ(rakp2_code(exchange, password), payload_of(captured.rakp2).substr(40));
    EXPECT_EQ(rakp3_code(exchange, password), payload_of(captured.rakp3).substr(8));
    SessionKeys keys = session_keys(exchange, password, Secret());
    EXPECT_EQ(base::hex(keys.sik.view()), base::hex(captured.sik));
    EXPECT_EQ(base::hex(keys.k1.view()), base::hex(captured.k1));
    EXPECT_EQ(base::hex(keys.aes.view()), base::hex(captured.k2.substr(0, 16)));
    EXPECT_TRUE(keys.suite.same_algorithms(captured.suite));
    EXPECT_EQ(base::hex(rakp4_code(exchange, keys)), base::hex(payload_of(captured.rakp4).substr(8)));
  }
}

TEST(Rakp, TakesTheBmcsKeyInsteadOfThePassword) {
  for (const Captured& captured : both_suites()) {
    Exchange exchange = exchange_of(captured);
    SessionKeys keys = session_keys(exchange, Secret(test::kCapturedPassword), Secret(test::kKg));
    EXPECT_EQ(base::hex(keys.k1.view()), base::hex(captured.k1_with_kg));
  }
}

TEST(Rakp, CodesDependOnEverythingThatWasExchanged) {
  for (const Captured& captured : both_suites()) {
    const Exchange good = exchange_of(captured);
    Secret password(test::kCapturedPassword);
    std::vector<Exchange> others(7, good);
    others[0].console_session ^= 1;
    others[1].bmc_session ^= 1;
    others[2].console_random[15] ^= 1;
    others[3].bmc_random[15] ^= 1;
    others[4].guid[15] ^= 1;
    others[5].role ^= 1;
    others[6].user = "ADMIM";
    for (const Exchange& other : others) EXPECT_NE(rakp2_code(other, password), rakp2_code(good, password));
    EXPECT_NE(rakp2_code(good, Secret("secretpz")), rakp2_code(good, password));
    EXPECT_NE(rakp3_code(others[3], password), rakp3_code(good, password));
    EXPECT_NE(session_keys(others[2], password, Secret()).sik.view(), Bytes(captured.sik));
    EXPECT_NE(rakp4_code(others[4], keys_of(captured)), rakp4_code(good, keys_of(captured)));
  }
}

TEST(Rakp, WithAlgorithmsWeDoNotSpeakGivesNothing) {
  Exchange exchange = exchange_of(test::captured_suite_3());
  exchange.suite = kSuite0;
  Secret password(test::kCapturedPassword);
  EXPECT_EQ(rakp2_code(exchange, password), "");
  EXPECT_EQ(rakp3_code(exchange, password), "");
  SessionKeys keys = session_keys(exchange, password, Secret());
  EXPECT_TRUE(keys.sik.empty() && keys.k1.empty() && keys.aes.empty());
  EXPECT_EQ(rakp4_code(exchange, keys), "");
  EXPECT_EQ(auth_code_size(kSuite0), 0u);
  EXPECT_EQ(seal(keys, PayloadType::ipmi, 1, 1, "x").error().fault, base::Fault::internal);
  Packet packet;
  packet.encrypted = packet.authenticated = true;
  EXPECT_FALSE(unseal(keys, packet));
}

TEST(Unseal, OpensCapturedPackets) {
  for (const Captured& captured : both_suites()) {
    auto request = opened(keys_of(captured), captured.request);
    auto response = opened(keys_of(captured), captured.response);
    ASSERT_TRUE(request && response);
    EXPECT_EQ(base::hex(*request), base::hex(captured.request_message));
    EXPECT_EQ(base::hex(*response), base::hex(captured.response_message));
  }
}

TEST(Unseal, RefusesEveryFlippedBitAfterTheRmcpHeader) {
  for (const Captured& captured : both_suites()) {
    SessionKeys keys = keys_of(captured);
    for (std::size_t at = 4; at < captured.response.size(); ++at)
      for (unsigned bit = 0; bit < 8; ++bit) {
        std::string bad = captured.response;
        bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
        EXPECT_FALSE(opened(keys, bad)) << at << "." << bit;
      }
  }
}

TEST(Unseal, RefusesPacketsCutAnywhere) {
  for (const Captured& captured : both_suites()) {
    SessionKeys keys = keys_of(captured);
    for (std::size_t size = 0; size < captured.response.size(); ++size)
      EXPECT_FALSE(opened(keys, captured.response.substr(0, size))) << size;
  }
}

TEST(Unseal, RefusesWhatIsNotBothSignedAndEncrypted) {
  for (const Captured& captured : both_suites()) {
    SessionKeys keys = keys_of(captured);
    auto packet = decode_packet(captured.response, auth_code_size(keys.suite));
    ASSERT_TRUE(packet);
    Packet plain = *packet, unsigned_one = *packet;
    plain.encrypted = false;
    unsigned_one.authenticated = false;
    for (const Packet& bad : {plain, unsigned_one})
      EXPECT_EQ(unseal(keys, bad).error().what, "packet that is not both signed and encrypted");
    std::string stripped = encode_plain(PayloadType::ipmi, captured.response_message);
    EXPECT_EQ(opened(keys, stripped).error().what, "packet that is not both signed and encrypted");
  }
}

TEST(Unseal, RefusesAShortenedAuthCode) {
  Captured captured = test::captured_suite_17();
  auto packet = decode_packet(captured.response, 16);
  ASSERT_TRUE(packet);
  for (std::size_t size = 0; size < 16; ++size) {
    Packet bad = *packet;
    bad.auth_code = bad.auth_code.substr(0, size);
    EXPECT_EQ(unseal(keys_of(captured), bad).error().what, "packet with a wrong auth code");
  }
}

TEST(Unseal, RefusesAnotherSuitesKeys) {
  EXPECT_FALSE(opened(keys_of(test::captured_suite_3()), test::captured_suite_17().response));
  EXPECT_FALSE(opened(keys_of(test::captured_suite_17()), test::captured_suite_3().response));
}

TEST(Unseal, TakesAWholeBlockOfPadAndAnIntegrityPadToSixteen) {
  for (const Captured& captured : both_suites()) {
    SessionKeys keys = keys_of(captured);
    std::string plain = "fifteen bytes..", pad;
    for (int i = 1; i <= 16; ++i) pad += static_cast<char>(i);
    for (unsigned integrity_pad : {0u, 2u, 14u}) {
      auto message = opened(keys, sealed_by_hand(keys, plain + pad + '\x10', integrity_pad));
      ASSERT_TRUE(message) << message.error().what;
      EXPECT_EQ(*message, plain);
    }
  }
}

TEST(Unseal, RefusesSignedPacketsWithAWrongPad) {
  for (const Captured& captured : both_suites()) {
    SessionKeys keys = keys_of(captured);
    auto error = [&](const std::string& plain) {
      return opened(keys, sealed_by_hand(keys, plain)).error().what;
    };
    EXPECT_EQ(error(std::string(15, 'x') + '\x10'), "confidentiality pad of 16 bytes");
    EXPECT_EQ(error(std::string(31, 'x') + '\x11'), "confidentiality pad of 17 bytes");
    EXPECT_EQ(error(std::string(31, 'x') + '\xff'), "confidentiality pad of 255 bytes");
    EXPECT_EQ(error(std::string(13, 'x') + "\x01\x03\x02"), "wrong confidentiality pad");
    EXPECT_EQ(error(""), "encrypted payload of 16 bytes");
    EXPECT_EQ(*opened(keys, sealed_by_hand(keys, std::string(13, 'x') + "\x01\x02\x02")),
              std::string(13, 'x'));
    std::string all_pad;
    for (int i = 1; i <= 15; ++i) all_pad += static_cast<char>(i);
    EXPECT_EQ(*opened(keys, sealed_by_hand(keys, all_pad + '\x0f')), "");
  }
}

TEST(Unseal, RefusesAnEncryptedPayloadThatIsNoWholeBlocks) {
  for (const Captured& captured : both_suites()) {
    SessionKeys keys = keys_of(captured);
    for (std::size_t size : {std::size_t{0}, std::size_t{15}, std::size_t{31}, std::size_t{33}}) {
      std::string packet = encode_for_signing(PayloadType::ipmi, 1, 1, std::string(size, 'e'));
      unsigned char code[EVP_MAX_MD_SIZE];
      HMAC(captured.suite.id == 3 ? EVP_sha1() : EVP_sha256(), captured.k1.data(),
           static_cast<int>(captured.k1.size()), reinterpret_cast<const unsigned char*>(packet.data()) + 4,
           packet.size() - 4, code, nullptr);
      packet.append(reinterpret_cast<const char*>(code), auth_code_size(captured.suite));
      EXPECT_EQ(opened(keys, packet).error().what, base::str("encrypted payload of ", size, " bytes"));
    }
  }
}

TEST(Seal, IsOpenedAgainWhateverTheSize) {
  for (const Captured& captured : both_suites()) {
    SessionKeys keys = keys_of(captured);
    for (std::size_t size = 0; size < 70; ++size) {
      std::string payload(size, 'p');
      auto datagram = seal(keys, PayloadType::sol, 0xffffffff, 0xffffffff, payload);
      ASSERT_TRUE(datagram);
      auto packet = decode_packet(*datagram, auth_code_size(keys.suite));
      ASSERT_TRUE(packet) << packet.error().what;
      EXPECT_EQ(packet->type, PayloadType::sol);
      EXPECT_EQ(packet->sequence, 0xffffffffu);
      EXPECT_EQ(packet->covered.size() % 4, 0u);
      auto message = unseal(keys, *packet);
      ASSERT_TRUE(message) << message.error().what;
      EXPECT_EQ(*message, payload);
    }
  }
}

TEST(Seal, MakesPacketsOfIpmitoolsSizeAndNeverTheSameTwice) {
  for (const Captured& captured : both_suites()) {
    SessionKeys keys = keys_of(captured);
    auto one = seal(keys, PayloadType::ipmi, get32(captured.request, 6), 8, captured.request_message);
    auto two = seal(keys, PayloadType::ipmi, get32(captured.request, 6), 8, captured.request_message);
    ASSERT_TRUE(one && two);
    EXPECT_EQ(one->size(), captured.request.size());
    EXPECT_EQ(one->substr(0, 16), captured.request.substr(0, 16));
    EXPECT_NE(one->substr(16, 16), two->substr(16, 16));
    EXPECT_NE(one->substr(32), two->substr(32));
  }
}

TEST(Seal, RefusesWhatNoDatagramHolds) {
  SessionKeys keys = keys_of(test::captured_suite_17());
  auto datagram = seal(keys, PayloadType::sol, 1, 1, std::string(kMostDatagram + 1, 'x'));
  EXPECT_EQ(datagram.error().fault, base::Fault::internal);
}

TEST(RandomBytes, AreAsManyAsAskedForAndDiffer) {
  EXPECT_EQ(random_bytes(0), "");
  EXPECT_EQ(random_bytes(16).size(), 16u);
  EXPECT_NE(random_bytes(16), random_bytes(16));
}

}  // namespace
}  // namespace oob::ipmi

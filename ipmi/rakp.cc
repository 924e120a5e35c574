#include "ipmi/rakp.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cassert>
#include <cstdlib>
#include <memory>

namespace oob::ipmi {
namespace {

constexpr std::size_t kBlock = 16;  // AES
constexpr std::uint8_t kRakpSha1 = 1, kRakpSha256 = 3;
constexpr std::uint8_t kIntegritySha1 = 1, kIntegritySha256 = 4;
constexpr std::uint8_t kAesCbc128 = 1;

const unsigned char* raw(Bytes bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
unsigned char* raw(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

// Tables 13-17 and 13-18; null for what we do not speak.
const EVP_MD* rakp_hash(const Suite& suite) {
  if (suite.authentication == kRakpSha1) return EVP_sha1();
  return suite.authentication == kRakpSha256 ? EVP_sha256() : nullptr;
}
const EVP_MD* integrity_hash(const Suite& suite) {
  if (suite.integrity == kIntegritySha1) return EVP_sha1();
  return suite.integrity == kIntegritySha256 ? EVP_sha256() : nullptr;
}

// A digest that is wiped, since it may be a key. Empty when OpenSSL fails.
class Hmac {
 public:
  Hmac(const EVP_MD* hash, Bytes key, Bytes message) {
    if (!hash) return;
    if (!HMAC(hash, key.data(), static_cast<int>(key.size()), raw(message), message.size(), bytes_, &size_))
      size_ = 0;
  }
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;
  ~Hmac() { OPENSSL_cleanse(bytes_, sizeof bytes_); }
  Bytes view() const { return {reinterpret_cast<const char*>(bytes_), size_}; }

 private:
  unsigned char bytes_[EVP_MAX_MD_SIZE];
  unsigned size_ = 0;
};

// RoleM, ULengthM and UNameM, the end of most of what is hashed.
void put_user(std::string& to, const Exchange& exchange) {
  to += static_cast<char>(exchange.role);
  to += static_cast<char>(exchange.user.size());
  to += exchange.user;
}

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

// AES-CBC-128 of whole blocks, without padding of OpenSSL's own. False: OpenSSL failed.
bool crypt(const Secret& key, Bytes iv, Bytes from, std::string& to, int encrypt) {
  assert(key.view().size() == kBlock && iv.size() == kBlock && from.size() % kBlock == 0);
  Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  to.resize(from.size());
  int size = 0;
  return cipher &&
         EVP_CipherInit_ex(cipher.get(), EVP_aes_128_cbc(), nullptr, raw(key.view()), raw(iv), encrypt) ==
             1 &&
         EVP_CIPHER_CTX_set_padding(cipher.get(), 0) == 1 &&
         EVP_CipherUpdate(cipher.get(), raw(to), &size, raw(from), static_cast<int>(from.size())) == 1 &&
         static_cast<std::size_t>(size) == from.size();
}

bool usable(const SessionKeys& keys) {
  return auth_code_size(keys.suite) != 0 && keys.suite.confidentiality == kAesCbc128 && !keys.k1.empty() &&
         keys.aes.view().size() == kBlock;
}

}  // namespace

std::string rakp2_code(const Exchange& exchange, const Secret& password) {
  std::string message;
  put32(message, exchange.console_session);
  put32(message, exchange.bmc_session);
  message += exchange.console_random;
  message += exchange.bmc_random;
  message += exchange.guid;
  put_user(message, exchange);
  return std::string(Hmac(rakp_hash(exchange.suite), password.view(), message).view());
}

std::string rakp3_code(const Exchange& exchange, const Secret& password) {
  std::string message = exchange.bmc_random;
  put32(message, exchange.console_session);
  put_user(message, exchange);
  return std::string(Hmac(rakp_hash(exchange.suite), password.view(), message).view());
}

SessionKeys session_keys(const Exchange& exchange, const Secret& password, const Secret& kg) {
  const EVP_MD* hash = rakp_hash(exchange.suite);
  std::string message = exchange.console_random + exchange.bmc_random;
  put_user(message, exchange);
  Hmac sik(hash, kg.empty() ? password.view() : kg.view(), message);
  // 13.32: the constants are 20 bytes long, whatever the hash's size.
  Hmac k1(hash, sik.view(), std::string(20, '\x01'));
  Hmac k2(hash, sik.view(), std::string(20, '\x02'));
  return {exchange.suite, Secret(k1.view()), Secret(k2.view().substr(0, kBlock)), Secret(sik.view())};
}

std::string rakp4_code(const Exchange& exchange, const SessionKeys& keys) {
  std::string message = exchange.console_random;
  put32(message, exchange.bmc_session);
  message += exchange.guid;
  // 13.28.1: cut as the hash of RAKP says, not as the session's integrity algorithm does.
  std::size_t size = exchange.suite.authentication == kRakpSha1 ? 12 : 16;
  return std::string(Hmac(rakp_hash(exchange.suite), keys.sik.view(), message).view().substr(0, size));
}

std::size_t auth_code_size(const Suite& suite) {
  if (suite.integrity == kIntegritySha1) return 12;
  return suite.integrity == kIntegritySha256 ? 16 : 0;
}

Result<std::string> seal(const SessionKeys& keys, PayloadType type, std::uint32_t session,
                         std::uint32_t sequence, Bytes payload) {
  if (!usable(keys)) return base::fail(base::Fault::internal, "no keys to seal a packet with");
  if (payload.size() > kMostDatagram)
    return base::fail(base::Fault::internal, base::str("payload of ", payload.size(), " bytes"));
  std::string plain(payload), iv(kBlock, '\0'), encrypted;
  std::size_t pad = (kBlock - (plain.size() + 1) % kBlock) % kBlock;
  for (std::size_t i = 1; i <= pad; ++i) plain += static_cast<char>(i);
  plain += static_cast<char>(pad);
  bool done =
      RAND_bytes(raw(iv), static_cast<int>(iv.size())) == 1 && crypt(keys.aes, iv, plain, encrypted, 1);
  OPENSSL_cleanse(plain.data(), plain.size());
  if (!done) return base::fail(base::Fault::internal, "OpenSSL did not encrypt");
  std::string packet = encode_for_signing(type, session, sequence, iv + encrypted);
  Hmac code(integrity_hash(keys.suite), keys.k1.view(), Bytes(packet).substr(4));
  if (code.view().empty()) return base::fail(base::Fault::internal, "OpenSSL did not sign");
  packet += code.view().substr(0, auth_code_size(keys.suite));
  return packet;
}

Result<std::string> unseal(const SessionKeys& keys, const Packet& packet) {
  if (!usable(keys)) return base::fail(base::Fault::internal, "no keys to open a packet with");
  if (!packet.encrypted || !packet.authenticated)
    return base::fail(base::Fault::failed, "packet that is not both signed and encrypted");
  Hmac code(integrity_hash(keys.suite), keys.k1.view(), packet.covered);
  if (code.view().empty()) return base::fail(base::Fault::internal, "OpenSSL did not sign");
  if (!same(code.view().substr(0, auth_code_size(keys.suite)), packet.auth_code))
    return base::fail(base::Fault::failed, "packet with a wrong auth code");
  Bytes iv = packet.payload.substr(0, kBlock);
  if (packet.payload.size() < 2 * kBlock || packet.payload.size() % kBlock != 0)
    return base::fail(base::Fault::failed,
                      base::str("encrypted payload of ", packet.payload.size(), " bytes"));
  std::string plain;
  if (!crypt(keys.aes, iv, packet.payload.substr(kBlock), plain, 0))
    return base::fail(base::Fault::internal, "OpenSSL did not decrypt");
  std::size_t pad = get8(plain, plain.size() - 1);
  if (pad > kBlock || pad + 1 > plain.size())
    return base::fail(base::Fault::failed, base::str("confidentiality pad of ", pad, " bytes"));
  std::size_t size = plain.size() - 1 - pad;
  for (std::size_t i = 0; i < pad; ++i)
    if (get8(plain, size + i) != i + 1) return base::fail(base::Fault::failed, "wrong confidentiality pad");
  plain.resize(size);
  return plain;
}

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  if (RAND_bytes(raw(bytes), static_cast<int>(size)) != 1) std::abort();
  return bytes;
}

}  // namespace oob::ipmi

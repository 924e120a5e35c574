#include "tests/bmc/packet.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <memory>

namespace oob::test {

namespace {

constexpr std::string_view kRmcp("\x06\x00\xff\x07", 4);

const unsigned char* raw(Bytes bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

std::uint8_t checksum(Bytes bytes) {
  unsigned sum = 0;
  for (char byte : bytes) sum += static_cast<std::uint8_t>(byte);
  return static_cast<std::uint8_t>(0x100 - (sum & 0xff));
}

std::size_t auth_code_size(unsigned integrity) {
  if (integrity == 1) return 12;
  return integrity == 4 ? 16 : 0;
}

std::string auth_code(unsigned integrity, Bytes k1, Bytes covered) {
  std::string code = keyed_hash(integrity == 4 ? 3 : 1, k1, covered);
  code.resize(auth_code_size(integrity));
  return code;
}

std::string aes(bool encrypt, Bytes key, Bytes iv, Bytes text) {
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                          EVP_CIPHER_CTX_free);
  std::string out(text.size() + 16, '\0');
  int first = 0, last = 0;
  bool fine =
      EVP_CipherInit_ex(context.get(), EVP_aes_128_cbc(), nullptr, raw(key), raw(iv), encrypt) == 1 &&
      EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1 &&
      EVP_CipherUpdate(context.get(), reinterpret_cast<unsigned char*>(out.data()), &first, raw(text),
                       static_cast<int>(text.size())) == 1 &&
      EVP_CipherFinal_ex(context.get(), reinterpret_cast<unsigned char*>(out.data()) + first, &last) == 1;
  out.resize(fine ? static_cast<std::size_t>(first + last) : 0);
  return out;
}

// 13.29: IV, then the payload and its pad 01h 02h ... and the pad's length.
std::string encrypt(const Keys& keys, Bytes payload, const Seal& wrong) {
  std::string text(payload);
  std::size_t pad = (16 - (text.size() + 1) % 16) % 16 + (wrong.pad_16 ? 16 : 0);
  for (std::size_t i = 1; i <= pad; ++i) text += static_cast<char>(wrong.wrong_pad ? 0x5a : i);
  text += static_cast<char>(wrong.pad_too_long ? 0xf0 : pad);
  std::string iv = random_bytes(16);
  return iv + aes(true, keys.k2, iv, text);
}

std::optional<std::string> decrypt(const Keys& keys, Bytes payload) {
  if (payload.size() < 32 || payload.size() % 16 != 0) return std::nullopt;
  std::string text = aes(false, keys.k2, payload.substr(0, 16), payload.substr(16));
  if (text.empty()) return std::nullopt;
  std::size_t pad = get8(text, text.size() - 1);
  if (pad > 15 || pad + 1 > text.size()) return std::nullopt;
  for (std::size_t i = 0; i < pad; ++i)
    if (get8(text, text.size() - 1 - pad + i) != i + 1) return std::nullopt;
  text.resize(text.size() - pad - 1);
  return text;
}

}  // namespace

void put16(std::string& to, std::uint32_t value) {
  to += static_cast<char>(value & 0xff);
  to += static_cast<char>(value >> 8 & 0xff);
}
void put32(std::string& to, std::uint32_t value) {
  put16(to, value);
  put16(to, value >> 16);
}
std::uint32_t get16(Bytes from, std::size_t at) { return get8(from, at) | get8(from, at + 1) << 8; }
std::uint32_t get32(Bytes from, std::size_t at) { return get16(from, at) | get16(from, at + 2) << 16; }

std::optional<Algorithms> suite_algorithms(unsigned suite) {
  switch (suite) {
    case 0:
      return Algorithms{0, 0, 0};
    case 1:
      return Algorithms{1, 0, 0};
    case 2:
      return Algorithms{1, 1, 0};
    case 3:
      return Algorithms{1, 1, 1};
    case 15:
      return Algorithms{3, 0, 0};
    case 16:
      return Algorithms{3, 4, 0};
    case 17:
      return Algorithms{3, 4, 1};
    default:
      return std::nullopt;
  }
}

std::string keyed_hash(unsigned authentication, Bytes key, Bytes message) {
  if (authentication != 1 && authentication != 3) return "";
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!HMAC(authentication == 3 ? EVP_sha256() : EVP_sha1(), key.data(), static_cast<int>(key.size()),
            raw(message), message.size(), out, &size))
    return "";
  return std::string(reinterpret_cast<char*>(out), size);
}

std::size_t check_value_size(unsigned authentication) {
  if (authentication == 1) return 12;
  return authentication == 3 ? 16 : 0;
}

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size));
  return bytes;
}

bool same_secret(Bytes a, Bytes b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<Datagram> read_datagram(Bytes bytes) {
  // RMCP version 6, class IPMI; the sequence number must be FFh, or an acknowledgement would be due.
  if (bytes.size() < 14 || bytes.substr(0, 1) != kRmcp.substr(0, 1) ||
      bytes.substr(2, 2) != kRmcp.substr(2, 2))
    return std::nullopt;
  Datagram out;
  out.whole = bytes.substr(4);
  Bytes whole = out.whole;
  out.authentication = get8(whole, 0);
  out.rmcp_plus = out.authentication == 6;
  if (!out.rmcp_plus) {
    out.sequence = get32(whole, 1);
    out.session = get32(whole, 5);
    std::size_t at = out.authentication == 0 ? 9 : 25;
    if (whole.size() < at + 1) return std::nullopt;
    std::size_t length = get8(whole, at++);
    // Some clients append a pad byte to lengths that old network chips could not send (13.6).
    if (whole.size() < at + length || whole.size() > at + length + 1) return std::nullopt;
    out.payload = whole.substr(at, length);
    out.trailer = at + length;
    return out;
  }
  if (whole.size() < 12) return std::nullopt;
  out.payload_type = get8(whole, 1) & 0x3f;
  out.encrypted = get8(whole, 1) & 0x80;
  out.authenticated = get8(whole, 1) & 0x40;
  if (out.payload_type == 2) return std::nullopt;  // OEM explicit: none here
  out.session = get32(whole, 2);
  out.sequence = get32(whole, 6);
  std::size_t length = get16(whole, 10);
  if (whole.size() < 12 + length) return std::nullopt;
  out.payload = whole.substr(12, length);
  out.trailer = 12 + length;
  return out;
}

std::optional<std::string> pong(Bytes bytes) {
  if (bytes.size() < 12 || get8(bytes, 0) != 6 || get8(bytes, 3) != 6 || get8(bytes, 8) != 0x80)
    return std::nullopt;
  std::string out("\x06\x00\xff\x06\x00\x00\x11\xbe\x40", 9);
  out += bytes[9];  // message tag
  out += std::string("\x00\x10\x00\x00\x11\xbe\x00\x00\x00\x00\x81\x00\x00\x00\x00\x00\x00\x00", 18);
  return out;
}

std::optional<std::string> open_payload(const Datagram& datagram, const Keys& keys) {
  if (datagram.authenticated != (keys.algorithms.integrity != 0)) return std::nullopt;
  if (datagram.encrypted != (keys.algorithms.confidentiality != 0)) return std::nullopt;
  if (datagram.authenticated) {
    std::size_t code = auth_code_size(keys.algorithms.integrity);
    Bytes whole = datagram.whole;
    // Pad, its length, next header 07h, AuthCode (table 13-8).
    if (whole.size() < datagram.trailer + 2 + code) return std::nullopt;
    Bytes covered = whole.substr(0, whole.size() - code);
    std::size_t pad = get8(covered, covered.size() - 2);
    if (covered.size() % 4 != 0 || get8(covered, covered.size() - 1) != 7 || pad > 3 ||
        datagram.trailer + pad + 2 != covered.size())
      return std::nullopt;
    if (!same_secret(whole.substr(whole.size() - code),
                     auth_code(keys.algorithms.integrity, keys.k1, covered)))
      return std::nullopt;
  }
  if (!datagram.encrypted) return std::string(datagram.payload);
  return decrypt(keys, datagram.payload);
}

std::string seal_packet(const Keys& keys, unsigned payload_type, std::uint32_t session,
                        std::uint32_t sequence, Bytes payload, const Seal& wrong) {
  bool authenticate = keys.algorithms.integrity != 0 && !wrong.strip_authenticated;
  bool hide = keys.algorithms.confidentiality != 0 && !wrong.strip_encrypted;
  std::string body = hide ? encrypt(keys, payload, wrong) : std::string(payload);
  std::string out(1, '\x06');
  out += static_cast<char>(payload_type | (authenticate ? 0x40 : 0) | (hide ? 0x80 : 0));
  put32(out, session);
  put32(out, sequence);
  put16(out, static_cast<std::uint32_t>(body.size()));
  out += body;
  if (authenticate) {
    std::size_t pad = (4 - (out.size() + 2) % 4) % 4;
    out.append(pad, '\xff');
    out += static_cast<char>(pad);
    out += '\x07';
    std::string code = auth_code(keys.algorithms.integrity, keys.k1, out);
    if (wrong.wrong_code) code[0] = static_cast<char>(code[0] ^ 0x40);
    out += code;
  }
  return std::string(kRmcp) + out;
}

std::string bare_packet(bool rmcp_plus, unsigned payload_type, Bytes payload) {
  std::string out(kRmcp);
  if (rmcp_plus) {
    out += '\x06';
    out += static_cast<char>(payload_type);
    out.append(8, '\0');
    put16(out, static_cast<std::uint32_t>(payload.size()));
  } else {
    out.append(9, '\0');
    out += static_cast<char>(payload.size());
  }
  out += payload;
  return out;
}

std::optional<LanRequest> read_request(Bytes message) {
  if (message.size() < 7 || checksum(message.substr(0, 3)) != 0 || checksum(message.substr(3)) != 0)
    return std::nullopt;
  LanRequest out;
  out.bmc_address = get8(message, 0);
  out.netfn = get8(message, 1) >> 2;
  out.lun = get8(message, 1) & 3;
  out.rq_address = get8(message, 3);
  out.rq_seq = get8(message, 4) >> 2;
  out.rq_lun = get8(message, 4) & 3;
  out.command = get8(message, 5);
  out.data = message.substr(6, message.size() - 7);
  if (out.netfn % 2 != 0) return std::nullopt;
  return out;
}

std::string response_message(const LanRequest& to, Bytes answer, bool wrong_checksum,
                             bool wrong_header_checksum) {
  std::string head;
  head += static_cast<char>(to.rq_address);
  head += static_cast<char>((to.netfn + 1) << 2 | to.rq_lun);
  head += static_cast<char>(checksum(head) + (wrong_header_checksum ? 1 : 0));
  std::string tail;
  tail += static_cast<char>(to.bmc_address);
  tail += static_cast<char>(to.rq_seq << 2 | to.lun);
  tail += static_cast<char>(to.command);
  tail += answer;
  tail += static_cast<char>(checksum(tail) + (wrong_checksum ? 1 : 0));
  return head + tail;
}

}  // namespace oob::test

#include "auth/public_key.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include <algorithm>
#include <array>
#include <bit>
#include <memory>

#include "base/sha256.h"
#include "base/wire.h"

namespace oob::auth {

using base::Bytes;
using base::fail;
using base::Fault;
using base::printable;
using base::Result;
using base::str;
using base::wire::Reader;

namespace {

constexpr std::string_view kAccepted[] = {"ssh-ed25519",
                                          "ecdsa-sha2-nistp256",
                                          "ecdsa-sha2-nistp384",
                                          "ecdsa-sha2-nistp521",
                                          "ssh-rsa",
                                          "sk-ssh-ed25519@openssh.com",
                                          "sk-ecdsa-sha2-nistp256@openssh.com"};
constexpr std::string_view kCertificate = "-cert-v01@openssh.com";

struct Curve {
  std::string_view name;
  int nid;
  unsigned bits;
};
constexpr Curve kCurves[] = {{"nistp256", NID_X9_62_prime256v1, 256},
                             {"nistp384", NID_secp384r1, 384},
                             {"nistp521", NID_secp521r1, 521}};

Result<> refuse(std::string_view type, std::string_view why) {
  return fail(Fault::denied, str(type, ": ", why));
}

Result<> read_ed25519(Reader& reader, PublicKey& key) {
  Bytes point = reader.text();
  if (!reader.ok() || point.size() != 32) return refuse(key.type, "the key is not 32 bytes long");
  key.bits = 256;
  return {};
}

bool on_curve(int nid, Bytes point) {
  std::unique_ptr<EC_GROUP, decltype(&EC_GROUP_free)> group(EC_GROUP_new_by_curve_name(nid), EC_GROUP_free);
  if (!group) return false;
  std::unique_ptr<EC_POINT, decltype(&EC_POINT_free)> place(EC_POINT_new(group.get()), EC_POINT_free);
  bool on = place &&
            EC_POINT_oct2point(group.get(), place.get(), reinterpret_cast<const unsigned char*>(point.data()),
                               point.size(), nullptr) == 1;
  ERR_clear_error();  // the answer is all there is to say
  return on;
}

Result<> read_ecdsa(Reader& reader, PublicKey& key) {
  Bytes name = reader.text();
  Bytes point = reader.text();
  auto curve = std::find_if(std::begin(kCurves), std::end(kCurves), [&](const Curve& c) {
    return name == c.name && key.type.find(c.name) != std::string::npos;
  });
  if (!reader.ok() || curve == std::end(kCurves)) return refuse(key.type, "the curve is not the type's");
  // RFC 5656, 3.1 allows compressed points too; nobody sends them, and libssh does not take them.
  if (point.size() != 1 + 2 * ((curve->bits + 7) / 8) || point[0] != 4)
    return refuse(key.type, "the point has a wrong length");
  if (!on_curve(curve->nid, point)) return refuse(key.type, "the point is not on the curve");
  key.bits = curve->bits;
  return {};
}

Result<> read_rsa(Reader& reader, PublicKey& key) {
  Bytes exponent = positive_number(reader.text());
  Bytes modulus = positive_number(reader.text());
  if (!reader.ok() || exponent.empty() || modulus.empty())
    return refuse(key.type, "a number is missing or not in its shortest form");
  key.bits = static_cast<unsigned>(8 * (modulus.size() - 1)) +
             static_cast<unsigned>(std::bit_width(static_cast<unsigned char>(modulus[0])));
  if (key.bits < kLeastRsaBits)
    return refuse(key.type, str("the key has ", key.bits, " bits, at least ", kLeastRsaBits, " are needed"));
  if (key.bits > kMostRsaBits)
    return refuse(key.type, str("the key has ", key.bits, " bits, at most ", kMostRsaBits, " are taken"));
  // Longer exponents make a signature as dear to check as to make.
  if (exponent.size() > 8 || exponent == Bytes("\1") || (exponent.back() & 1) == 0)
    return refuse(key.type, "the exponent is not an odd number from 3 to 64 bits");
  if ((modulus.back() & 1) == 0) return refuse(key.type, "the modulus is even");
  return {};
}

Result<> read_application(Reader& reader, const PublicKey& key) {
  Bytes application = reader.text();
  if (!reader.ok() || application.empty()) return refuse(key.type, "the application is missing");
  return {};
}

Result<> check_type(std::string_view type) {
  if (std::find(std::begin(kAccepted), std::end(kAccepted), type) != std::end(kAccepted)) return {};
  if (type == "ssh-dss") return refuse(type, "DSA keys are not accepted");
  if (is_key_type(type)) return refuse(type, "a certificate is not accepted as a plain key");
  std::string what = str("unknown key type '", printable(type, 64), "'");
  std::string_view hint = type.size() > 64 ? "" : base::nearest(type, kAccepted);
  if (!hint.empty()) what += str(", did you mean ", hint, "?");
  return fail(Fault::denied, what);
}

}  // namespace

Bytes positive_number(Bytes number) {
  auto byte = [&](std::size_t at) { return static_cast<unsigned char>(number[at]); };
  if (number.empty() || byte(0) >= 0x80) return {};
  if (byte(0) != 0) return number;
  if (number.size() < 2 || byte(1) < 0x80) return {};
  return number.substr(1);
}

bool is_key_type(std::string_view word) {
  auto accepted = [](std::string_view type) {
    return type == "ssh-dss" ||
           std::find(std::begin(kAccepted), std::end(kAccepted), type) != std::end(kAccepted);
  };
  if (accepted(word)) return true;
  if (!word.ends_with(kCertificate)) return false;
  std::string plain(word.substr(0, word.size() - kCertificate.size()));
  return accepted(plain) || accepted(plain + "@openssh.com");
}

bool decode_base64(std::string_view text, std::string& bytes) {
  static constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static constexpr auto kValues = [] {
    std::array<signed char, 256> values{};
    values.fill(-1);
    for (std::size_t i = 0; i < kLetters.size(); ++i)
      values[static_cast<unsigned char>(kLetters[i])] = static_cast<signed char>(i);
    return values;
  }();
  bytes.clear();
  if (text.size() % 4 != 0) return false;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  bytes.reserve(text.size() / 4 * 3);
  unsigned held = 0, bits = 0;
  for (char letter : text.substr(0, text.size() - padding)) {
    int value = kValues[static_cast<unsigned char>(letter)];
    if (value < 0) return false;
    held = (held << 6 | static_cast<unsigned>(value)) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(held >> bits & 0xff);
    }
  }
  return (held & ((1u << bits) - 1)) == 0;
}

std::string fingerprint_of(Bytes blob) {
  std::string text = base::base64(base::sha256(blob));
  text.erase(text.find_last_not_of('=') + 1);
  return "SHA256:" + text;
}

std::string PublicKey::fingerprint() const { return fingerprint_of(blob); }
std::string PublicKey::text() const { return str(type, " ", base::base64(blob)); }

Result<PublicKey> parse_key_blob(Bytes blob) {
  if (blob.size() > kMostKeyBlob)
    return fail(Fault::denied,
                str("the key has ", blob.size(), " bytes, at most ", kMostKeyBlob, " are taken"));
  Reader reader(blob);
  Bytes type = reader.text();
  if (!reader.ok()) return fail(Fault::denied, "not a public key");
  if (Result<> known = check_type(type); !known) return known.error();
  PublicKey key{std::string(type), std::string(blob), 0};
  Result<> read = type == "ssh-rsa"                                ? read_rsa(reader, key)
                  : type.find("ed25519") != std::string_view::npos ? read_ed25519(reader, key)
                                                                   : read_ecdsa(reader, key);
  if (read && type.starts_with("sk-")) read = read_application(reader, key);
  if (!read) return read.error();
  if (!reader.done()) return fail(Fault::denied, str(type, ": bytes are left over after the key"));
  return key;
}

bool is_whole_key(Bytes blob) {
  Reader reader(blob);
  Bytes type = reader.text();
  if (!reader.ok() || !is_key_type(type) || type.ends_with(kCertificate)) return false;
  unsigned fields = type == "ssh-dss" ? 4 : type.find("ed25519") != Bytes::npos ? 1 : 2;
  if (type.starts_with("sk-")) ++fields;
  for (unsigned i = 0; i < fields; ++i) {
    if (reader.text().empty()) return false;
  }
  return reader.done();
}

Result<PublicKey> parse_key_text(std::string_view type, std::string_view base64) {
  if (Result<> known = check_type(type); !known) return known.error();
  std::string blob;
  if (base64.empty()) return fail(Fault::denied, str(type, ": the key itself is missing"));
  if (base64.size() > kMostKeyBlob / 3 * 4 + 4 || !decode_base64(base64, blob))
    return fail(Fault::denied, str(type, ": the key is not whole base64"));
  if (Reader reader(blob); reader.text() != type || !reader.ok())
    return fail(Fault::denied, str("the key is not of the type ", type, " that stands before it"));
  return parse_key_blob(blob);
}

}  // namespace oob::auth

#include "auth/totp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace oob::auth {

using base::Bytes;
using base::Error;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

Error at_fault(std::string what) { return fail(Fault::config, std::move(what)); }

bool same_letters(Bytes one, Bytes other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

Bytes trimmed(Bytes text) {
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

int base32_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a';
  if (c >= '2' && c <= '7') return c - '2' + 26;
  return -1;
}

// RFC 4648, 6. What is over after the last whole byte is not looked at: some make secrets of random letters.
Result<> decode_base32(Bytes text, base::Secret& to) {
  base::Wiped secret(Totp::kMostSecret);
  unsigned bits = 0;
  int held = 0;
  std::size_t letters = 0, place = 0, padding = 0;
  for (char c : text) {
    ++place;
    if (c == ' ' || c == '-') continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    int value = base32_value(c);
    if (value < 0) return at_fault(str("character ", place, " of the secret is not base32 (A-Z and 2-7)"));
    if (padding > 0) return at_fault("the secret goes on after its padding");
    ++letters;
    bits = (bits << 5 | static_cast<unsigned>(value)) & 0xfff;
    held += 5;
    if (held < 8) continue;
    held -= 8;
    if (secret.text.size() == Totp::kMostSecret)
      return at_fault(str("the secret is longer than ", Totp::kMostSecret, " bytes"));
    secret.text += static_cast<char>(bits >> held & 0xff);
  }
  std::size_t odd = letters % 8;
  if (odd == 1 || odd == 3 || odd == 6)
    return at_fault(str("base32 is never ", letters, " characters long: one is missing or too many"));
  if (padding > 6) return at_fault("more padding than base32 ever has");
  if (secret.text.size() < Totp::kLeastSecret)
    return at_fault(
        str("a secret of ", secret.text.size(), " bytes; at least ", Totp::kLeastSecret, " are needed"));
  to = base::Secret(secret.text);
  return {};
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Percent signs of an address (RFC 3986, 2.1).
bool unescape(Bytes text, std::string& plain) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      plain += text[at];
      continue;
    }
    if (text.size() - at < 3) return false;
    int high = hex_value(text[at + 1]), low = hex_value(text[at + 2]);
    if (high < 0 || low < 0) return false;
    plain += static_cast<char>(high << 4 | low);
    at += 2;
  }
  return true;
}

constexpr Bytes kScheme = "otpauth://";

// What an otpauth address says, each at most once; views into it.
struct Address {
  std::optional<Bytes> secret, digits, period, algorithm;
};

Result<Address> parse_address(Bytes text) {
  text.remove_prefix(kScheme.size());
  if (!same_letters(text.substr(0, text.find('/')), "totp"))
    return at_fault("an otpauth address that does not begin with otpauth://totp/");
  Address address;
  std::size_t query = text.find('?');
  if (query == Bytes::npos) return at_fault("an otpauth address without ?secret=");
  Bytes rest = text.substr(query + 1);
  const std::pair<Bytes, std::optional<Bytes>*> known[] = {{"secret", &address.secret},
                                                           {"digits", &address.digits},
                                                           {"period", &address.period},
                                                           {"algorithm", &address.algorithm}};
  Bytes twice;
  base::split(rest.substr(0, rest.find('#')), '&', [&](Bytes piece) {
    std::size_t equals = piece.find('=');
    if (equals == Bytes::npos) return;
    for (const auto& [name, value] : known) {  // others (issuer, image) are for the app
      if (!same_letters(piece.substr(0, equals), name)) continue;
      if (*value) twice = name;
      *value = piece.substr(equals + 1);
    }
  });
  if (!twice.empty()) return at_fault(str("an otpauth address with two ", twice, "="));
  if (!address.secret) return at_fault("an otpauth address without secret=");
  return address;
}

}  // namespace

Result<Totp> Totp::parse(Bytes text) {
  if (text.size() > kMostText) return at_fault(str("longer than ", kMostText, " bytes"));
  text = trimmed(text);
  if (text.empty()) return at_fault("empty");
  if (text.find('\n') != Bytes::npos) return at_fault("more than one line");
  Totp totp;
  if (!same_letters(text.substr(0, kScheme.size()), kScheme)) {
    if (Result<> decoded = decode_base32(text, totp.secret_); !decoded) return decoded.error();
    return totp;
  }
  Result<Address> address = parse_address(text);
  if (!address) return address.error();
  if (address->algorithm) {
    constexpr std::pair<Bytes, Hash> kHashes[] = {
        {"SHA1", Hash::sha1}, {"SHA256", Hash::sha256}, {"SHA512", Hash::sha512}};
    auto named = std::find_if(std::begin(kHashes), std::end(kHashes), [&](const auto& each) {
      return same_letters(each.first, *address->algorithm);
    });
    if (named == std::end(kHashes)) return at_fault("algorithm= is not SHA1, SHA256 or SHA512");
    totp.hash_ = named->second;
  }
  if (address->digits && *address->digits != "6" && *address->digits != "8")
    return at_fault("digits= is not 6 or 8");
  if (address->digits == "8") totp.digits_ = 8;
  if (address->period && *address->period != "30") return at_fault("period= is not 30");
  base::Wiped plain(kMostText);
  if (!unescape(*address->secret, plain.text)) return at_fault("a % in secret= that says nothing");
  if (Result<> decoded = decode_base32(plain.text, totp.secret_); !decoded) return decoded.error();
  return totp;
}

// RFC 6238, 4.2, on RFC 4226, 5.3.
std::string Totp::code(std::int64_t step) const {
  const EVP_MD* hash = hash_ == Hash::sha1 ? EVP_sha1() : hash_ == Hash::sha256 ? EVP_sha256() : EVP_sha512();
  std::array<unsigned char, 8> counter;
  for (std::size_t at = 0; at < counter.size(); ++at)
    counter[at] = static_cast<unsigned char>(step >> (56 - 8 * at));
  unsigned char mac[EVP_MAX_MD_SIZE] = {};
  unsigned size = 0;
  HMAC(hash, secret_.view().data(), static_cast<int>(secret_.view().size()), counter.data(), counter.size(),
       mac, &size);
  if (size < 20) return {};  // OpenSSL would not: no code is right then, is() sees to that
  const unsigned char* from = mac + (mac[size - 1] & 0xf);
  std::uint32_t number = (from[0] & 0x7fu) << 24 | from[1] << 16 | from[2] << 8 | from[3];
  number %= digits_ == 8 ? 100'000'000u : 1'000'000u;
  std::string text = std::to_string(number);
  return std::string(static_cast<std::size_t>(digits_) - text.size(), '0') + text;
}

bool Totp::is(Bytes code, std::int64_t step) const {
  std::string right = this->code(step);
  return !right.empty() && base::same(code, right);
}

}  // namespace oob::auth

#include "auth/address_list.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace oob::auth {

using base::fail;
using base::Fault;
using base::printable;
using base::Result;
using base::str;

namespace {

constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Result<> wrong(std::string_view pattern, std::string_view why) {
  return fail(Fault::config, str("'", printable(pattern, 80), "' ", why));
}

// Whether the text of some address could match: a host name, even one of hexadecimal letters ("*.de"), never
// can.
bool may_match_an_address(std::string_view wildcard) {
  if (wildcard.find_first_not_of("0123456789abcdef.:*?") != std::string_view::npos) return false;
  bool dotted = wildcard.find('.') != std::string_view::npos && wildcard.find(':') == std::string_view::npos;
  return !dotted || wildcard.find_first_of("abcdef") == std::string_view::npos;
}

}  // namespace

bool AddressList::read(std::string_view text, Address& address) {
  char terminated[INET6_ADDRSTRLEN + 1];
  if (text.empty() || text.size() >= sizeof terminated || text.find('\0') != std::string_view::npos)
    return false;
  std::memcpy(terminated, text.data(), text.size());
  terminated[text.size()] = 0;
  address = {};
  address.v4 = ::inet_pton(AF_INET, terminated, address.bytes.data()) == 1;
  if (address.v4) return true;
  if (::inet_pton(AF_INET6, terminated, address.bytes.data()) != 1) return false;
  if (std::memcmp(address.bytes.data(), kMapped, sizeof kMapped) == 0) {
    Address plain;
    plain.v4 = true;
    std::memcpy(plain.bytes.data(), address.bytes.data() + sizeof kMapped, 4);
    address = plain;
  }
  return true;
}

std::string AddressList::text_of(const Address& address) {
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(address.v4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof text);
}

bool AddressList::within(const Address& address, const Address& network, unsigned prefix) {
  if (address.v4 != network.v4) return false;
  unsigned whole = prefix / 8, rest = prefix % 8;
  if (!std::equal(network.bytes.begin(), network.bytes.begin() + whole, address.bytes.begin())) return false;
  if (rest == 0) return true;
  unsigned mask = 0xffu << (8 - rest) & 0xff;
  return (address.bytes[whole] & mask) == (network.bytes[whole] & mask);
}

Result<AddressList::Pattern> AddressList::parse_one(std::string_view text) {
  Pattern pattern;
  std::string_view rest = text;
  if (rest.starts_with('!')) {
    pattern.negated = true;
    rest.remove_prefix(1);
  }
  if (rest.empty()) return fail(Fault::config, "a pattern is empty");
  std::size_t slash = rest.find('/');
  std::string lower(rest);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (rest.find_first_of("*?") != std::string_view::npos && slash == std::string_view::npos) {
    if (!may_match_an_address(lower))
      return wrong(text, "can never match: only numeric addresses are compared, names are not looked up")
          .error();
    pattern.wildcard = std::move(lower);
    return pattern;
  }
  if (rest.find('%') != std::string_view::npos)
    return wrong(text, "has a zone, which is not compared").error();
  if (!read(rest.substr(0, slash), pattern.network)) {
    return wrong(text, slash == std::string_view::npos
                           ? "is not a numeric address: names are not looked up, so it can never match"
                           : "is not a numeric network such as 192.0.2.0/24 or 2001:db8::/32")
        .error();
  }
  unsigned most = pattern.network.v4 ? 32 : 128;
  pattern.prefix = most;
  if (slash == std::string_view::npos) return pattern;
  // ::ffff:192.0.2.0/120 counts its prefix from the front of the IPv6 address.
  bool mapped = pattern.network.v4 && rest.substr(0, slash).find(':') != std::string_view::npos;
  unsigned prefix = 0;
  std::string_view digits = rest.substr(slash + 1);
  if (!base::parse_number(digits, prefix) || (digits.size() > 1 && digits[0] == '0') ||
      prefix > (mapped ? 128 : most) || (mapped && prefix < 96))
    return wrong(text,
                 str("has a prefix length that is not from ", mapped ? 96 : 0, " to ", mapped ? 128 : most))
        .error();
  pattern.prefix = mapped ? prefix - 96 : prefix;
  Address masked = pattern.network;
  for (unsigned bit = pattern.prefix; bit < most; ++bit)
    masked.bytes[bit / 8] = static_cast<unsigned char>(masked.bytes[bit / 8] & ~(0x80u >> (bit % 8)));
  if (masked.bytes != pattern.network.bytes)
    return wrong(text, str("has bits set after its prefix, did you mean ", text_of(masked), "/",
                           pattern.prefix, "?"))
        .error();
  return pattern;
}

Result<AddressList> AddressList::parse(std::string_view text) {
  AddressList list;
  Result<> all;
  base::split(text, ',', [&](std::string_view piece) {
    if (!all) return;
    Result<Pattern> pattern = parse_one(piece);
    if (pattern)
      list.patterns_.push_back(std::move(*pattern));
    else
      all = pattern.error();
  });
  if (!all) return all.error();
  if (std::all_of(list.patterns_.begin(), list.patterns_.end(), [](const Pattern& p) { return p.negated; }))
    return fail(Fault::config,
                "every pattern shuts out, so nobody could come in; add one that lets in, such as *");
  return list;
}

bool AddressList::matches(std::string_view address) const {
  Address wanted;
  if (!read(address.substr(0, address.find('%')), wanted)) return false;
  std::string text = text_of(wanted);
  bool in = false;
  for (const Pattern& pattern : patterns_) {
    bool here = pattern.wildcard.empty() ? within(wanted, pattern.network, pattern.prefix)
                                         : base::glob_match(pattern.wildcard, text);
    if (!here) continue;
    if (pattern.negated) return false;
    in = true;
  }
  return in;
}

}  // namespace oob::auth

#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace oob::auth {

// The value of from= in authorized_keys: numeric addresses, networks (192.0.2.0/24, 2001:db8::/32), patterns
// with * and ? on the address's text, each with ! before it to shut out. Names are never looked up, so one is
// an error: it could never match. An IPv4 address mapped into IPv6 (::ffff:192.0.2.1) counts as IPv4. A
// value.
class AddressList {
 public:
  // An Error says what is wrong with which pattern.
  static base::Result<AddressList> parse(std::string_view text);

  // Whether `address` (no port; a zone after % is ignored) is in the list: some pattern matches and none with
  // ! does. Text that is not an address matches nothing.
  bool matches(std::string_view address) const;

 private:
  struct Address {
    std::array<unsigned char, 16> bytes{};
    bool v4 = false;
  };
  struct Pattern {
    bool negated = false;
    std::string wildcard;  // if not empty, the rest says nothing
    Address network;
    unsigned prefix = 0;
  };
  static bool read(std::string_view text, Address& address);
  static std::string text_of(const Address& address);
  static base::Result<Pattern> parse_one(std::string_view text);
  static bool within(const Address& address, const Address& network, unsigned prefix);

  std::vector<Pattern> patterns_;
};

}  // namespace oob::auth

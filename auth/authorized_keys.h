#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/address_list.h"
#include "auth/keyring.h"
#include "auth/public_key.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::auth {

constexpr std::size_t kMostKeyFile = 1 << 20;  // bytes
constexpr unsigned kMostKeyLines = 10'000;
constexpr std::size_t kMostKeyLine = 16 * 1024;  // bytes

// Why a line of an authorized_keys file lets nobody in, or what is wrong in another file of keys. Line and
// column count bytes from 1; line 0: the whole file.
struct KeyFault {
  unsigned line = 0, column = 0;
  std::string message;
};

// One line that is right.
struct AuthorizedKey {
  PublicKey key;
  bool is_ca = false;  // cert-authority: certificates of this key come in, the key itself never
  std::vector<std::string>
      principals;  // of a CA: one of them must be in the certificate; none: the user's name
  KeyTerms terms;
  std::optional<AddressList> from;
  std::optional<base::Micros> expires;  // the key is good up to this time
  unsigned line = 0;
};

struct AuthorizedKeys {
  std::vector<AuthorizedKey> keys;
  std::vector<KeyFault> faults;
};

// Reads the text of an authorized_keys file (sshd(8), AUTHORIZED_KEYS FILE FORMAT). A line is taken whole or
// not at all: an option that is not known, or that can't be enforced, makes it invalid. See docs/formats.md.
AuthorizedKeys parse_authorized_keys(std::string_view text);

// The CA keys that certify any user: "TYPE BASE64 [COMMENT]" a line, # comments, no options. As above, a line
// with a fault is left out and the others stand.
struct CaKeys {
  std::vector<PublicKey> keys;
  std::vector<KeyFault> faults;
};
CaKeys parse_ca_keys(std::string_view text);

}  // namespace oob::auth

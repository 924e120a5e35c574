#pragma once

#include <string>

#include "base/result.h"
#include "ipmi/secret.h"
#include "ipmi/wire.h"

// What is kept in files about one BMC. All of these block: not for the loop.
namespace oob::ipmi {

// How to reach one BMC. Paths are absolute.
struct BmcSettings {
  std::string name;  // of the configuration
  std::string host;  // numeric, with or without port
  std::string user;
  std::string password_file;              // one line of 1 to 20 bytes, of root or us, 0600
  std::string kg_file;                    // the same for Kg, or 0x and 40 hex digits; empty: no Kg
  int cipher_suite = 0;                   // 17 or 3; 0: 17 first, then 3
  Privilege privilege = Privilege::none;  // none: the least that works
  std::string memory;                     // file that remembers what worked; empty: nothing is remembered
  bool operator==(const BmcSettings&) const = default;
};

struct Credentials {
  Secret password, kg;
};
// Fault::config with the file's name; never with what is in it.
base::Result<Credentials> read_credentials(const BmcSettings& settings);

// The suite that worked with this address before: 17, 3, or 0 for none. Fault::config: there is a file, but
// what it says can't be believed.
base::Result<int> remembered_suite(const BmcSettings& settings);
base::Result<> remember_suite(const BmcSettings& settings, int suite);

}  // namespace oob::ipmi

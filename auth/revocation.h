#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "auth/authorized_keys.h"
#include "base/bytes.h"

namespace oob::auth {

constexpr std::size_t kMostRevocationFile = 4 << 20;  // bytes
constexpr unsigned kMostRevocationLines = 100'000;
constexpr std::size_t kMostRevocationFaults = 100;  // kept of one file

// What is asked about: a plain key, or a certificate with the key inside it. Views of what the asker holds.
struct Credential {
  base::Bytes key;  // the blob of the plain key
  base::Bytes ca;   // the blob of the CA's key; empty: not a certificate
  std::uint64_t serial = 0;
  base::Bytes key_id;
};

// Keys and certificates that are shut out. A value; what it answers is what `ssh-keygen -Q` answers of the
// same KRL.
class Revocations {
 public:
  // Why it is shut out ("its key is revoked"), or empty. Serials and key ids count for the certificates of
  // their CA, or of every CA where none was named; serial 0 means that the CA does not number, and is never
  // revoked as a serial (OpenSSH PROTOCOL.krl, 2.1).
  std::string why(const Credential& asked) const;

  void add_key(base::Bytes blob) { keys_.emplace(blob); }
  void add_sha1(base::Bytes digest) { sha1_.emplace(digest); }      // 20 bytes
  void add_sha256(base::Bytes digest) { sha256_.emplace(digest); }  // 32 bytes
  // `ca`: the blob of a CA's key, empty for every CA.
  void add_serials(base::Bytes ca, std::uint64_t first, std::uint64_t last);
  // The same by the SHA-256 of the CA's blob.
  void add_serials_of(const std::string& ca, std::uint64_t first, std::uint64_t last);
  // Bit n of the positive number `bits` (big-endian) stands for the serial first + n.
  void add_bitmap(base::Bytes ca, std::uint64_t first, base::Bytes bits);
  void add_key_id(base::Bytes ca, base::Bytes key_id);

 private:
  struct Serials {
    std::uint64_t first = 0, last = 0;
  };
  struct Bitmap {
    std::uint64_t first = 0;
    std::string bits;
  };
  struct OfCa {
    std::vector<Serials> serials;
    std::vector<Bitmap> bitmaps;
    std::set<std::string, std::less<>> key_ids;
  };
  bool holds(base::Bytes key) const;
  static std::string why(const OfCa& ca, const Credential& asked);

  std::unordered_set<std::string> keys_, sha1_, sha256_;
  std::map<std::string, OfCa> cas_;  // by the SHA-256 of the CA's blob; "": every CA
};

struct RevocationFile {
  Revocations revoked;
  std::vector<KeyFault> faults;  // if there is one, the list can't be believed: everybody is refused
};

// Reads a file of revocations: an OpenSSH KRL (auth/krl.h), else text in the words of ssh-keygen(1), KEY
// REVOCATION LISTS; see docs/formats.md, "Revocation". Faults of a KRL have line 0 and no column.
RevocationFile parse_revocations(base::Bytes content);

}  // namespace oob::auth

#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>

#include "base/bytes.h"

namespace oob::base {

// SHA-256 (FIPS 180-4) of what comes piece by piece. A digest is 32 raw bytes, or empty when OpenSSL fails
// (it has no memory, say), which no sum that somebody wrote down equals.
class Sha256 {
 public:
  Sha256();
  void add(Bytes piece);
  // Of all that was added so far; more may be added afterwards.
  std::string digest() const;

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  using Context = std::unique_ptr<EVP_MD_CTX, Free>;
  Context context_;  // none once OpenSSL has failed
};

// Of one whole piece.
std::string sha256(Bytes whole);

}  // namespace oob::base

#include "base/secret.h"

#include <openssl/crypto.h>

namespace oob::base {

void wipe(std::string& secret) {
  secret.resize(secret.capacity());
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

Secret::Secret(Secret&& from) noexcept : bytes_(from.bytes_) { from.wipe(); }

Secret& Secret::operator=(const Secret& from) {
  if (this != &from) {
    wipe();
    bytes_ = from.bytes_;
  }
  return *this;
}

Secret& Secret::operator=(Secret&& from) noexcept {
  if (this != &from) {
    wipe();
    bytes_ = from.bytes_;
    from.wipe();
  }
  return *this;
}

Secret::~Secret() { wipe(); }

void Secret::wipe() { base::wipe(bytes_); }

bool same(Bytes one, Bytes other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace oob::base

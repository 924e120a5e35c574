#include "ipmi/secret.h"

#include <openssl/crypto.h>

namespace oob::ipmi {

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

// All of the capacity: what an earlier, longer value left behind it goes too.
void Secret::wipe() {
  bytes_.resize(bytes_.capacity());
  OPENSSL_cleanse(bytes_.data(), bytes_.size());
  bytes_.clear();
}

bool same(base::Bytes one, base::Bytes other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace oob::ipmi

#include "base/sha256.h"

namespace oob::base {
namespace {

std::string text(const unsigned char* sum, unsigned size) {
  return std::string(reinterpret_cast<const char*>(sum), size);
}

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) context_.reset();
}

void Sha256::add(Bytes piece) {
  if (context_ && EVP_DigestUpdate(context_.get(), piece.data(), piece.size()) != 1) context_.reset();
}

std::string Sha256::digest() const {
  Context copy(EVP_MD_CTX_new());
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!context_ || !copy || EVP_MD_CTX_copy_ex(copy.get(), context_.get()) != 1) return {};
  if (EVP_DigestFinal_ex(copy.get(), sum, &size) != 1) return {};
  return text(sum, size);
}

std::string sha256(Bytes whole) {
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_Digest(whole.data(), whole.size(), sum, &size, EVP_sha256(), nullptr) != 1) return {};
  return text(sum, size);
}

}  // namespace oob::base

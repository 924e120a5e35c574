#include "auth/signature.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <memory>

#include "base/sha256.h"
#include "base/wire.h"

namespace oob::auth {

using base::Bytes;
using base::fail;
using base::Fault;
using base::printable;
using base::Result;
using base::sha256;
using base::str;
using base::wire::Reader;
using base::wire::Writer;

namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;

const unsigned char* octets(Bytes bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

Number number_of(Bytes bytes) {
  return Number(BN_bin2bn(octets(bytes), static_cast<int>(bytes.size()), nullptr), BN_free);
}

Key key_from(const char* kind, OSSL_PARAM_BLD* parts) {
  std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)> params(OSSL_PARAM_BLD_to_param(parts),
                                                                 OSSL_PARAM_free);
  std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr), EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
    key = nullptr;
  return Key(key, EVP_PKEY_free);
}

using ParamBuild = std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)>;

Key ec_key(const char* group, Bytes point) {
  ParamBuild parts(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  if (!parts || OSSL_PARAM_BLD_push_utf8_string(parts.get(), OSSL_PKEY_PARAM_GROUP_NAME, group, 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(parts.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1)
    return Key(nullptr, EVP_PKEY_free);
  return key_from("EC", parts.get());
}

Key rsa_key(Bytes exponent, Bytes modulus) {
  Number e = number_of(exponent), n = number_of(modulus);
  ParamBuild parts(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  if (!parts || !e || !n || OSSL_PARAM_BLD_push_BN(parts.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(parts.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return Key(nullptr, EVP_PKEY_free);
  return key_from("RSA", parts.get());
}

bool verified(const Key& key, const EVP_MD* digest, Bytes message, Bytes signature) {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return key && context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(message),
                          message.size()) == 1;
}

// OpenSSL takes ECDSA signatures in DER, SSH sends r and s as numbers. Empty if they are not such.
std::string der_of(Bytes pair) {
  Reader reader(pair);
  Bytes r = positive_number(reader.text()), s = positive_number(reader.text());
  if (!reader.done() || r.empty() || s.empty()) return {};
  std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(ECDSA_SIG_new(), ECDSA_SIG_free);
  Number first = number_of(r), second = number_of(s);
  if (!signature || !first || !second || ECDSA_SIG_set0(signature.get(), first.get(), second.get()) != 1)
    return {};
  (void)first.release();  // the signature owns them now
  (void)second.release();
  unsigned char* made = nullptr;
  int size = i2d_ECDSA_SIG(signature.get(), &made);
  if (size <= 0) return {};
  std::string der(reinterpret_cast<char*>(made), static_cast<std::size_t>(size));
  OPENSSL_free(made);
  return der;
}

bool check_rsa(Reader& fields, Bytes type, Bytes message, Bytes signature) {
  Bytes exponent = positive_number(fields.text()), modulus = positive_number(fields.text());
  return signature.size() == modulus.size() &&
         verified(rsa_key(exponent, modulus), type == "rsa-sha2-512" ? EVP_sha512() : EVP_sha256(), message,
                  signature);
}

bool check_ecdsa(Reader& fields, Bytes message, Bytes signature) {
  Bytes curve = fields.text(), point = fields.text();
  std::string der = der_of(signature);
  if (der.empty()) return false;
  if (curve == "nistp256") return verified(ec_key("P-256", point), EVP_sha256(), message, der);
  if (curve == "nistp384") return verified(ec_key("P-384", point), EVP_sha384(), message, der);
  return verified(ec_key("P-521", point), EVP_sha512(), message, der);
}

bool check_ed25519(Reader& fields, Bytes message, Bytes signature) {
  Bytes point = fields.text();
  Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets(point), point.size()), EVP_PKEY_free);
  return signature.size() == 64 && verified(key, nullptr, message, signature);
}

// What a FIDO key signs in the message's place (PROTOCOL.u2f, Signature Formats).
std::string said_by_token(Bytes application, std::uint8_t flags, std::uint32_t counter, Bytes message) {
  std::string rest = Writer().u8(flags).u32(counter).take();
  return sha256(application) + rest + sha256(message);
}

}  // namespace

Result<> check_signature(const PublicKey& key, Bytes message, Bytes signature) {
  Reader reader(signature), fields(key.blob);
  Bytes type = reader.text(), bytes = reader.text();
  fields.text();  // the type, which key.type says too
  bool token = key.type.starts_with("sk-"), rsa = key.type == "ssh-rsa";
  std::uint8_t flags = token ? reader.u8() : 0;
  std::uint32_t counter = token ? reader.u32() : 0;
  if (!reader.done()) return fail(Fault::denied, "the signature's parts have wrong lengths");
  if (rsa && type == "ssh-rsa") return fail(Fault::denied, "the signature is by SHA-1 (ssh-rsa)");
  if (rsa ? type != "rsa-sha2-256" && type != "rsa-sha2-512" : type != key.type)
    return fail(Fault::denied,
                str("the signature is of type '", printable(type, 64), "', the key of ", key.type));
  std::string said;
  if (token) {
    Reader parts(key.blob);
    parts.text();
    if (key.type.starts_with("sk-ecdsa")) parts.text();  // the curve
    parts.text();                                        // the point
    said = said_by_token(parts.text(), flags, counter, message);
    message = said;
  }
  bool right = rsa                                             ? check_rsa(fields, type, message, bytes)
               : key.type.find("ed25519") != std::string::npos ? check_ed25519(fields, message, bytes)
                                                               : check_ecdsa(fields, message, bytes);
  ERR_clear_error();
  if (!right) return fail(Fault::denied, "the signature is wrong");
  return {};
}

}  // namespace oob::auth

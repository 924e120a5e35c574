#include "auth/private_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/rand.h>

#include <memory>

#include "auth/public_key.h"
#include "base/secret.h"
#include "base/wire.h"

namespace oob::auth {

using base::Bytes;
using base::fail;
using base::Fault;
using base::Result;
using base::str;
using base::wire::Reader;

namespace {

constexpr std::string_view kBegin = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
constexpr std::string_view kEnd = "-----END OPENSSH PRIVATE KEY-----\n";
constexpr Bytes kOpenSshMagic("openssh-key-v1\0", 15);
constexpr std::size_t kBlock = 8;  // of the cipher "none"
constexpr std::size_t kMostSecret = 16 * 1024;

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Number = std::unique_ptr<BIGNUM, decltype(&BN_clear_free)>;

unsigned char* raw(std::string& to) { return reinterpret_cast<unsigned char*>(to.data()); }
const unsigned char* raw(Bytes from) { return reinterpret_cast<const unsigned char*>(from.data()); }

struct Wiped : base::Wiped {
  Wiped() : base::Wiped(kMostSecret) {}
};

void add_u32(std::string& to, std::size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(value >> shift);
}
void put_text(std::string& to, Bytes text) {
  add_u32(to, text.size());
  to += text;
}

// RFC 4251, 5: shortest form, with a zero before a first bit that is set.
void add_number(std::string& to, const BIGNUM* number) {
  std::size_t size = static_cast<std::size_t>(BN_num_bytes(number));
  bool sign = size > 0 && BN_num_bits(number) % 8 == 0;
  add_u32(to, size + sign);
  if (sign) to += '\0';
  std::size_t at = to.size();
  to.resize(at + size);
  BN_bn2bin(number, raw(to) + at);
}

Number number_of(const EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, name, &number);
  return Number(number, BN_clear_free);
}

Key generate(HostKeyKind kind) {
  EVP_PKEY* key = nullptr;
  switch (kind) {
    case HostKeyKind::ed25519:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
      break;
    case HostKeyKind::rsa:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(3072));
      break;
  }
  return Key(key, EVP_PKEY_free);
}

// The public blob (RFC 4253, 6.6) and the private fields after the type. False if OpenSSL will not give them.
bool fields_ed25519(const EVP_PKEY* key, std::string& blob, std::string& secret) {
  std::string point(32, '\0');
  Wiped seed;
  seed.text.resize(32);
  std::size_t size = 32, seed_size = 32;
  if (EVP_PKEY_get_raw_public_key(key, raw(point), &size) != 1 || size != 32 ||
      EVP_PKEY_get_raw_private_key(key, raw(seed.text), &seed_size) != 1 || seed_size != 32)
    return false;
  put_text(blob, "ssh-ed25519");
  put_text(blob, point);
  put_text(secret, point);
  seed.text += point;
  put_text(secret, seed.text);
  return true;
}

bool fields_rsa(const EVP_PKEY* key, std::string& blob, std::string& secret) {
  Number n = number_of(key, OSSL_PKEY_PARAM_RSA_N), e = number_of(key, OSSL_PKEY_PARAM_RSA_E);
  Number d = number_of(key, OSSL_PKEY_PARAM_RSA_D), p = number_of(key, OSSL_PKEY_PARAM_RSA_FACTOR1);
  Number q = number_of(key, OSSL_PKEY_PARAM_RSA_FACTOR2),
         inverse = number_of(key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1);
  if (!n || !e || !d || !p || !q || !inverse) return false;
  put_text(blob, "ssh-rsa");
  add_number(blob, e.get());
  add_number(blob, n.get());
  for (const Number* number : {&n, &e, &d, &inverse, &p, &q}) add_number(secret, number->get());
  return true;
}

base::Error not_a_key(std::string_view why) {
  return fail(Fault::config, str("not a usable OpenSSH private key: ", why));
}

bool belongs_ed25519(Reader& secret, Bytes point) {
  Bytes again = secret.text(), both = secret.text();
  if (!secret.ok() || again != point || both.size() != 64 || both.substr(32) != point) return false;
  Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, raw(both), 32), EVP_PKEY_free);
  std::string made(32, '\0');
  std::size_t size = made.size();
  return key && EVP_PKEY_get_raw_public_key(key.get(), raw(made), &size) == 1 && size == 32 && made == point;
}

Number read_number(Bytes bytes) {
  return Number(BN_bin2bn(raw(bytes), static_cast<int>(bytes.size()), nullptr), BN_clear_free);
}

bool belongs_rsa(Reader& secret, Bytes exponent, Bytes modulus) {
  Bytes n = secret.text(), e = secret.text(), d = secret.text();
  Bytes inverse = secret.text(), p = secret.text(), q = secret.text();
  if (!secret.ok() || n != modulus || e != exponent || d.empty() || inverse.empty()) return false;
  std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)> space(BN_CTX_secure_new(), BN_CTX_free);
  Number product(BN_new(), BN_clear_free), left = read_number(p), right = read_number(q),
                                           wanted = read_number(n);
  return space && product && BN_mul(product.get(), left.get(), right.get(), space.get()) == 1 &&
         BN_cmp(product.get(), wanted.get()) == 0;
}

}  // namespace

Result<std::string> make_private_key(HostKeyKind kind, std::string_view comment) {
  Key key = generate(kind);
  std::string blob;
  Wiped fields, secret, file;
  bool made = key && (kind == HostKeyKind::ed25519 ? fields_ed25519(key.get(), blob, fields.text)
                                                   : fields_rsa(key.get(), blob, fields.text));
  unsigned char check[4];
  if (!made || RAND_bytes(check, sizeof check) != 1)
    return fail(Fault::internal, "OpenSSL could not make a key");
  for (int i = 0; i < 2; ++i) secret.text.append(reinterpret_cast<char*>(check), sizeof check);
  put_text(secret.text, Reader(blob).text());
  secret.text += fields.text;
  put_text(secret.text, comment);
  for (char pad = 1; secret.text.size() % kBlock != 0; ++pad) secret.text += pad;
  file.text += kOpenSshMagic;
  put_text(file.text, "none");
  put_text(file.text, "none");
  put_text(file.text, "");
  add_u32(file.text, 1);
  put_text(file.text, blob);
  put_text(file.text, secret.text);
  Wiped letters;
  letters.text.resize(4 * ((file.text.size() + 2) / 3) + 1);
  letters.text.resize(static_cast<std::size_t>(
      EVP_EncodeBlock(raw(letters.text), raw(Bytes(file.text)), static_cast<int>(file.text.size()))));
  std::string text;
  text.reserve(kMostSecret);
  text += kBegin;
  for (std::size_t at = 0; at < letters.text.size(); at += 70) {
    text.append(letters.text, at, 70);
    text += '\n';
  }
  text += kEnd;
  return text;
}

Result<std::string> public_blob_of(std::string_view text) {
  if (text.find("-----BEGIN ") == 0 && !text.starts_with(kBegin) && text.find("PRIVATE KEY-----") < 64)
    return not_a_key("it is in another format; ssh-keygen -p -N '' -f FILE rewrites it");
  std::size_t end = text.find(kEnd.substr(0, kEnd.size() - 1));
  if (!text.starts_with(kBegin) || end == std::string_view::npos || text.size() > kMostSecret)
    return not_a_key("the BEGIN or END line is missing");
  Wiped letters, file;
  for (char c : text.substr(kBegin.size(), end - kBegin.size())) {
    if (c != '\n' && c != '\r') letters.text += c;
  }
  if (!decode_base64(letters.text, file.text)) return not_a_key("its base64 is broken");
  Bytes bytes = file.text;
  if (!bytes.starts_with(kOpenSshMagic)) return not_a_key("it does not begin with openssh-key-v1");
  Reader outer(bytes.substr(kOpenSshMagic.size()));
  Bytes cipher = outer.text(), kdf = outer.text(), options = outer.text();
  std::uint32_t count = outer.u32();
  if (outer.ok() && cipher != "none")
    return not_a_key("it is protected by a passphrase; ssh-keygen -p -N '' -f FILE takes it off");
  std::string blob(outer.text());
  Bytes inside = outer.text();
  if (!outer.done() || kdf != "none" || !options.empty() || count != 1 || inside.size() % kBlock != 0)
    return not_a_key("its parts have wrong lengths");
  Result<PublicKey> known = parse_key_blob(blob);
  if (!known) return not_a_key(known.error().what);
  Reader shown(blob), secret(inside);
  Bytes type = shown.text();
  std::uint32_t check = secret.u32();
  if (secret.u32() != check || secret.text() != type) return not_a_key("its private part is damaged");
  if (type != "ssh-ed25519" && type != "ssh-rsa")
    return not_a_key(
        str("it is of the type ", base::printable(type), ", and a host key is ssh-ed25519 or ssh-rsa"));
  Bytes first = shown.text(), second = type == "ssh-ed25519" ? Bytes() : shown.text();
  bool belongs = type == "ssh-ed25519" ? belongs_ed25519(secret, first) : belongs_rsa(secret, first, second);
  ERR_clear_error();
  if (!belongs) return not_a_key("its private part does not belong to its public part");
  secret.text();  // the comment
  for (unsigned char pad = 1; secret.ok() && !secret.done(); ++pad) {
    if (secret.u8() != pad || pad >= kBlock) return not_a_key("its padding is wrong");
  }
  if (!secret.ok()) return not_a_key("its private part is cut off");
  return blob;
}

}  // namespace oob::auth

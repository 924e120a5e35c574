#include "auth/signed_note.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>

#include "auth/public_key.h"
#include "base/sha256.h"

namespace oob::auth {

using base::Bytes;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::string_view kDash = "\xe2\x80\x94 ";  // U+2014 and a blank
constexpr char kEd25519 = '\x01';                    // the signature type of C2SP signed-note
constexpr std::size_t kKey = 32, kId = 4, kSignature = 64, kRoot = 32;
constexpr std::size_t kMostName = 255;
constexpr std::size_t kMostPem = 4096;

using PublicKeyHandle = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

const unsigned char* bytes_at(Bytes from) { return reinterpret_cast<const unsigned char*>(from.data()); }
unsigned char* bytes_at(std::string& to) { return reinterpret_cast<unsigned char*>(to.data()); }

// C2SP signed-note has names without Unicode spaces and "+"; ours are ASCII besides.
bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostName &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '+'; });
}

// The one base64 of so many bytes: padded, and no bit set that is not used.
bool exact_base64(std::string_view text, std::size_t size, std::string& bytes) {
  return decode_base64(text, bytes) && bytes.size() == size && base::base64(bytes) == text;
}

// The next line of `text` without its LF, taken off its front.
bool take_line(Bytes& text, Bytes& line) {
  std::size_t end = text.find('\n');
  if (end == Bytes::npos) return false;
  line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return true;
}

base::Error no_note(std::string_view why) { return fail(Fault::failed, str("no signed checkpoint: ", why)); }

}  // namespace

std::string Checkpoint::text() const { return str(origin, "\n", size, "\n", base::base64(root), "\n"); }
std::string Checkpoint::brief() const { return str(size, " ", base::base64(root)); }

NoteKey NoteKey::of(std::string name, std::string public_key) {
  NoteKey key;
  key.id_ = base::sha256(str(name, "\n", kEd25519, public_key)).substr(0, kId);
  key.name_ = std::move(name);
  key.public_ = std::move(public_key);
  return key;
}

Result<NoteKey> NoteKey::parse(std::string_view vkey) {
  auto wrong = [&](std::string_view why) {
    return fail(Fault::failed, str("no key of a journal (NAME+ID+BASE64): ", why));
  };
  std::size_t first = vkey.find('+');
  std::size_t second = first == vkey.npos ? first : vkey.find('+', first + 1);
  if (second == vkey.npos) return wrong("it has no three parts");
  std::string_view name = vkey.substr(0, first);
  if (!is_name(name)) return wrong("the name has blanks or what is not ASCII");
  std::string bytes;
  if (!exact_base64(vkey.substr(second + 1), 1 + kKey, bytes))
    return wrong("the key is not 33 bytes in base64");
  if (bytes[0] != kEd25519) return wrong("the key is not of Ed25519");
  NoteKey key = of(std::string(name), bytes.substr(1));
  if (key.id_.size() != kId || vkey.substr(first + 1, second - first - 1) != base::hex(key.id_))
    return wrong("the id is not that of the key");
  return key;
}

std::string NoteKey::text() const {
  return str(name_, "+", base::hex(id_), "+", base::base64(str(kEd25519, public_)));
}

bool NoteKey::verify(Bytes text, Bytes signature) const {
  if (signature.size() != kSignature || public_.size() != kKey) return false;
  PublicKeyHandle key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_at(public_), public_.size()),
      EVP_PKEY_free);
  Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return key && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_at(signature), signature.size(), bytes_at(text),
                          text.size()) == 1;
}

Result<SignedNote> SignedNote::parse(Bytes text, std::size_t& size) {
  Bytes rest = text, origin, number, root, empty, signature;
  if (!take_line(rest, origin) || !take_line(rest, number) || !take_line(rest, root) ||
      !take_line(rest, empty) || !take_line(rest, signature))
    return no_note("it has not five lines");
  SignedNote note;
  if (!is_name(origin)) return no_note("the origin has blanks or what is not ASCII");
  note.checkpoint.origin = origin;
  if (!base::parse_number(number, note.checkpoint.size) || str(note.checkpoint.size) != number)
    return no_note("the size is no number");
  if (!exact_base64(root, kRoot, note.checkpoint.root)) return no_note("the root is not 32 bytes in base64");
  if (!empty.empty()) return no_note("the fourth line is not empty");
  if (!signature.starts_with(kDash)) return no_note("the signature has no dash before it");
  signature.remove_prefix(kDash.size());
  std::size_t blank = signature.find(' ');
  note.key_name = signature.substr(0, blank);
  if (blank == Bytes::npos || note.key_name != origin) return no_note("the key's name is not the origin");
  std::string bytes;
  if (!exact_base64(signature.substr(blank + 1), kId + kSignature, bytes))
    return no_note("the signature is not 68 bytes in base64");
  note.key_id = bytes.substr(0, kId);
  note.signature = bytes.substr(kId);
  size = text.size() - rest.size();
  return note;
}

std::string SignedNote::text() const {
  return str(checkpoint.text(), "\n", kDash, key_name, " ", base::base64(key_id + signature), "\n");
}

bool SignedNote::verify(const NoteKey& key) const {
  return key.name() == key_name && key.id() == key_id && key.verify(checkpoint.text(), signature);
}

struct NoteSigner::Key {
  explicit Key(EVP_PKEY* k) : key(k) {}
  ~Key() { EVP_PKEY_free(key); }  // wipes what is secret
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  EVP_PKEY* key;
};

NoteSigner::NoteSigner(std::unique_ptr<Key> key) : key_(std::move(key)) {}
NoteSigner::NoteSigner(NoteSigner&&) noexcept = default;
NoteSigner& NoteSigner::operator=(NoteSigner&&) noexcept = default;
NoteSigner::~NoteSigner() = default;

Result<NoteSigner> NoteSigner::make() {
  EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  if (!key) return fail(Fault::internal, "OpenSSL makes no Ed25519 key");
  return NoteSigner(std::make_unique<Key>(key));
}

Result<NoteSigner> NoteSigner::from_pem(std::string_view pem) {
  auto wrong = [] { return fail(Fault::failed, "no Ed25519 key (PKCS #8, PEM, without a passphrase)"); };
  if (pem.size() > kMostPem) return wrong();
  std::unique_ptr<BIO, decltype(&BIO_free)> from(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                 BIO_free);
  // An empty passphrase, so that OpenSSL asks nobody.
  char none[] = "";
  EVP_PKEY* key = from ? PEM_read_bio_PrivateKey(from.get(), nullptr, nullptr, none) : nullptr;
  if (!key) return wrong();
  auto owned = std::make_unique<Key>(key);
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519) return wrong();
  return NoteSigner(std::move(owned));
}

Result<std::string> NoteSigner::pem() const {
  // Secure memory is wiped when the BIO goes.
  std::unique_ptr<BIO, decltype(&BIO_free)> to(BIO_new(BIO_s_secmem()), BIO_free);
  if (!to || PEM_write_bio_PKCS8PrivateKey(to.get(), key_->key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return fail(Fault::internal, "OpenSSL does not write the key");
  char* text = nullptr;
  long size = BIO_get_mem_data(to.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

std::string NoteSigner::public_key() const {
  std::string key(kKey, '\0');
  std::size_t size = key.size();
  if (EVP_PKEY_get_raw_public_key(key_->key, bytes_at(key), &size) != 1 || size != kKey) return {};
  return key;
}

Result<SignedNote> NoteSigner::sign(const Checkpoint& checkpoint) const {
  if (!is_name(checkpoint.origin) || checkpoint.root.size() != kRoot)
    return fail(Fault::internal, "no checkpoint to sign");
  std::string text = checkpoint.text();
  SignedNote note{checkpoint, checkpoint.origin, NoteKey::of(checkpoint.origin, public_key()).id(),
                  std::string(kSignature, '\0')};
  std::size_t size = kSignature;
  Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_->key) != 1 ||
      EVP_DigestSign(context.get(), bytes_at(note.signature), &size, bytes_at(text), text.size()) != 1 ||
      size != kSignature || note.key_id.size() != kId)
    return fail(Fault::internal, "OpenSSL does not sign");
  return note;
}

}  // namespace oob::auth

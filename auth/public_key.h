#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace oob::auth {

// A public key of a kind that may log in: RSA (RFC 4253, 6.6), ECDSA (RFC 5656, 3.1), Ed25519 (RFC 8709, 4)
// and the two FIDO kinds (OpenSSH PROTOCOL.u2f). A value.
struct PublicKey {
  std::string type;  // "ssh-ed25519"
  std::string blob;  // the wire form, which begins with the type
  unsigned bits = 0;

  // "SHA256:…" without padding, as `ssh-keygen -l` prints it.
  std::string fingerprint() const;
  // "ssh-ed25519 AAAA…", without a comment.
  std::string text() const;
};

constexpr std::size_t kMostKeyBlob = 16 * 1024;
constexpr unsigned kLeastRsaBits = 2048;
constexpr unsigned kMostRsaBits = 16384;

// Takes a wire blob apart. Every length is exact, nothing may follow, numbers are in their shortest form,
// points lie on their curve. A certificate, DSA, and RSA below 2048 bits are refused with a text that says so
// (Fault::denied).
base::Result<PublicKey> parse_key_blob(base::Bytes blob);

// The two words of a .pub or authorized_keys line: the type, and the blob in base64, which must name the same
// type.
base::Result<PublicKey> parse_key_text(std::string_view type, std::string_view base64);

// Whether a blob is a whole plain key of a kind that OpenSSH knows, DSA and short RSA too: what is never let
// in may well be named among what is revoked. Its numbers and points are not looked at.
bool is_whole_key(base::Bytes blob);

// Of any blob, also one that parse_key_blob() refuses.
std::string fingerprint_of(base::Bytes blob);

// Whether `word` names a key type, accepted here or not: "ssh-ed25519", "ssh-dss", a certificate's.
bool is_key_type(std::string_view word);

// A positive mpint in its shortest form (RFC 4251, 5), without its sign byte; empty if `number` is none.
base::Bytes positive_number(base::Bytes number);

// RFC 4648, 4, padded, without line breaks and without stray bits. False if `text` is anything else.
bool decode_base64(std::string_view text, std::string& bytes);

}  // namespace oob::auth

#pragma once

#include <string>

#include "base/result.h"

namespace oob::auth {

enum class HostKeyKind { ed25519, rsa };  // of 3072 bits

// A host key: what the server proves itself with. Its private part is wiped from memory with the object.
class HostKey {
 public:
  // Reads DIRECTORY/host_ed25519 (host_rsa), or makes it where there is none: OpenSSH private key
  // format without a passphrase (OpenSSH PROTOCOL.key), 0600, whole on the disk before it has its name;
  // beside it host_*.pub. A file that others may read, that belongs to another user, or that is not such a
  // key is an error and stays as it is. Blocks (making RSA: a second or more on a small board): for start-up.
  static base::Result<HostKey> load_or_make(const std::string& directory, HostKeyKind kind);

  // Takes the text of a private key file apart and checks that its parts belong together. Errors don't name
  // the file.
  static base::Result<HostKey> parse(std::string text);

  HostKey(HostKey&& from) noexcept = default;
  HostKey& operator=(HostKey&& from) noexcept;
  ~HostKey();

  const std::string& text() const { return text_; }                // the private key file: a secret
  const std::string& public_line() const { return public_line_; }  // "ssh-ed25519 AAAA…"
  const std::string& fingerprint() const { return fingerprint_; }  // "SHA256:…"
  std::string type() const { return public_line_.substr(0, public_line_.find(' ')); }

 private:
  HostKey() = default;
  std::string text_, public_line_, fingerprint_;
};

}  // namespace oob::auth

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace oob::auth {

// One permitopen="HOST:PORT": a forward that is allowed. The host is compared as text, "*" is any; port 0 is
// any.
struct PermitOpen {
  std::string host;
  unsigned port = 0;
};

// What a key's line in authorized_keys allows beside letting the user in.
struct KeyTerms {
  std::string fingerprint;  // "SHA256:…"
  std::string comment;
  std::string forced_command;  // command="…": run instead of whatever was asked; see has_forced_command
  bool has_forced_command = false;
  bool no_pty = false;
  bool no_forwarding = false;
  std::vector<PermitOpen> permit_open;  // empty: the policy alone decides
};

// Who is who: the users and the files their keys are in. A file is read again when it has changed since
// (device, inode, size or modification time), so that taking a line out works at the next login.
class Keyring {
 public:
  // `files`: each user's authorized_keys file. Nothing is read before the first find().
  explicit Keyring(std::map<std::string, std::string> files);

  // May `user` come in with the public key `blob` (RFC 4253, 6.6) from `address` (no port) at `now`? An Error
  // says why not, for the journal; the client is never told. Reads a small local file: bounded to 1 MiB. A
  // key of a type or size that is not accepted (DSA, RSA below 2048 bits, a certificate) is refused, and so
  // are all keys of a file that check_key_file() refuses. Of several lines with the key, the first that lets
  // it in counts.
  base::Result<KeyTerms> find(const std::string& user, base::Bytes blob, const std::string& address,
                              base::Micros now);

  const std::map<std::string, std::string>& files() const { return files_; }

 private:
  struct File;
  std::map<std::string, std::string> files_;
  std::map<std::string, std::shared_ptr<File>> read_;
};

}  // namespace oob::auth

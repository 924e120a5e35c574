#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::auth {

// One permitopen="HOST:PORT": a forward that is allowed. The host is compared as text, "*" is any; port 0 is
// any.
struct PermitOpen {
  std::string host;
  unsigned port = 0;
};

// What a key's line in authorized_keys, and its certificate, allow beside letting the user in.
struct KeyTerms {
  std::string fingerprint;     // "SHA256:…" of the key the person holds; never of a certificate around it
  std::string comment;         // of the line; empty for a CA of user_ca
  std::string forced_command;  // command="…": run instead of whatever was asked; see has_forced_command
  bool has_forced_command = false;
  bool no_pty = false;
  bool no_forwarding = false;
  std::vector<PermitOpen> permit_open;  // empty: the policy alone decides

  // Of a certificate only:
  bool is_certificate = false;
  std::uint64_t serial = 0;  // as the CA numbered it; 0: not numbered
  std::string key_id;        // what the CA calls it, printable
  std::string ca;            // "SHA256:…" of the CA's key
};

// Files beside those of single users; empty: none.
struct Trust {
  std::string user_ca;       // CA keys that may certify any user by name
  std::string revoked_keys;  // what is shut out whatever else lets it in: text or an OpenSSH KRL
};

struct Credential;

// Who is who: the users and the files their keys are in. A file is read again when it has changed since
// (device, inode, size or modification time), so that taking a line out, or a key into the revocations, works
// at the next login. A change that nothing of these shows (of the same size, within one tick of the file
// system's clock) works kTick later. However many ask, an unchanged file is parsed at most twice.
class Keyring {
 public:
  static constexpr std::chrono::seconds kTick{2};              // of the coarsest file system
  using Stopwatch = std::function<base::Clock::time_point()>;  // only tests have another

  // `files`: each user's authorized_keys file; empty for one who comes with certificates of user_ca alone.
  // Nothing is read before the first find().
  explicit Keyring(std::map<std::string, std::string> files, Trust trust = {},
                   Stopwatch stopwatch = base::Clock::now);
  ~Keyring();

  // May `user` come in with the public key or certificate `blob` (RFC 4253, 6.6; OpenSSH PROTOCOL.certkeys)
  // from `address` (no port) at `now`? An Error says why not, for the journal; the client is never told.
  // Reads small local files, all bounded. A key of a type or size that is not accepted (DSA, RSA below 2048
  // bits) is refused, and so are all keys of a file that is no TrustedFile or that others may write, and
  // every key while the revocations can't be read or have a fault. A plain key counts by a plain line only, a
  // certificate by its CA only. The revocations are asked last, for what would be let in. Of several lines
  // with the key or the CA, the first that lets it in counts; then comes user_ca.
  base::Result<KeyTerms> find(const std::string& user, base::Bytes blob, const std::string& address,
                              base::Micros now);

 private:
  struct Files;
  base::Result<> check_revoked(const Credential& asked);

  std::map<std::string, std::string> files_;
  Trust trust_;
  std::unique_ptr<Files> read_;
};

}  // namespace oob::auth

#pragma once

#include <libssh/libssh.h>
#include <libssh/server.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace oob::ssh {

// The host keys and the algorithms that are offered: libssh's ssh_bind, which never binds anything.
class HostKeys {
 public:
  HostKeys() = default;
  ~HostKeys();
  HostKeys(const HostKeys&) = delete;
  HostKeys& operator=(const HostKeys&) = delete;

  // OpenSSH private keys without a passphrase, one of a type; all must be good. Those that are neither
  // Ed25519 nor RSA are not offered. Once.
  base::Result<> import(const std::vector<std::string>& keys);
  ssh_bind bind() const { return bind_; }
  // The key exchange methods that are offered, best first, parted by commas.
  const std::string& key_exchange() const { return key_exchange_; }

 private:
  base::Result<> set(ssh_bind_options_e option, const std::string& value);
  ssh_bind bind_ = nullptr;
  std::string key_exchange_;
};

}  // namespace oob::ssh

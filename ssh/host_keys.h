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

  // OpenSSH private keys without a passphrase, one of a type; all must be good. Once.
  base::Result<> import(const std::vector<std::string>& keys);
  ssh_bind bind() const { return bind_; }

 private:
  ssh_bind bind_ = nullptr;
};

}  // namespace oob::ssh

#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace oob {

// The client's half of an SSH key exchange (RFC 4253, RFC 8731) up to the key that the server shows, and no
// further: which host is that? Its signature is not verified, so this tells a host from another one by
// mistake, not from an impostor. Pure: bytes in, bytes out; what comes in is a stranger's.
class HostKeyLook {
 public:
  static constexpr std::size_t kMostHeard = 64 * 1024;  // bytes in all

  // 48 bytes that are drawn by lot.
  explicit HostKeyLook(base::Bytes random);

  std::string hello() const;  // what is sent first
  // Takes what the server sent; what is to be sent next, if anything. An Error: not to be fed again.
  // Fault::unavailable: an SSH server hung up, as one does that is full or stops; Fault::failed: it is no SSH
  // server, or none with an Ed25519 key and X25519.
  base::Result<std::string> feed(base::Bytes bytes);
  // The server's key as a blob (RFC 8709, 4); empty until it is known.
  const std::string& key() const { return key_; }

 private:
  base::Result<std::string> packet(base::Bytes payload);

  std::string random_, heard_, key_;
  std::size_t size_ = 0;  // of all that was heard
  bool version_ = false;  // its line has come
};

}  // namespace oob

#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"

// What the core and `oobd reach` say to each other (docs/formats.md, "Core and reach"): one frame there, one
// back, and then the bare bytes of the far end both ways.
namespace oob::ssh {

constexpr std::size_t kMostReach = 64 * 1024;  // of a frame, without its length

// Whom to reach over the management network, as whom, and for what.
struct ReachRequest {
  enum class Mode : std::uint8_t {
    shell = 0,     // /bin/sh, without a terminal
    terminal = 1,  // whatever the user gets at a login, on a terminal
  };
  std::string address;   // numeric, with its port: "192.0.2.1:22", "[2001:db8::1]:22"
  std::string host_key;  // "ssh-ed25519 AAAA…" or "SHA256:…"
  std::string user;
  base::Secret password, private_key;  // one of them; the key as the text of its file, without passphrase
  Mode mode = Mode::shell;

  // The whole frame. It holds the secrets.
  base::Secret encode() const;
  // Of a frame without its length.
  static base::Result<ReachRequest> decode(base::Bytes payload);
};

// What came of it: nothing, and the bytes follow; or why not, and the end follows.
std::string encode_reach_answer(const base::Result<>& answer);
// Of a frame without its length. An Error of Fault::internal: it makes no sense.
base::Result<> decode_reach_answer(base::Bytes payload);

}  // namespace oob::ssh

#pragma once

#include <libssh/libssh.h>
#include <libssh/server.h>

#include <cstdint>
#include <deque>
#include <string>

// What libssh 0.10 leaves to its user to close, apart from the rest so that it can go when the library has
// it:
//
//  - no answer is sent to a public key request that it rejects itself: PacketNotes counts the requests
//  - an unknown channel request (RFC 4335, break) comes without its name: PacketNotes keeps the names
//  - gssapi-with-mic is served before authentication even if never offered: gss_indicate_mechs() says no, and
//    gss_display_status() says nothing
//  - a channel with a tiny maximum packet size makes a write spin for ever: sound_open()
//
// The first two live on libssh's log, which names what its API does not. The program puts its own `_ssh_log`
// before the library's, so nothing is formatted and bulk data costs one comparison a line.
namespace oob::ssh {

// What the packets of one session were, in the order in which they came.
struct PacketNotes {
  bool heard = false;                   // anything at all was noted
  unsigned auth_requests = 0;           // USERAUTH_REQUEST packets seen, answered or not
  std::deque<bool> unknown_is_break{};  // one for each SSH_CHANNEL_REQUEST_UNKNOWN message to come
};

// While it lives, what libssh says on this thread is noted. Around every call that may take packets in.
class Noting {
 public:
  explicit Noting(PacketNotes& notes);
  ~Noting();
  Noting(const Noting&) = delete;
  Noting& operator=(const Noting&) = delete;

 private:
  void* before_;
};

// False when libssh's log does not come here (other linkage, other version): then nothing may be served.
bool log_is_heard();

// The window a CHANNEL_OPEN announces, if its message is laid out as known and its maximum packet size is one
// that can be written to; refuse it otherwise. `window` is to be compared with ssh_channel_window_size()
// after accepting.
constexpr std::uint32_t kLeastPacket = 256;
bool sound_open(ssh_session session, ssh_message message, std::uint32_t& window);

}  // namespace oob::ssh

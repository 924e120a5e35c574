#pragma once

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace oob::ssh {

// Our end of an SSH channel (RFC 4254, 5): libssh's channel, and what its callbacks have told. What the
// client sends stays in libssh, its window shut, until it is taken. Its Connection alone calls it, from
// pump().
class ChannelEnd {
 public:
  // More than this unread means that the client ignores its window (it is 1.28 MB at most).
  static constexpr std::size_t kMostUnread = 2 * 1024 * 1024;
  // What is written to the client in one turn, so that all connections have theirs.
  static constexpr std::size_t kTurn = 32 * 1024;

  explicit ChannelEnd(ssh_channel channel);
  // Frees libssh's channel, unless the session went first (forget()). REQUIRES: no message for it is queued.
  virtual ~ChannelEnd();
  ChannelEnd(const ChannelEnd&) = delete;
  ChannelEnd& operator=(const ChannelEnd&) = delete;

  ssh_channel raw() const { return channel_; }

  // Moves what can be moved, both ways; answers how many bytes went to the client, kTurn at most: then there
  // may be more. `scratch` is working space shared by all, at least kTurn long.
  virtual std::size_t serve(ssh_session session, std::string& scratch) = 0;

  // The client closed it: after one more serve() it may be destroyed, as soon as the session's messages are
  // drained, unless it lingers with what the client has left behind.
  bool closed_by_client() const { return closed_; }
  virtual bool lingers() const { return false; }
  bool ignores_window() const { return unread_ > kMostUnread; }
  // The session is about to end, and libssh frees the channel with it.
  void forget();

 protected:
  // Takes all that libssh holds, piece by piece: taking it bit by bit would open the window anew each time.
  template <class Take>
  void take_unread(std::string& scratch, Take take) {
    while (std::size_t size = read(scratch)) take(base::Bytes(scratch.data(), size));
  }
  bool unread() const { return unread_ > 0; }
  // The client will send nothing more; what it sent may be unread still.
  bool client_eof() const { return eof_; }
  // Whether the client can be given something now: with output behind TCP nothing more is written, else a
  // stalled client's window would fill our memory.
  bool may_write(ssh_session session) const;
  // How many were taken, to stdout or stderr. 0: the window is shut (its WINDOW_ADJUST wakes pump()), keys
  // are being exchanged anew, or channel or session are at their end.
  std::size_t write(base::Bytes bytes, bool is_err = false);

  virtual void on_signal(const char*) {}

 private:
  static int on_data(ssh_session, ssh_channel, void*, std::uint32_t size, int is_stderr, void* self);
  static void on_eof(ssh_session, ssh_channel, void* self);
  static void on_close(ssh_session, ssh_channel, void* self);
  static void on_signal(ssh_session, ssh_channel, const char* name, void* self);
  std::size_t read(std::string& scratch);

  ssh_channel channel_;
  ssh_channel_callbacks_struct callbacks_{};
  // Written by libssh's callbacks, which may come from inside any call to it: they only note.
  std::size_t unread_ = 0;  // bytes that libssh holds
  bool eof_ = false;
  bool closed_ = false;
};

}  // namespace oob::ssh

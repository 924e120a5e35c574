#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/loop.h"
#include "base/wire.h"
#include "ssh/channel_end.h"

namespace oob::ssh {

// One session channel (RFC 4254, 6): on one side libssh's channel, on the other the socket to the core's
// Session. Holds little: what the client typed waits in libssh until the core took what came before; what the
// core says waits in its socket until the client's window and TCP have room.
class Channel : public ChannelEnd {
 public:
  static constexpr std::size_t kMostCommand = 16 * 1024;
  static constexpr std::size_t kMostTerm = 64;

  // `wake` is called when the socket to the core wants serve().
  Channel(ssh_channel channel, base::Loop& loop, std::function<void()> wake);

  // pty-req: true if it is taken.
  bool request_pty(const char* term, int columns, int rows);
  void resize(int columns, int rows);
  // How a session begins (RFC 4254, 6.5).
  enum class Way { shell, exec, subsystem };
  // Whether shell, exec or subsystem may come now: once, and `command` (null for a shell, the name of a
  // subsystem) within bounds.
  bool may_start(const char* command) const;
  // The frame that opens the session with the core; then take() its socket.
  void start(base::Fd socket, Way way, const char* command);
  // RFC 4335: true if it goes to the core.
  bool send_break();

  std::size_t serve(ssh_session session, std::string& scratch) override;

 private:
  void on_signal(const char* name) override;
  bool add_to_core(base::wire::Frame kind, base::Bytes payload);
  void take_typed(std::string& scratch);
  void to_core(std::string& scratch);
  std::size_t to_client(ssh_session session, std::string& scratch);
  bool next_output(std::string& scratch);
  void core_is_gone();
  void finish(std::uint32_t status);

  base::Loop& loop_;
  std::function<void()> wake_;

  base::wire::Open open_;
  bool started_ = false;
  bool eof_sent_ = false;
  bool resized_ = false;
  base::Fd socket_;
  std::unique_ptr<base::Watch> watch_;
  std::string to_core_;
  std::size_t sent_ = 0;
  unsigned control_ = 0;    // frames in to_core_ that are no typed bytes
  bool core_deaf_ = false;  // it takes nothing more, and may still have something to say

  base::wire::Frames from_core_;
  struct Output {
    std::string bytes;
    bool is_err = false;
  };
  Output output_, next_;
  std::size_t written_ = 0;
  bool core_ended_ = false;
  std::optional<std::uint32_t> exit_;
  bool finished_ = false;
};

}  // namespace oob::ssh

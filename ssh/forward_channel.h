#pragma once

#include <libssh/libssh.h>
#include <libssh/server.h>

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

// A direct-tcpip channel (RFC 4254, 7.2) that the core has opened: libssh's channel on one side, the socket
// whose bytes the core moves to and from the BMC on the other. What the client sends waits in libssh until
// the core took what came before; what comes from the BMC waits in the socket until the client has room.
class ForwardChannel : public ChannelEnd {
 public:
  // `wake` is called when the socket wants serve().
  ForwardChannel(ssh_channel channel, base::Fd socket, base::Loop& loop, std::function<void()> wake);

  std::size_t serve(ssh_session session, std::string& scratch) override;
  // What the client sent before it closed the channel still goes to the BMC, if it takes it within
  // kLastWords.
  bool lingers() const override;

 private:
  static constexpr std::chrono::seconds kLastWords{10};
  void to_core(std::string& scratch);
  std::size_t to_client(ssh_session session, std::string& scratch);
  bool core_is_gone() const;
  void look_later();
  void finish();

  std::function<void()> wake_;
  base::Fd socket_;  // empty once it is over
  std::unique_ptr<base::Watch> watch_;
  base::Timer look_;

  std::string to_core_;
  std::size_t sent_ = 0;
  bool core_deaf_ = false;  // it takes nothing more, for eof or because it is gone
  std::string to_client_;
  std::size_t written_ = 0;
  bool core_ended_ = false;
  bool eof_sent_ = false;                             // to the client
  std::optional<base::Clock::time_point> closed_at_;  // by the client
};

// A direct-tcpip channel that was asked for, until the core has answered. Owns the message it is answered by.
class WaitingForward {
 public:
  WaitingForward(ssh_message message, std::uint32_t number, std::uint32_t window, base::Fd socket);
  ~WaitingForward();
  WaitingForward(const WaitingForward&) = delete;
  WaitingForward& operator=(const WaitingForward&) = delete;

  // What the core is asked.
  static base::wire::Forward wish(ssh_message message, std::uint64_t connection, std::uint32_t number);

  std::uint32_t number() const { return number_; }
  base::Clock::time_point since() const { return since_; }
  enum class Answer { none, open, refused };
  void answered(bool open) { answer_ = open ? Answer::open : Answer::refused; }
  Answer answer() const { return answer_; }

  // Answers the client, once. accept(): null where libssh could not; `sound` is false when its window is not
  // the one that was announced.
  std::unique_ptr<ForwardChannel> accept(base::Loop& loop, std::function<void()> wake, bool& sound);
  void refuse();

 private:
  ssh_message message_;
  const std::uint32_t number_;
  const std::uint32_t window_;
  base::Fd socket_;
  const base::Clock::time_point since_ = base::Clock::now();
  Answer answer_ = Answer::none;
};

}  // namespace oob::ssh

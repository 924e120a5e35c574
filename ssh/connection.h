#pragma once

#include <libssh/libssh.h>
#include <libssh/server.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/loop.h"
#include "base/wire.h"
#include "ssh/admission.h"
#include "ssh/channel.h"
#include "ssh/forward_channel.h"
#include "ssh/front.h"
#include "ssh/libssh_guard.h"
#include "ssh/login.h"

namespace oob::ssh {

// What a Connection needs of the process it lives in.
class House {
 public:
  virtual base::Loop& loop() = 0;
  virtual const base::wire::Setup& setup() const = 0;
  virtual const Patience& patience() const = 0;
  virtual std::string& scratch() = 0;  // working space for one turn
  // A message for the core; false: there is no room, and the sender is to be ended.
  virtual bool tell(std::string packet, base::Fd pass = {}) = 0;
  virtual void logged_in(std::uint64_t connection) = 0;
  virtual void ended(std::uint64_t connection) = 0;  // forgets it

 protected:
  ~House() = default;
};

// One client: its ssh_session, the login, its channels. pump() is the only place that lets libssh take
// packets in; what happens meanwhile (callbacks, verdicts) is noted and done there. Held by shared_ptr
// because a session's end comes from inside its own callbacks.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Origin {
    std::string peer;   // "192.0.2.9:50122"
    std::string local;  // the address that was dialled
  };

  // `house` outlives it.
  Connection(House& house, std::uint64_t id, Origin origin);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Begins to speak on an accepted, non-blocking socket.
  base::Result<> start(ssh_bind bind, base::Fd socket);

  const Origin& origin() const { return origin_; }
  // How far it has come on the way to a login, and, once it has ended without one, why.
  Admission::Stage stage() const;
  Offence offence() const { return offence_.value_or(Offence::nothing_tried); }

  void verdict(const base::wire::Verdict& verdict);
  void opened(const base::wire::Opened& opened);
  // Looks at the clock: grace, verdict, keepalive, disuse.
  void tick(base::Clock::time_point now);
  // Disconnects with a message for the client (RFC 4253, 11.1): at once, or when pump() is through.
  void end(const std::string& why);

 private:
  void pump();
  void pump_soon();
  bool take_in();
  std::function<void()> waker();
  void wait();
  void finish();
  void judge();
  bool alive() const;
  bool write_pending() const;
  void look_at_bounds();

  bool ask(base::wire::Ask question);
  bool tell_code(base::wire::Code code);
  void take(ssh_message message);
  bool take_open(ssh_message message);
  bool ask_forward(ssh_message message, std::uint32_t window);
  void answer_forwards();
  bool take_request(ssh_message message);
  bool start_session(Channel& channel, Channel::Way way, const char* command);
  std::size_t serve_channels();

  House& house_;
  const std::uint64_t id_;
  const Origin origin_;

  ssh_session session_ = nullptr;
  ssh_event event_ = nullptr;
  ssh_counter_struct socket_bytes_{};  // as TCP has them
  ssh_counter_struct packets_{};       // before they are encrypted
  // As both were when nothing waited for TCP: what was put out since, and did not leave, is in our memory.
  std::uint64_t left_before_ = 0;
  std::uint64_t put_out_before_ = 0;
  unsigned services_ = 0;  // how often one was asked for
  PacketNotes notes_;
  // A duplicate of libssh's descriptor: libssh closes its own when it likes, and the number may come back as
  // somebody else's.
  base::Fd dup_;
  std::unique_ptr<base::Watch> watch_;
  bool pumping_ = false;
  bool pump_posted_ = false;
  bool ending_ = false;
  std::string why_;
  std::optional<Offence> offence_;

  base::Clock::time_point accepted_;
  base::Clock::time_point heard_;  // when the client was last seen to have said something
  base::Clock::time_point asked_alive_;
  base::Clock::time_point used_;  // when there was a channel last
  std::uint64_t heard_bytes_ = 0;
  bool keepalive_due_ = false;

  Login login_;
  bool told_logged_in_ = false;
  std::vector<std::unique_ptr<ChannelEnd>> channels_;
  std::vector<std::unique_ptr<WaitingForward>> waiting_forwards_;
  std::uint32_t next_forward_ = 0;
};

}  // namespace oob::ssh

#pragma once

#include <libssh/libssh.h>
#include <libssh/server.h>

#include <cstdint>
#include <functional>
#include <string>

#include "base/loop.h"
#include "base/wire.h"

namespace oob::ssh {

// One connection's way through authentication (RFC 4252): publickey, and where the core wants more after it,
// a code by keyboard-interactive (RFC 4256). Every key that is offered, every signature that was verified and
// every code is put to the core, one at a time; the request is kept until the verdict is there. Only a
// verdict on a verified key makes way for a code, and then nothing but a code is taken.
class Login {
 public:
  static constexpr std::size_t kMostUser = 1024;
  static constexpr std::size_t kMostKey = 16 * 1024;
  static constexpr std::size_t kMostCode = 64;

  // They send a question or a code (its connection, addresses and client version are left to them); false:
  // they could not.
  using Asker = std::function<bool(base::wire::Ask ask)>;
  using Teller = std::function<bool(base::wire::Code code)>;
  Login(std::uint32_t most_tries, Asker ask, Teller tell);
  ~Login();
  Login(const Login&) = delete;
  Login& operator=(const Login&) = delete;

  // Takes the message, which is a SSH_REQUEST_AUTH of the session, over. REQUIRES: !waiting().
  void take(ssh_session session, ssh_message message);
  // A verdict came; answer() acts on it, from pump().
  void verdict(const base::wire::Verdict& verdict);
  void answer(ssh_session session);
  // `seen` requests came in this connection so far; those that libssh rejected without a word are answered
  // here. REQUIRES: all messages were taken.
  void answer_swallowed(unsigned seen);

  bool waiting() const { return asked_ != nullptr && !judged_; }
  bool judged() const { return judged_; }
  base::Clock::time_point asked_at() const { return asked_at_; }
  bool succeeded() const { return succeeded_; }
  bool no_pty() const { return verdict_.no_pty; }
  bool told_verified() const { return told_verified_; }  // a verified Ask was sent
  unsigned refused() const { return refused_; }          // keys, codes and requests out of order
  bool wants_code() const { return wants_code_; }        // the key was right
  const std::string& user() const { return user_; }
  // Why the connection is to be ended; empty: it goes on.
  const std::string& give_up() const { return give_up_; }

 private:
  enum class Asked { probe, key, code };

  bool same_user(const char* user);
  void take_key(ssh_message message);
  void ask(ssh_message message, bool verified);
  void prompt(ssh_message message);
  void tell_code(ssh_session session, ssh_message message);
  void wait_with(ssh_message message, Asked what);
  void refuse(ssh_message message);
  void keep_spare(ssh_message message);

  const std::uint32_t most_tries_;
  const Asker ask_;
  const Teller tell_;
  std::string user_;
  bool user_known_ = false;
  bool none_tried_ = false;
  unsigned taken_ = 0;  // requests that came as messages, or were answered for libssh
  unsigned refused_ = 0;
  unsigned questions_ = 0;
  ssh_message asked_ = nullptr;
  Asked asked_what_ = Asked::probe;
  base::Clock::time_point asked_at_;
  bool judged_ = false;
  base::wire::Verdict verdict_;
  ssh_message spare_ = nullptr;  // an answered request, to send a failure with where libssh sends none
  bool told_verified_ = false;
  bool wants_code_ = false;
  bool prompted_ = false;  // and not answered yet
  std::string instruction_;
  bool succeeded_ = false;
  std::string give_up_;
};

}  // namespace oob::ssh

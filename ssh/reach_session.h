#pragma once

#include <libssh/libssh.h>

#include <string>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/result.h"
#include "ssh/reach_request.h"

namespace oob::ssh {

// The client's end of one SSH connection, and its one channel. Waits by poll(2): it has the process to
// itself.
class ReachSession {
 public:
  // `connected` is the TCP connection, `core` the socket whose end is an order to stop; it outlives this.
  ReachSession(base::Fd connected, int core, ReachRequest request);
  ~ReachSession();
  ReachSession(const ReachSession&) = delete;
  ReachSession& operator=(const ReachSession&) = delete;

  // What libssh would look for in files is said here. REQUIRES: once, before log_in().
  base::Result<> prepare();
  // Keys, the host's identity, the user's, the channel. Fault::denied: it is another host, or the user was
  // refused; Fault::unavailable: no answer in time, or none that makes sense. The secrets are gone after it.
  base::Result<> log_in(base::Clock::time_point until);
  // Moves bytes until one side ends.
  void carry();

 private:
  template <class Call>
  base::Result<int> patiently(int again, Call call);
  bool wait(short core_events, base::milliseconds longest);
  base::Result<> exchange_keys();
  base::Result<> know_host();
  base::Result<> authenticate();
  base::Result<int> by_key();
  base::Result<int> by_password();
  base::Result<int> by_questions();
  base::Result<> open_channel();
  bool from_peer();
  bool from_core();
  std::string trouble() const;

  const int core_;
  ReachRequest request_;
  ssh_session session_ = nullptr;
  ssh_channel channel_ = nullptr;
  int fd_ = -1;  // libssh closes it
  base::Clock::time_point until_{};
  std::string to_peer_, to_core_;
};

}  // namespace oob::ssh

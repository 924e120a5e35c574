#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "auth/keyring.h"
#include "base/loop.h"
#include "base/wire.h"
#include "console/core.h"
#include "oobd/config.h"
#include "oobd/front_process.h"

namespace oob {

// The core's end of the front: judges who may come in, knows who is in, and makes their sessions. What the
// front says is believed only as far as that a signature was verified. Everything it is given outlives it.
class Door {
 public:
  Door(base::Loop& loop, console::Core& core);
  ~Door();
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  // Users, keys and limits: swapped whole. Limits hold from the next start of the front on.
  void adopt(const Config& config);
  // Starts the front, with the private keys of this host; `ready` runs each time that it serves.
  void open(std::vector<std::string> host_keys, std::vector<FrontProcess::Gate> gates,
            std::function<void()> ready);
  void close() { front_.reset(); }
  void child_ended() {
    if (front_) front_->child_ended();
  }
  // Whoever is in by a user or key that is gone, is out.
  void end_lost_rights();

 private:
  // A connection whose key was verified.
  struct Connection {
    auth::Principal who;
    std::string key;     // the blob
    std::string device;  // "alice:edge1"
    auth::KeyTerms terms;
  };

  void heard(base::wire::Control kind, base::Bytes payload, base::Fd fd);
  void asked(const base::wire::Ask& ask);
  void opened(const base::wire::OpenSession& open, base::Fd socket);
  void remarked(const base::wire::Remark& remark);

  static constexpr std::size_t kMostReasons = 256;  // refusals that wait for the front's remark

  base::Loop& loop_;
  console::Core& core_;
  LimitsConfig limits_;
  std::unique_ptr<auth::Keyring> keyring_;
  std::map<std::uint64_t, Connection> connections_;
  std::map<std::string, std::string> reasons_;  // peer -> why its key was refused
  std::unique_ptr<FrontProcess> front_;
};

}  // namespace oob

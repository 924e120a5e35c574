#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "auth/good_sources.h"
#include "auth/keyring.h"
#include "auth/refusals.h"
#include "auth/second_factor.h"
#include "base/life.h"
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
  // `newest_known`: the newest time that the journal has seen; a clock behind it is not believed.
  Door(base::Loop& loop, console::Core& core, base::Micros newest_known);
  ~Door();
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  // Users, keys and limits: swapped whole. For who is in already, end_lost_rights() comes after.
  void adopt(const Config& config);
  // Starts the front, with the private keys of this host; `ready` runs each time that it serves.
  void open(std::vector<std::string> host_keys, std::vector<FrontProcess::Gate> gates,
            std::function<void()> ready);
  // While the front is open: see FrontProcess.
  void listen(FrontProcess::Gate gate) {
    if (front_) front_->listen(std::move(gate));
  }
  void deafen(const std::string& address) {
    if (front_) front_->deafen(address);
  }
  // Ends the front, and with it everybody's connection.
  void close();
  void child_ended() {
    if (front_) front_->child_ended();
  }
  // Those who are in, or await their code, from the same source as `peer`.
  std::vector<std::uint64_t> come_by(const std::string& peer) const;
  // Whoever is in by a user or key that is gone, is out.
  void end_lost_rights();

 private:
  // A connection whose key was verified. While `code` is awaited it may do nothing.
  struct Connection {
    auth::Principal who;
    std::string key;     // the blob
    std::string device;  // "alice:edge1"
    auth::KeyTerms terms;
    base::wire::Ask asked;   // by which it came; its key is taken out
    base::Micros since = 0;  // its key was judged by this time
    bool awaits_code = false;
    bool code_judged = false;     // a code of it is being looked at
    std::string second_factor{};  // for the journal; empty: none was wanted
    std::string notice{};         // for the person
  };

  void heard(base::wire::Control kind, base::Bytes payload, base::Fd fd);
  void asked(const base::wire::Ask& ask);
  void opened(const base::wire::OpenSession& open, base::Fd socket);
  void coded(const base::wire::Code& code);
  void judged(std::uint64_t connection, std::uint32_t number, base::Result<> right);
  void forward(const base::wire::Forward& wish, base::Fd socket);
  void closed(std::uint64_t connection);
  void remarked(const base::wire::Remark& remark);
  void ready(const base::wire::Ready& ready);

  void refuse(const std::string& peer, const std::string& user, const std::string& why);
  void logged_in(std::uint64_t number, Connection& connection);
  base::wire::Setup setup() const;
  console::Visitor visitor_of(std::uint64_t number, const Connection& connection);
  base::Micros key_time() const;
  std::size_t channels_of(std::uint64_t connection) const;
  bool is_full(const std::string& user) const;

  static constexpr std::size_t kMostReasons = 256;  // refusals that wait for the front's remark
  static constexpr std::size_t kMostReason = 1000;  // bytes of one

  base::Loop& loop_;
  console::Core& core_;
  LimitsConfig limits_;
  std::unique_ptr<auth::Keyring> keyring_;
  std::map<std::uint64_t, Connection> connections_;
  struct Reason {
    std::string user, why;  // printable
  };
  std::map<std::string, Reason> reasons_;  // of a peer: why its last key or code was refused
  const base::Micros newest_known_;
  auth::SecondFactor second_factor_;
  auth::Refusals refusals_;
  auth::GoodSources good_sources_;
  std::function<void()> ready_;
  std::string said_key_exchange_;  // in the log
  std::unique_ptr<FrontProcess> front_;
  base::Life life_;
};

}  // namespace oob

#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/keyring.h"
#include "base/fd.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/wire.h"

namespace oob::console {

struct Core;
struct Visitor;

// TCP connections of visitors to the BMCs of devices (direct-tcpip, RFC 4254, 7.2): `ssh -L
// 8443:edge1.bmc:443` and `ssh -W`. Decides, writes down, dials, and moves the bytes; nothing but the address
// of a BMC of the configuration, on a port that it names, is ever dialled, and no name is looked up. Owned by
// the Core.
class Forwards {
 public:
  static constexpr std::size_t kMost = 256;            // in all
  static constexpr std::chrono::seconds kConnect{10};  // for the BMC to answer
  // Refusals of one connection that are written down in a minute; the next one tells how many were not.
  static constexpr unsigned kMostRefusals = 10;

  // Of the visitor's key: auth::KeyTerms has both.
  struct Terms {
    bool no_forwarding = false;
    std::vector<auth::PermitOpen> permit_open{};  // empty: the policy alone decides
  };
  // What the connection's key allows now; none: nothing, it is gone.
  using TermsNow = std::function<std::optional<Terms>(std::uint64_t connection)>;

  // What `who` and the figures show of one.
  struct Shown {
    const Visitor& visitor;  // its session is the forward's number, its device the BMC's
    std::uint16_t port;
    std::uint64_t bytes_in, bytes_out;  // to the BMC, from it
  };

  Forwards();
  // Ends all; what was open is noted so in the journal.
  ~Forwards();
  Forwards(const Forwards&) = delete;
  Forwards& operator=(const Forwards&) = delete;

  // Opens what `wish` asks for: its host is DEVICE.bmc, or the address of the BMC of a device, that `visitor`
  // may forward to. `socket` is a non-blocking stream whose end belongs to the front. `done` is told once
  // whether the BMC has answered, from inside open() or later, but not after this is gone; a refusal is in
  // the journal. REQUIRES: visitor.session is a fresh number of core.next_session, `core` outlives this.
  void open(Core& core, Visitor visitor, const Terms& terms, const base::wire::Forward& wish, base::Fd socket,
            std::function<void(bool)> done);

  // The connection is gone or dropped: so are its forwards, and what is known of it.
  void end(std::uint64_t connection, const std::string& why);
  // All of them: the front is another one, or oobd is stopped.
  void end_all(const std::string& why);
  // The forward with this number; false: there is none.
  bool end_numbered(std::uint64_t number, const std::string& why);
  // Policy or BMCs have changed, or the time has come: ends those whose right or target is gone.
  void recheck();
  // The same when keys may have changed: from now on these terms count.
  void recheck(const TermsNow& terms_now);

  std::vector<Shown> all() const;
  std::size_t count() const;
  std::size_t count(std::uint64_t connection) const;
  std::uint64_t opened() const { return opened_; }  // BMCs that answered, ever
  std::uint64_t bytes_in() const;                   // to BMCs, ever
  std::uint64_t bytes_out() const;                  // from BMCs, ever

 private:
  class Forward;
  struct Refusals {
    std::uint64_t connection = 0;
    base::Clock::time_point since;
    unsigned noted = 0;
    std::uint64_t unsaid = 0;
  };

  void refuse(Core& core, const Visitor& visitor, const base::wire::Forward& wish, const std::string& why);
  void over(Forward& forward);
  std::string& scratch();

  std::list<std::unique_ptr<Forward>> forwards_;
  std::vector<Refusals> refusals_;  // of connections that were refused something
  std::uint64_t opened_ = 0, bytes_in_ = 0, bytes_out_ = 0;
  std::string scratch_;  // the relays share it
  base::Life life_;
};

}  // namespace oob::console

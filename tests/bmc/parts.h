#pragma once

#include <map>
#include <optional>

#include "base/fd.h"
#include "tests/bmc/bmc.h"
#include "tests/bmc/chassis.h"
#include "tests/bmc/event_log.h"
#include "tests/bmc/packet.h"
#include "tests/bmc/sensors.h"
#include "tests/bmc/session.h"
#include "tests/bmc/sol.h"

namespace oob::test {

// The inside of a Bmc: socket, sessions, and who answers what.
struct Bmc::Parts {
  Parts(Bmc& owner, base::Loop& on, BmcOptions how);

  // The socket (bmc.cc).
  base::Result<> open();
  void listen();
  void receive();
  void datagram(Bytes bytes, const Endpoint& from);
  void outside_sessions(const Datagram& datagram, const Endpoint& from);
  void send(const Endpoint& to, std::string datagram, base::milliseconds late = base::milliseconds(0));
  void transmit(const Endpoint& to, Bytes datagram);
  void flush();
  void send_in_session(Session& session, unsigned payload_type, Bytes payload,
                       base::milliseconds late = base::milliseconds(0));
  void reset(base::milliseconds gone);

  // Commands (commands.cc).
  // Answers a LAN message by `reply`, not at all or several times, as the faults have it. `session` is null
  // outside sessions, and may be gone afterwards.
  using Reply = std::function<void(std::string message, base::milliseconds late)>;
  void message(Bytes bytes, Session* session, const Reply& reply);
  std::string run(const LanRequest& request, Session* session);
  std::string application(unsigned command, Bytes data, Session* session);
  std::string transport(unsigned command, Bytes data);
  std::string authentication_capabilities(Bytes data) const;
  std::string cipher_suites(Bytes data) const;
  std::string set_privilege(Bytes data, Session& session);
  std::string close_session(Bytes data, Session& session);
  std::string session_info(Bytes data, Session& session);
  void after_answer();  // what had to wait until the answer was sent

  // Payloads (payloads.cc).
  std::string activate(Bytes data, Session& session);
  std::string deactivate(Bytes data, Session& session);
  std::string activation_status(Bytes data) const;
  std::string instance_info(Bytes data) const;
  void sol_gone(bool tell);

  Bmc& bmc;
  base::Loop& loop;
  BmcOptions options;
  std::uint16_t port = 0;
  base::Fd socket;
  unsigned heard = 0;  // packets, for Faults::answer_every
  base::Clock::time_point deaf_until;
  std::multimap<base::Clock::time_point, std::pair<Endpoint, std::string>> late;
  base::Timer late_timer;

  Chassis chassis;
  EventLog log;
  Sensors sensors;
  Sol sol;
  std::uint32_t sol_owner = 0;
  std::uint32_t closing = 0;  // session to close once its answer is sent
  bool resetting = false;
  Sessions sessions;
  std::unique_ptr<base::Watch> watch;  // declared last: ends first
};

}  // namespace oob::test

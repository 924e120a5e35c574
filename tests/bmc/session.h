#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "tests/bmc/bmc.h"
#include "tests/bmc/endpoint.h"
#include "tests/bmc/packet.h"

namespace oob::test {

// One session, from the Open Session Request on.
struct Session {
  enum class State { opened, challenged, active };
  State state = State::opened;
  std::uint32_t id = 0;          // the BMC's ("managed system session ID")
  std::uint32_t console_id = 0;  // the remote console's
  Endpoint from;
  unsigned handle = 0;
  bool counted = true;  // among the handshakes that go on
  base::Clock::time_point deadline;

  const BmcUser* user = nullptr;  // null: the anonymous one
  unsigned user_number = 0;
  unsigned limit = 4;      // of user and of what was asked for
  unsigned privilege = 2;  // now
  std::string console_random, bmc_random;
  unsigned role = 0;  // the whole byte, as it goes into the hashes
  std::string name;
  std::string sik;
  Keys keys;

  std::uint32_t sequence = 1;  // of the next packet out
  std::uint32_t highest = 0;   // seen, and which of the 16 below it were
  std::uint32_t seen = 0;
  std::string last_packet;  // for the faults that send it again
};

// The session table and the handshake that fills it (13.17 to 13.24, 13.31).
class Sessions {
 public:
  using Send = std::function<void(const Endpoint&, std::string datagram)>;
  // `gone` is told of every active session that ends, just before. All references outlive this.
  Sessions(base::Loop& loop, const BmcOptions& options, Faults& faults, Seen& seen, Send send,
           std::function<void(Session&)> gone);
  ~Sessions();

  // A payload of type 10h, 12h or 14h.
  void handshake(unsigned payload_type, Bytes payload, const Endpoint& from);
  // null: no such session is active.
  Session* find(std::uint32_t id);
  // False: a replay, or outside the window (6.12.13). Call after authentication only.
  bool in_window(Session& session, std::uint32_t sequence);
  void touch(Session& session);  // something authenticated came: the time-out starts anew
  void close(Session& session);  // `session` is gone afterwards
  void forget(bool tell);        // all; tell: `gone` is called
  std::vector<Session*> active();
  unsigned slots() const { return options_.sessions; }

 private:
  void open_session(Bytes payload, const Endpoint& from);
  void rakp1(Bytes payload, const Endpoint& from);
  void rakp3(Bytes payload, const Endpoint& from);
  void refuse(unsigned payload_type, unsigned tag, unsigned status, std::uint32_t console_id,
              const Endpoint& to);
  void answer(StepFaults& step, unsigned payload_type, std::string payload, const Endpoint& to);
  Session* pending(std::uint32_t id);
  const BmcUser* user(Bytes name, unsigned& number) const;
  void settle(Session& session);  // its handshake is over
  void remove(Session* session);
  void tick();

  const BmcOptions& options_;
  Faults& faults_;
  Seen& seen_;
  Send send_;
  std::function<void(Session&)> gone_;
  std::vector<std::unique_ptr<Session>> table_;
  unsigned next_handle_ = 1;
  base::Timer timer_;
};

}  // namespace oob::test

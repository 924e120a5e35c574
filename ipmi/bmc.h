#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/fd.h"
#include "base/life.h"
#include "base/loop.h"
#include "ipmi/bmc_files.h"
#include "ipmi/handshake.h"
#include "ipmi/handshake_gate.h"
#include "ipmi/link.h"
#include "ipmi/replay_window.h"
#include "ipmi/requests.h"

namespace oob::ipmi {

// One BMC: the one RMCP+ session that SOL, power, sensors and the event log share. Opened at start(), kept
// alive, noticed within 30 s when it is dead, and opened again for ever with jittered back-off.
class Bmc final : public Link, private Requests::Owner {
 public:
  // What happened, for the log and the journal: "bmc.up" with suite and privilege, "bmc.down" with the
  // reason, "bmc.failed" when it can't be opened, once for each reason.
  using Event = std::function<void(const char* event, const std::string& text)>;

  static constexpr base::milliseconds kKeepAlive{10'000};  // after the last answer

  Bmc(base::Loop& loop, base::Blocking& blocking, HandshakeGate& gate, BmcSettings settings, Event event);
  // Closes the session (22.19), so that the BMC has its slot free at once.
  ~Bmc() override;
  Bmc(const Bmc&) = delete;
  Bmc& operator=(const Bmc&) = delete;

  void start();
  // Tries now, also after a wrong password, on somebody's order. A session that had to do with less than
  // operator's rights is opened anew.
  void retry();

  const BmcSettings& settings() const { return settings_; }
  int suite() const { return up_ ? suite_.id : 0; }
  Privilege privilege() const { return up_ ? privilege_ : Privilege::none; }

  // Link
  void ask(Request request, Send how, std::function<void(Result<Response>)> done) override;
  bool up() const override { return up_; }
  bool opening() const override { return opening_; }
  const std::string& trouble() const override { return trouble_; }
  void take_sol(SolUser& user) override;
  void leave_sol(SolUser& user) override;
  Result<> send_sol(Bytes payload) override;
  bool ask_for_more_privilege() override;
  const std::string& name() const override { return name_; }
  std::uint32_t session() const override { return up_ ? bmc_session_ : 0; }

 private:
  // Opening a session.
  void open();
  void read_files();
  std::vector<Suite> suites() const;
  void begin();
  void send_handshake();
  void handshake_moved();
  void handshake_failed(Refusal refusal, const std::string& why);
  bool lower_level();
  void begin_again();
  void set_privilege();
  void came_up();
  void remember();
  void give_up(const std::string& why, base::milliseconds again);
  base::milliseconds back_off() const;

  // Its end.
  void lose(const std::string& why);
  void drop_session(const std::string& why);
  void leave_session();

  // Packets.
  bool send(const std::string& datagram);
  void send_payload(PayloadType type, Bytes payload);
  bool refused_by_port();
  void readable();
  void take(Bytes datagram);
  void stay_alive();

  // Requests::Owner
  void send_message(Bytes message) override { send_payload(PayloadType::ipmi, message); }
  void silent() override { lose("no answer"); }
  // Was it the request, or is the BMC gone?
  void unanswered() override {
    alive_.after(base::milliseconds(0), [this] { stay_alive(); });
  }

  base::Loop& loop_;
  base::Blocking& blocking_;
  HandshakeGate& gate_;
  BmcSettings settings_;
  Event event_;
  std::string name_, address_;
  std::string trouble_ = "not tried yet";
  std::string told_;  // the trouble that event_ heard last

  bool opening_ = false;
  bool asked_to_retry_ = false;  // while opening
  bool held_ = false;            // wrong password and the like: no request hurries the next try
  std::unique_ptr<HandshakeGate::Pass> pass_;
  std::unique_ptr<Handshake> handshake_;
  std::optional<Credentials> credentials_;
  std::vector<Suite> suites_;              // still to be tried, the next one last
  Suite suite_;                            // of this try, then of the session
  Privilege level_ = Privilege::none;      // to be asked for
  bool sol_wants_admin_ = false;           // it refused operators
  Privilege privilege_ = Privilege::none;  // of this try, then of the session
  int remembered_ = 0;                     // the suite; never less than it was, but for retry()
  std::string memory_trouble_;             // the file that remembers can't be believed
  unsigned sends_ = 0;                     // of this step's packet
  unsigned rounds_ = 0;                    // through the gate, in this try
  unsigned refusals_ = 0;                  // of the level, in this try
  base::Clock::time_point enough_;         // then this try is given up
  unsigned restarts_ = 0;                  // of the handshake, in this try
  unsigned failures_ = 0;                  // tries in a row
  unsigned wrong_ = 0;                     // handshakes in a row that ended with wrong credentials
  std::string unreachable_;                // what the system said to the last packet
  base::Timer step_, retry_;

  bool up_ = false;
  bool established_ = false;  // keys are agreed on: up_, or about to be
  base::Fd socket_;
  std::unique_ptr<base::Watch> watch_;
  SessionKeys keys_;
  std::uint32_t our_session_ = 0, bmc_session_ = 0, sequence_ = 0;
  ReplayWindow window_;
  unsigned port_refusals_ = 0;
  Requests requests_;
  base::Timer alive_;
  SolUser* sol_ = nullptr;
  base::Life opening_life_;
  base::Life life_;
};

}  // namespace oob::ipmi

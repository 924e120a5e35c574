#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.h"
#include "base/fd.h"
#include "base/life.h"
#include "base/loop.h"
#include "ipmi/bmc.h"

namespace oob::ipmi {

// What a BMC offers, and to whom: as somebody who has just found it on the network sees it, and as we do with
// our user and password.
struct BmcReport {
  bool answers = false;                    // to anything
  std::optional<std::vector<int>> suites;  // that it says it has (22.15); nothing: it did not say
  bool suites_cut = false;                 // it was still saying more when its time was over
  bool strangers_tried = false;            // the next two are known
  bool suite_0_open = false;               // a session without any password (tried, not only listed)
  bool anonymous_open = false;             // the user without name and password (tried)
  std::optional<bool> kg_set;              // a Kg key other than 0 (22.13); nothing: it did not say

  std::string session_trouble;  // empty: our session could be opened
  int suite = 0;
  Privilege privilege = Privilege::none;
  base::milliseconds time_to_session{0};

  std::optional<bool> sol_enabled;            // nothing: no SOL, or it did not say
  unsigned sol_baud = 0;                      // 0: as the serial port itself, or not told
  Privilege sol_privilege = Privilege::none;  // that SOL takes
  Privilege highest = Privilege::none;        // that we may have: more than `privilege` if SOL wants that
};

// Looks at one BMC for `oobd check --bmc`: first as ourselves, then, with that session closed, as a stranger.
// Changes nothing, leaves nothing open, and takes one of the BMC's sessions at a time: there may be four.
// Waits for its turn at the gate, then answers once, within a minute.
class Survey {
 public:
  Survey(base::Loop& loop, base::Blocking& blocking, HandshakeGate& gate, BmcSettings settings,
         std::function<void(const BmcReport&)> done);
  Survey(const Survey&) = delete;
  Survey& operator=(const Survey&) = delete;

  void start();
  const BmcSettings& settings() const { return settings_; }

 private:
  static constexpr base::milliseconds kWait{700};
  static constexpr unsigned kSends = 3;
  static constexpr base::milliseconds kSessionLimit{40'000};  // for our session and its questions
  static constexpr base::milliseconds kLimit{60'000};         // for all, from its turn on

  enum class Step { waiting, session, sol, more_privilege, stranger, over };

  // Sends a packet, again when nothing comes, until `take` likes a datagram (true) or never does (false).
  void exchange(std::string datagram, std::function<bool(Bytes)> take, std::function<void(bool)> then);
  void send();
  void readable();
  void answered(bool well);

  void open_session();
  void session_event(std::string_view event, const std::string& text);
  void ask_sol(std::size_t at);
  void ask_for_more_privilege();
  void session_over();

  void ask_capabilities();
  void try_suite_0();
  void try_suite_0_user(std::uint32_t console_session, std::uint32_t bmc_session);
  void try_anonymous(std::vector<Suite> suites);
  void step_anonymous(std::vector<Suite> rest);
  void break_off(std::uint32_t bmc_session);
  void ask_suites(unsigned index);
  void take_suites();
  void finish();

  base::Loop& loop_;
  base::Blocking& blocking_;
  HandshakeGate& gate_;
  HandshakeGate own_gate_;  // always open: our turn at the real one is for both
  BmcSettings settings_;
  std::function<void(const BmcReport&)> done_;
  BmcReport report_;
  Step step_ = Step::waiting;
  std::unique_ptr<HandshakeGate::Pass> pass_;
  base::Timer limit_;

  base::Fd socket_;
  std::unique_ptr<base::Watch> watch_;
  std::string datagram_;
  std::function<bool(Bytes)> take_;
  std::function<void(bool)> then_;
  unsigned sends_ = 0;
  base::Timer wait_;

  std::string suite_records_, last_records_;
  std::unique_ptr<Handshake> anonymous_;
  std::uint32_t anonymous_session_ = 0;  // the BMC's id; 0: it has opened none
  std::unique_ptr<Bmc> bmc_;
  base::Clock::time_point began_;
  base::Life life_;
};

// The cipher suites in the records of Get Channel Cipher Suites (table 22-18); what is no record ends them.
std::vector<int> suites_in(Bytes records);

// Whether a Kg key is set, as the answer to Get Channel Authentication Capabilities says (table 22-15), its
// completion code left out. Nothing: it does not say.
std::optional<bool> kg_in(Bytes capabilities);

}  // namespace oob::ipmi

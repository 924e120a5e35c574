#pragma once

#include <string>

#include "ipmi/rakp.h"
#include "ipmi/secret.h"
#include "ipmi/wire.h"

namespace oob::ipmi {

// What a session is opened with.
struct SessionTerms {
  Suite suite;
  Privilege privilege = Privilege::user;  // the highest that will be asked for
  std::string user;
  Secret password, kg;  // kg empty: none
};

// Why a BMC did not open a session, as far as it matters for what is tried next.
enum class Refusal {
  none,                // damaged or lost packets, a state of its own: try again
  suite,               // it does not do this cipher suite
  privilege,           // this user may not have that level
  suite_or_privilege,  // 0Ah before there is a user: X8DTG says so for a suite that is disabled
  credentials,         // user or password, or Kg
  full,                // no session left
  downgrade,           // it answered with other algorithms than asked
};

// One RMCP+ session being opened: Open Session and RAKP 1 to 4 (IPMI 2.0, 13.17 to 13.24). Pure: whoever owns
// it sends packet(), again when nothing comes, and gives it every datagram. A lost RAKP 2 or 4 can't always
// be had again by repeating RAKP 1 or 3 (some BMCs answer each once), so the owner starts anew before long.
class Handshake {
 public:
  enum class Step { open_session, rakp1, rakp3, done, failed };

  explicit Handshake(SessionTerms terms);

  Step step() const { return step_; }
  // The packet of this step. REQUIRES: neither done nor failed.
  const std::string& packet() const { return packet_; }
  // Takes a datagram; what does not belong here is passed over. True: step() has changed.
  bool take(Bytes datagram);

  // REQUIRES: failed.
  Refusal refusal() const { return refusal_; }
  const std::string& why() const { return why_; }

  // REQUIRES: done.
  SessionKeys keys() { return std::move(keys_); }
  std::uint32_t our_session() const { return exchange_.console_session; }
  std::uint32_t bmc_session() const { return exchange_.bmc_session; }

 private:
  bool opened(const OpenSessionResponse& response);
  bool authenticated(const Rakp2& rakp2);
  bool finished(const Rakp4& rakp4);
  bool fail(Refusal refusal, std::string why);
  // An error may leave our id out (0); another's id is not for us.
  bool ours_or_none(std::uint32_t id) const { return id == 0 || id == exchange_.console_session; }
  bool refused(std::uint8_t status, const char* where);

  SessionTerms terms_;
  Step step_ = Step::open_session;
  std::uint8_t tag_;
  std::string packet_, why_;
  Refusal refusal_ = Refusal::none;
  Exchange exchange_;
  SessionKeys keys_;
};

}  // namespace oob::ipmi

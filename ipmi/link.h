#pragma once

#include <functional>
#include <string>

#include "base/loop.h"
#include "ipmi/wire.h"

namespace oob::ipmi {

// Who has the Serial over LAN of a BMC. All calls come from the loop.
class SolUser {
 public:
  virtual ~SolUser() = default;
  // A SOL payload (15.9, table 15-2) that was verified and is not a replay; valid during the call.
  virtual void sol_packet(Bytes payload) = 0;
  // The session is up, or up again: SOL can be activated. Also called soon after take_sol() when it is up.
  virtual void session_up() = 0;
  // The session is gone, and SOL with it; or it could not be opened.
  virtual void session_lost(const base::Error& why) = 0;
};

// The one session with a BMC, as SOL, chassis, sensors and the event log use it. Whoever uses it goes before
// it.
class Link {
 public:
  virtual ~Link() = default;

  // How a request may be sent:
  //   again    until it is answered. The BMC may see it twice: for what only reads, or does the same twice.
  //   once     never repeated, so that no answer leaves it open whether it was done.
  //   parting  as once; and if it still waits when the link goes, it goes out before the session is closed.
  enum class Send { again, once, parting };

  // Asks the BMC. Answers come in the order of the requests. A completion code that is not 0 is an answer
  // too: see done_or_error(). Errors: Fault::unavailable when there is no session and none could be opened
  // within kPatience, or when the answer did not come; Fault::busy when too many requests wait; Fault::again,
  // for `once` and `parting` alone, when it did not even go out, so that it was certainly not done. `done` is
  // called once, from the loop, never from inside this call, and not after the Link is gone.
  virtual void ask(Request request, Send how, std::function<void(Result<Response>)> done) = 0;

  virtual bool up() const = 0;
  // One is being opened right now: the SolUser will hear session_up(), or session_lost() if it can't be.
  virtual bool opening() const { return false; }
  // Why the session is not up: "192.0.2.21:623: no answer"; empty while all is well.
  virtual const std::string& trouble() const = 0;

  // From now on `user` has the SOL, and whoever had it has not.
  virtual void take_sol(SolUser& user) = 0;
  // It has it no more. Nothing if another has taken it since.
  virtual void leave_sol(SolUser& user) = 0;
  // Sends one SOL payload in the session, once. Fault::unavailable when the session is not up.
  virtual Result<> send_sol(Bytes payload) = 0;

  // Opens the session anew with more rights if the configuration left the privilege level open and there are
  // more; false: there is no more to be had. SOL sees session_lost(), a request under way fails, others wait.
  virtual bool ask_for_more_privilege() = 0;

  // The id that the BMC gave the session (table 13-10), as it names it to others; 0: not up, or not known.
  virtual std::uint32_t session() const { return 0; }

  // For messages: "relay1 (192.0.2.21:623)".
  virtual const std::string& name() const = 0;

  static constexpr std::chrono::seconds kPatience{20};
};

// The response if its completion code is 0; otherwise Fault::failed (or denied for D4h, busy for C0h) with
// "WHAT: insufficient privilege level (D4h)".
Result<Response> done_or_error(std::string_view what, Result<Response> response);

}  // namespace oob::ipmi

#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace oob::test {

// How many handshakes go on at one time over all BMCs that share it, and how many at most did.
struct Gauge {
  unsigned now = 0;
  unsigned most = 0;
  void enter() { most = ++now > most ? now : most; }
  void leave() { --now; }
};

// Chassis Control's actions (28.3).
enum class PowerAction : unsigned { off = 0, on = 1, cycle = 2, reset = 3, diagnostic = 4, soft = 5 };

// What one BMC saw and did. A test may set counters back to 0, but not what tells the state: `sessions` and
// `handshakes.now`.
struct Seen {
  unsigned packets = 0;        // datagrams that came
  unsigned sent = 0;           // datagrams that went
  unsigned bad_packets = 0;    // not to be understood, or not authenticated as they must be
  unsigned replays = 0;        // session sequence number seen before, or outside the window
  unsigned no_session = 0;     // for a session that is not there
  unsigned capabilities = 0;   // Get Channel Authentication Capabilities outside sessions
  unsigned open_sessions = 0;  // Open Session Requests
  unsigned rakp1 = 0;
  unsigned rakp3 = 0;
  unsigned handshakes_begun = 0;     // Open Session Requests that got a slot
  unsigned handshakes_finished = 0;  // sessions activated
  unsigned handshakes_refused = 0;   // any status but 0 that the BMC found or was told to find
  unsigned console_refused = 0;      // RAKP 3 with a status: the console did not like RAKP 2
  unsigned wrong_passwords = 0;      // RAKP 3 with a wrong code
  Gauge handshakes;                  // of this BMC
  unsigned sessions = 0;             // open now
  unsigned sessions_most = 0;
  unsigned sessions_closed = 0;  // by Close Session
  unsigned sessions_expired = 0;
  unsigned resets = 0;

  // Commands that came in sessions or outside, by netfn and command; faults or not.
  std::map<std::pair<unsigned, unsigned>, unsigned> commands;
  unsigned command(unsigned netfn, unsigned command) const {
    auto at = commands.find({netfn, command});
    return at == commands.end() ? 0 : at->second;
  }

  // How often each action was really begun.
  std::array<unsigned, 6> power{};
  unsigned done(PowerAction action) const { return power[static_cast<unsigned>(action)]; }
  unsigned identified = 0;
  unsigned identify_seconds = 0;  // of the last Chassis Identify; 256: for good

  struct Sol {
    unsigned activations = 0;
    unsigned deactivations = 0;      // by Deactivate Payload
    unsigned packets_in = 0;         // from the console, acknowledgements too
    unsigned packets_out = 0;        // to the console, repeats and acknowledgements too
    std::uint64_t accepted = 0;      // bytes taken from the console and given to the host
    unsigned duplicates = 0;         // packets from the console that came again
    std::uint64_t acknowledged = 0;  // bytes the console said it took
    unsigned repeated = 0;           // packets sent again
    unsigned given_up = 0;           // packets the console never acknowledged
    unsigned nacks = 0;              // from the console
    unsigned breaks = 0;             // breaks given to the host
    std::uint64_t host_lost = 0;     // bytes the host said while nobody took them
    unsigned too_long = 0;           // packets from the console above the announced size
  } sol;

  std::string json() const;  // one line
};

}  // namespace oob::test

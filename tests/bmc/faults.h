#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace oob::test {

// How often a fault happens: 0 never, N the next N times (it counts down), kAlways until it is set to 0.
using Times = std::uint32_t;
inline constexpr Times kAlways = std::numeric_limits<Times>::max();

// True when the fault happens this time.
bool strikes(Times& times);

// What is wrong with the answers to one message of the handshake (13.17 to 13.23).
struct StepFaults {
  Times ignore = 0;            // no answer
  Times refuse = 0;            // answered with `status` (table 13-15) instead
  std::uint8_t status = 0x01;  // 01h no resources, 04h/0Ah/11h no such suite, 09h/0Ch role, 0Dh no such name
  Times wrong_tag = 0;         // message tag of the answer is another
  Times wrong_session_id = 0;  // the remote console's session ID in the answer is another
  Times resize = 0;            // the answer is `by` bytes longer (zeros), or shorter where `by` is negative
  int by = 0;
  Times twice = 0;  // the same answer is sent twice
};

// What one command (or any) does wrong.
struct CommandFault {
  enum class Kind {
    ignore,       // not executed, not answered
    refuse,       // not executed, answered with `completion`
    lose_answer,  // executed, not answered
    lie,          // not executed, answered with completion 00h and no data
    short_data,   // executed; the answer ends after `bytes` bytes of data
    slow,         // executed at once, answered after `delay`
  };
  Kind kind = Kind::ignore;
  int netfn = -1;    // -1: any
  int command = -1;  // -1: any
  Times times = 1;
  std::uint8_t completion = 0xc0;
  unsigned bytes = 0;
  std::chrono::milliseconds delay{0};
};

// What is wrong with Serial over LAN (section 15).
struct SolFaults {
  Times refuse = 0;  // Activate Payload answers `completion`: 80h to 84h, D4h
  std::uint8_t completion = 0x80;
  bool active_elsewhere = false;  // another session has it until Deactivate Payload (80h, and in 4Ah/4Bh)
  bool deactivate_lies = false;   // Deactivate Payload says 00h and does nothing
  bool hide_owner = false;        // Get Payload Instance Info (4Bh) says session ID 0 while SOL is active
  bool port_swapped = false;      // the UDP port in the answer to Activate Payload is byte-swapped
  int port = -1;                  // that port, when not -1
  int inbound_size = -1;          // sizes announced there, when not -1; the true ones stay
  int outbound_size = -1;
  Times jump = 0;     // the sequence number of a new packet jumps ahead by three
  Times partial = 0;  // of a packet from the console only `accept` bytes are taken
  unsigned accept = 1;
  Times nack = 0;  // a packet from the console is refused (NACK, 0 taken); resumed after `pause`
  std::chrono::milliseconds pause{300};
  Times grown_duplicate = 0;  // a packet of half the bytes; then again, same sequence, with all of them
  Times oversize = 0;         // a packet of twice the announced size, when there is so much output
  Times deactivating = 0;     // next packet says "SOL is being deactivated"; then it is
  Times overrun = 0;          // next packet says "transmit overrun"
  Times break_seen = 0;       // next packet says "break condition detected"
  Times unavailable = 0;      // a packet from the console is refused: "character transfer unavailable"
  Times lose_ack = 0;         // a packet from the console is taken, but not acknowledged
  Times lose_output = 0;      // a packet to the console is not sent (it counts as sent, and is repeated)
  Times wrong_ack = 0;        // acknowledges a sequence number that was never used
  Times too_much = 0;         // says it took more bytes than the packet had
};

// All a BMC does wrong, and when. Set any field at any time; it is looked at with each packet. Fields that
// are 0, -1 or false do no harm. Bytes that go wrong are wrong on the wire only: the BMC itself goes on as if
// it had sent the right ones.
struct Faults {
  // The way to a session.
  bool deaf = false;             // hears nothing at all
  bool no_capabilities = false;  // Get Channel Authentication Capabilities is not answered outside sessions
  bool no_ipmi_15 = false;       // nothing in IPMI 1.5 format is answered (some new boards)
  StepFaults open_session;       // the answer to Open Session Request
  StepFaults rakp1;              // RAKP 2
  StepFaults rakp3;              // RAKP 4
  // Algorithms in the Open Session Response instead of those asked for; the BMC then really uses them.
  int offer_authentication = -1;
  int offer_integrity = -1;
  int offer_confidentiality = -1;
  void offer_suite(unsigned suite);  // sets these three: 0, 1, 2, 3, 15, 16 or 17
  bool accept_suite_0 = false;       // a session without password is opened when asked for
  bool accept_anonymous = false;     // the empty user name with an empty password is an administrator
  bool accept_any_password = false;  // RAKP 3 is not looked at
  Times wrong_rakp2_code = 0;        // Key Exchange Authentication Code damaged
  Times wrong_rakp4_code = 0;        // Integrity Check Value damaged
  bool table_full = false;           // Open Session: status 01h

  // Packets of a session, from the BMC.
  Times strip_authenticated = 0;  // not authenticated: bit and trailer missing
  Times strip_encrypted = 0;      // in clear text: bit missing
  Times wrong_auth_code = 0;      // one bit of the AuthCode damaged
  Times wrong_session_id = 0;
  Times send_twice = 0;              // the same packet again at once
  Times replay_old = 0;              // before a packet, the one sent before it once more
  Times old_sequence = 0;            // session sequence number 1000 behind; authenticated well
  Times zero_sequence = 0;           // session sequence number 0
  std::uint32_t first_sequence = 1;  // of sessions that open from now on; 0 is skipped on the way
  Times pad_16 = 0;                  // confidentiality pad 16 longer than need be: wrong, but can be read
  Times pad_too_long = 0;            // pad length larger than the payload
  Times wrong_pad = 0;               // pad bytes are not 01h, 02h, ...
  Times cut = 0;                     // the datagram ends after `cut_at` bytes
  unsigned cut_at = 20;
  unsigned answer_every = 1;           // only every Nth packet is heard
  std::chrono::milliseconds delay{0};  // before each packet goes out

  // LAN messages (13.8), from the BMC.
  Times wrong_checksum = 0;  // the second one; with wrong_header_checksum the first
  Times wrong_header_checksum = 0;
  Times two_responses = 0;  // the answer once more in a packet of its own
  Times old_rq_seq = 0;     // rqSeq is the one before
  Times wrong_command = 0;  // the answer is to another command
  Times unasked = 0;        // before the answer, a response to something nobody asked
  std::vector<CommandFault> commands;
  void refuse(int netfn, int command, std::uint8_t completion, Times times = 1);
  void ignore(int netfn, int command, Times times = 1);
  void lose_answer(int netfn, int command, Times times = 1);
  void lie(int netfn, int command, Times times = 1);

  SolFaults sol;

  // Sensors and the event log.
  int sdr_length_off = 0;          // record lengths in SDR headers are wrong by so much
  bool sdr_endless = false;        // the last SDR names the first as its next
  bool sel_endless = false;        // the last SEL entry names the first as its next
  Times sdr_reservation_lost = 0;  // a Get SDR with a reservation: C5h, the reservation is gone
  Times sel_reservation_lost = 0;  // a Get SEL Entry or Clear SEL with one: C5h
  int sel_clock_jump = 0;          // seconds by which the SEL clock jumps with each entry or look at it

  // One order as text: "rakp1.ignore=2", "open_session.status=0x11", "sol.partial=always", "deaf=true",
  // "refuse=0x06,0x01,0xc0,3" (also ignore, lose_answer, lie: netfn, command, [completion,] times),
  // "offer_suite=3", "calm" (all faults off). Fault::usage for what is not one.
  base::Result<> order(std::string_view line);
};

}  // namespace oob::test

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "base/result.h"
#include "tests/bmc/faults.h"
#include "tests/bmc/seen.h"

namespace oob::test {

// Privilege levels (6.8): 2 user, 3 operator, 4 administrator.
struct BmcUser {
  std::string name;
  std::string password;    // at most 20 bytes
  unsigned privilege = 4;  // the limit
};

// The machine behind the BMC, as its serial port is seen from SOL.
enum class HostKind {
  silent,    // says only what the test says with host_says()
  echo,      // says what it is told
  numbered,  // says lines of 32 bytes, "0000000001 abcdefghijklmnopqrs\r\n", counting up, whether heard or
             // not
};

struct BmcOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;               // 0: any; Bmc::port() tells
  std::vector<unsigned> suites{17, 3};  // offered and accepted (22.15.2); 3, 17, also 1, 2, 15, 16
  std::vector<BmcUser> users{{"oob", "secret", 4}, {"oper", "operpw", 3}, {"user", "userpw", 2}};
  std::string kg;                         // at most 20 bytes; empty: none
  std::string guid = "oobd-test-bmc-01";  // 16 bytes
  unsigned sessions = 16;                 // slots
  base::milliseconds session_timeout{60'000};
  base::milliseconds handshake_timeout{10'000};  // after which an unfinished handshake frees its slot
  bool repeats_rakp2 = true;   // RAKP 1 again: the same RAKP 2; false: another random number, as some BMCs
  unsigned window_ahead = 15;  // a sequence number further ahead is dropped for good (6.12.13)
  Gauge* gauge = nullptr;      // shared by several BMCs; outlives them

  bool powered = true;
  base::milliseconds power_on_takes{0};  // until Get Chassis Status tells the new state
  base::milliseconds power_off_takes{0};
  base::milliseconds soft_takes{200};   // how long the host shuts down
  base::milliseconds cycle_gap{50};     // how long a cycle stays off
  base::milliseconds reset_takes{300};  // how long a cold reset leaves it deaf
  unsigned sdr_read_most = 64;          // a longer read of an SDR is CAh

  HostKind host = HostKind::echo;
  unsigned host_rate = 3200;      // bytes a second of HostKind::numbered
  unsigned host_room = 1u << 20;  // bytes the host takes in before hold_input() holds it up
  unsigned sol_buffer = 4096;     // output kept for the console; what is more is lost (overrun)
  unsigned sol_inbound = 0x84;    // payload sizes announced, with the 4 bytes of header (24.1)
  unsigned sol_outbound = 0x84;
  base::milliseconds sol_accumulate{10};  // parameter 3 (26.3)
  unsigned sol_threshold = 96;
  base::milliseconds sol_retry{100};  // parameter 4
  unsigned sol_retries = 7;           // the same; more than 7 can't be told by it
};

// A BMC of our own for tests: RMCP+ and IPMI 2.0 rev 1.1 from the BMC's side, written after the standard and
// without the project's client code, so that the two are no proof of each other. It behaves, unless `faults`
// says otherwise. Lives on the given loop, owns its UDP socket; small enough for a thousand in one process.
class Bmc {
 public:
  Bmc(base::Loop& loop, BmcOptions options);
  ~Bmc();
  Bmc(const Bmc&) = delete;
  Bmc& operator=(const Bmc&) = delete;

  // Binds the socket. Fails with the system's reason (a port below 1024 needs the right to it).
  base::Result<> open();
  std::uint16_t port() const;
  const std::string& address() const;

  Faults faults;
  Seen seen;

  // The BMC starts anew: all sessions and SOL are forgotten without a word, deaf for `gone`. The host is not
  // touched.
  void reset(base::milliseconds gone);
  // All sessions are forgotten without a word, and packets for them are not answered.
  void forget_sessions();

  // The machine.
  bool powered() const;
  void set_power(bool on);  // as if by the button, at once
  void host_says(base::Bytes bytes);
  std::function<void(base::Bytes)> host_hears;  // what SOL accepted, in order, exactly once
  std::function<void()> host_hears_break;
  void set_host(HostKind kind, unsigned rate = 3200);
  // While held, the host takes nothing: SOL accepts until BmcOptions::host_room is full, then in part or not.
  void hold_input(bool held, unsigned room = 0);

  // SOL.
  bool sol_active() const;
  std::uint32_t sol_session() const;  // the BMC's session ID of who has SOL; 0: nobody
  // Another session takes SOL; `tell`: its owner gets a last packet with the deactivated bit. From then on
  // 4Ah and 4Bh tell of the new owner, until Deactivate Payload.
  void steal_sol(bool tell);

  // Boot flags as last set (parameter 5, table 28-14), without the parameter's number.
  std::string boot_flags() const;

  // Sensors by number: 1 "CPU Temp" (degrees C, linear), 2 "FAN1" (RPM), 3 "12V" (volts), 4 "PS1 Status"
  // (discrete), 5 "Chassis Intru" (compact, discrete), 6 "Airflow" (non-linear).
  void set_sensor(unsigned number, std::uint8_t raw, std::uint16_t states = 0);
  void set_sensor_unavailable(unsigned number, bool unavailable);
  // The event log: 16 bytes as they are, the record ID and a time of 0 are filled in.
  void add_event(std::string record);
  std::size_t events() const;

  // Orders as text, for the program's control channel: those of Faults::order(), and "power=on|off",
  // "reset=MS", "forget", "steal=silent|told", "host=echo|silent|numbered:RATE", "say=TEXT\r\n" (with
  // \r \n \\ and \xNN), "sensor=NUMBER,RAW[,STATES]", "event=HEX", "hold=on|off". "seen" answers with JSON.
  // What is answered, without newline: "ok", "ok {...}".
  base::Result<std::string> order(std::string_view line);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace oob::test

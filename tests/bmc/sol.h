#pragma once

#include <functional>
#include <string>

#include "tests/bmc/bmc.h"
#include "tests/bmc/packet.h"

namespace oob::test {

// Serial over LAN, the BMC's end (15.9 to 15.11), and the host behind it. Speaks to one session at a time.
class Sol {
 public:
  // References outlive this. `powered` tells whether the host is on.
  Sol(base::Loop& loop, const BmcOptions& options, SolFaults& faults, Seen::Sol& seen,
      std::function<bool()> powered);

  // Between start() and stop() payloads go out by `send`.
  void start(std::function<void(std::string)> send);
  void stop();
  bool active() const { return static_cast<bool>(send_); }
  void packet(Bytes payload);  // from the console
  // A last packet that says SOL is being deactivated.
  void say_deactivated();

  void host_says(Bytes bytes);
  void set_host(HostKind kind, unsigned rate);
  void hold_input(bool held, unsigned room);
  std::function<void(Bytes)> hears;
  std::function<void()> hears_break;

  // SOL configuration parameters (table 26-5), data only. False: no such parameter, or of another size.
  bool set_parameter(unsigned number, Bytes data);
  bool parameter(unsigned number, std::string& data) const;

 private:
  void gather();  // sends when enough is there, or waits for more
  void send_new();
  void send_flight(std::size_t bytes);
  void unanswered();
  void console_acknowledges(unsigned sequence, unsigned accepted, bool nack);
  void console_says(unsigned sequence, Bytes data, bool gives_break);
  void answer(unsigned sequence, std::size_t accepted, unsigned status);
  void pass_on(Bytes data);
  void count_on();
  std::size_t room() const;
  std::size_t outbound_most() const { return options_.sol_outbound - 4; }

  const BmcOptions& options_;
  SolFaults& faults_;
  Seen::Sol& seen_;
  std::function<bool()> powered_;
  std::function<void(std::string)> send_;

  std::string out_;  // said by the host, not yet taken by the console; the packet in flight is its beginning
  unsigned flight_ = 0;  // sequence number of the packet that waits for its acknowledgement; 0: none
  std::size_t flight_size_ = 0;
  std::size_t ignore_up_to_ = 0;  // of a packet that will come again longer: acknowledgements not believed
  unsigned tries_ = 0;
  unsigned sequence_ = 0;  // used last
  bool paused_ = false;    // the console said NACK
  bool overrun_ = false;

  unsigned heard_ = 0;  // sequence number of the console's last packet
  std::size_t heard_size_ = 0, heard_taken_ = 0;
  bool heard_refused_ = false;

  HostKind host_;
  unsigned rate_;
  std::uint64_t line_ = 0;
  std::string rest_;  // of a numbered line
  double owed_ = 0;
  base::Clock::time_point counted_;
  bool held_ = false;
  unsigned held_room_ = 0;
  std::string input_;  // taken while the host is held up

  base::milliseconds accumulate_;
  unsigned threshold_;
  base::milliseconds retry_;
  unsigned retries_;
  unsigned enabled_ = 1, rights_ = 0x02, rate_volatile_ = 0x0a, rate_kept_ = 0x0a;

  base::Timer gather_timer_, retry_timer_, pause_timer_, host_timer_, resume_timer_;
};

}  // namespace oob::test

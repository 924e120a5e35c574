#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/bmc/bmc.h"
#include "tests/bmc/packet.h"

namespace oob::test {

// The sensors and the repository of their records (sections 33, 35 and 43).
class Sensors {
 public:
  Sensors(const BmcOptions& options, Faults& faults);  // outlive this

  // Network function 04h.
  std::string run(unsigned command, Bytes data);
  // Commands 20h to 28h of network function 0Ah.
  std::string run_repository(unsigned command, Bytes data);
  void set(unsigned number, std::uint8_t raw, std::uint16_t states);
  void set_unavailable(unsigned number, bool unavailable);

 private:
  struct Reading {
    std::uint8_t raw = 0;
    std::uint16_t states = 0;
    bool unavailable = false;
    std::array<std::uint8_t, 6> thresholds{};  // in the order of Get Sensor Thresholds
  };
  std::string reading(unsigned number) const;
  std::string thresholds(unsigned number) const;
  std::string set_thresholds(Bytes data);
  std::string factors(Bytes data) const;
  std::string record(Bytes data);

  const BmcOptions& options_;
  Faults& faults_;
  std::vector<Reading> readings_;
  unsigned reservation_ = 0;
};

}  // namespace oob::test

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/bmc/bmc.h"
#include "tests/bmc/packet.h"

namespace oob::test {

// The System Event Log and its clock (section 31).
class EventLog {
 public:
  explicit EventLog(Faults& faults);  // outlives this

  // Commands 40h to 49h of network function 0Ah.
  std::string run(unsigned command, Bytes data);
  // 16 bytes; the record ID, and a time of 0, are filled in. The new record ID; 0: full.
  unsigned add(std::string record);
  std::size_t size() const { return entries_.size(); }

 private:
  std::uint32_t now();
  std::string info();
  std::string entry(Bytes data);
  std::string remove(Bytes data);
  std::string clear(Bytes data);
  bool reserved(unsigned reservation);

  Faults& faults_;
  std::vector<std::string> entries_;
  unsigned next_id_ = 1;
  unsigned reservation_ = 0;
  std::int64_t ahead_ = 0;  // of the clock, in seconds
  std::uint32_t added_ = 0, erased_ = 0;
};

}  // namespace oob::test

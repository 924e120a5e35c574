#pragma once

#include <array>
#include <functional>
#include <string>

#include "tests/bmc/bmc.h"
#include "tests/bmc/packet.h"

namespace oob::test {

// The machine's power, its light and its boot options: network function 00h (section 28).
class Chassis {
 public:
  // References outlive this.
  Chassis(base::Loop& loop, const BmcOptions& options, Seen& seen);

  // Completion code and data.
  std::string run(unsigned command, Bytes data);
  bool powered() const { return powered_; }
  void set_power(bool on);
  const std::string& boot_flags() const { return boot_[5]; }

 private:
  std::string status() const;
  std::string control(Bytes data);
  std::string identify(Bytes data);
  std::string set_boot_option(Bytes data);
  std::string boot_option(Bytes data) const;
  void started();  // the host begins to boot: flags for one boot are used up

  const BmcOptions& options_;
  Seen& seen_;
  bool powered_;
  unsigned policy_ = 0;
  unsigned last_event_ = 0;
  unsigned cause_ = 0;
  bool light_for_good_ = false;
  std::array<std::string, 6> boot_;
  base::Timer timer_, light_;
};

}  // namespace oob::test

#pragma once

#include <sys/types.h>

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace oob {

// The demo's machine with a BMC: QEMU booting a Linux behind OpenIPMI's simulator, both started by
// etc/demo/machine.py of the source tree that this program was built in. It sees when its standard input
// ends, so nothing is left running however the demo ends.
class DemoMachine {
 public:
  explicit DemoMachine(std::string folder) : folder_(std::move(folder)) {}
  ~DemoMachine();  // ends it
  DemoMachine(const DemoMachine&) = delete;
  DemoMachine& operator=(const DemoMachine&) = delete;

  // Returns when its BMC answers, after some 0.3 s, at most 20: before the loop runs. Fault::unavailable with
  // what is missing here: "qemu-system-x86_64 is not installed (package qemu-system-x86)".
  base::Result<> start();

  // After start(): the tables of BMC and device `name`. The password is in a file below the folder.
  base::Result<std::string> configuration(const std::string& name) const;

 private:
  std::string folder_, address_, user_, password_;
  pid_t pid_ = -1;
  base::Fd input_;  // closed, it ends
};

}  // namespace oob

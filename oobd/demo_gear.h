#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/loop.h"
#include "base/result.h"

namespace oob {

// A device for the demo: a real program of this machine on a terminal of its own, behind a pty that stands
// for the serial port. When the program ends it is started again, as getty does.
class DemoGear {
 public:
  DemoGear(base::Loop& loop, std::vector<std::string> command);
  ~DemoGear();  // hangs up and ends the program
  DemoGear(const DemoGear&) = delete;
  DemoGear& operator=(const DemoGear&) = delete;

  base::Result<> start();
  const std::string& port() const { return port_; }  // "/dev/pts/7": for `line = { serial = … }`
  void child_ended();                                // SIGCHLD came: looks whether it was this one

 private:
  // One end of the relay between the program's terminal and the port.
  struct End {
    base::Fd fd;
    std::unique_ptr<base::Watch> watch;
    std::string out;  // bounded by what one read gives: it is read again when this is empty
  };
  base::Result<> spawn();
  void relay(End& from, End& to);
  void push(End& to, End& from);

  base::Loop& loop_;
  std::vector<std::string> command_;
  std::string port_, terminal_;
  End outer_, inner_;
  base::Fd hold_outer_, hold_inner_;  // the far ends, so that a close is not an end
  pid_t pid_ = -1;
  base::Timer again_;
};

}  // namespace oob

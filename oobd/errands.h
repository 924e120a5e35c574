#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/fd.h"
#include "base/loop.h"
#include "base/result.h"
#include "oobd/call_home_ssh.h"

namespace oob {

// The programs of others that oobd runs: those of [notify], and ssh for [callhome]. The sandboxed core may
// run none of them, so a child does, `oobd errands`, that is started before the sandbox is entered and has no
// part in it; one that is hung or ends is begun anew by a process that does nothing else. What is run, with
// which words, it reads from the configuration file itself: it is told a name and never a program. It gives
// what it runs a clean environment, an empty descriptor table and a process group of its own, and ends all of
// them when the core has gone. What such a program leaves behind in its group ends with it.
class Errands {
 public:
  // `status`: the exit status, 128 + the signal's number, or -1 when it could not be run; `words`: the last
  // 2000 bytes of its standard output and error, printable.
  using Ended = std::function<void(int status, const std::string& words)>;
  // That run at once: of notify(), of call_home(), and of both.
  static constexpr std::size_t kMostPrograms = 24;
  static constexpr std::size_t kMostCalls = kMostBastions * kCallHomePlaces;
  static constexpr std::size_t kMost = kMostPrograms + kMostCalls;

  // `program`: what is run with the word `errands`; `config_file` is what it reads.
  Errands(base::Loop& loop, std::string program, std::string config_file);
  ~Errands();  // ends the child and all it runs; `ended` of those is not called
  Errands(const Errands&) = delete;
  Errands& operator=(const Errands&) = delete;

  // Before the sandbox. Not needed again.
  base::Result<> start();
  void adopt();  // the configuration has changed: it reads it again
  // The program of [notify.NAME], with `input` on its standard input (64 KiB at most), OOBD_EVENT,
  // OOBD_DEVICE and OOBD_INTERFACE in its environment, ended after `limit`. `interface`: of the uplink that
  // leads out now; empty: none is known to.
  struct Told {
    std::string event, device, input;
    std::string interface = {};
  };
  std::uint64_t notify(const std::string& name, const Told& told, base::milliseconds limit, Ended ended);
  // ssh to the bastion of [callhome.NAME]. `socket`: connected to the bastion's SSH port (oobd dials, by the
  // uplink that works). Its ends are those of call_home_paths().
  std::uint64_t call_home(const std::string& name, base::Fd socket, unsigned place, Ended ended);
  // SIGTERM to it and all it has started, and SIGKILL two seconds later; then `ended`, after kEnding at the
  // latest.
  static constexpr base::milliseconds kEnding{10'000};
  void end(std::uint64_t errand);
  // Why no program is run; empty while there is a child. Then errands fail at once. What keeps the child
  // begins it anew as soon as it can; it can't be had again once that has gone too.
  std::string trouble() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// `oobd errands CONFIG`: keeps the process that runs programs. Ends when `control` does, with all that is
// run. The exit status. Takes the descriptor, and all others from it on.
int run_errands(int control, const std::string& config_file);

}  // namespace oob

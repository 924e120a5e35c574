#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace oob::audit {
class Recorder;
}

namespace oob::console {

struct Terminal {
  bool pty = false;
  std::string name;  // TERM
  unsigned columns = 80, rows = 24;
};

// What a running command has of its visitor: two outputs, room in them, a terminal perhaps, and an end.
class JobIo {
 public:
  virtual ~JobIo() = default;
  // Results, to stdout. On a terminal each \n becomes \r\n.
  virtual void print(std::string_view text) = 0;
  // A remark, to stderr, as a line of its own; without the line's end.
  virtual void remark(std::string_view text) = 0;
  // Bytes exactly as they are, to stdout.
  virtual void raw(base::Bytes bytes) = 0;
  // The same, to stderr.
  virtual void raw_err(base::Bytes bytes) = 0;
  // Output of a device, of which the visitor is `shown` this. It differs where a console is shown safely, or
  // as lines.
  virtual void device_output(base::Bytes /*bytes*/, base::Bytes shown) { raw(shown); }
  // All that is shown from now on goes into this recording as well: as words of oobd's own, save what comes
  // by device_output(). Null: into none. It outlives its being set here.
  virtual void record(audit::Recorder* /*recorder*/) {}
  // How many bytes print() and raw() should be given now. They take more, for short texts; a stream that
  // finds no room waits for Job::room().
  virtual std::size_t room() const = 0;
  // Job::typed() refused some input before and may be asked again.
  virtual void want_input() = 0;
  // The command is over. The Job is destroyed later, from the loop, and not called before that.
  virtual void finish(int status) = 0;
  virtual const Terminal& terminal() const = 0;
};

// A command that runs: made by the dispatcher, owned by a Session (or by the prompt inside one). Its JobIo
// outlives it.
class Job {
 public:
  virtual ~Job() = default;
  virtual void start() = 0;
  // Takes typed bytes and says how many; the rest is offered again after JobIo::want_input().
  virtual std::size_t typed(base::Bytes bytes) { return bytes.size(); }
  virtual void ended() {}                                // nothing more will be typed
  virtual void room() {}                                 // there is room for output again
  virtual void resized() {}                              // JobIo::terminal() has changed
  virtual void send_break(unsigned /*milliseconds*/) {}  // an SSH break (RFC 4335); 0: the line's default
  virtual void recheck() {}  // the policy has changed: stop what is no longer allowed
  // Control keys are for the job; otherwise Ctrl-C at the prompt ends it.
  virtual bool wants_keys() const { return false; }
  // A person sits before it for a while: the prompt, a console. Its end on a terminal is told with a
  // checkpoint.
  virtual bool interactive() const { return false; }
};

// A message of ours as a terminal may have it: control characters other than the line's end and the tab
// become
// '?'. What came from a peer is escaped where it is put in (base::printable); this is for what was forgotten.
std::string harmless(std::string_view text);

// Exit statuses of our own beyond base::Fault.
constexpr int kDone = 0;
constexpr int kInterrupted = 130;  // 128 + SIGINT, as shells count

}  // namespace oob::console

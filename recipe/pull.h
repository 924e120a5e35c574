#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "recipe/recipe.h"
#include "recipe/visit.h"

namespace oob::recipe {

// One file as the device has it.
struct PulledFile {
  std::string name, bytes;
  std::string sha256;  // 64 lower-case hex digits; with Grade::device the device has computed the same
  Grade grade = Grade::twice;
  std::string parse;  // as of its Fetch
  bool cut = false;   // these are its bytes, and they do not end as its Fetch says
};

// A whole configuration. Nothing in it is unproved: what could not be proved is an Error instead.
struct Pulled {
  std::string method;  // "posix-block", "text-twice", "ssh"
  std::string device_version;
  std::vector<PulledFile> files;  // in the order of their names, none twice
  // Optional ones that are not there; "NAME (not readable)": for whoever is logged in; and what a pattern
  // names but can't be stored: "NAME (its name has control characters)".
  std::vector<std::string> absent;
  unsigned retries = 0;             // blocks and texts that were asked for again
  std::uint64_t wire_bytes = 0;     // heard and typed
  std::uint64_t dropped_lines = 0;  // text-twice: lines of Recipe::noise that are not in the files
};

struct Progress {
  std::string file;                // what is being fetched
  std::uint64_t done = 0, of = 0;  // bytes of it on the wire; of 0: not known yet
  unsigned file_number = 0, files = 0;
};
using ToldProgress = std::function<void(const Progress&)>;

// `visit` of pull_posix() and run_posix() may be null: then the Talk is a /bin/sh already, without a terminal
// and without prompts (an SSH exec channel), and is left as one.
//
// Fetches what the recipe says, and `more` (of a device's own configuration). The Visit has arrived; it is
// still there afterwards, also after an Error (unless the Talk is cut). Temporary files on the device are
// gone and the terminal is as it was, or the Error says what is left. What a file is while it changes is
// never stored: it is fetched again, five times. Fault::unavailable: the device does not answer;
// Fault::failed: a file that must be there is not, it keeps changing, no room on the device, no checksum
// tool.
base::Task<base::Result<Pulled>> pull_posix(Visit* visit, Talk& talk, const Recipe& recipe,
                                            std::vector<Fetch> more, ToldProgress told);
base::Task<base::Result<Pulled>> pull_text(Visit& visit, Talk& talk, const Recipe& recipe,
                                           std::vector<Fetch> more, ToldProgress told);

// What a command printed. Of text-twice devices: all in `out`, status 0, or 1 where a line matches
// Recipe::errors.
struct Ran {
  std::string out, err;  // exact bytes, with posix-block; at most kMostPrinted each
  int status = 0;        // 0 to 255
  bool late = false;     // its time was over: these are what it had said, and kLate
  bool ended = true;     // with `late`: it was ended then, as far as that can be known
  std::string unread;    // why nothing is known of what it printed; empty: it is
};
constexpr int kLate = 124;  // as of timeout(1)
// "it did not end within 2 s, and was ended"; or, unless it `ended`: "…, and may still run on the device".
std::string late_text(base::milliseconds limit, bool ended);
constexpr std::uint64_t kMostPrinted = 32 << 20;
// Asked once, when the device is about to get the command and all is ready for it: an Error ends it before
// that, and is the answer. Empty: nobody is asked.
using MayRun = std::function<base::Task<base::Result<>>()>;
// Runs the command with nothing to read (stdin is /dev/null), until it ends itself, whatever it leaves
// running. `limit`: for the command; then it is ended where that can be done, and the answer is late. With
// `may_run` it is run as well where the device has no tools to read what it prints by (Ran::unread).
base::Task<base::Result<Ran>> run_posix(Visit* visit, Talk& talk, const Recipe& recipe, std::string command,
                                        base::milliseconds limit, MayRun may_run = nullptr);
base::Task<base::Result<Ran>> run_text(Visit& visit, Talk& talk, const Recipe& recipe, std::string command,
                                       base::milliseconds limit, MayRun may_run = nullptr);
// Either of them, by the recipe's method.
base::Task<base::Result<Ran>> run_command(Visit& visit, Talk& talk, const Recipe& recipe, std::string command,
                                          base::milliseconds limit, MayRun may_run = nullptr);

}  // namespace oob::recipe

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "recipe/shell.h"

namespace oob::recipe {

// Reads files of a device through a Shell on it, each proved by a SHA-256 computed there, and runs commands
// there. Uses what the device has of base64, openssl, b64encode, uuencode; sha256sum, sha256, shasum,
// openssl; a folder of its own in the first place that can be written, or none: then a file is packed anew
// for each block, and commands can't be run.
class PosixReader {
 public:
  PosixReader(Visit* visit, Talk& talk) : shell_(visit, talk) {}

  // `quiet` is run now, `unquiet` at the end, even if that is a hang-up; empty: nothing is.
  base::Task<base::Result<>> begin(std::string quiet, std::string unquiet);
  // What reading needs: before the first read() or list(). Fault::failed: the device has not all of it, and
  // the text says what.
  base::Task<base::Result<>> find_tools();
  // Undoes everything; an Error tells what is left. After an Error of anything else it must be called too.
  base::Task<base::Result<>> end();
  // What end() has failed with, as it is told: behind what the work has failed with (empty: it has not), once
  // if they are the same, with the folder that may be left.
  base::Error not_ended(const base::Error& work, const base::Error& end) const;

  struct File {
    std::string bytes, sha256;
    bool absent = false, closed = false;  // it is not there; or the user who is logged in may not read it
  };
  using ToldBytes = std::function<void(std::uint64_t done, std::uint64_t of)>;
  // Fault::failed: not a regular file, more than `most` bytes, or it kept changing.
  base::Task<base::Result<File>> read(std::string path, std::uint64_t most, ToldBytes told);
  // The paths of the regular files that a shell pattern names, each with "\n//\n" behind it, which no path
  // has. REQUIRES: is_shell_pattern(), no "//".
  base::Task<base::Result<File>> list(std::string pattern);

  // Runs a command with nothing to read. Its output is then read as the file output(), what it wrote to
  // stderr as errors(). It has ended when the command has, whatever that has left running. Fault::unavailable
  // and ended_late(): it did not end within `limit`; what it said so far can be read. has_ended(): then it
  // was ended, with all that it has started; else the shell has no job control, or it can't be killed, and it
  // may still run.
  base::Task<base::Result<int>> run(std::string command, base::milliseconds limit);
  // All that run() needs and that is not the command; run() does it else.
  base::Task<base::Result<>> prepare_runs();
  bool ended_late() const { return ended_late_; }
  bool has_ended() const { return ended_; }
  std::string output() const { return folder_ + "/c"; }
  std::string errors() const { return folder_ + "/e"; }

  unsigned retries() const { return shell_.retries(); }

 private:
  base::Task<base::Result<std::string>> first_that_answers(const char* const* tools, std::string head,
                                                           bool sums);
  base::Task<base::Result<>> find_place();
  base::Task<base::Result<File>> read_source(std::string set, std::uint64_t most, ToldBytes told);
  base::Task<base::Result<std::string>> fetch_archive(std::uint64_t size, ToldBytes told);

  Shell shell_;
  std::string folder_;  // empty: there is none
  std::string unquiet_;
  bool quieted_ = false, ended_late_ = false, ended_ = false, runs_prepared_ = false;
  unsigned runs_ = 0;
};

// Letters, digits and what shell patterns are made of, and nothing else that a shell knows.
bool is_shell_pattern(base::Bytes text);

}  // namespace oob::recipe

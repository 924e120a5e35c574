#pragma once

#include <functional>
#include <string>

#include "base/fd.h"
#include "base/loop.h"

namespace oob::test {

// A folder that goes with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

void write_file(const std::string& path, const std::string& text, unsigned mode = 0600);
std::string read_file(const std::string& path);  // empty where there is none

// How often `what` is in `text`; REQUIRES: it is not empty.
std::size_t count(const std::string& text, const std::string& what);

// Runs the loop until `condition` holds; false when it did not within `limit`. The condition is asked after
// every few milliseconds at the latest. The limit is only for what never comes: a busy machine under a
// sanitizer may be slow, and the disk and the program have limits of their own that must be over before.
bool run_until(base::Loop& loop, std::function<bool()> condition,
               base::milliseconds limit = base::milliseconds(60'000));

// A pty in raw mode: the gear's end (`gear`, non-blocking) and the path a Line opens.
struct Pty {
  Pty();
  base::Fd gear;
  std::string path;
  base::Fd keep;  // the path's end held open, so that closing the Line is not an end for the gear
  void say(const std::string& bytes);  // blocks until all is written
  std::string hear(std::size_t at_least, base::milliseconds limit = base::milliseconds(30'000));
};

}  // namespace oob::test

#pragma once

#include <sys/stat.h>

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace oob::auth {

// A small file that decides who may come in: a plain file of root or of the daemon's own user, that nobody
// else can change. All questions are asked of the one descriptor, so the answers belong to what is then read.
class TrustedFile {
 public:
  // Opens `path` (a link is followed) and checks it: no bit of `forbidden` may be in its mode (022: others
  // may not write; 077: others may not read either), and it has at most `most` bytes. Errors (Fault::config,
  // Fault::missing when there is none) begin with the path.
  static base::Result<TrustedFile> open(const std::string& path, mode_t forbidden, std::size_t most);

  // All of it. Blocks for a moment: local and small. The text lies on the heap however short it is, and the
  // caller who wipes it has wiped the only copy.
  base::Result<std::string> read() const;
  const struct stat& status() const { return status_; }

 private:
  TrustedFile(std::string path, std::size_t most) : path_(std::move(path)), most_(most) {}
  std::string path_;
  std::size_t most_;
  base::Fd fd_;
  struct stat status_ {};
};

}  // namespace oob::auth

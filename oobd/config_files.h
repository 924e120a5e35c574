#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace oob {

// The files a configuration names, as its reader sees them: the disk in the daemon, strings in a fuzzer.
class ConfigFiles {
 public:
  virtual ~ConfigFiles() = default;

  // A file of at most `most` bytes that says who comes in, which nobody but root and us may be able to
  // change. Errors begin with the path.
  virtual base::Result<std::string> read_keys(const std::string& path, std::size_t most) = 0;
  // A file with a password in it, which nobody but root and us may be able to read. Errors begin with the
  // path.
  virtual base::Result<std::string> read_secret(const std::string& path) = 0;
  // The names in a folder, sorted. Errors begin with the path.
  virtual base::Result<std::vector<std::string>> names_in(const std::string& folder) = 0;
  // A path without symlinks, as far as it exists; the path itself where it doesn't.
  virtual std::string real(const std::string& path) = 0;
  // What is wrong with an existing path as the state folder ("is not a folder"); empty where all is well.
  virtual std::string state_fault(const std::string& path) = 0;
  // The same for a path as a program that is run: it is there, executable, and nobody but root and us can
  // change it ("others may write to it"). Nothing is found where there is no disk.
  virtual std::string program_fault(const std::string&) { return {}; }
};

// The files of this machine. Symlinks are followed. Blocks.
class DiskFiles : public ConfigFiles {
 public:
  base::Result<std::string> read_keys(const std::string& path, std::size_t most) override;
  base::Result<std::string> read_secret(const std::string& path) override;
  base::Result<std::vector<std::string>> names_in(const std::string& folder) override;
  std::string real(const std::string& path) override;
  std::string state_fault(const std::string& path) override;
  std::string program_fault(const std::string& path) override;
};

}  // namespace oob

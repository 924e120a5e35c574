#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"

namespace oob::auth {

// What the journal asks of the disk, one call each, so that a test can make any of them fail or be the last.
// Each returns 0 or an errno, and blocks.
class JournalDisk {
 public:
  struct File {
    base::Fd fd;
    std::string path;
    explicit operator bool() const { return bool(fd); }
  };

  virtual ~JournalDisk() = default;

  // For reading and writing, 0600; made where it is not there yet.
  virtual int open(const std::string& path, File& file);
  virtual int write(File& file, base::Bytes bytes, std::uint64_t at);
  // As many bytes as `into` has; EIO where the file ends before.
  int read(File& file, std::string& into, std::uint64_t at);
  virtual int sync(File& file);
  virtual int truncate(File& file, std::uint64_t size);
  // Makes it so long, with room on the disk for every byte.
  virtual int allocate(File& file, std::uint64_t size);
  virtual int rename(const std::string& from, const std::string& to);
  virtual int unlink(const std::string& path);  // 0 also when there is none
  virtual int make_folder(const std::string& path);
  virtual int sync_folder(const std::string& path);
  // Bytes that are free for us on the disk with this folder; 0 when it does not tell.
  virtual std::uint64_t room(const std::string& folder);
};

base::Error journal_error(int number, std::string_view doing = "journal");
// Of a small file; Fault::missing when there is none.
base::Result<std::string> read_small_file(const std::string& path, std::size_t most);

}  // namespace oob::auth

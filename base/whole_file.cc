#include "base/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"

namespace oob::base {

Result<> write_whole(const std::string& path, Bytes bytes, mode_t mode) {
  std::string fresh = path + ".new";
  if (::unlink(fresh.c_str()) < 0 && errno != ENOENT) return system_error(fresh);  // left by a crash
  Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file || ::fchmod(file.get(), mode) < 0) return system_error(fresh);
  while (!bytes.empty()) {
    ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      Error error = system_error(fresh);
      ::unlink(fresh.c_str());
      return error;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(file.get()) < 0) return system_error(fresh);
  if (::rename(fresh.c_str(), path.c_str()) < 0) return system_error(path);
  return {};
}

}  // namespace oob::base

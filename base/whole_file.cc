#include "base/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/fd.h"

namespace oob::base {

namespace {

// A name is on the disk once its folder is. Some file systems know no such thing.
Result<> sync_folder_of(const std::string& path) {
  std::size_t slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
  Fd open(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!open || (::fsync(open.get()) < 0 && errno != EINVAL)) return system_error(folder);
  return {};
}

}  // namespace

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
  return sync_folder_of(path);
}

Result<std::string> read_whole(const std::string& path, std::size_t most) {
  auto reason = [](int number) { return fail(Fault::failed, std::generic_category().message(number)); };
  // Without O_NONBLOCK a FIFO would hold us until somebody writes to it.
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return reason(errno);
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) return reason(errno);
  if (S_ISDIR(found.st_mode)) return reason(EISDIR);
  if (!S_ISREG(found.st_mode)) return fail(Fault::failed, "Not a regular file");
  std::string text;
  while (true) {
    char piece[16 * 1024];
    ssize_t got = ::read(file.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return reason(errno);
    if (got == 0) return text;
    text.append(piece, static_cast<std::size_t>(got));
    if (text.size() > most) return fail(Fault::failed, str("larger than ", most, " bytes"));
  }
}

}  // namespace oob::base

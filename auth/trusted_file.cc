#include "auth/trusted_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/secret.h"

namespace oob::auth {

using base::Error;
using base::fail;
using base::Fault;
using base::Result;
using base::str;
using base::system_error;

namespace {

std::string octal(mode_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

// Zeros to read a secret into: never short enough to lie inside the string object, since every move of such a
// string leaves a copy behind.
std::string room(std::size_t size) {
  constexpr std::size_t kNeverInside = 64;
  std::string bytes;
  bytes.reserve(std::max(size, kNeverInside));
  bytes.resize(size);
  return bytes;
}

}  // namespace

Result<TrustedFile> TrustedFile::open(const std::string& path, mode_t forbidden, std::size_t most) {
  TrustedFile file(path, most);
  // O_NONBLOCK: a FIFO put in the file's place must not hang the daemon.
  file.fd_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.fd_ || ::fstat(file.fd_.get(), &file.status_) < 0) {
    Fault fault = errno == ENOENT ? Fault::missing : Fault::config;
    return fail(fault, system_error(path).what);
  }
  const struct stat& status = file.status_;
  if (!S_ISREG(status.st_mode)) return fail(Fault::config, str(path, ": not a plain file"));
  if (status.st_uid != 0 && status.st_uid != ::geteuid())
    return fail(Fault::config,
                str(path, ": belongs to uid ", status.st_uid, ", must be root's or the daemon's own"));
  if (status.st_mode & forbidden) {
    bool reading = (forbidden & 044) != 0;
    return fail(Fault::config,
                str(path, ": mode ", octal(status.st_mode), " lets others ", reading ? "read" : "write",
                    " it; chmod ", reading ? "0600" : "go-w", " it"));
  }
  if (static_cast<std::size_t>(status.st_size) > most)
    return fail(Fault::config,
                str(path, ": ", status.st_size, " bytes, more than the ", most, " that are taken"));
  return file;
}

Result<std::string> TrustedFile::read() const {
  std::string text = room(static_cast<std::size_t>(status_.st_size) + 1);
  std::size_t done = 0;
  while (true) {
    if (done == text.size()) {  // it grew
      if (done > most_)
        return fail(Fault::config, str(path_, ": more than the ", most_, " bytes that are taken"));
      std::string more = room(2 * text.size());
      more.replace(0, done, text);
      base::wipe(text);
      text.swap(more);
    }
    ssize_t size = ::pread(fd_.get(), text.data() + done, text.size() - done, static_cast<off_t>(done));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(Fault::config, system_error(path_).what);
    if (size == 0) break;
    done += static_cast<std::size_t>(size);
  }
  if (done > most_)
    return fail(Fault::config, str(path_, ": more than the ", most_, " bytes that are taken"));
  text.resize(done);
  return text;
}

}  // namespace oob::auth

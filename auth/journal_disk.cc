#include "auth/journal_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace oob::auth {

using base::Bytes;
using base::fail;
using base::Fault;
using base::Fd;
using base::Result;

int JournalDisk::open(const std::string& path, File& file) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return errno;
  file = {std::move(fd), path};
  return 0;
}

int JournalDisk::write(File& file, Bytes bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    ssize_t n = ::pwrite(file.fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    at += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

int JournalDisk::read(File& file, std::string& into, std::uint64_t at) {
  for (std::size_t got = 0; got < into.size();) {
    ssize_t n = ::pread(file.fd.get(), into.data() + got, into.size() - got, static_cast<off_t>(at + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return EIO;
    got += static_cast<std::size_t>(n);
  }
  return 0;
}

int JournalDisk::sync(File& file) { return ::fdatasync(file.fd.get()) < 0 ? errno : 0; }

int JournalDisk::truncate(File& file, std::uint64_t size) {
  return ::ftruncate(file.fd.get(), static_cast<off_t>(size)) < 0 ? errno : 0;
}

int JournalDisk::allocate(File& file, std::uint64_t size) {
  return ::posix_fallocate(file.fd.get(), 0, static_cast<off_t>(size));
}

int JournalDisk::rename(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str()) < 0 ? errno : 0;
}

int JournalDisk::unlink(const std::string& path) {
  return ::unlink(path.c_str()) < 0 && errno != ENOENT ? errno : 0;
}

int JournalDisk::make_folder(const std::string& path) {
  return ::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST ? errno : 0;
}

int JournalDisk::sync_folder(const std::string& path) {
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return !folder || ::fsync(folder.get()) < 0 ? errno : 0;
}

std::uint64_t JournalDisk::room(const std::string& folder) {
  struct statvfs disk;
  if (::statvfs(folder.c_str(), &disk) < 0) return 0;
  return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

base::Error journal_error(int number, std::string_view doing) {
  return fail(Fault::journal, base::system_error(doing, number).what);
}

Result<std::string> read_small_file(const std::string& path, std::size_t most) {
  Fd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file && errno == ENOENT) return fail(Fault::missing, path + ": there is none");
  if (!file) return journal_error(errno, path);
  std::string text(most + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    ssize_t n = ::read(file.get(), text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return journal_error(errno, path);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  if (size > most) return fail(Fault::failed, path + ": too long");
  text.resize(size);
  return text;
}

}  // namespace oob::auth

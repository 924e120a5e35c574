#include "oobd/config_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "auth/trusted_file.h"
#include "base/fd.h"

namespace oob {
namespace {

constexpr std::size_t kMostSecret = 16 * 1024;  // bytes; a private key and no more

base::Error reason(int number) {
  return base::fail(base::Fault::config, std::generic_category().message(number));
}

}  // namespace

base::Result<std::string> read_whole(const std::string& path, std::size_t most) {
  // Without O_NONBLOCK a FIFO would hold us until somebody writes to it.
  base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return reason(errno);
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) return reason(errno);
  if (S_ISDIR(found.st_mode)) return reason(EISDIR);
  if (!S_ISREG(found.st_mode)) return base::fail(base::Fault::config, "Not a regular file");
  std::string text;
  while (true) {
    char piece[16 * 1024];
    ssize_t got = ::read(file.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return reason(errno);
    if (got == 0) return text;
    text.append(piece, static_cast<std::size_t>(got));
    if (text.size() > most) return base::fail(base::Fault::config, base::str("larger than ", most, " bytes"));
  }
}

base::Result<std::string> DiskFiles::read_keys(const std::string& path, std::size_t most) {
  base::Result<auth::TrustedFile> file = auth::TrustedFile::open(path, 022, most);
  if (!file) return file.error();
  return file->read();
}

base::Result<std::string> DiskFiles::read_secret(const std::string& path) {
  base::Result<auth::TrustedFile> file = auth::TrustedFile::open(path, 077, kMostSecret);
  if (!file) return file.error();
  return file->read();
}

std::string DiskFiles::real(const std::string& path) {
  std::error_code error;
  std::filesystem::path real = std::filesystem::weakly_canonical(path, error);
  return error ? path : real.string();
}

std::string DiskFiles::state_fault(const std::string& path) {
  std::error_code error;
  std::filesystem::file_status found = std::filesystem::status(path, error);
  if (!std::filesystem::exists(found)) return {};
  if (!std::filesystem::is_directory(found)) return "is there and is not a folder";
  constexpr auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
  if ((found.permissions() & others) != std::filesystem::perms::none)
    return base::str("lets others in; cure: chmod 700 ", base::printable(path));
  return {};
}

}  // namespace oob

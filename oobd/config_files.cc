#include "oobd/config_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "auth/trusted_file.h"

namespace oob {
namespace {

constexpr std::size_t kMostSecret = 16 * 1024;  // bytes; a private key and no more

}  // namespace

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

base::Result<std::vector<std::string>> DiskFiles::names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error), end;
  for (; !error && entry != end; entry.increment(error)) names.push_back(entry->path().filename().string());
  if (error) return base::fail(base::Fault::config, base::str(folder, ": ", error.message()));
  std::sort(names.begin(), names.end());
  return names;
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

std::string DiskFiles::program_fault(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) < 0) return base::system_error("can't be run", errno).what;
  if (!S_ISREG(status.st_mode)) return "is not a file";
  if (::access(path.c_str(), X_OK) < 0)
    return base::str("is not executable; cure: chmod 755 ", base::printable(path));
  if (status.st_mode & 022)
    return base::str("others may write to it; cure: chmod 755 ", base::printable(path));
  if (status.st_uid != 0 && status.st_uid != ::geteuid())
    return "belongs to neither root nor oobd's own user";
  return {};
}

}  // namespace oob

#include "oobd/config_files.h"

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

#include "ipmi/bmc_files.h"

#include <sys/stat.h>

#include <filesystem>

#include "auth/trusted_file.h"
#include "base/whole_file.h"
#include "ipmi/udp_socket.h"

namespace oob::ipmi {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostFile = 4096;
constexpr std::size_t kMostKey = 20;  // IPMI 2.0, 22.30 and 13.31

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// "0x" and 40 hex digits: 20 bytes. False: it is not that.
bool from_hex(base::Bytes text, std::string& key) {
  if (text.size() != 2 + 2 * kMostKey || text.substr(0, 2) != "0x") return false;
  for (std::size_t i = 2; i < text.size(); i += 2) {
    int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    key += static_cast<char>(high << 4 | low);
  }
  return true;
}

// Without its end of line, if it has one. Nothing: there are more lines, or a byte that no password has.
base::Bytes only_line(base::Bytes text) {
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  return text.find_first_of(base::Bytes("\n\r\0", 3)) == base::Bytes::npos ? text : base::Bytes();
}

Result<Secret> read_key(const std::string& path, bool may_be_hex) {
  Result<auth::TrustedFile> file = auth::TrustedFile::open(path, 077, kMostFile);
  if (!file) return file.error();
  Result<std::string> text = file->read();
  if (!text) return text.error();
  base::Bytes line = only_line(*text);
  Secret key;
  base::Wiped bytes(kMostKey);
  if (may_be_hex && from_hex(line, bytes.text)) {
    key = Secret(bytes.text);
  } else if (!line.empty() && line.size() <= kMostKey) {
    key = Secret(line);
  }
  base::wipe(*text);
  if (key.empty())
    return fail(Fault::config, str(path, ": not one line of 1 to ", kMostKey, " bytes",
                                   may_be_hex ? " or 0x and 40 hex digits" : ""));
  return key;
}

}  // namespace

Result<Credentials> read_credentials(const BmcSettings& settings) {
  Credentials credentials;
  Result<Secret> password = read_key(settings.password_file, false);
  if (!password) return password.error();
  credentials.password = std::move(*password);
  if (!settings.kg_file.empty()) {
    Result<Secret> kg = read_key(settings.kg_file, true);
    if (!kg) return kg.error();
    credentials.kg = std::move(*kg);
  }
  return credentials;
}

// "17 192.0.2.21:623": what another address did says nothing about this one.
Result<int> remembered_suite(const BmcSettings& settings) {
  Result<std::string> address = full_address(settings.host);
  if (settings.memory.empty() || !address) return 0;
  Result<auth::TrustedFile> file = auth::TrustedFile::open(settings.memory, 022, kMostFile);
  if (!file && file.error().fault == Fault::missing) return 0;
  Result<std::string> text = file ? file->read() : Result<std::string>(file.error());
  if (!text) return fail(Fault::config, text.error().what);
  for (int suite : {17, 3}) {
    std::string begin = str(suite, " ");
    if (text->compare(0, begin.size(), begin) != 0 || text->back() != '\n') continue;
    return text->substr(begin.size()) == *address + "\n" ? suite : 0;
  }
  return fail(Fault::config, str(settings.memory, ": damaged; remove it"));
}

Result<> remember_suite(const BmcSettings& settings, int suite) {
  Result<std::string> address = full_address(settings.host);
  if (settings.memory.empty() || !address) return {};
  std::error_code error;
  std::filesystem::path folder = std::filesystem::path(settings.memory).parent_path();
  if (std::filesystem::create_directory(folder, error)) ::chmod(folder.c_str(), 0700);
  return base::write_whole(settings.memory, str(suite, " ", *address, "\n"), 0600);
}

}  // namespace oob::ipmi

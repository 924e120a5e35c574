#include "oobd/clock_needs.h"

#include <algorithm>

#include "auth/authorized_keys.h"
#include "auth/trusted_file.h"
#include "oobd/listeners.h"

namespace oob {

using base::Result;
using base::str;

namespace {

constexpr std::size_t kMost = 6;

auth::AuthorizedKeys keys_in(const std::string& path) {
  Result<auth::TrustedFile> file = auth::TrustedFile::open(path, 022, auth::kMostKeyFile);
  if (!file) return {};
  Result<std::string> text = file->read();
  return text ? auth::parse_authorized_keys(*text) : auth::AuthorizedKeys();
}

}  // namespace

ClockNeeds::ClockNeeds(const Config& config) {
  if (!config.user_ca.empty()) configured_.push_back("certificates (server.user_ca)");
  for (const auto& [name, user] : config.users) {
    if (!user.totp_file.empty()) configured_.push_back(str("codes (user.", name, ".totp_file)"));
    if (!user.keys.empty()) key_files_[name] = user.keys;
  }
  for (const auto& [name, role] : config.roles) {
    if (!role.hours.empty()) configured_.push_back(str("role ", name, " (hours)"));
    if (role.expires) configured_.push_back(str("role ", name, " (expires)"));
  }
  // Tor believes no directory of another day.
  if (std::any_of(config.listen.begin(), config.listen.end(), is_unix))
    configured_.push_back("the onion service (tor)");
}

std::vector<std::string> ClockNeeds::look() const {
  std::vector<std::string> words = configured_;
  for (const auto& [user, path] : key_files_) {
    auth::AuthorizedKeys found = keys_in(path);
    auto any = [&](auto is) { return std::any_of(found.keys.begin(), found.keys.end(), is); };
    if (any([](const auth::AuthorizedKey& key) { return key.is_ca; }))
      words.push_back(str("certificates (cert-authority in user.", user, ".keys)"));
    if (any([](const auth::AuthorizedKey& key) { return key.expires.has_value(); }))
      words.push_back(str("keys with expiry-time= (user.", user, ".keys)"));
  }
  if (words.size() > kMost) {
    std::size_t more = words.size() - (kMost - 1);
    words.resize(kMost - 1);
    words.push_back(str(more, " others"));
  }
  return words;
}

}  // namespace oob

#include "oobd/config_hash.h"

#include "base/sha256.h"
#include "base/whole_file.h"

namespace oob {

auth::Entry with_config_hash(auth::Entry entry, const std::string& file, const Config& config) {
  auto text = [](const std::string& path) {
    base::Result<std::string> whole = base::read_whole(path, kMostConfig);
    return whole ? *whole : std::string();
  };
  base::Sha256 keys;
  for (const auto& [name, user] : config.users) {
    if (!user.keys.empty()) keys.add(text(user.keys));
  }
  entry.with("config", base::hex(base::sha256(text(file)))).with("keys", base::hex(keys.digest()));
  return entry;
}

}  // namespace oob

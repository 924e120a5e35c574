#include "oobd/config.h"

#include <filesystem>

#include "base/whole_file.h"
#include "oobd/config_files.h"
#include "oobd/config_reader.h"
#include "oobd/config_tree.h"

namespace oob {

std::string ConfigFault::text() const {
  return base::str(file, ":", line ? line : 1, ":", column ? column : 1, ": ", message);
}

ConfigOutcome read_config_text(const std::string& text, const std::string& file, ConfigFiles& files) {
  return ConfigReader(file, files).read(text);
}

std::string read_state(const std::string& file) {
  base::Result<std::string> text = base::read_whole(file, kMostConfig);
  if (!text) return {};
  Tree tree = parse_tree(*text);
  const Member* server = tree.fault ? nullptr : tree.root.member("server");
  const Member* state = server ? server->value.member("state") : nullptr;
  if (!state || state->value.kind != Node::Kind::text || state->value.text.empty()) return {};
  std::error_code error;
  std::filesystem::path folder = std::filesystem::absolute(file, error).parent_path();
  return (folder / state->value.text).lexically_normal().string();
}

ConfigOutcome read_config(const std::string& file) {
  base::Result<std::string> text = base::read_whole(file, kMostConfig);
  if (!text) {
    ConfigOutcome outcome;
    outcome.faults.push_back({file, 0, 0, base::str("can't read the configuration: ", text.error().what)});
    return outcome;
  }
  DiskFiles files;
  return read_config_text(*text, file, files);
}

}  // namespace oob

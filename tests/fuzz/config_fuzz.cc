// A configuration file of any bytes: read whole, or faults with places and printable messages.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "oobd/config.h"
#include "oobd/config_files.h"

namespace {

// Every file is there; every third by name is at fault, and the keys are what follows a NUL in the input.
class FuzzFiles : public oob::ConfigFiles {
 public:
  explicit FuzzFiles(std::string keys) : keys_(std::move(keys)) {}
  oob::base::Result<std::string> read_keys(const std::string& path, std::size_t) override {
    if (path.size() % 3 == 0) return oob::base::fail(oob::base::Fault::missing, "No such file or directory");
    return keys_;
  }
  oob::base::Result<std::string> read_secret(const std::string& path) override {
    if (path.size() % 3 == 0)
      return oob::base::fail(oob::base::Fault::config, "mode 0644 lets others read it");
    return keys_.substr(0, 30);
  }
  // Recipes that are what the keys are.
  oob::base::Result<std::vector<std::string>> names_in(const std::string& path) override {
    if (path.size() % 3 == 0) return oob::base::fail(oob::base::Fault::config, "Not a directory");
    return std::vector<std::string>{"a.recipe", "note", "sh.recipe"};
  }
  std::string real(const std::string& path) override { return path; }
  std::string state_fault(const std::string& path) override { return path.size() % 3 == 0 ? "is odd" : ""; }

 private:
  std::string keys_;
};

void must(bool held) {
  if (!held) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  std::size_t nul = text.find('\0');
  FuzzFiles files(nul == std::string::npos ? "" : text.substr(nul + 1));
  // Half of the inputs with a NUL keep it, so that the reader meets one.
  if (nul != std::string::npos && nul % 2 == 0) text.resize(nul);
  oob::ConfigOutcome outcome = oob::read_config_text(text, "/etc/oobd/oobd.toml", files);
  must(outcome.config.has_value() == outcome.faults.empty());
  for (const oob::ConfigFault& fault : outcome.faults) {
    must(!fault.message.empty());
    for (unsigned char c : fault.message) must(c >= 0x20 && c != 0x7f);
    if (fault.file == "/etc/oobd/oobd.toml") must(fault.line <= size + 1);
  }
  if (outcome.config) must(!outcome.config->listen.empty() && !outcome.config->state.empty());
  return 0;
}

#pragma once

#include <filesystem>
#include <string>

#include "oobd/config.h"
#include "tests/support/support.h"

namespace oob::test {

inline constexpr char kAliceKey[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAFXUttNH8eJn1+vmJa4/oa8cP+gGWo0Th2dJbVHZa+k alice@desk\n";

// This source tree, from where the compiler found the file.
inline std::string source_tree() {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().string();
}

// A folder with a configuration and the files it may name: keys and secrets, good ones and bad ones.
class ConfigFolder {
 public:
  ConfigFolder() {
    for (const char* name : {"keys/alice", "keys/bob"}) write_file(dir_ / name, kAliceKey, 0644);
    write_file(dir_ / "keys/loose", kAliceKey, 0666);
    for (const char* name : {"secrets/relay1", "secrets/edge1"}) write_file(dir_ / name, "not telling\n");
    write_file(dir_ / "secrets/loose", "not telling\n", 0644);
    write_file(dir_ / "secrets/empty", "\n");
    write_file(dir_ / "secrets/long", "123456789012345678901");
    write_file(dir_ / "secrets/lines", "one\ntwo\n");
  }

  const std::string& path() const { return dir_.path(); }
  std::string operator/(const std::string& name) const { return dir_ / name; }
  std::string file() const { return dir_ / "oobd.toml"; }

  ConfigOutcome read(const std::string& text) const {
    write_file(file(), text);
    return read_config(file());
  }

 private:
  TempDir dir_;
};

}  // namespace oob::test

#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>

#include "tests/support/support.h"

namespace oob::test {

// OpenSSH's own tool, the independent judge of keys. What it prints, or "" when it fails.
inline std::string ssh_keygen(const std::string& arguments) {
  std::string command = "ssh-keygen " + arguments + " 2>&1 </dev/null";
  FILE* pipe = ::popen(command.c_str(), "r");
  std::string printed;
  std::array<char, 4096> piece;
  while (std::size_t n = std::fread(piece.data(), 1, piece.size(), pipe)) printed.append(piece.data(), n);
  int status = ::pclose(pipe);
  if (status != 0) ADD_FAILURE() << command << ": " << printed;
  return status == 0 ? printed : "";
}

// A new key pair at `path`; its public line without "\n".
inline std::string new_key(const std::string& path, const std::string& kind,
                           const std::string& comment = "alice") {
  ssh_keygen("-q -N '' -C " + comment + " -f " + path + " -t " + kind);
  std::string line = read_file(path + ".pub");
  return line.substr(0, line.find('\n'));
}

}  // namespace oob::test

#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "auth/public_key.h"
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

// The same for a question whose answer may be no: whether it said yes.
inline bool ssh_keygen_says(const std::string& arguments) {
  return std::system(("ssh-keygen " + arguments + " >/dev/null 2>&1 </dev/null").c_str()) == 0;
}

// A new key pair at `path`; its public line without "\n".
inline std::string new_key(const std::string& path, const std::string& kind,
                           const std::string& comment = "alice") {
  ssh_keygen("-q -N '' -C " + comment + " -f " + path + " -t " + kind);
  std::string line = read_file(path + ".pub");
  return line.substr(0, line.find('\n'));
}

// The blob in a public line, of a certificate too.
inline std::string blob_of(const std::string& line) {
  std::size_t from = line.find(' ') + 1;
  std::string blob;
  EXPECT_TRUE(auth::decode_base64(line.substr(from, line.find(' ', from) - from), blob)) << line;
  return blob;
}

// The blob of a certificate that the CA at `ca` signs for the key at `path`, whose public line is left in
// PATH-cert.pub. `how`: ssh-keygen's own options.
inline std::string certify(const std::string& ca, const std::string& path,
                           const std::string& how = "-n alice") {
  ssh_keygen("-q -s " + ca + " -I laptop " + how + " " + path + ".pub");
  std::string line = read_file(path + "-cert.pub");
  return blob_of(line.substr(0, line.find('\n')));
}

}  // namespace oob::test

#pragma once

#include <string>

#include "base/bytes.h"

namespace oob::test {

// The bytes that `digits` stand for; REQUIRES: hex digits, two a byte.
inline std::string unhex(base::Bytes digits) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < digits.size(); at += 2)
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(at, 2)), nullptr, 16));
  return bytes;
}

}  // namespace oob::test

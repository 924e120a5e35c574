#pragma once

#include <string>

#include "base/bytes.h"

// Completion codes (table 5-2), and answers made of them.
namespace oob::test {

inline constexpr unsigned kInvalidCommand = 0xc1, kReservation = 0xc5, kLength = 0xc7, kOutOfRange = 0xc9,
                          kTooMuch = 0xca, kNotPresent = 0xcb, kInvalidField = 0xcc, kFull = 0xc4,
                          kPrivilege = 0xd4, kState = 0xd5;

inline std::string code(unsigned completion) { return std::string(1, static_cast<char>(completion)); }
// Completion code 00h and data.
inline std::string done(base::Bytes data = {}) { return std::string(1, '\0').append(data); }
inline std::string done(std::initializer_list<char> data) {
  return done(base::Bytes(data.begin(), data.size()));
}

}  // namespace oob::test

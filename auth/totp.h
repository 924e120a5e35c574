#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"

namespace oob::auth {

// The secret of one person's codes (RFC 6238), shared with an authenticator app. Wiped when it goes.
class Totp {
 public:
  static constexpr std::size_t kLeastSecret = 10, kMostSecret = 64;  // bytes
  static constexpr std::size_t kMostText = 4096;                     // of the file it is read from
  enum class Hash { sha1, sha256, sha512 };

  // Takes the text of a totp_file: base32 (RFC 4648, 6; in any case, with or without padding, spaces and '-'
  // anywhere) of 10 to 64 bytes, for 6 digits every 30 s by SHA-1; or an otpauth://totp/ address as a QR code
  // holds it, with secret=, digits= (6 or 8), period= (30) and algorithm= (SHA1, SHA256, SHA512). Errors
  // (Fault::config) don't name the file and never hold anything of the secret.
  static base::Result<Totp> parse(base::Bytes text);

  Totp(Totp&&) = default;
  Totp& operator=(Totp&&) = default;

  int digits() const { return digits_; }
  // The time step that `now` lies in, counted from 1970 (RFC 6238, 4.2). REQUIRES: now >= 0.
  static std::int64_t step_at(base::Micros now) { return now / (kPeriod * 1'000'000); }
  // The code of a step. REQUIRES: step >= 0.
  std::string code(std::int64_t step) const;
  // Whether `code` is that of the step, in a time that does not tell where they differ.
  bool is(base::Bytes code, std::int64_t step) const;

  static constexpr std::int64_t kPeriod = 30;  // seconds; what apps can do

 private:
  Totp() = default;
  base::Secret secret_;
  Hash hash_ = Hash::sha1;
  int digits_ = 6;
};

}  // namespace oob::auth

#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace oob::audit {

// Where messages go, and by which files the two sides know each other (PEM). Paths are absolute.
struct SyslogSettings {
  std::string server;            // numeric: "192.0.2.50:6514", "[2001:db8::50]:6514"
  std::string ca;                // certificates that sign the server's
  std::string name;              // DNS name or address that the server's certificate must have (RFC 6125)
  std::string certificate, key;  // our own; empty: none is shown
  bool operator==(const SyslogSettings&) const = default;
};

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslPtr = std::unique_ptr<SSL, FreeSsl>;

// The settings with their files, read once: TLS 1.2 and later, of TLS 1.2 only ECDHE with an AEAD (RFC 9662;
// RFC 9325, 4.2), no renegotiation, no early data.
class SyslogTrust {
 public:
  // Blocks for small files. Fault::config: one can't be read or used, with its name.
  static base::Result<SyslogTrust> load(const SyslogSettings& settings);
  const SyslogSettings& settings() const { return settings_; }
  const std::string& digest() const { return digest_; }  // of the files: equal while they are

  // The client's side of one connection on `fd`, which stays the caller's. What is wrong with the server's
  // certificate is written to `why`, for people, which outlives the connection.
  base::Result<SslPtr> client(int fd, std::string* why) const;

 private:
  SyslogSettings settings_;
  std::string digest_;
  std::shared_ptr<SSL_CTX> context_;
};

// The first error of OpenSSL's queue, which is emptied, for people.
std::string tls_error();

}  // namespace oob::audit

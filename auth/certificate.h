#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "auth/address_list.h"
#include "auth/public_key.h"
#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::auth {

constexpr std::size_t kMostPrincipals = 256;

// An OpenSSH user certificate (OpenSSH PROTOCOL.certkeys): a CA says to whom a key belongs, for how long and
// for what. A value. What it says counts only after check_ca_signature(), and only if its CA is trusted.
struct Certificate {
  std::string type;  // "ssh-ed25519-cert-v01@openssh.com"
  PublicKey key;     // the key that is certified
  PublicKey ca;
  std::uint64_t serial = 0;
  std::string key_id;  // as the CA wrote it, not made printable
  std::vector<std::string> principals;
  std::uint64_t valid_after = 0;   // seconds since 1970
  std::uint64_t valid_before = 0;  // the first second in which it is over; all bits one: never
  std::optional<std::string> force_command;
  std::optional<AddressList> source;  // source-address
  bool permit_pty = false;
  bool permit_port_forwarding = false;

  std::string signed_part, signature;

  bool names(std::string_view principal) const;
  // Empty while it is valid at `now`, else why not, with both its times and `now`: a board without a clock
  // would be a riddle otherwise.
  std::string out_of_time(base::Micros now) const;
  // For messages: "certificate 'laptop' (serial 7, CA SHA256:…) of key SHA256:…".
  std::string text() const;
};

// Whether the blob says that it is a certificate, of whatever kind.
bool is_certificate(base::Bytes blob);

// Takes the blob of a user certificate apart: every length is exact, nothing is left over, options are in the
// order of their names and none twice. Refused with a text that says so (Fault::denied) are host
// certificates, a CA that is itself a certificate, and critical options that are not known or can't be
// enforced here. Of the extensions only permit-pty and permit-port-forwarding say something; others are
// passed over.
base::Result<Certificate> parse_certificate(base::Bytes blob);

// Whether the CA that the certificate names has signed it.
base::Result<> check_ca_signature(const Certificate& certificate);

// What revocations know a certificate by.
struct CertificateMarks {
  std::string key, ca;  // blobs of the plain key inside and of the CA's key
  std::uint64_t serial = 0;
  std::string key_id;
};

// Of any certificate that is whole, a host's or one that is never let in too.
base::Result<CertificateMarks> marks_of_certificate(base::Bytes blob);

}  // namespace oob::auth

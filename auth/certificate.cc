#include "auth/certificate.h"

#include <algorithm>
#include <limits>

#include "auth/signature.h"
#include "base/wire.h"

namespace oob::auth {

using base::Bytes;
using base::fail;
using base::Fault;
using base::Micros;
using base::printable;
using base::Result;
using base::str;
using base::wire::Reader;
using base::wire::Writer;

namespace {

constexpr std::string_view kEnding = "-cert-v01@openssh.com";
constexpr std::uint32_t kUser = 1, kHost = 2;

struct Kind {
  std::string_view type, plain;
  unsigned fields;  // strings between the nonce and the serial: those of the plain key after its type
};
constexpr Kind kKinds[] = {
    {"ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519", 1},
    {"ecdsa-sha2-nistp256-cert-v01@openssh.com", "ecdsa-sha2-nistp256", 2},
    {"ecdsa-sha2-nistp384-cert-v01@openssh.com", "ecdsa-sha2-nistp384", 2},
    {"ecdsa-sha2-nistp521-cert-v01@openssh.com", "ecdsa-sha2-nistp521", 2},
    {"ssh-rsa-cert-v01@openssh.com", "ssh-rsa", 2},
    {"sk-ssh-ed25519-cert-v01@openssh.com", "sk-ssh-ed25519@openssh.com", 2},
    {"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", 3},
};

Result<> refuse(std::string_view why) { return fail(Fault::denied, str("certificate: ", why)); }

// OpenSSH reads these as C strings and refuses one with a NUL inside, which two readers would see
// differently.
bool whole(Bytes text) { return text.find('\0') == Bytes::npos; }

// One string inside the data of an option, and nothing else.
bool only_text(Bytes data, std::string& text) {
  Reader reader(data);
  text = reader.text();
  return reader.done() && whole(text);
}

// As OpenSSH: addresses and networks, neither wildcards nor !.
Result<AddressList> read_networks(std::string_view text) {
  if (text.find_first_not_of("0123456789abcdefABCDEF.:/,") != std::string_view::npos)
    return fail(Fault::denied, str("'", printable(text, 80), "' is not a list of addresses and networks"));
  return AddressList::parse(text);
}

Result<> read_critical(Bytes name, Bytes data, Certificate& certificate) {
  std::string text;
  if (name == "force-command") {
    if (!only_text(data, text)) return refuse("force-command has a wrong length");
    if (text.find_first_not_of(" \t") == std::string::npos) return refuse("force-command is empty");
    certificate.force_command = std::move(text);
    return {};
  }
  if (name == "source-address") {
    if (!only_text(data, text)) return refuse("source-address has a wrong length");
    Result<AddressList> list = read_networks(text);
    if (!list) return refuse(str("source-address: ", list.error().what));
    certificate.source = std::move(*list);
    return {};
  }
  if (name == "verify-required")
    return refuse("verify-required: what a security key says of its PIN can't be checked here");
  return refuse(str("critical option '", printable(name, 64), "' is not known here"));
}

Result<> read_extension(Bytes name, Bytes data, Certificate& certificate) {
  bool* allowed = name == "permit-pty"               ? &certificate.permit_pty
                  : name == "permit-port-forwarding" ? &certificate.permit_port_forwarding
                                                     : nullptr;
  if (!allowed) return {};
  if (!data.empty()) return refuse(str(name, " has a value, and takes none"));
  *allowed = true;
  return {};
}

// Names and data by turns (PROTOCOL.certkeys, Critical options): in the order of the names, each once.
template <class Read>
Result<> read_options(Bytes options, std::string_view what, Certificate& certificate, Read read) {
  Reader reader(options);
  Bytes before;
  for (bool first = true; reader.ok() && !reader.done(); first = false) {
    Bytes name = reader.text(), data = reader.text();
    if (!reader.ok()) break;
    if (name.empty() || !whole(name)) return refuse(str("the name of one of its ", what, " is no name"));
    if (!first && name <= before)
      return refuse(str("its ", what, name == before ? " have '" : " are not in order at '",
                        printable(name, 64), name == before ? "' twice" : "'"));
    before = name;
    if (Result<> done = read(name, data, certificate); !done) return done;
  }
  if (!reader.ok()) return refuse(str("its ", what, " have wrong lengths"));
  return {};
}

Result<> read_principals(Bytes list, Certificate& certificate) {
  Reader reader(list);
  while (reader.ok() && !reader.done()) {
    if (certificate.principals.size() == kMostPrincipals)
      return refuse(str("more than ", kMostPrincipals, " principals"));
    Bytes name = reader.text();
    if (!whole(name)) return refuse("a NUL stands in the name of a principal");
    certificate.principals.emplace_back(name);
  }
  if (!reader.ok()) return refuse("its principals have wrong lengths");
  return {};
}

// The fields of any certificate (PROTOCOL.certkeys, New certificate types); views of the blob.
struct Parts {
  std::string type, key;  // the key's own fields, which stand after the nonce, as a plain key's blob
  std::uint64_t serial = 0;
  std::uint32_t kind = 0;
  Bytes key_id, principals;
  std::uint64_t valid_after = 0, valid_before = 0;
  Bytes critical, extensions, ca, signature;
};

Result<Parts> take_apart(Bytes blob) {
  Reader reader(blob);
  Parts parts;
  parts.type = reader.text();
  auto kind =
      std::find_if(std::begin(kKinds), std::end(kKinds), [&](const Kind& k) { return k.type == parts.type; });
  if (!reader.ok() || kind == std::end(kKinds)) {
    if (parts.type.starts_with("ssh-dss")) return refuse("DSA keys are not accepted").error();
    return fail(Fault::denied, str("unknown certificate type '", printable(parts.type, 64), "'"));
  }
  reader.text();  // the nonce, of whatever length: it makes what is signed unforeseeable
  Writer plain;
  plain.text(kind->plain);
  for (unsigned i = 0; i < kind->fields; ++i) plain.text(reader.text());
  parts.key = plain.take();
  parts.serial = reader.u64();
  parts.kind = reader.u32();
  parts.key_id = reader.text();
  parts.principals = reader.text();
  parts.valid_after = reader.u64();
  parts.valid_before = reader.u64();
  parts.critical = reader.text();
  parts.extensions = reader.text();
  reader.text();  // reserved, and to be passed over
  parts.ca = reader.text();
  parts.signature = reader.text();
  if (!reader.ok()) return refuse("it is cut off").error();
  if (!reader.done()) return refuse("bytes are left over after its signature").error();
  if (!whole(parts.key_id)) return refuse("a NUL stands in its key id").error();
  return parts;
}

Result<> read_ca(Bytes blob, Certificate& certificate) {
  if (is_certificate(blob)) return refuse("its CA is itself a certificate");
  Result<PublicKey> key = parse_key_blob(blob);
  if (!key) return refuse(str("its CA: ", key.error().what));
  certificate.ca = std::move(*key);
  return {};
}

// Certificates count seconds in 64 bits, which reaches beyond what a date can say.
std::string time_text(std::uint64_t seconds) {
  constexpr std::uint64_t kLastDate = 253'402'300'799;  // 9999-12-31T23:59:59Z
  if (seconds == std::numeric_limits<std::uint64_t>::max()) return "for ever";
  if (seconds > kLastDate) return str(seconds, " s after 1970");
  return base::rfc3339(static_cast<Micros>(seconds) * 1'000'000, base::Precision::seconds);
}

}  // namespace

bool Certificate::names(std::string_view principal) const {
  return std::find(principals.begin(), principals.end(), principal) != principals.end();
}

std::string Certificate::out_of_time(Micros now) const {
  std::uint64_t seconds = now < 0 ? 0 : static_cast<std::uint64_t>(now) / 1'000'000;
  bool early = seconds < valid_after;
  if (!early && (seconds < valid_before || valid_before == std::numeric_limits<std::uint64_t>::max()))
    return {};
  return str(early ? "not yet valid" : "expired", ": it is good from ", time_text(valid_after), " to ",
             time_text(valid_before), ", and the clock here says ", time_text(seconds));
}

std::string Certificate::text() const {
  return str("certificate '", printable(key_id, 120), "' (serial ", serial, ", CA ", ca.fingerprint(),
             ") of key ", key.fingerprint());
}

bool is_certificate(Bytes blob) {
  Reader reader(blob);
  Bytes type = reader.text();
  return reader.ok() && type.ends_with(kEnding);
}

Result<Certificate> parse_certificate(Bytes blob) {
  if (blob.size() > kMostKeyBlob)
    return fail(Fault::denied,
                str("the certificate has ", blob.size(), " bytes, at most ", kMostKeyBlob, " are taken"));
  Result<Parts> parts = take_apart(blob);
  if (!parts) return parts.error();
  if (parts->kind == kHost) return refuse("it is a host's, and lets nobody in").error();
  if (parts->kind != kUser)
    return refuse(str("type ", parts->kind, " is neither a user's nor a host's")).error();
  Certificate certificate;
  certificate.type = parts->type;
  certificate.serial = parts->serial;
  certificate.key_id = parts->key_id;
  certificate.valid_after = parts->valid_after;
  certificate.valid_before = parts->valid_before;
  certificate.signature = parts->signature;
  certificate.signed_part = blob.substr(0, blob.size() - 4 - parts->signature.size());
  Result<PublicKey> key = parse_key_blob(parts->key);
  if (!key) return refuse(key.error().what).error();
  certificate.key = std::move(*key);
  Result<> read = read_principals(parts->principals, certificate);
  if (read) read = read_options(parts->critical, "critical options", certificate, read_critical);
  if (read) read = read_options(parts->extensions, "extensions", certificate, read_extension);
  if (read) read = read_ca(parts->ca, certificate);
  if (!read) return read.error();
  return certificate;
}

Result<> check_ca_signature(const Certificate& certificate) {
  return check_signature(certificate.ca, certificate.signed_part, certificate.signature);
}

Result<CertificateMarks> marks_of_certificate(Bytes blob) {
  Result<Parts> parts = take_apart(blob);
  if (!parts) return parts.error();
  return CertificateMarks{std::move(parts->key), std::string(parts->ca), parts->serial,
                          std::string(parts->key_id)};
}

}  // namespace oob::auth

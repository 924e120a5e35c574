#include "auth/keyring.h"

#include <sys/stat.h>

#include <algorithm>

#include "auth/authorized_keys.h"
#include "auth/certificate.h"
#include "auth/revocation.h"
#include "auth/trusted_file.h"

namespace oob::auth {

using base::Error;
using base::fail;
using base::Fault;
using base::Micros;
using base::printable;
using base::Result;
using base::str;

namespace {

Micros micros(const timespec& time) {
  return static_cast<Micros>(time.tv_sec) * 1'000'000 + time.tv_nsec / 1000;
}

bool same(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

// A file that is read again when it has changed. The clock of a file system ticks some milliseconds at a time
// (FAT: 2 s), so a file changed just before it was read may change again within the same tick, with nothing
// to see it by. What is fresh is therefore read once more, but not for every question: strangers ask, too.
// Steady time decides, since a board's clock may stand in 1970 and every file in its future.
template <class Content>
class Kept {
 public:
  explicit Kept(const Keyring::Stopwatch& stopwatch) : stopwatch_(stopwatch) {}

  // What is in it now; valid until the next call. Where it can't be read, what was known of it is forgotten.
  template <class Parse>
  Result<const Content*> look(const std::string& path, std::size_t most, Parse parse) {
    Result<TrustedFile> file = TrustedFile::open(path, 022, most);
    base::Clock::time_point moment = stopwatch_();
    bool unchanged = file && known_ && is(file->status());
    if (unchanged && (settled_ || moment - read_at_ < Keyring::kTick)) return &content_;
    if (!unchanged) first_seen_ = moment;
    known_ = false;
    if (!file) return file.error();
    Result<std::string> text = file->read();
    if (!text) return text.error();
    status_ = file->status();
    Micros age = base::wall_now() - std::max(micros(status_.st_mtim), micros(status_.st_ctim));
    settled_ = age > 2'000'000 || moment - first_seen_ >= Keyring::kTick;
    read_at_ = moment;
    known_ = true;
    content_ = parse(*text);
    return &content_;
  }

 private:
  bool is(const struct stat& now) const {
    return now.st_dev == status_.st_dev && now.st_ino == status_.st_ino && now.st_size == status_.st_size &&
           same(now.st_mtim, status_.st_mtim) && same(now.st_ctim, status_.st_ctim);
  }

  const Keyring::Stopwatch& stopwatch_;
  struct stat status_ {};
  base::Clock::time_point first_seen_, read_at_;  // this status; the content
  bool known_ = false;
  bool settled_ = false;  // it can't have changed any more with this status
  Content content_;
};

Error denied(const std::string& user, std::string_view what) {
  return fail(Fault::denied, str(user, ": ", what));
}

std::string fault_text(const KeyFault& fault) {
  return fault.line == 0 ? fault.message : str(fault.line, ":", fault.column, ": ", fault.message);
}

// What is wrong in a file may be why somebody is not found in it.
std::string hint(const std::vector<KeyFault>& faults) {
  return faults.empty() ? std::string() : str("; a fault there: ", fault_text(faults.front()));
}

// Who asks to come in, and where from.
struct Visitor {
  const std::string& user;
  const std::string& address;
  Micros now;
};

// Why a line that has the key or the CA does not let in just now and from there; empty if it does.
std::string limit_of(const AuthorizedKey& line, const Visitor& visitor) {
  if (line.expires && visitor.now > *line.expires)
    return str("expired ", base::rfc3339(*line.expires, base::Precision::seconds));
  if (line.from && !line.from->matches(visitor.address))
    return str("not allowed from ", printable(visitor.address, 64));
  return {};
}

// What concerns the certificate whichever way its CA is trusted; empty if all is well.
std::string flaw_of(const Certificate& certificate, const Visitor& visitor) {
  if (Result<> made = check_ca_signature(certificate); !made)
    return str("not what its CA signed: ", made.error().what);
  std::string why = certificate.out_of_time(visitor.now);
  if (!why.empty()) return why;
  if (certificate.source && !certificate.source->matches(visitor.address))
    return str("not allowed from ", printable(visitor.address, 64), " by its source-address");
  if (certificate.principals.empty())
    return "for nobody: it names no principal, which is never taken for all";
  return {};
}

// Empty when the certificate names somebody that `line` (none: user_ca) lets in as the user.
std::string wrong_principal(const Certificate& certificate, const AuthorizedKey* line,
                            const std::string& user) {
  if (!line || line->principals.empty())
    return certificate.names(user) ? std::string() : str("not for the principal '", user, "'");
  bool named = std::any_of(line->principals.begin(), line->principals.end(),
                           [&](const std::string& name) { return certificate.names(name); });
  return named ? std::string() : "for none of the line's principals";
}

// Both limit, so the stricter wins. Empty when they can be combined: two commands can't both be forced.
std::string combine(const Certificate& certificate, KeyTerms& terms) {
  if (certificate.force_command) {
    if (terms.has_forced_command && terms.forced_command != *certificate.force_command)
      return "forced to another command than the line";
    terms.has_forced_command = true;
    terms.forced_command = *certificate.force_command;
  }
  terms.no_pty = terms.no_pty || !certificate.permit_pty;
  terms.no_forwarding = terms.no_forwarding || !certificate.permit_port_forwarding;
  terms.fingerprint = certificate.key.fingerprint();
  terms.is_certificate = true;
  terms.serial = certificate.serial;
  terms.key_id = printable(certificate.key_id);
  terms.ca = certificate.ca.fingerprint();
  return {};
}

Result<KeyTerms> find_key(const PublicKey& key, const std::string& path, const AuthorizedKeys& lines,
                          const Visitor& visitor) {
  std::string why;
  for (const AuthorizedKey& line : lines.keys) {
    if (line.key.blob != key.blob) continue;
    std::string limit =
        line.is_ca ? "a CA's, which lets in by its certificates only" : limit_of(line, visitor);
    if (limit.empty()) return line.terms;
    why = str(limit, " (", path, ":", line.line, ")");
  }
  if (why.empty()) why = str("not in ", path);
  return denied(visitor.user, str("key ", key.fingerprint(), " is ", why, hint(lines.faults)));
}

// A file as it was found: its content, or why there is none.
template <class Content>
struct Found {
  const std::string& path;
  const Content* content = nullptr;
  std::string trouble;

  void take(const Result<const Content*>& looked) {
    if (looked)
      content = *looked;
    else
      trouble = looked.error().what;
  }
  std::string remark() const {
    if (!content) return trouble.empty() ? std::string() : str("; ", trouble);
    return content->faults.empty() ? std::string()
                                   : str("; a fault in ", path, ":", fault_text(content->faults.front()));
  }
};

Result<KeyTerms> find_certificate(const Certificate& certificate, const Found<AuthorizedKeys>& lines,
                                  const Found<CaKeys>& cas, const Visitor& visitor) {
  std::string why;
  auto refused = [&](std::string_view what) {
    return denied(visitor.user, str(certificate.text(), ": ", what));
  };
  // A line of the user's file, or none for user_ca. True when `terms` lets in; else `why` tells one reason
  // more.
  auto lets_in = [&](const AuthorizedKey* line, const std::string& place, KeyTerms& terms) {
    std::string limit = line ? limit_of(*line, visitor) : std::string();
    if (limit.empty()) limit = wrong_principal(certificate, line, visitor.user);
    if (limit.empty()) limit = combine(certificate, terms);
    if (!limit.empty()) why += str(why.empty() ? "" : ", ", limit, " (", place, ")");
    return limit.empty();
  };
  std::vector<const AuthorizedKey*> trusting;
  if (lines.content) {
    for (const AuthorizedKey& line : lines.content->keys)
      if (line.is_ca && line.key.blob == certificate.ca.blob) trusting.push_back(&line);
  }
  bool trusted_for_all =
      cas.content && std::any_of(cas.content->keys.begin(), cas.content->keys.end(),
                                 [&](const PublicKey& ca) { return ca.blob == certificate.ca.blob; });
  if (trusting.empty() && !trusted_for_all)
    return refused(str("its CA is not trusted here", lines.remark(), cas.remark()));
  // Only now: strangers must not have signatures of their own making checked.
  std::string flaw = flaw_of(certificate, visitor);
  if (!flaw.empty()) return refused(flaw);
  for (const AuthorizedKey* line : trusting) {
    KeyTerms terms = line->terms;
    if (lets_in(line, str(lines.path, ":", line->line), terms)) return terms;
  }
  KeyTerms terms;
  if (trusted_for_all && lets_in(nullptr, cas.path, terms)) return terms;
  return refused(str(why, lines.remark(), cas.remark()));
}

}  // namespace

struct Keyring::Files {
  explicit Files(Stopwatch with) : stopwatch(std::move(with)) {}
  Kept<AuthorizedKeys>& of_user(const std::string& user) {
    return of_users.try_emplace(user, stopwatch).first->second;
  }

  const Stopwatch stopwatch;
  std::map<std::string, Kept<AuthorizedKeys>> of_users;
  Kept<CaKeys> user_ca{stopwatch};
  Kept<RevocationFile> revoked{stopwatch};
};

Keyring::Keyring(std::map<std::string, std::string> files, Trust trust, Stopwatch stopwatch)
    : files_(std::move(files)),
      trust_(std::move(trust)),
      read_(std::make_unique<Files>(std::move(stopwatch))) {}
Keyring::~Keyring() = default;

Result<> Keyring::check_revoked(const Credential& asked) {
  if (trust_.revoked_keys.empty()) return {};
  auto file = read_->revoked.look(trust_.revoked_keys, kMostRevocationFile, parse_revocations);
  if (!file)
    return fail(Fault::denied,
                str("nobody comes in while the revocations can't be read: ", file.error().what));
  if (!(*file)->faults.empty()) {
    const KeyFault& fault = (*file)->faults.front();
    return fail(Fault::denied, str("nobody comes in while the revocations have a fault: ",
                                   trust_.revoked_keys, fault.line == 0 ? ": " : ":", fault_text(fault)));
  }
  std::string why = (*file)->revoked.why(asked);
  if (!why.empty()) return fail(Fault::denied, str(why, " (", trust_.revoked_keys, ")"));
  return {};
}

Result<KeyTerms> Keyring::find(const std::string& user, base::Bytes blob, const std::string& address,
                               Micros now) {
  auto named = files_.find(user);
  if (named == files_.end()) return fail(Fault::denied, str("unknown user '", printable(user, 64), "'"));
  const std::string& path = named->second;
  Visitor visitor{user, address, now};
  if (is_certificate(blob)) {
    Result<Certificate> certificate = parse_certificate(blob);
    if (!certificate) return denied(user, certificate.error().what);
    Found<AuthorizedKeys> lines{path, nullptr, {}};
    Found<CaKeys> cas{trust_.user_ca, nullptr, {}};
    if (!path.empty()) lines.take(read_->of_user(user).look(path, kMostKeyFile, parse_authorized_keys));
    if (!cas.path.empty()) cas.take(read_->user_ca.look(cas.path, kMostKeyFile, parse_ca_keys));
    Result<KeyTerms> terms = find_certificate(*certificate, lines, cas, visitor);
    if (!terms) return terms;
    Result<> free = check_revoked(
        {certificate->key.blob, certificate->ca.blob, certificate->serial, certificate->key_id});
    if (!free) return denied(user, str(certificate->text(), ": ", free.error().what));
    return terms;
  }
  Result<PublicKey> key = parse_key_blob(blob);
  if (!key) return denied(user, key.error().what);
  if (path.empty()) return denied(user, str("key ", key->fingerprint(), " is in no file: the user has none"));
  auto lines = read_->of_user(user).look(path, kMostKeyFile, parse_authorized_keys);
  if (!lines) return denied(user, lines.error().what);
  Result<KeyTerms> terms = find_key(*key, path, **lines, visitor);
  if (!terms) return terms;
  Result<> free = check_revoked({key->blob, {}, 0, {}});
  if (!free) return denied(user, str("key ", key->fingerprint(), ": ", free.error().what));
  return terms;
}

}  // namespace oob::auth

#include "auth/keyring.h"

#include <sys/stat.h>

#include <algorithm>

#include "auth/authorized_keys.h"
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

struct File {
  struct stat status {};
  // The clock of a file system ticks some milliseconds at a time: a file changed just before it was read may
  // change again within the same tick, with nothing to see it by. So what is fresh is read again next time.
  bool settled = false;
  AuthorizedKeys content;

  bool is(const struct stat& now) const {
    return settled && now.st_dev == status.st_dev && now.st_ino == status.st_ino &&
           now.st_size == status.st_size && same(now.st_mtim, status.st_mtim) &&
           same(now.st_ctim, status.st_ctim);
  }
};

}  // namespace

struct Keyring::Files {
  std::map<std::string, std::unique_ptr<File>> of_users;
};

Keyring::Keyring(std::map<std::string, std::string> files, Trust trust)
    : files_(std::move(files)), trust_(std::move(trust)), read_(std::make_unique<Files>()) {}
Keyring::~Keyring() = default;

Result<KeyTerms> Keyring::find(const std::string& user, base::Bytes blob, const std::string& address,
                               Micros now) {
  auto named = files_.find(user);
  if (named == files_.end()) return fail(Fault::denied, str("unknown user '", printable(user, 64), "'"));
  Result<PublicKey> key = parse_key_blob(blob);
  if (!key) return fail(Fault::denied, str(user, ": ", key.error().what));
  const std::string& path = named->second;
  Result<TrustedFile> file = TrustedFile::open(path, 022, kMostKeyFile);
  if (!file) {
    read_->of_users.erase(user);
    return fail(Fault::denied, str(user, ": ", file.error().what));
  }
  std::unique_ptr<File>& held = read_->of_users[user];
  if (!held || !held->is(file->status())) {
    Result<std::string> text = file->read();
    if (!text) return fail(Fault::denied, str(user, ": ", text.error().what));
    auto fresh = std::make_unique<File>();
    fresh->status = file->status();
    Micros age = base::wall_now() - std::max(micros(fresh->status.st_mtim), micros(fresh->status.st_ctim));
    fresh->settled = age > 2'000'000;
    fresh->content = parse_authorized_keys(*text);
    held = std::move(fresh);
  }
  std::string why;
  for (const AuthorizedKey& line : held->content.keys) {
    if (line.key.blob != blob) continue;
    if (line.expires && now > *line.expires) {
      why = str("expired ", base::rfc3339(*line.expires, base::Precision::seconds), " (", path, ":",
                line.line, ")");
    } else if (line.from && !line.from->matches(address)) {
      why = str("not allowed from ", printable(address, 64), " (", path, ":", line.line, ")");
    } else {
      return line.terms;
    }
  }
  if (why.empty()) why = str("not in ", path);
  std::string what = str(user, ": key ", key->fingerprint(), " is ", why);
  if (!held->content.faults.empty()) {
    const KeyFault& first = held->content.faults.front();
    what += str("; a fault there: ", first.line, ":", first.column, ": ", first.message);
  }
  return fail(Fault::denied, what);
}

}  // namespace oob::auth

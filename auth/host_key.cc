#include "auth/host_key.h"

#include <fcntl.h>
#include <unistd.h>

#include "auth/private_key.h"
#include "auth/public_key.h"
#include "auth/trusted_file.h"
#include "base/fd.h"
#include "base/secret.h"
#include "base/whole_file.h"

namespace oob::auth {

using base::fail;
using base::Fault;
using base::Fd;
using base::Result;
using base::str;
using base::system_error;
using base::wipe;

namespace {

struct KindFacts {
  std::string_view file, type;
};
KindFacts about(HostKeyKind kind) {
  switch (kind) {
    case HostKeyKind::ed25519:
      return {"host_ed25519", "ssh-ed25519"};
    case HostKeyKind::rsa:
      break;
  }
  return {"host_rsa", "ssh-rsa"};
}

Result<> sync_folder(const std::string& path) {
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) < 0) return system_error(path);
  return {};
}

}  // namespace

HostKey::~HostKey() { wipe(text_); }

HostKey& HostKey::operator=(HostKey&& from) noexcept {
  wipe(text_);
  text_.swap(from.text_);
  public_line_ = std::move(from.public_line_);
  fingerprint_ = std::move(from.fingerprint_);
  return *this;
}

Result<HostKey> HostKey::parse(std::string text) {
  HostKey key;
  key.text_ = std::move(text);
  Result<std::string> blob = public_blob_of(key.text_);
  if (!blob) return blob.error();
  Result<PublicKey> shown = parse_key_blob(*blob);
  if (!shown) return shown.error();
  key.public_line_ = shown->text();
  key.fingerprint_ = shown->fingerprint();
  return key;
}

Result<HostKey> HostKey::load_or_make(const std::string& directory, HostKeyKind kind) {
  std::string path = str(directory, "/", about(kind).file);
  constexpr std::size_t kMost = 16 * 1024;
  Result<TrustedFile> file = TrustedFile::open(path, 077, kMost);
  bool made = !file && file.error().fault == Fault::missing;
  if (!file && !made) return file.error();
  Result<std::string> text = made ? make_private_key(kind, "oobd") : file->read();
  if (!text) return base::wrap(path, text.error());
  if (made) {
    Result<> written = base::write_whole(path, *text, 0600);
    if (written) written = sync_folder(directory);
    if (!written) {
      wipe(*text);
      return fail(Fault::config, written.error().what);
    }
  }
  Result<HostKey> key = parse(std::move(*text));
  if (!key) return base::wrap(path, key.error());
  if (key->type() != about(kind).type)
    return fail(Fault::config, str(path, ": a key of the type ", key->type(), ", not ", about(kind).type));
  std::string beside = key->public_line() + " oobd\n", shown = path + ".pub";
  Result<TrustedFile> old = TrustedFile::open(shown, 022, kMost);
  Result<std::string> there = old ? old->read() : Result<std::string>(old.error());
  if (!there || *there != beside) {
    Result<> written = base::write_whole(shown, beside, 0644);
    // The file is for people only: on a full disk an old key must still let them in.
    if (!written && made) return fail(Fault::config, written.error().what);
  }
  return key;
}

}  // namespace oob::auth

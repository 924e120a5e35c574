#include "console/login.h"

#include <algorithm>

#include "auth/trusted_file.h"

namespace oob::console {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostFile = 4096, kMostPassword = 256;

Result<base::Secret> read_password(const std::string& path) {
  Result<auth::TrustedFile> file = auth::TrustedFile::open(path, 077, kMostFile);
  if (!file) return fail(Fault::config, file.error().what);
  Result<std::string> text = file->read();
  if (!text) return fail(Fault::config, text.error().what);
  Result<base::Bytes> line = typed_line(*text);
  base::Secret secret(line ? *line : base::Bytes());
  base::wipe(*text);
  if (!line) return fail(Fault::config, str(path, ": ", line.error().what));
  return secret;
}

}  // namespace

Result<base::Bytes> typed_line(base::Bytes text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (text.empty()) return fail(Fault::config, "there is no password in it");
  if (text.find('\n') != base::Bytes::npos) return fail(Fault::config, "more than one line in it");
  if (std::any_of(text.begin(), text.end(), is_control))
    return fail(Fault::config, "a control character in it, which can't be typed");
  if (text.size() > kMostPassword)
    return fail(Fault::config, str("the password has ", text.size(), " bytes; ", kMostPassword, " at most"));
  return text;
}

Result<recipe::Credentials> read_login(const LoginSettings& settings) {
  recipe::Credentials credentials;
  credentials.user = settings.user;
  if (!settings.password_file.empty()) {
    Result<base::Secret> secret = read_password(settings.password_file);
    if (!secret) return secret.error();
    credentials.secret = std::move(*secret);
  }
  if (!settings.enable_file.empty()) {
    Result<base::Secret> enable = read_password(settings.enable_file);
    if (!enable) return enable.error();
    credentials.enable = std::move(*enable);
  }
  return credentials;
}

}  // namespace oob::console

// How oobd itself gets into a device: over its console, or its network.
#include <algorithm>

#include "auth/private_key.h"
#include "auth/public_key.h"
#include "base/secret.h"
#include "console/login.h"
#include "oobd/config_reader.h"
#include "oobd/config_values.h"

namespace oob {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostUser = 64, kMostPatterns = 64, kMostPattern = 512;

// What a shell takes for a pattern and nothing else, whose matches are paths that a snapshot can have.
Result<> check_fetch(std::string_view pattern) {
  constexpr std::string_view kSigns = "_./*?-+:,[]@%=";
  auto wrong = [&](const auto&... why) {
    return Result<>(fail(Fault::config, str("fetch ", in_quotes(pattern), why...)));
  };
  if (!pattern.starts_with('/')) return wrong(" is no absolute path");
  if (pattern.size() > kMostPattern) return wrong(" is longer than ", kMostPattern, " bytes");
  for (char c : pattern) {
    bool known = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!known && kSigns.find(c) == std::string_view::npos)
      return wrong(" has ", in_quotes(std::string_view(&c, 1)), " in it: letters, digits and ", kSigns,
                   " alone are for such a pattern");
  }
  bool whole = true;
  base::split(pattern.substr(1), '/',
              [&](std::string_view part) { whole = whole && !part.empty() && part != "." && part != ".."; });
  if (!whole) return wrong(": an empty part, '.' or '..' is no name of a file");
  return {};
}

Result<> check_host_key(std::string_view text) {
  constexpr std::string_view kDigest = "SHA256:";
  constexpr std::size_t kDigits = 43;  // of 32 bytes, without padding
  if (text.starts_with(kDigest)) {
    std::string bytes;
    std::string_view digits = text.substr(kDigest.size());
    if (digits.size() == kDigits && auth::decode_base64(str(digits, "="), bytes)) return {};
    return fail(Fault::config,
                str("host_key ", in_quotes(text), ": a fingerprint has 43 characters of base64"));
  }
  std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos)
    return fail(Fault::config,
                str("host_key ", in_quotes(text),
                    " is neither \"ssh-ed25519 AAAA…\" (ssh-keyscan prints it) nor \"SHA256:…\""));
  Result<auth::PublicKey> key = auth::parse_key_text(text.substr(0, blank), text.substr(blank + 1));
  if (!key) return fail(Fault::config, str("host_key: ", key.error().what));
  return {};
}

}  // namespace

void ConfigReader::read_way_in(const Node& device, DeviceConfig& config) {
  for (std::string_view key : {"login", "fetch", "ssh"}) {
    const Member* member = device.member(key);
    if (member && !device.member("model"))
      faults_.add(member->place,
                  str("'", key, "' needs a 'model', which says how to log in and what to fetch"));
  }
  if (const Node* login = get(device, "login", Node::Kind::table)) read_login(*login, config.login);
  if (const Node* ssh = get(device, "ssh", Node::Kind::table)) read_ssh(*ssh, config.ssh);
  read_fetch(device, config);
  read_alarms(device, config);
  if (const Node* truth = get(device, "guard_power", Node::Kind::truth)) {
    config.guard_power = truth->truth;
    if (truth->truth && !device.member("power"))
      faults_.add(truth->place, "'guard_power' needs 'power': power = { bmc = \"NAME\" }");
  }
}

void ConfigReader::read_login(const Node& login, DeviceConfig::Login& config) {
  faults_.check_table(login, login.place, kLogin, "'login'");
  if (const Node* user = text(login, "user")) config.user = read_typed_user(*user);
  if (const Node* file = text(login, "password_file"))
    config.password_file = read_typed_secret(*file, "password_file");
  if (const Node* file = text(login, "enable_file"))
    config.enable_file = read_typed_secret(*file, "enable_file");
}

void ConfigReader::read_fetch(const Node& device, DeviceConfig& config) {
  const Member* fetch = device.member("fetch");
  if (!fetch) return;
  for (const Node* pattern : texts(device, "fetch"))
    if (faults_.check(pattern->place, check_fetch(pattern->text))) config.fetch.push_back(pattern->text);
  if (config.fetch.size() > kMostPatterns)
    faults_.add(fetch->place, str("'fetch' has more than ", kMostPatterns, " patterns"));
  auto recipe = config_.recipes ? config_.recipes->find(config.model) : nullptr;
  if (recipe && recipe->method != recipe::Method::posix_block)
    faults_.add(fetch->place,
                str("'fetch' is for devices with a shell, which model ", in_quotes(config.model), " is not"));
}

void ConfigReader::read_ssh(const Node& ssh, DeviceConfig::InBand& config) {
  faults_.check_table(ssh, ssh.place, kSsh, "'ssh'");
  if (const Node* host = text(ssh, "host")) {
    if (faults_.check(host->place, check_bmc_host(host->text))) {
      bool has_port = host->text.find("]:") != std::string::npos ||
                      (host->text[0] != '[' && host->text.find(':') != std::string::npos);
      config.host = has_port ? host->text : str(host->text, ":22");
    }
  }
  if (const Node* key = text(ssh, "host_key")) {
    faults_.check(key->place, check_host_key(key->text));
    config.host_key = key->text;
  }
  if (const Node* user = text(ssh, "user")) config.user = read_typed_user(*user);
  const Node* password = text(ssh, "password_file");
  const Node* key = text(ssh, "key_file");
  if (password) config.password_file = read_typed_secret(*password, "password_file");
  if (key && !(config.key_file = secret_path(*key, "key_file")).empty()) {
    Result<std::string> found = files_.read_secret(config.key_file);
    Result<std::string> blob = found ? auth::public_blob_of(*found) : Result<std::string>(found.error());
    if (found) base::wipe(*found);
    if (!blob)
      faults_.add(key->place, str("key_file: ", base::printable(blob.error().what, kMostReason),
                                  found ? ": it takes an OpenSSH private key without a passphrase" : ""));
  }
  if (!ssh.member("password_file") == !ssh.member("key_file"))
    faults_.add(ssh.place, "'ssh' takes one of password_file and key_file");
}

// A name that is typed at a prompt.
std::string ConfigReader::read_typed_user(const Node& value) {
  auto typed = [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; };
  bool right = value.text.size() <= kMostUser && std::all_of(value.text.begin(), value.text.end(), typed);
  if (!right)
    faults_.add(value.place, str("user ", in_quotes(value.text), ": at most ", kMostUser,
                                 " bytes, without blanks and control characters"));
  return value.text;
}

// The path of a file with what is typed at a prompt for a password.
std::string ConfigReader::read_typed_secret(const Node& value, std::string_view key) {
  std::string file = secret_path(value, key);
  if (file.empty()) return file;
  Result<std::string> text = files_.read_secret(file);
  if (!text) {
    faults_.add(value.place, str(key, ": ", base::printable(text.error().what, kMostReason)));
    return file;
  }
  Result<base::Bytes> right = console::typed_line(*text);
  if (!right)
    faults_.add(value.place, str(key, ": ", base::printable(file, kMostReason), ": ", right.error().what));
  base::wipe(*text);
  return file;
}

}  // namespace oob

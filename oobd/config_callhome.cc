#include <algorithm>

#include "auth/private_key.h"
#include "auth/public_key.h"
#include "base/secret.h"
#include "oobd/call_home_ssh.h"
#include "oobd/config_reader.h"
#include "oobd/config_values.h"

namespace oob {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostBastionUser = 64;  // bytes

bool has_port(std::string_view host) {
  return host.find("]:") != std::string_view::npos ||
         (host[0] != '[' && host.find(':') != std::string_view::npos);
}

// As useradd(8) takes it; and nothing that ssh might take for an option.
Result<> check_bastion_user(std::string_view user) {
  auto known = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  if (!user.empty() && user.size() <= kMostBastionUser && user[0] != '-' &&
      std::all_of(user.begin(), user.end(), known))
    return {};
  return fail(Fault::config, str("user ", in_quotes(user),
                                 ": letters, digits, '_', '-' and '.' alone, at most ", kMostBastionUser));
}

// Known_hosts takes no fingerprint.
Result<> check_bastion_key(std::string_view text) {
  std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos)
    return fail(Fault::config, str("host_key ", in_quotes(text),
                                   " is not \"ssh-ed25519 AAAA…\": 'ssh-keyscan' of the bastion prints it"));
  Result<auth::PublicKey> key = auth::parse_key_text(text.substr(0, blank), text.substr(blank + 1));
  if (!key) return fail(Fault::config, str("host_key: ", key.error().what));
  return {};
}

// ssh reads signs of its own in such a path.
Result<> check_bastion_socket(const std::string& path) {
  if (!path.starts_with('/'))
    return fail(Fault::config, str("socket ", in_quotes(path), ": an absolute path on the bastion, please"));
  auto plain = [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7f &&
           std::string_view("%$:\\\"'[]").find(c) == std::string_view::npos;
  };
  if (!std::all_of(path.begin(), path.end(), plain))
    return fail(Fault::config,
                str("socket ", in_quotes(path), " has a sign in it that is not for such a path"));
  return check_socket_path(path);
}

}  // namespace

void ConfigReader::read_call_home(const Member& call_home) {
  const Node& table = call_home.value;
  std::string shown = str("[callhome.", base::printable(call_home.key, 80), "]");
  faults_.check(call_home.place, check_name(call_home.key));
  faults_.check_table(table, table.place, kCallHome, shown);
  if (config_.call_homes.size() >= kMostBastions)
    faults_.add(call_home.place, str("a board has ", kMostBastions, " bastions at most"));
  CallHomeConfig config;
  if (const Node* bastion = text(table, "bastion")) {
    if (faults_.check(bastion->place, check_bmc_host(bastion->text)))
      config.bastion = has_port(bastion->text) ? bastion->text : str(bastion->text, ":22");
  }
  if (const Node* user = text(table, "user")) {
    faults_.check(user->place, check_bastion_user(user->text));
    config.user = user->text;
  }
  if (const Node* key = text(table, "host_key")) {
    faults_.check(key->place, check_bastion_key(key->text));
    config.host_key = key->text;
  }
  if (const Node* key = text(table, "key_file");
      key && !(config.key_file = secret_path(*key, "key_file")).empty()) {
    Result<std::string> found = files_.read_secret(config.key_file);
    Result<std::string> blob = found ? auth::public_blob_of(*found) : Result<std::string>(found.error());
    if (found) base::wipe(*found);
    if (!blob)
      faults_.add(key->place, str("key_file: ", base::printable(blob.error().what, kMostReason),
                                  found ? ": it takes an OpenSSH private key without a passphrase" : ""));
  }
  if (const Node* socket = text(table, "socket")) {
    faults_.check(socket->place, check_bastion_socket(socket->text));
    config.socket = socket->text;
    for (const auto& [name, other] : config_.call_homes)
      if (other.bastion == config.bastion && other.socket == config.socket)
        faults_.add(socket->place, str("[callhome.", name, "] has this socket on this bastion already"));
  }
  // What ssh listens on here, oobd/call_home.h.
  if (!config_.state.empty())
    faults_.check(table.place, check_socket_path(str(config_.state, "/homes/", call_home.key, ".0.check")));
  config_.call_homes[call_home.key] = std::move(config);
}

}  // namespace oob

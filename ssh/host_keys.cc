#include "ssh/host_keys.h"

#include "ssh/front.h"

namespace oob::ssh {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

struct Choice {
  ssh_bind_options_e option;
  const char* value;
};

// Key exchange, best first: post-quantum ones where the library that runs knows them, as from libssh 0.12 on.
// It runs on the loop: curve25519 costs 2.6 CPU ms, group18 215, group exchange 485. NIST's curves are left
// out: whoever knows SHA-2 signatures knows curve25519.
constexpr const char* kKeyExchange[] = {"mlkem768x25519-sha256", "sntrup761x25519-sha512",
                                        "sntrup761x25519-sha512@openssh.com", "curve25519-sha256",
                                        "curve25519-sha256@libssh.org"};
// The client's order wins; what is not here is never used. CTR with HMAC costs four times the AEADs on small
// writes.
constexpr const char* kCiphers =
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr";
constexpr const char* kMacs = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com";
constexpr Choice kChoices[] = {
    {SSH_BIND_OPTIONS_CIPHERS_C_S, kCiphers},
    {SSH_BIND_OPTIONS_CIPHERS_S_C, kCiphers},
    {SSH_BIND_OPTIONS_HMAC_C_S, kMacs},
    {SSH_BIND_OPTIONS_HMAC_S_C, kMacs},
    {SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, "ssh-ed25519,rsa-sha2-512,rsa-sha2-256"},
    // Leaves out ssh-rsa, whose SHA-1 signatures libssh would take.
    {SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES,
     "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256,"
     "sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com"},
    {SSH_BIND_OPTIONS_BANNER, "oobd"},
};

}  // namespace

HostKeys::~HostKeys() {
  if (bind_) ssh_bind_free(bind_);
}

Result<> HostKeys::set(ssh_bind_options_e option, const std::string& value) {
  if (ssh_bind_options_set(bind_, option, value.c_str()) == SSH_OK) return {};
  return fail(Fault::internal,
              str("libssh ", libssh_version(), " does not know \"", value, "\": ", ssh_get_error(bind_)));
}

Result<> HostKeys::import(const std::vector<std::string>& keys) {
  if (keys.empty()) return fail(Fault::config, "no host key");
  bind_ = ssh_bind_new();
  if (!bind_) return fail(Fault::internal, "no memory for host keys");
  bool process_config = false;  // else /etc/ssh/libssh_server_config is read at the first accept
  if (ssh_bind_options_set(bind_, SSH_BIND_OPTIONS_PROCESS_CONFIG, &process_config) < 0)
    return fail(Fault::internal, str("libssh: ", ssh_get_error(bind_)));
  for (const char* method : kKeyExchange)
    if (set(SSH_BIND_OPTIONS_KEY_EXCHANGE, method))
      key_exchange_ += str(key_exchange_.empty() ? "" : ",", method);
  if (Result<> known = set(SSH_BIND_OPTIONS_KEY_EXCHANGE, key_exchange_); !known) return known;
  for (const Choice& choice : kChoices)
    if (Result<> known = set(choice.option, choice.value); !known) return known;
  std::size_t offered = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ssh_key key = nullptr;
    if (ssh_pki_import_privkey_base64(keys[i].c_str(), nullptr, nullptr, nullptr, &key) != SSH_OK)
      return fail(Fault::config,
                  str("host key ", i + 1, " is not an OpenSSH private key without passphrase"));
    ssh_keytypes_e type = ssh_key_type(key);
    if (type != SSH_KEYTYPE_ED25519 && type != SSH_KEYTYPE_RSA) {
      ssh_key_free(key);
      continue;
    }
    ++offered;
    if (ssh_bind_options_set(bind_, SSH_BIND_OPTIONS_IMPORT_KEY, key) < 0) {  // owns it from here
      ssh_key_free(key);
      return fail(Fault::config, str("host key ", i + 1, ": ", ssh_get_error(bind_)));
    }
  }
  if (offered == 0) return fail(Fault::config, "no host key of a type that is offered");
  return {};
}

}  // namespace oob::ssh

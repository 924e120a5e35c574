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

// The client's order wins; what is not here is never used. Key exchange runs on the loop: these two cost 2.6
// and 2.3 CPU ms, group18 215, group exchange 485. CTR with HMAC costs four times the AEADs on small writes.
constexpr const char* kCiphers =
    "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr";
constexpr const char* kMacs = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com";
constexpr Choice kChoices[] = {
    {SSH_BIND_OPTIONS_KEY_EXCHANGE, "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256"},
    {SSH_BIND_OPTIONS_CIPHERS_C_S, kCiphers},
    {SSH_BIND_OPTIONS_CIPHERS_S_C, kCiphers},
    {SSH_BIND_OPTIONS_HMAC_C_S, kMacs},
    {SSH_BIND_OPTIONS_HMAC_S_C, kMacs},
    {SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS,
     "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256"},
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

Result<> HostKeys::import(const std::vector<std::string>& keys) {
  if (keys.empty()) return fail(Fault::config, "no host key");
  bind_ = ssh_bind_new();
  if (!bind_) return fail(Fault::internal, "no memory for host keys");
  bool process_config = false;  // else /etc/ssh/libssh_server_config is read at the first accept
  if (ssh_bind_options_set(bind_, SSH_BIND_OPTIONS_PROCESS_CONFIG, &process_config) < 0)
    return fail(Fault::internal, str("libssh: ", ssh_get_error(bind_)));
  for (const Choice& choice : kChoices) {
    if (ssh_bind_options_set(bind_, choice.option, choice.value) < 0)
      return fail(Fault::internal, str("libssh ", libssh_version(), " does not know \"", choice.value,
                                       "\": ", ssh_get_error(bind_)));
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    ssh_key key = nullptr;
    if (ssh_pki_import_privkey_base64(keys[i].c_str(), nullptr, nullptr, nullptr, &key) != SSH_OK)
      return fail(Fault::config,
                  str("host key ", i + 1, " is not an OpenSSH private key without passphrase"));
    if (ssh_bind_options_set(bind_, SSH_BIND_OPTIONS_IMPORT_KEY, key) < 0) {  // owns it from here
      ssh_key_free(key);
      return fail(Fault::config, str("host key ", i + 1, ": ", ssh_get_error(bind_)));
    }
  }
  return {};
}

}  // namespace oob::ssh

#include "oobd/call_home_ssh.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>

#include "base/fd.h"
#include "base/unix_socket.h"
#include "oobd/gates.h"
#include "oobd/self_path.h"

namespace oob {

using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr const char* kAlias = "oobd-bastion";  // in known_hosts_text()
constexpr int kPassed = 10'000;                 // ms: until the socket is there, which it is at once

// ssh_config(5): a percent sign begins a token.
std::string without_tokens(std::string_view text) {
  std::string plain;
  for (char c : text) plain += c == '%' ? "%%" : std::string(1, c);
  return plain;
}

// A path as the value of an option: blanks would part it, and quotes end it.
std::string path_value(std::string_view path) {
  std::string quoted = "\"";
  for (char c : without_tokens(path)) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// A path in -L and -R, whose halves a colon parts.
std::string half(std::string_view path) {
  std::string text;
  for (char c : without_tokens(path)) {
    if (c == ':' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

// The algorithms by which a bastion proves the key, SHA-1 not among them.
std::string algorithms_of(std::string_view host_key) {
  std::string type(host_key.substr(0, host_key.find(' ')));
  return type == "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256" : type;
}

std::string for_shell(std::string_view text) {
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

// Where this program lies now: ssh starts it by its path. One that was replaced meanwhile is replaced by the
// new one.
std::string own_path() {
  char path[4096];
  ssize_t size = ::readlink(self_path().c_str(), path, sizeof path);
  if (size <= 0 || static_cast<std::size_t>(size) == sizeof path) return self_path();
  std::string text(path, static_cast<std::size_t>(size));
  constexpr std::string_view kDeleted = " (deleted)";
  if (text.ends_with(kDeleted)) text.resize(text.size() - kDeleted.size());
  return text;
}

// No file of a disk, which may be full, read-only or hung.
Result<base::Fd> in_memory(const std::string& text) {
  base::Fd file(::memfd_create("known_hosts", MFD_CLOEXEC));
  if (!file) return base::system_error("memfd_create");
  if (::pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    return base::system_error("memfd");
  return file;
}

int complain(const std::string& what) {
  // Its standard error may be the socket already.
  ::dprintf(1, "oobd: %s\n", what.c_str());
  return static_cast<int>(Fault::internal);
}

}  // namespace

CallHomePaths call_home_paths(const std::string& state, const std::string& name, unsigned place) {
  return {home_socket(state, name), str(homes_folder(state), "/", name, ".", place, ".check")};
}

std::string known_hosts_text(const CallHomeConfig& config) { return str(kAlias, " ", config.host_key, "\n"); }

std::vector<std::string> call_home_words(const CallHomeConfig& config, const CallHomePaths& paths) {
  std::vector<std::string> words = {"-F", "/dev/null", "-N", "-T", "-E", "/dev/stdout"};
  const std::string options[] = {
      "BatchMode=yes",
      "PreferredAuthentications=publickey",
      "IdentitiesOnly=yes",
      str("IdentityFile=", path_value(config.key_file)),
      "IdentityAgent=none",
      "AddKeysToAgent=no",
      "ForwardAgent=no",
      "ForwardX11=no",
      "ControlMaster=no",
      "ControlPath=none",
      "StrictHostKeyChecking=yes",
      "UserKnownHostsFile=/dev/stdin",
      "GlobalKnownHostsFile=/dev/null",
      "UpdateHostKeys=no",
      "VerifyHostKeyDNS=no",
      "CheckHostIP=no",
      str("HostKeyAlias=", kAlias),
      str("HostKeyAlgorithms=", algorithms_of(config.host_key)),
      "ExitOnForwardFailure=yes",
      "StreamLocalBindUnlink=yes",  // of the look's, which an ssh that was killed leaves behind
      "StreamLocalBindMask=0177",
      "ConnectTimeout=10",
      // For a core that can't look itself any more; it looks more often.
      "ServerAliveInterval=60",
      "ServerAliveCountMax=2",
      "TCPKeepAlive=yes",
      "LogLevel=INFO",
  };
  for (const std::string& option : options) words.insert(words.end(), {"-o", option});
  words.insert(words.end(), {"-R", str(half(config.socket), ":", half(paths.home))});
  words.insert(words.end(), {"-L", str(half(paths.check), ":", half(config.socket))});
  words.insert(words.end(), {"-l", config.user, "--", "bastion"});
  return words;
}

std::vector<std::string> call_home_program(const CallHomeConfig& config, const CallHomePaths& paths,
                                           const std::string& program) {
  std::vector<std::string> words = {program, "dial", known_hosts_text(config)};
  for (std::string& word : call_home_words(config, paths)) words.push_back(std::move(word));
  return words;
}

std::string proxy_option(const std::string& program) {
  return str("ProxyCommand=", without_tokens(for_shell(program)), " pass-socket");
}

std::string call_home_trouble(const CallHomeConfig& config, std::string_view words) {
  auto said = [&](std::string_view what) { return words.find(what) != std::string_view::npos; };
  if (said("IDENTIFICATION HAS CHANGED") || said("Host key verification failed") ||
      said("no matching host key type"))
    return str("the bastion shows another key than host_key; nothing was sent. Compare with 'ssh-keyscan ",
               config.bastion, "', from elsewhere as well");
  if (said("remote port forwarding failed"))
    return str("remote port forwarding failed: the bastion does not let us make ", config.socket,
               ". Its sshd needs StreamLocalBindUnlink yes, AllowStreamLocalForwarding yes and "
               "AllowTcpForwarding yes for ",
               config.user, ", who must be allowed to write to that folder");
  if (said("Permission denied (") || said("Too many authentication failures"))
    return str("the bastion refuses ", config.user, " with the key of ", config.key_file,
               ": is its public part in authorized_keys there?");
  if (said("UNPROTECTED PRIVATE KEY"))
    return str("ssh takes no key file that others may read: chmod 600 ", config.key_file);
  if (said("open failed"))
    return str("the bastion does not let us look whether ", config.socket,
               " leads here: its sshd needs AllowTcpForwarding yes, AllowStreamLocalForwarding yes and "
               "PermitOpen [",
               config.socket, "]:*");
  // What it said of that went to its standard error, where nobody listens any more.
  if (said("Write failed flushing stderr"))
    return "the bastion, or somebody on the way, closed the connection";
  if (words.empty()) return "ssh ended without a word";
  constexpr std::size_t kMost = 300;
  if (words.size() > kMost) words.remove_prefix(words.size() - kMost);
  return str("ssh: ", words);
}

int run_dial(const std::vector<std::string>& words) {
  if (words.empty()) return complain("it is for oobd itself");
  Result<std::pair<base::Fd, base::Fd>> pair = base::socket_pair(SOCK_STREAM);
  if (!pair) return complain(pair.error().what);
  Result<> sent = base::send_packet(pair->first.get(), std::string_view("\0", 1), STDIN_FILENO);
  if (!sent) return complain(base::wrap("the connected socket", sent.error()).what);
  Result<base::Fd> known_hosts = in_memory(words.front());
  if (!known_hosts) return complain(known_hosts.error().what);
  if (::dup2(known_hosts->get(), STDIN_FILENO) < 0 || ::dup2(pair->second.get(), STDERR_FILENO) < 0)
    return complain(base::system_error("descriptors").what);
  std::vector<std::string> all = {"ssh", "-o", "ProxyUseFdpass=yes", "-o", proxy_option(own_path())};
  all.insert(all.end(), words.begin() + 1, words.end());
  std::vector<char*> pointers;
  for (std::string& word : all) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::execvp("ssh", pointers.data());
  return complain(base::system_error("run ssh").what);
}

int run_pass_socket() {
  pollfd waits{STDERR_FILENO, POLLIN, 0};
  if (::poll(&waits, 1, kPassed) <= 0) return complain("no socket came");
  Result<base::Packet> packet = base::receive_packet(STDERR_FILENO);
  if (!packet || !packet->fd) return complain("no socket came");
  Result<> sent = base::send_packet(STDOUT_FILENO, std::string_view("\0", 1), packet->fd.get());
  return sent ? 0 : static_cast<int>(Fault::internal);
}

}  // namespace oob

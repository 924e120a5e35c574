#include "ssh/reach_session.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/unix_socket.h"

namespace oob::ssh {

using base::Clock;
using base::fail;
using base::Fault;
using base::milliseconds;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kPiece = 32 * 1024;  // moved at once, and held, each way
// What the far end may have sent unasked: it has ignored the window then (some 1.3 MB).
constexpr int kMostUnread = 4 << 20;
// No wake-up is lost for good, whatever libssh did inside.
constexpr milliseconds kLookAgain{1000};
constexpr unsigned kMostQuestions = 5;  // rounds of keyboard-interactive
// Command lines break their lines at a terminal's edge: it is far away.
constexpr int kColumns = 500, kRows = 100;

struct FreeKey {
  void operator()(ssh_key key) const { ssh_key_free(key); }
};
using OwnedKey = std::unique_ptr<ssh_key_struct, FreeKey>;

struct FreeText {
  void operator()(char* text) const { ssh_string_free_char(text); }
};
using OwnedText = std::unique_ptr<char, FreeText>;

// "SHA256:…", empty when there is no memory.
std::string print_of(ssh_key key) {
  unsigned char* hash = nullptr;
  std::size_t size = 0;
  if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) < 0) return "";
  OwnedText text(ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size));
  ssh_clean_pubkey_hash(&hash);
  return text ? text.get() : "";
}

// The algorithms by which a host proves a key of that type; empty: those that libssh offers, SHA-1 not among
// them.
std::string algorithms_of(const std::string& pin) {
  std::string type = pin.substr(0, pin.find(' '));
  if (type.starts_with("SHA256:")) return "";
  return type == "ssh-rsa" ? "rsa-sha2-512,rsa-sha2-256" : type;
}

}  // namespace

ReachSession::ReachSession(base::Fd connected, int core, ReachRequest request)
    : core_(core), request_(std::move(request)), fd_(connected.release()) {}

ReachSession::~ReachSession() {
  if (channel_) ssh_channel_free(channel_);
  if (session_) {
    ssh_disconnect(session_);
    ssh_free(session_);
  }
}

Result<> ReachSession::prepare() {
  session_ = ssh_new();
  if (!session_) return fail(Fault::internal, "no memory for an SSH session");
  bool no_files = false;
  std::string algorithms = algorithms_of(request_.host_key);
  const std::pair<ssh_options_e, const void*> options[] = {
      {SSH_OPTIONS_PROCESS_CONFIG, &no_files},
      {SSH_OPTIONS_HOST, "device"},  // its name in messages alone: the descriptor is connected
      {SSH_OPTIONS_USER, request_.user.c_str()},
      {SSH_OPTIONS_FD, &fd_},
      {SSH_OPTIONS_SSH_DIR, "/nonexistent"},
      {SSH_OPTIONS_KNOWNHOSTS, "/dev/null"},
      {SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null"},
  };
  for (const auto& [option, value] : options)
    if (ssh_options_set(session_, option, value) < 0) return fail(Fault::internal, trouble());
  if (!algorithms.empty() && ssh_options_set(session_, SSH_OPTIONS_HOSTKEYS, algorithms.c_str()) < 0)
    return fail(Fault::unavailable, str("no host keys of the type ", base::printable(algorithms, 60),
                                        " are known here: ", trouble()));
  ssh_set_blocking(session_, 0);
  return {};
}

std::string ReachSession::trouble() const { return base::printable(ssh_get_error(session_)); }

// --- waiting
// -------------------------------------------------------------------------------------------------------

// False when the core has gone.
bool ReachSession::wait(short core_events, milliseconds longest) {
  bool writes = (ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) != 0;
  pollfd both[] = {{fd_, static_cast<short>(POLLIN | (writes ? POLLOUT : 0)), 0}, {core_, core_events, 0}};
  if (::poll(both, 2, static_cast<int>(longest.count())) < 0 && errno != EINTR) return false;
  return (both[1].revents & (POLLHUP | POLLERR | POLLNVAL)) == 0;
}

// Calls it until it answers something else than `again`.
template <class Call>
Result<int> ReachSession::patiently(int again, Call call) {
  while (true) {
    int answer = call();
    if (answer != again) return answer;
    auto left = std::chrono::duration_cast<milliseconds>(until_ - Clock::now());
    if (left <= milliseconds(0)) return fail(Fault::unavailable, "no answer to the login in time");
    if (!wait(0, std::min(left, kLookAgain))) return fail(Fault::unavailable, "nobody wants it any more");
  }
}

// --- logging in
// ----------------------------------------------------------------------------------------------------

Result<> ReachSession::log_in(Clock::time_point until) {
  until_ = until;
  Result<> in = exchange_keys();
  if (in) in = know_host();
  if (in) in = authenticate();
  request_.password.wipe();
  request_.private_key.wipe();
  if (in) in = open_channel();
  return in;
}

Result<> ReachSession::exchange_keys() {
  Result<int> connected = patiently(SSH_AGAIN, [this] { return ssh_connect(session_); });
  if (!connected) return connected.error();
  if (*connected != SSH_OK) return fail(Fault::unavailable, trouble());
  return {};
}

// Nothing but a key exchange was sent so far. libssh has verified that the host holds this key.
Result<> ReachSession::know_host() {
  ssh_key given = nullptr;
  if (ssh_get_server_publickey(session_, &given) != SSH_OK)
    return fail(Fault::unavailable, "the host has shown no key");
  OwnedKey key(given);
  std::string print = print_of(key.get());
  const std::string& pin = request_.host_key;
  bool same = pin == print;
  if (!pin.starts_with("SHA256:")) {
    char* text = nullptr;
    if (ssh_pki_export_pubkey_base64(key.get(), &text) != SSH_OK)
      return fail(Fault::internal, "no memory for a host key");
    OwnedText blob(text);
    std::size_t from = pin.find(' ');
    same =
        from != std::string::npos && pin.substr(from + 1, pin.find(' ', from + 1) - from - 1) == blob.get();
  }
  if (same && !print.empty()) return {};
  return fail(Fault::denied, str("the host key is ", ssh_key_type_to_char(ssh_key_type(key.get())), " ",
                                 print, ", not the one in the configuration; nothing was sent"));
}

Result<> ReachSession::authenticate() {
  bool key = !request_.private_key.empty();
  Result<int> answer = key ? by_key() : by_password();
  if (!answer) return answer.error();
  switch (*answer) {
    case SSH_AUTH_SUCCESS:
      return {};
    case SSH_AUTH_PARTIAL:
      return fail(Fault::denied, str(request_.user, ": it wants more than a ", key ? "key" : "password"));
    case SSH_AUTH_DENIED:
      return fail(Fault::denied, str(request_.user, ": the ", key ? "key" : "password", " was refused"));
    default:
      return fail(Fault::unavailable, trouble());
  }
}

Result<int> ReachSession::by_key() {
  ssh_key given = nullptr;
  std::string text(request_.private_key.view());
  int imported = ssh_pki_import_privkey_base64(text.c_str(), nullptr, nullptr, nullptr, &given);
  base::wipe(text);
  if (imported != SSH_OK)
    return fail(Fault::denied, "the key file holds no private key that is known, without passphrase");
  OwnedKey key(given);
  return patiently(SSH_AUTH_AGAIN, [&] { return ssh_userauth_publickey(session_, nullptr, key.get()); });
}

// It is tried once, and by one method: a second try with the same would only come nearer to a lock.
Result<int> ReachSession::by_password() {
  Result<int> none = patiently(SSH_AUTH_AGAIN, [this] { return ssh_userauth_none(session_, nullptr); });
  if (!none || *none == SSH_AUTH_SUCCESS || *none == SSH_AUTH_ERROR) return none;
  int methods = ssh_userauth_list(session_, nullptr);
  if (methods & SSH_AUTH_METHOD_PASSWORD) {
    std::string text(request_.password.view());
    Result<int> answer =
        patiently(SSH_AUTH_AGAIN, [&] { return ssh_userauth_password(session_, nullptr, text.c_str()); });
    base::wipe(text);
    return answer;
  }
  if (methods & SSH_AUTH_METHOD_INTERACTIVE) return by_questions();
  return fail(Fault::denied, "it takes no password");
}

// RFC 4256. One hidden question is the password's; whatever else is asked is for a person.
Result<int> ReachSession::by_questions() {
  bool given = false;
  for (unsigned round = 0; round < kMostQuestions; ++round) {
    Result<int> answer =
        patiently(SSH_AUTH_AGAIN, [this] { return ssh_userauth_kbdint(session_, nullptr, nullptr); });
    if (!answer || *answer != SSH_AUTH_INFO) return answer;
    int questions = ssh_userauth_kbdint_getnprompts(session_);
    for (int i = 0; i < questions; ++i) {
      char echo = 0;
      ssh_userauth_kbdint_getprompt(session_, static_cast<unsigned>(i), &echo);
      if (echo || std::exchange(given, true))
        return fail(Fault::denied, str(request_.user, ": it asks for more than a password"));
      std::string text(request_.password.view());
      int taken = ssh_userauth_kbdint_setanswer(session_, static_cast<unsigned>(i), text.c_str());
      base::wipe(text);
      if (taken < 0) return fail(Fault::internal, trouble());
    }
  }
  return fail(Fault::denied, str(request_.user, ": it asks and asks"));
}

Result<> ReachSession::open_channel() {
  channel_ = ssh_channel_new(session_);
  if (!channel_) return fail(Fault::internal, "no memory for an SSH channel");
  bool terminal = request_.mode == ReachRequest::Mode::terminal;
  auto step = [this](auto call) -> Result<> {
    Result<int> answer = patiently(SSH_AGAIN, call);
    if (!answer) return answer.error();
    if (*answer != SSH_OK) return fail(Fault::unavailable, trouble());
    return {};
  };
  Result<> done = step([this] { return ssh_channel_open_session(channel_); });
  if (done && terminal)
    done = step([this] { return ssh_channel_request_pty_size(channel_, "vt100", kColumns, kRows); });
  if (done && terminal) done = step([this] { return ssh_channel_request_shell(channel_); });
  if (done && !terminal) done = step([this] { return ssh_channel_request_exec(channel_, "/bin/sh"); });
  return done;
}

// --- carrying
// ------------------------------------------------------------------------------------------------------

// False: there is nothing more to be had.
bool ReachSession::from_peer() {
  char piece[kPiece];
  // What a shell says of itself on stderr is in no conversation: it is read, so that it does not stop there.
  while (ssh_channel_read_nonblocking(channel_, piece, sizeof piece, 1) > 0) continue;
  int unread = ssh_channel_poll(channel_, 0);
  if (unread > kMostUnread) return false;
  if (to_core_.empty()) {
    int size = ssh_channel_read_nonblocking(channel_, piece, sizeof piece, 0);
    if (size > 0) to_core_.assign(piece, static_cast<std::size_t>(size));
    bool over =
        !ssh_is_connected(session_) || ssh_channel_is_eof(channel_) || ssh_channel_is_closed(channel_);
    if (size <= 0 && (over || size == SSH_ERROR)) return false;
  }
  while (!to_core_.empty()) {
    Result<std::size_t> sent = base::send_some(core_, to_core_);
    if (!sent) return sent.error().fault == Fault::again;
    to_core_.erase(0, *sent);
  }
  return true;
}

// libssh does not look at TCP: it is given more only when what it had is gone.
bool ReachSession::from_core() {
  if (to_peer_.empty()) {
    char piece[kPiece];
    Result<std::size_t> size = base::receive_some(core_, piece, sizeof piece);
    if (!size) return size.error().fault == Fault::again;
    to_peer_.assign(piece, *size);
  }
  if (ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) return true;
  std::size_t room = std::min<std::size_t>(to_peer_.size(), ssh_channel_window_size(channel_));
  if (room == 0) return true;
  int taken = ssh_channel_write(channel_, to_peer_.data(), static_cast<std::uint32_t>(room));
  if (taken == SSH_ERROR) return false;
  if (taken > 0) to_peer_.erase(0, static_cast<std::size_t>(taken));
  return true;
}

void ReachSession::carry() {
  while (true) {
    if (!from_peer() || !from_core()) return;
    // What is in memory already wakes nobody.
    bool more = to_core_.empty() && ssh_channel_poll(channel_, 0) != 0;
    short events = static_cast<short>((to_peer_.empty() ? POLLIN : 0) | (to_core_.empty() ? 0 : POLLOUT));
    if (!wait(events, more ? milliseconds(0) : kLookAgain)) return;
  }
}

}  // namespace oob::ssh

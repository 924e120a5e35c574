#include "ssh/libssh_guard.h"

#include <cstdarg>
#include <cstring>

#include "ssh/front.h"

namespace oob::ssh {
namespace {

constexpr const char* kAuthRequest = "Auth request for service %s";
constexpr const char* kChannelRequest = "Received a %s channel_request";

bool begins(const char* text, const char* with) { return std::strncmp(text, with, std::strlen(with)) == 0; }

// The requests that libssh makes typed messages of, or none when they are cut short: never UNKNOWN.
bool known_request(const char* name) {
  for (const char* known : {"pty-req", "window-change", "subsystem", "shell", "exec", "env", "x11-req"})
    if (std::strcmp(name, known) == 0) return true;
  return false;
}

}  // namespace

std::string libssh_version() { return ssh_version(0); }

Noting::Noting(PacketNotes& notes) : before_(ssh_get_log_userdata()) { ssh_set_log_userdata(&notes); }
Noting::~Noting() { ssh_set_log_userdata(before_); }

bool log_is_heard() {
  PacketNotes notes;
  Noting noting(notes);
  ssh_bind bind = ssh_bind_new();
  if (!bind) return false;
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BINDPORT_STR, "none");  // "No bind port was parsed"
  ssh_bind_free(bind);
  return notes.heard;
}

// The head of libssh 0.10's struct ssh_message_struct (include/libssh/messages.h), which has no accessors.
namespace {
struct MessageLayout {
  ssh_session session;
  int type;
  struct {
    char* username;
    int method;
    char* password;
    ssh_key pubkey;
    char* sigtype;
    int signature_state;
    char kbdint_response;
  } auth;
  struct {
    int type;
    std::uint32_t sender;
    std::uint32_t window;
    std::uint32_t packet_size;
  } open;
};
}  // namespace

bool sound_open(ssh_session session, ssh_message message, std::uint32_t& window) {
  MessageLayout layout;
  std::memcpy(&layout, static_cast<const void*>(message), sizeof layout);
  bool kind = layout.open.type == SSH_CHANNEL_SESSION || layout.open.type == SSH_CHANNEL_DIRECT_TCPIP;
  bool known = layout.session == session && layout.type == SSH_REQUEST_CHANNEL_OPEN && kind &&
               layout.open.type == ssh_message_subtype(message) && !layout.auth.username &&
               !layout.auth.pubkey && !layout.auth.sigtype;
  window = layout.open.window;
  return known && layout.open.packet_size >= kLeastPacket;
}

}  // namespace oob::ssh

// Takes the place of libssh's own: every log line of the library comes here. Only two are read.
extern "C" void _ssh_log(int verbosity, const char*, const char* format, ...) {
  if (verbosity != SSH_LOG_PACKET) return;
  auto* notes = static_cast<oob::ssh::PacketNotes*>(ssh_get_log_userdata());
  if (!notes) return;
  notes->heard = true;
  if (oob::ssh::begins(format, oob::ssh::kAuthRequest)) {
    ++notes->auth_requests;
  } else if (oob::ssh::begins(format, oob::ssh::kChannelRequest)) {
    va_list arguments;
    va_start(arguments, format);
    const char* name = va_arg(arguments, const char*);
    va_end(arguments);
    if (!oob::ssh::known_request(name)) notes->unknown_is_break.push_back(std::strcmp(name, "break") == 0);
  }
}

// Takes the place of the GSSAPI library's (RFC 2744, 5.17): no mechanism is there. Else a stranger's
// "gssapi-with-mic" would have libssh look for Kerberos keys, inside the loop and without end.
extern "C" unsigned gss_indicate_mechs(unsigned* minor, void** set) {
  *minor = 0;
  *set = nullptr;
  return 13u << 16;  // GSS_S_FAILURE
}

// What that failure means, in words (RFC 2744, 5.11): the library's own would read its files for them, and
// keep one open.
extern "C" unsigned gss_display_status(unsigned* minor, unsigned, int, void*, unsigned* context, void*) {
  *minor = 0;
  *context = 0;
  return 13u << 16;
}

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

// What the front and the core say to each other (docs/formats.md, "Front and core"). Three kinds of socket:
//
//  control   one SOCK_SEQPACKET pair; a packet is one message, and may carry one descriptor (SCM_RIGHTS)
//  session   one SOCK_STREAM pair for each SSH session channel, and each `oobd ctl`; a stream of frames
//  forward   one SOCK_STREAM pair for each forwarded TCP connection; its bytes and nothing else
//
// The core believes the front one thing only: that a signature by a key was verified. Whatever arrives here
// is parsed as if a stranger had sent it.
namespace oob::base::wire {

constexpr std::size_t kMostPayload = 64 * 1024;  // of one frame, and of one control message

// Builds and takes apart payloads: big-endian integers, and strings with a 32-bit length before them (RFC
// 4251, 5).
class Writer {
 public:
  Writer& u8(std::uint8_t value);
  Writer& u32(std::uint32_t value);
  Writer& u64(std::uint64_t value);
  Writer& text(Bytes value);
  std::string take() { return std::move(buffer_); }

 private:
  std::string buffer_;
};

// Reading past the end, or a string longer than what is left, makes ok() false for good and yields zeroes.
class Reader {
 public:
  explicit Reader(Bytes payload) : rest_(payload) {}
  std::uint8_t u8();
  std::uint32_t u32();
  std::uint64_t u64();
  Bytes text();  // valid as long as the payload
  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }  // all was read and nothing is left over

 private:
  Bytes take(std::size_t size);
  Bytes rest_;
  bool ok_ = true;
};

// --- control messages
// -------------------------------------------------------------------------------------------

enum class Control : std::uint8_t {
  // core to front
  setup = 1,    // Setup, once, first
  listen = 2,   // Listen, with the listening descriptor
  verdict = 3,  // Verdict on an Ask
  drop = 4,     // Drop: end a connection
  ping = 5,     // empty: are you there? answered by pong
  opened = 7,   // Opened: what became of a Forward
  deafen = 8,   // Deafen: a listener is closed; connections that came by it stay
  // front to core
  ready = 32,    // Ready: Setup was taken, listeners are served
  ask = 33,      // Ask: may this user come in with this key?
  session = 34,  // OpenSession, with the session socket
  closed = 35,   // Closed: a connection that had asked is gone
  remark = 36,   // Remark: something the log or the journal should know
  pong = 37,     // empty
  code = 38,     // Code: the answer to a Verdict's prompt
  forward = 39,  // Forward, with the socket whose bytes are to go there and back
  figures = 40,  // Figures, when they have changed, once a second at most
};

struct Setup {
  std::vector<std::string> host_keys;  // OpenSSH private keys, as in their files
  std::uint32_t grace_seconds = 30;    // from accept to the end of authentication
  std::uint32_t most_unauthenticated = 100;
  std::uint32_t most_per_source = 3;  // unauthenticated, per address
  std::uint32_t most_tries = 6;
  std::uint32_t most_channels = 10;  // per connection
  std::uint32_t most_connections = 500;
  bool penalties = true;                  // sources that fail again and again are kept out for a while
  std::vector<std::string> good_sources;  // base::source_of(): somebody logged in from there before
  std::string encode() const;
  static Result<Setup> decode(Bytes payload);
};

struct Ready {
  std::string sandbox;       // what the front has given up, for `status`: "seccomp, Landlock 7, uid nobody"
  std::string key_exchange;  // the algorithms that are offered, best first, parted by commas
  std::string encode() const;
  static Result<Ready> decode(Bytes payload);
};

struct Listen {
  // How those who come by it are known.
  enum class Way : std::uint8_t {
    tcp = 0,    // by their address
    onion = 1,  // a Unix socket of tor's: each connection begins with a line of the PROXY protocol, version
                // 1, whose source address is the circuit (HiddenServiceExportCircuitID haproxy in tor(1))
    home = 2,   // a Unix socket where our own call-home connection to one bastion ends: all who come by it
                // are one source
  };
  // For messages, and for Deafen: "192.0.2.1:2222", "0.0.0.0:2222%lte0", "unix:/run/oobd/onion.sock". No two
  // listeners have the same.
  std::string address;
  Way way = Way::tcp;
  std::string bastion{};  // for Way::home, and not empty there
  std::string encode() const;
  static Result<Listen> decode(Bytes payload);
};

struct Deafen {
  std::string address;  // as it was given with Listen
  std::string encode() const;
  static Result<Deafen> decode(Bytes payload);
};

struct Ask {
  std::uint64_t connection = 0;  // never reused while the core lives
  std::uint32_t number = 0;      // of the question, for the Verdict
  bool verified = false;  // false: a probe without signature (RFC 4252, 7); true: the signature is right
  std::string user;       // as the client sent it, up to 1 KiB
  std::string key;        // the public key blob, up to 16 KiB; a certificate is sent whole
  std::string peer;       // "192.0.2.9:50122" or "[2001:db8::9]:50122"
  std::string local;      // the address that was dialled
  std::string client;     // the client's version string, printable, up to 255 bytes
  std::string encode() const;
  static Result<Ask> decode(Bytes payload);
};

struct Verdict {
  std::uint64_t connection = 0;
  std::uint32_t number = 0;
  bool accept = false;
  bool no_pty = false;   // refuse pty-req on this connection
  bool further = false;  // not accept, but: the key is right, and a code is to be asked for as well
  std::string prompt;    // where further: what the person is shown before "Code: ", perhaps empty
  std::string encode() const;
  static Result<Verdict> decode(Bytes payload);
};

// The answer to keyboard-interactive (RFC 4256) after a Verdict with `further`. Judged by a Verdict that
// bears the same number.
struct Code {
  std::uint64_t connection = 0;
  std::uint32_t number = 0;  // counts on from the connection's Asks
  std::string code;          // as typed, up to 64 bytes
  std::string encode() const;
  static Result<Code> decode(Bytes payload);
};

// A direct-tcpip channel (RFC 4254, 7.2) is asked for. The socket that comes with it is a stream of the bare
// bytes; the core answers with Opened, and moves bytes once it has said yes.
struct Forward {
  std::uint64_t connection = 0;
  std::uint32_t number = 0;  // of the channel, for the Opened
  std::string host;          // as the client sent it, up to 255 bytes
  std::uint32_t port = 0;
  std::string origin;  // "127.0.0.1:50122": what the client says of itself, of no weight
  std::string encode() const;
  static Result<Forward> decode(Bytes payload);
};

struct Opened {
  std::uint64_t connection = 0;
  std::uint32_t number = 0;
  bool open = false;
  std::string encode() const;
  static Result<Opened> decode(Bytes payload);
};

// How the door is: of this front since it began.
struct Figures {
  std::uint32_t connections = 0;      // now, in or not
  std::uint32_t unauthenticated = 0;  // now
  std::uint32_t waiting = 0;          // now: accepted, not spoken to yet
  std::uint32_t penalised = 0;        // sources that are kept out now
  std::uint64_t accepted = 0;         // connections ever
  std::uint64_t kept_out = 0;         // refused because of a penalty
  std::uint64_t too_many = 0;         // refused or dropped because too many were not logged in
  std::uint64_t timed_out = 0;        // no login within the grace time
  std::uint64_t failed = 0;           // ended after refused keys or codes
  bool operator==(const Figures&) const = default;
  std::string encode() const;
  static Result<Figures> decode(Bytes payload);
};

struct Drop {
  std::uint64_t connection = 0;
  std::string why;  // shown to the client in the disconnect message
  std::string encode() const;
  static Result<Drop> decode(Bytes payload);
};

struct OpenSession {
  std::uint64_t connection = 0;
  std::string encode() const;
  static Result<OpenSession> decode(Bytes payload);
};

struct Closed {
  std::uint64_t connection = 0;
  std::string encode() const;
  static Result<Closed> decode(Bytes payload);
};

struct Remark {
  enum class Kind : std::uint8_t { log = 0, refused = 1 };
  Kind kind = Kind::log;
  std::string peer;  // empty where there is none
  std::string text;  // printable
  std::string encode() const;
  static Result<Remark> decode(Bytes payload);
};

// The control message inside a packet: its first byte, then the payload.
std::string packet(Control kind, Bytes payload = {});

// --- session frames
// ---------------------------------------------------------------------------------------------

enum class Frame : std::uint8_t {
  // to the core
  open = 1,    // Open, first and once
  data = 2,    // typed bytes
  eof = 3,     // nothing more will be typed
  resize = 4,  // u32 columns, u32 rows
  brk = 5,     // u32 milliseconds, 0: the line's default (RFC 4335)
  signal = 6,  // the SSH signal's name ("INT")
  // from the core
  out = 64,   // to the client's stdout
  err = 65,   // to the client's stderr
  exit = 66,  // u32 status; the core closes after it
};

struct Open {
  bool shell = false;      // no command was given
  bool subsystem = false;  // `command` is the name of one (RFC 4254, 6.5)
  bool pty = false;
  std::string command;
  std::string term;  // TERM of the pty
  std::uint32_t columns = 0, rows = 0;
  std::string encode() const;
  static Result<Open> decode(Bytes payload);
};

// A frame: u32 length of kind and payload, u8 kind, payload.
std::string frame(Frame kind, Bytes payload = {});
// The same, added to the end of `to`, cut into several frames where `payload` is longer than kMostPayload.
void add_frames(std::string& to, Frame kind, Bytes payload);

// Takes a byte stream apart into frames, whatever pieces it comes in. Holds at most one frame and what was
// fed.
class Frames {
 public:
  void feed(Bytes bytes) { buffer_.append(bytes); }
  // True: `kind` and `payload` are the next frame, valid until the next call. False: more bytes are needed.
  // An Error: the stream is broken; drop the socket.
  Result<bool> next(Frame& kind, Bytes& payload);
  std::size_t held() const { return buffer_.size() - start_; }

 private:
  std::string buffer_;
  std::size_t start_ = 0;
};

}  // namespace oob::base::wire

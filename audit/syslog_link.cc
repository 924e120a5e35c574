#include "audit/syslog_link.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/bind_device.h"
#include "base/tcp_queue.h"

namespace oob::audit {

using base::Error;
using base::Fault;
using base::milliseconds;
using base::printable;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kTlsRecord = 16 * 1024;  // of one SSL_write: a TLS record
constexpr std::size_t kAskAfter = 64 * 1024;   // bytes: the next KeyUpdate need not wait
constexpr std::size_t kMostAsks = 64;          // KeyUpdates that are unanswered
constexpr unsigned char kKeyUpdate = 24;       // RFC 8446, 4
constexpr std::size_t kMostHeard = 64 * 1024;  // bytes, in the life of a connection

std::uint64_t in_socket(SSL* ssl) { return BIO_number_written(SSL_get_wbio(ssl)); }

Result<socklen_t> socket_address(std::string_view text, sockaddr_storage& to) {
  Error wrong = base::fail(Fault::config, str(printable(text), ": not ADDRESS:PORT"));
  std::size_t colon = text.rfind(':');
  std::uint16_t port = 0;
  if (colon == std::string_view::npos || !base::parse_number(text.substr(colon + 1), port)) return wrong;
  std::string host(text.substr(0, colon));
  to = {};
  if (!host.starts_with('[')) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) != 1) return wrong;
    std::memcpy(&to, &v4, sizeof v4);
    return socklen_t{sizeof v4};
  }
  if (!host.ends_with(']')) return wrong;
  host = host.substr(1, host.size() - 2);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (std::size_t percent = host.find('%'); percent != std::string::npos) {
    v6.sin6_scope_id = ::if_nametoindex(host.c_str() + percent + 1);
    if (v6.sin6_scope_id == 0)
      return base::fail(Fault::unavailable, str("no interface ", printable(host.substr(percent + 1), 40)));
    host.resize(percent);
  }
  if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) return wrong;
  std::memcpy(&to, &v6, sizeof v6);
  return socklen_t{sizeof v6};
}

// A link that is dead must be found out while nothing is sent, too.
void keep_alive(int fd) {
  auto set = [fd](int level, int option, int value) {
    // Where the system does not know it, the stall limit is left.
    (void)::setsockopt(fd, level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_NODELAY, 1);
#ifdef TCP_KEEPIDLE
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
#endif
}

}  // namespace

SyslogLink::SyslogLink(base::Loop& loop, SyslogTrust trust, Limits limits, Calls calls, std::string interface)
    : loop_(loop),
      trust_(std::move(trust)),
      limits_(limits),
      calls_(std::move(calls)),
      interface_(std::move(interface)),
      limit_(loop),
      tick_(loop) {
  start();
}

SyslogLink::~SyslogLink() {
  watch_.reset();
  if (!up_ || over_) return;
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

void SyslogLink::start() {
  auto later = [this](std::string why) {
    limit_.after(milliseconds(0), [this, why = std::move(why)] { fail(why); });
  };
  sockaddr_storage address;
  Result<socklen_t> size = socket_address(trust_.settings().server, address);
  if (!size) return later(size.error().what);
  socket_.reset(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_) return later(base::system_error("socket").what);
  if (Result<> bound = base::bind_device(socket_.get(), interface_); !bound) return later(bound.error().what);
  keep_alive(socket_.get());
  Result<SslPtr> ssl = trust_.client(socket_.get(), &certificate_trouble_);
  if (!ssl) return later(ssl.error().what);
  ssl_ = std::move(*ssl);
  SSL_set_msg_callback(ssl_.get(), &SyslogLink::on_message);
  SSL_set_msg_callback_arg(ssl_.get(), this);
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), *size) < 0 &&
      errno != EINPROGRESS)
    return later(base::system_error("connect").what);
  watch_ = std::make_unique<base::Watch>(loop_, socket_.get());
  watch_->writable([this] { connected(); });
  limit_.after(limits_.connect, [this] { fail("no answer to the connect"); });
}

void SyslogLink::connected() {
  int number = 0;
  socklen_t size = sizeof number;
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &number, &size) < 0) number = errno;
  if (number != 0) return fail(base::system_error("connect", number).what);
  limit_.after(limits_.handshake, [this] { fail("the TLS handshake does not come to its end"); });
  shake();
}

void SyslogLink::shake() {
  ERR_clear_error();
  int returned = SSL_connect(ssl_.get());
  if (returned == 1) return established();
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ:
      return watch_->readable([this] { shake(); });
    case SSL_ERROR_WANT_WRITE:
      return watch_->writable([this] { shake(); });
    default:
      fail(why_handshake(returned));
  }
}

void SyslogLink::established() {
  limit_.cancel();
  up_ = true;
  if (SSL_version(ssl_.get()) < TLS1_3_VERSION) asking_ = Asking::never;
  auto alive = life_.wrap([this] { pump(); });
  calls_.up();
  alive();
}

// Everything that can be done without waiting: reads, asks, writes; then waits for what stopped it.
void SyslogLink::pump() {
  if (over_ || pumping_) return;
  pumping_ = true;
  std::size_t before = queued();
  bool fine = read() && write() && ask();
  pumping_ = false;
  if (!fine) return;
  if (!watch_->waits_readable()) watch_->readable([this] { pump(); });
  if ((queued() > 0 || ask_unsent_) && !watch_->waits_writable()) watch_->writable([this] { pump(); });
  arm();
  std::uint64_t read_up_to = 0;
  for (; answers_ > 0; --answers_) {
    if (asks_.size() <= (ask_unsent_ ? 1U : 0U)) continue;
    read_up_to = asks_.front();
    asks_.pop_front();
    asking_ = Asking::answered;
  }
  auto more = life_.wrap([this, smaller = queued() < before] {
    if (smaller && !over_) calls_.room();
  });
  if (read_up_to > 0) confirm(read_up_to);
  more();
}

// What the server says is not looked at (RFC 5425 has nothing for it to say); its end is. One that goes on
// and on is no collector, and would keep the loop.
bool SyslogLink::read() {
  char bytes[4096];
  while (true) {
    ERR_clear_error();
    int got = SSL_read(ssl_.get(), bytes, sizeof bytes);
    if (got > 0) {
      heard_ += static_cast<std::size_t>(got);
      if (heard_ <= kMostHeard) continue;
      fail("it sends more than a collector has to say");
      return false;
    }
    int error = SSL_get_error(ssl_.get(), got);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return true;
    return went_wrong(got, "read");
  }
}

bool SyslogLink::write() {
  while (queued() > 0 && !ask_unsent_) {
    ERR_clear_error();
    int took = SSL_write(ssl_.get(), out_.data() + out_at_, static_cast<int>(std::min(queued(), kTlsRecord)));
    write_wants_ = took <= 0;
    if (took <= 0) {
      int error = SSL_get_error(ssl_.get(), took);
      if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return true;
      return went_wrong(took, "write");
    }
    progress_ = base::Clock::now();
    out_at_ += static_cast<std::size_t>(took);
    written_ += static_cast<std::size_t>(took);
    marks_.push_back({written_, in_socket(ssl_.get()), progress_});
    if (queued() == 0 || out_at_ > kAskAfter) {
      out_.erase(0, out_at_);
      out_at_ = 0;
    }
  }
  return true;
}

// A KeyUpdate that asks for one, behind what was written so far.
bool SyslogLink::ask() {
  if (asking_ == Asking::never || write_wants_) return true;
  if (!ask_unsent_) {
    Time now = base::Clock::now();
    std::uint64_t unread = written_ - delivered_;
    bool first = asks_.empty() && (unread >= kAskAfter || now - asked_at_ >= limits_.ask);
    bool again = !asks_.empty() && asks_.size() < kMostAsks && now - asked_at_ >= limits_.ask_again;
    if (unread == 0 || (!first && !again)) return true;
    if (SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED) != 1) {
      ERR_clear_error();
      asking_ = Asking::never;
      return true;
    }
    if (first) first_asked_at_ = now;
    asks_.push_back(written_);
    ask_unsent_ = true;
    asked_at_ = now;
  }
  ERR_clear_error();
  int done = SSL_do_handshake(ssl_.get());
  if (done == 1) {
    ask_unsent_ = false;
    return write();
  }
  int error = SSL_get_error(ssl_.get(), done);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return true;
  return went_wrong(done, "write");
}

// RFC 8446, 4.6.3: a KeyUpdate of the server. One that it sends unasked is rare, and would count as an
// answer only while one is due.
void SyslogLink::on_message(int is_write, int, int type, const void* bytes, std::size_t size, SSL*,
                            void* link) {
  if (is_write || type != SSL3_RT_HANDSHAKE || size < 1) return;
  if (*static_cast<const unsigned char*>(bytes) == kKeyUpdate) ++static_cast<SyslogLink*>(link)->answers_;
}

void SyslogLink::send(base::Bytes bytes) {
  if (marks_.empty() && queued() == 0) progress_ = base::Clock::now();
  out_ += bytes;
  pump();
}

void SyslogLink::arm() {
  if (marks_.empty() && queued() == 0) return tick_.cancel();
  milliseconds step = std::min({limits_.ask, limits_.settled, limits_.stalled / 4});
  if (!tick_.waiting()) tick_.after(std::max(step, milliseconds(10)), [this] { look(); });
}

// What time has made of what is under way.
void SyslogLink::look() {
  Time now = base::Clock::now();
  if (asking_ == Asking::unknown && !asks_.empty() && now - first_asked_at_ > limits_.unanswered)
    asking_ = Asking::never;
  std::uint64_t wire = in_socket(ssl_.get());
  std::optional<std::size_t> waiting = base::unacknowledged(socket_.get());
  if (waiting) {
    // Its kernel takes it, though its program may not read: that is known by the answers alone.
    bool moved = !marks_.empty() && marks_.front().wire <= wire - std::min<std::uint64_t>(wire, *waiting);
    if (moved && asking_ == Asking::never) progress_ = now;
  }
  if ((!marks_.empty() || queued() > 0) && now - progress_ > limits_.stalled)
    return fail(str("it takes nothing: stalled for ", limits_.stalled.count() / 1000, " s"));
  std::uint64_t settled = 0;
  if (asking_ == Asking::never) {
    // Where the system does not tell what is acknowledged, time has to do for both.
    auto patience = waiting ? limits_.settled : limits_.unanswered;
    std::uint64_t acknowledged = wire - std::min<std::uint64_t>(wire, waiting.value_or(0));
    for (const Mark& mark : marks_) {
      if (mark.wire > acknowledged || now - mark.when < patience) break;
      settled = mark.plain;
    }
  }
  auto alive = life_.wrap([this] { pump(); });
  if (settled > 0) confirm(settled);
  alive();
}

void SyslogLink::confirm(std::uint64_t plain) {
  if (over_ || plain <= delivered_) return;
  delivered_ = plain;
  while (!marks_.empty() && marks_.front().plain <= plain) marks_.pop_front();
  progress_ = base::Clock::now();
  calls_.delivered(plain);
}

bool SyslogLink::went_wrong(int returned, std::string_view doing) {
  int number = errno;
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_ZERO_RETURN:
      fail("closed by the server");
      break;
    case SSL_ERROR_SYSCALL:
      fail(number == 0 ? std::string("closed by the server") : base::system_error(doing, number).what);
      break;
    default: {
      bool cut = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
      std::string reason = tls_error();
      fail(cut ? std::string("the connection was cut off by the server") : str("TLS: ", reason));
    }
  }
  return false;
}

std::string SyslogLink::why_handshake(int returned) const {
  int number = errno;
  if (!certificate_trouble_.empty()) {
    ERR_clear_error();
    return certificate_trouble_;
  }
  if (SSL_get_error(ssl_.get(), returned) == SSL_ERROR_SYSCALL && number != 0)
    return base::system_error("TLS handshake", number).what;
  // The server's alert about our own certificate is here, in TLS 1.2.
  return str("TLS handshake: ", tls_error());
}

void SyslogLink::fail(std::string why) {
  if (over_) return;
  over_ = true;
  limit_.cancel();
  tick_.cancel();
  if (watch_) watch_->cancel();
  auto down = std::move(calls_.down);
  calls_.down = nullptr;
  std::string by = interface_.empty() ? "" : str(" by ", printable(interface_, 40));
  // Later: whoever is told may destroy this object, and its callers are still in it.
  loop_.post(life_.wrap([down = std::move(down), what = str(trust_.settings().server, by, ": ", why)] {
    down(base::fail(Fault::unavailable, what));
  }));
}

}  // namespace oob::audit

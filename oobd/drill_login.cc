#include "oobd/drill_login.h"

#include <netdb.h>
#include <openssl/rand.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "auth/public_key.h"
#include "base/peer_address.h"
#include "base/unix_socket.h"
#include "console/drill_probe.h"

namespace oob {

using base::fail;
using base::Fault;
using base::Fd;
using base::Result;
using base::str;

namespace {

// What ssh/proxy_line takes, of the last circuit that tor would ever number.
constexpr const char* kOwnCircuit = "PROXY TCP6 fc00:dead:beef:4dad::ffff:ffff ::1 1 22\r\n";

std::string drawn() {
  std::string bytes(48, '\0');
  // Without luck it is zeroes, which nothing secret depends on.
  (void)RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  return bytes;
}

// Who listens everywhere listens at home.
std::string dialled(const std::string& address) {
  if (address.starts_with("0.0.0.0:")) return "127.0.0.1" + address.substr(7);
  if (address.starts_with("[::]:")) return "[::1]" + address.substr(4);
  return address;
}

// A socket that is connected, or about to be.
Result<Fd> way_to(const std::string& address) {
  if (is_unix(address)) return base::connect_unix(address.substr(kUnixPrefix.size()));
  std::string there = dialled(address), port = there.substr(there.rfind(':') + 1);
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  if (::getaddrinfo(base::address_of(there).c_str(), port.c_str(), &hints, &found) != 0)
    return fail(Fault::unavailable, "not a numeric address with a port");
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> hold(found, ::freeaddrinfo);
  Fd socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return base::system_error("socket");
  if (::connect(socket.get(), found->ai_addr, found->ai_addrlen) < 0 && errno != EINPROGRESS)
    return base::system_error("connect");
  return socket;
}

}  // namespace

DrillLogin::DrillLogin(base::Loop& loop, std::vector<std::string> own, base::milliseconds slow,
                       base::milliseconds limit)
    : loop_(loop), own_(std::move(own)), slow_(slow), patience_(limit), limit_(loop) {}

void DrillLogin::look(const std::string& address, Listener::Way way, Done done) {
  life_.renew();
  watch_.reset();
  address_ = address;
  way_ = way;
  done_ = std::move(done);
  since_ = base::Clock::now();
  look_.emplace(drawn());
  Result<Fd> socket = way_to(address);
  if (!socket)
    return loop_.post(
        life_.wrap([this, error = socket.error()] { end(fail(Fault::unavailable, error.what)); }));
  socket_ = std::move(*socket);
  watch_ = std::make_unique<base::Watch>(loop_, socket_.get());
  watch_->writable([this] { connected(); });
  limit_.after(patience_,
               [this] { end(fail(Fault::unavailable, str("no answer within ", patience_.count(), " ms"))); });
}

void DrillLogin::connected() {
  int number = 0;
  socklen_t size = sizeof number;
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &number, &size) < 0) number = errno;
  if (number != 0) return end(fail(Fault::unavailable, base::system_error("connect", number).what));
  watch_->readable([this] { hear(); });
  send(str(way_ == Listener::Way::onion ? kOwnCircuit : "", look_->hello()));
}

// It is little, and the socket is empty.
void DrillLogin::send(base::Bytes bytes) {
  if (bytes.empty() || !done_) return;
  Result<std::size_t> sent = base::send_some(socket_.get(), bytes);
  if (!sent || *sent != bytes.size()) end(fail(Fault::unavailable, "it takes nothing"));
}

void DrillLogin::hear() {
  char bytes[8192];
  Result<std::size_t> size = base::receive_some(socket_.get(), bytes, sizeof bytes);
  if (!size) {
    if (size.error().fault == Fault::again) return watch_->readable([this] { hear(); });
    return end(
        fail(Fault::unavailable, "it hung up; too many connections, perhaps ('status' tells of the front)"));
  }
  Result<std::string> answer = look_->feed(base::Bytes(bytes, *size));
  if (!answer) return end(answer.error());
  if (!look_->key().empty()) {
    if (std::find(own_.begin(), own_.end(), look_->key()) != own_.end()) return end({});
    return end(fail(Fault::denied, str("another host answers there: ", auth::fingerprint_of(look_->key()))));
  }
  watch_->readable([this] { hear(); });
  send(*answer);
}

void DrillLogin::end(Result<> result) {
  limit_.cancel();
  watch_.reset();
  socket_.reset();
  Done done = std::exchange(done_, nullptr);
  if (!done) return;
  if (!result) return done(base::wrap(address_, result.error()));
  auto took = std::chrono::duration_cast<std::chrono::microseconds>(base::Clock::now() - since_);
  std::string shown = str(address_, " shows this board's key after ", console::drill_seconds(took.count()));
  if (took > slow_)
    return done(fail(Fault::failed, str(shown, ", which is too long: is the board overloaded?")));
  done(shown);
}

}  // namespace oob

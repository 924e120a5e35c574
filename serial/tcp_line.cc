#include "serial/tcp_line.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "serial/settings.h"
#include "serial/tcp_options.h"

namespace oob::serial {

using base::fail;
using base::Fault;
using base::Fd;
using base::Result;
using base::str;
using base::system_error;

namespace {

Result<socklen_t> socket_address(const Endpoint& endpoint, sockaddr_storage& to) {
  if (!endpoint.ipv6) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.address.data(), sizeof v4.sin_addr);
    std::memcpy(&to, &v4, sizeof v4);
    return socklen_t{sizeof v4};
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(endpoint.port);
  std::memcpy(&v6.sin6_addr, endpoint.address.data(), sizeof v6.sin6_addr);
  if (!endpoint.zone.empty()) {
    v6.sin6_scope_id = ::if_nametoindex(endpoint.zone.c_str());
    if (v6.sin6_scope_id == 0)
      return fail(Fault::unavailable, str("no interface ", base::printable(endpoint.zone, 40)));
  }
  std::memcpy(&to, &v6, sizeof v6);
  return socklen_t{sizeof v6};
}

}  // namespace

TcpLine::TcpLine(base::Loop& loop, std::string address)
    : FdLine(loop, Kind::socket), address_(std::move(address)), limit_(loop) {}

Result<Fd> TcpLine::start_connect() {
  Result<Endpoint> endpoint = parse_endpoint(address_);
  if (!endpoint) return endpoint.error();
  sockaddr_storage address{};
  Result<socklen_t> size = socket_address(*endpoint, address);
  if (!size) return base::wrap(address_, size.error());
  Fd socket(::socket(endpoint->ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail(Fault::unavailable, system_error(address_).what);
  set_tcp_options(socket.get());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), *size) < 0 && errno != EINPROGRESS)
    return fail(Fault::unavailable, system_error(address_).what);
  return socket;
}

void TcpLine::open(std::function<void(Result<>)> done) {
  close();
  done_ = std::move(done);
  Result<Fd> socket = start_connect();
  if (!socket) {
    limit_.after(base::milliseconds(0), [this, error = socket.error()] { answer(error); });
    return;
  }
  socket_ = std::move(*socket);
  connecting_.emplace(loop(), socket_.get());
  connecting_->writable([this] { finish(); });
  limit_.after(kConnectLimit, [this] {
    answer(
        fail(Fault::unavailable, str(address_, ": no answer within ", kConnectLimit.count() / 1000, " s")));
  });
}

void TcpLine::finish() {
  int number = 0;
  socklen_t size = sizeof number;
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &number, &size) < 0) number = errno;
  if (number != 0) return answer(fail(Fault::unavailable, system_error(address_, number).what));
  connecting_.reset();
  attach(socket_.get());
  connected();
  answer({});
}

void TcpLine::answer(Result<> outcome) {
  limit_.cancel();
  connecting_.reset();
  if (!outcome) socket_.reset();
  auto done = std::move(done_);
  done_ = nullptr;
  done(std::move(outcome));
}

Result<> TcpLine::send_break(unsigned) {
  return fail(Fault::unavailable, "a raw TCP connection has no break; telnet has");
}

void TcpLine::close() {
  done_ = nullptr;
  limit_.cancel();
  connecting_.reset();
  detach();
  socket_.reset();
}

void TcpLine::wait_return(std::function<void()>) {}

std::string TcpLine::describe() const { return str("tcp ", address_); }

}  // namespace oob::serial

#include "tests/bmc/line_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace oob::test {

namespace {

constexpr std::size_t kOutMost = 65536;

}  // namespace

LineSocket::LineSocket(base::Loop& loop, std::function<void(Bytes)> hears)
    : loop_(loop), hears_(std::move(hears)) {}

LineSocket::~LineSocket() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

base::Result<> LineSocket::listen_unix(const std::string& path) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (path.size() >= sizeof at.sun_path) return base::fail(base::Fault::usage, path + ": too long");
  std::memcpy(at.sun_path, path.data(), path.size());
  ::unlink(path.c_str());
  listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener_ || ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 ||
      ::listen(listener_.get(), 4) != 0)
    return base::system_error(path);
  path_ = path;
  wait();
  return {};
}

base::Result<> LineSocket::listen_tcp(const std::string& address, const std::string& port) {
  sockaddr_in at{};
  std::uint16_t number = 0;
  at.sin_family = AF_INET;
  std::string where = address + ":" + port;
  if (!base::parse_number(port, number) || inet_pton(AF_INET, address.c_str(), &at.sin_addr) != 1)
    return base::fail(base::Fault::usage, where + ": no IPv4 address and port");
  at.sin_port = htons(number);
  listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  int yes = 1;
  if (!listener_ || ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 ||
      ::listen(listener_.get(), 4) != 0)
    return base::system_error(where);
  wait();
  return {};
}

void LineSocket::wait() {
  if (!listener_watch_) listener_watch_ = std::make_unique<base::Watch>(loop_, listener_.get());
  listener_watch_->readable([this] {
    int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      hang_up();
      visitor_.reset(fd);
      visitor_watch_ = std::make_unique<base::Watch>(loop_, fd);
      visitor_watch_->readable([this] { read(); });
    }
    wait();
  });
}

void LineSocket::hang_up() {
  visitor_watch_.reset();
  visitor_.reset();
  out_.clear();
}

void LineSocket::read() {
  char buffer[4096];
  ssize_t size = ::read(visitor_.get(), buffer, sizeof buffer);
  if (size <= 0) return hang_up();
  hears_(Bytes(buffer, static_cast<std::size_t>(size)));
  if (visitor_watch_) visitor_watch_->readable([this] { read(); });
}

void LineSocket::say(Bytes bytes) {
  if (!visitor_ || out_.size() + bytes.size() > kOutMost) return;
  out_ += bytes;
  write();
}

void LineSocket::write() {
  ssize_t size = ::send(visitor_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
  if (size > 0) out_.erase(0, static_cast<std::size_t>(size));
  if (!out_.empty() && visitor_watch_ && !visitor_watch_->waits_writable())
    visitor_watch_->writable([this] { write(); });
}

}  // namespace oob::test

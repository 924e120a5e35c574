#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/loop.h"
#include "console/line.h"
#include "tests/support/support.h"

// What the tests of lines share.
namespace oob::test {

// Opens `line` and runs the loop until it answers.
inline base::Result<> open_line(base::Loop& loop, console::Line& line) {
  std::optional<base::Result<>> outcome;
  line.open([&outcome](base::Result<> result) { outcome = std::move(result); });
  EXPECT_FALSE(outcome) << "answered from inside the call";
  run_until(loop, [&] { return outcome.has_value(); });
  if (!outcome) return base::fail(base::Fault::internal, "open() did not answer");
  return *outcome;
}

// Reads until `enough` is there or the line fails (its text is then in `error`).
inline std::string hear(base::Loop& loop, console::Line& line, std::size_t enough,
                        std::string* error = nullptr) {
  std::string heard;
  bool failed = false;
  std::function<void()> read = [&] {
    char buffer[4096];
    while (heard.size() < enough && !failed) {
      base::Result<std::size_t> got = line.read(buffer, sizeof buffer);
      if (got) {
        heard.append(buffer, *got);
      } else if (got.error().fault == base::Fault::again) {
        return line.wait_readable(read);
      } else {
        failed = true;
        if (error) *error = got.error().what;
      }
    }
  };
  read();
  run_until(loop, [&] { return failed || heard.size() >= enough; });
  if (!failed) line.wait_readable(nullptr);
  return heard;
}

// Why the line fails when it is read now.
inline std::string loss(base::Loop& loop, console::Line& line) {
  std::string error;
  hear(loop, line, std::string::npos, &error);
  return error;
}

// Writes all of `bytes`, waiting for room as often as need be. `meanwhile` is called while waiting.
inline bool say(
    base::Loop& loop, console::Line& line, const std::string& bytes,
    const std::function<void()>& meanwhile = [] {}) {
  std::size_t done = 0;
  bool failed = false;
  std::function<void()> write = [&] {
    while (done < bytes.size()) {
      base::Result<std::size_t> put = line.write(base::Bytes(bytes).substr(done));
      if (put) {
        done += *put;
      } else if (put.error().fault == base::Fault::again) {
        return line.wait_writable(write);
      } else {
        failed = true;
        return;
      }
    }
  };
  write();
  run_until(loop, [&] {
    meanwhile();
    return failed || done == bytes.size();
  });
  return done == bytes.size();
}

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

// A TCP listener on 127.0.0.1 (or ::1) and some free port. With a backlog below 0 it has the port and does
// not listen: whoever comes is refused, and nobody else gets the port meanwhile, but who says SO_REUSEADDR
// too.
struct Listener {
  explicit Listener(int backlog = 16, bool ipv6 = false) {
    socket.reset(::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_storage name{};
    if (ipv6) {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&name);
      v6->sin6_family = AF_INET6;
      v6->sin6_addr = in6addr_loopback;
    } else {
      auto* v4 = reinterpret_cast<sockaddr_in*>(&name);
      v4->sin_family = AF_INET;
      v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    socklen_t size = ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    auto* plain = reinterpret_cast<sockaddr*>(&name);
    int yes = 1;
    if (backlog < 0) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(socket.get(), plain, size) < 0 || (backlog >= 0 && ::listen(socket.get(), backlog) < 0) ||
        ::getsockname(socket.get(), plain, &size) < 0)
      ADD_FAILURE() << "listen on loopback";
    int port = ntohs(ipv6 ? reinterpret_cast<sockaddr_in6*>(&name)->sin6_port
                          : reinterpret_cast<sockaddr_in*>(&name)->sin_port);
    address = (ipv6 ? "[::1]:" : "127.0.0.1:") + std::to_string(port);
  }
  // The next visitor, not blocking afterwards.
  base::Fd accept(base::Loop& loop) {
    base::Fd visitor;
    run_until(loop, [&] {
      visitor.reset(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      return static_cast<bool>(visitor);
    });
    return visitor;
  }
  base::Fd socket;
  std::string address;
};

// Takes what has arrived at `socket` until `enough` bytes are there.
inline std::string take(base::Loop& loop, int socket, std::size_t enough) {
  std::string taken;
  run_until(loop, [&] {
    char buffer[4096];
    ssize_t size = ::recv(socket, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size > 0) taken.append(buffer, static_cast<std::size_t>(size));
    return taken.size() >= enough;
  });
  return taken;
}

}  // namespace oob::test

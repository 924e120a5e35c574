#include "ssh/circuits.h"

#include <sys/socket.h>

#include <cerrno>

namespace oob::ssh {

Circuits::Circuits(base::Loop& loop, base::milliseconds patience,
                   std::function<void(base::Fd, std::uint32_t)> named, std::function<void()> refused)
    : loop_(loop),
      patience_(patience),
      named_(std::move(named)),
      refused_(std::move(refused)),
      timer_(loop) {}

void Circuits::take(base::Fd socket) {
  if (entries_.size() >= kMost) drop(entries_.begin());
  entries_.emplace_back(loop_, std::move(socket));
  if (!timer_.waiting()) look();
  read(std::prev(entries_.end()));
}

// What is looked at and belongs to SSH stays in the socket.
void Circuits::read(Entries::iterator entry) {
  char bytes[ProxyLine::kMost];
  while (entry->line.state() == ProxyLine::State::more) {
    ssize_t size = ::recv(entry->fd.get(), bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return entry->watch.readable([this, entry] { read(entry); });
    if (size <= 0) return drop(entry);
    std::size_t taken = entry->line.feed(base::Bytes(bytes, static_cast<std::size_t>(size)));
    if (::recv(entry->fd.get(), bytes, taken, MSG_DONTWAIT) != static_cast<ssize_t>(taken))
      return drop(entry);
  }
  if (entry->line.state() == ProxyLine::State::wrong) return drop(entry);
  entry->watch.cancel();
  base::Fd socket = std::move(entry->fd);
  const std::uint32_t circuit = entry->line.circuit();
  entries_.erase(entry);
  named_(std::move(socket), circuit);
}

void Circuits::drop(Entries::iterator entry) {
  entries_.erase(entry);
  refused_();
}

void Circuits::look() {
  const base::Clock::time_point now = base::Clock::now();
  while (!entries_.empty() && now - entries_.front().since >= patience_) drop(entries_.begin());
  if (!entries_.empty()) timer_.at(entries_.front().since + patience_, [this] { look(); });
}

}  // namespace oob::ssh

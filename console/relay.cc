#include "console/relay.h"

#include <poll.h>
#include <sys/socket.h>

#include <utility>

#include "base/unix_socket.h"

namespace oob::console {

using base::Bytes;
using base::Fault;
using base::Result;
using base::str;

namespace {
constexpr int kPieces = 4;  // of one way in one turn, so that others have theirs
constexpr base::milliseconds kLook{500};
}  // namespace

Relay::Side::Side(base::Loop& loop, base::Fd socket, std::string what)
    : name(std::move(what)), fd(std::move(socket)), watch(loop, fd.get()) {}

Relay::Relay(base::Loop& loop, base::Fd client, base::Fd bmc, std::string& scratch,
             std::function<void(const std::string& why)> over)
    : client_(loop, std::move(client), "the client"),
      bmc_(loop, std::move(bmc), "the BMC"),
      in_(client_, bmc_),
      out_(bmc_, client_),
      scratch_(scratch),
      over_(std::move(over)),
      look_(loop),
      again_(loop) {}

void Relay::because(const std::string& why) {
  if (why_.empty()) why_ = why;
}

// Hands bytes on, and keeps what is not taken.
void Relay::put(Way& way, Bytes bytes) {
  Result<std::size_t> sent = base::send_some(way.to.fd.get(), bytes);
  std::size_t size = sent ? *sent : 0;
  way.moved += size;
  if (!sent && sent.error().fault != Fault::again) {
    because(str("closed by ", way.to.name));
    way.done = true;
    way.held = {};
    way.sent = 0;
    return;
  }
  if (!way.held.empty()) {
    way.sent += size;
    if (way.sent < way.held.size()) return;
    way.held = {};  // gives its memory back
    way.sent = 0;
  } else if (size < bytes.size()) {
    way.held = bytes.substr(size);
  }
}

// Reads some more. False: there is nothing now.
bool Relay::take(Way& way) {
  Result<std::size_t> size = base::receive_some(way.from.fd.get(), scratch_.data(), kPiece);
  if (size) {
    if (!way.done) put(way, Bytes(scratch_.data(), *size));
    return true;
  }
  if (size.error().fault == Fault::again) return false;
  way.read_all = true;
  if (size.error().fault == Fault::end) {
    because(str("closed by ", way.from.name));
  } else {
    because(str("broken by ", way.from.name, ": ", size.error().what));
    (&way == &in_ ? out_ : in_).done = true;  // there is nobody to write to
  }
  return true;
}

// True: there may be more to do at once.
bool Relay::move(Way& way) {
  for (int i = 0; i < kPieces; ++i) {
    if (!way.held.empty()) {
      put(way, Bytes(way.held).substr(way.sent));
      if (!way.held.empty()) {
        if (!way.to.watch.waits_writable()) way.to.watch.writable([this] { serve(); });
        return false;
      }
    }
    if (way.read_all) {
      // RFC 4254, 5.3: an end of one way says nothing of the other.
      if (!way.done) ::shutdown(way.to.fd.get(), SHUT_WR);
      way.done = true;
      return false;
    }
    if (!take(way)) {
      if (!way.from.watch.waits_readable()) way.from.watch.readable([this] { serve(); });
      return false;
    }
  }
  return true;
}

void Relay::serve() {
  if (!over_) return;
  bool more = move(in_);
  more = move(out_) || more;
  bool client_silent = in_.read_all || !in_.held.empty();
  if (client_silent && !look_.waiting()) {
    look_after_client();
    look_.after(kLook, [this] { serve(); });
  }
  bool too_late = gone_ && base::Clock::now() - gone_->since > kLastWords;
  if ((in_.done && out_.done) || too_late) return end();
  if (more) again_.after(base::milliseconds(0), [this] { serve(); });
}

// A socket that was closed looks like one whose bytes have ended, or is not read while the BMC stalls.
void Relay::look_after_client() {
  pollfd look{client_.fd.get(), 0, 0};
  if (!gone_ && ::poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR))) {
    because(str("closed by ", client_.name));
    out_.done = true;
    out_.held = {};
    out_.sent = 0;
    gone_ = {base::Clock::now(), in_.moved};
  }
  if (gone_ && gone_->moved != in_.moved) gone_ = {base::Clock::now(), in_.moved};
}

void Relay::end() {
  client_.watch.cancel();
  bmc_.watch.cancel();
  look_.cancel();
  again_.cancel();
  auto over = std::exchange(over_, nullptr);
  over(std::string(why_));  // may be the end of this
}

}  // namespace oob::console

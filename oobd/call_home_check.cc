#include "oobd/call_home_check.h"

#include <openssl/rand.h>

#include <algorithm>

#include "auth/public_key.h"
#include "base/unix_socket.h"

namespace oob {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

std::string by_lot() {
  std::string bytes(48, '\0');
  // Without luck it is zeroes, which nothing secret depends on.
  (void)RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  return bytes;
}

}  // namespace

CallHomeCheck::CallHomeCheck(base::Loop& loop, const std::string& path, std::vector<std::string> own,
                             base::milliseconds limit, std::function<void(Result<>)> done)
    : own_(std::move(own)), done_(std::move(done)), limit_(loop), look_(by_lot()) {
  Result<base::Fd> socket = base::connect_unix(path);
  if (!socket) {
    loop.post(life_.wrap([this, error = socket.error()] { end(fail(Fault::unavailable, error.what)); }));
    return;
  }
  socket_ = std::move(*socket);
  watch_ = std::make_unique<base::Watch>(loop, socket_.get());
  limit_.after(limit, [this, limit] {
    end(fail(Fault::unavailable, str("no answer through the bastion within ", limit.count(), " ms")));
  });
  loop.post(life_.wrap([this] { send(look_.hello()); }));
  watch_->readable([this] { hear(); });
}

// It is little, and the socket is empty.
void CallHomeCheck::send(base::Bytes bytes) {
  if (bytes.empty() || !done_) return;
  Result<std::size_t> sent = base::send_some(socket_.get(), bytes);
  if (!sent || *sent != bytes.size()) end(fail(Fault::unavailable, "ssh takes nothing for the bastion"));
}

void CallHomeCheck::hear() {
  char bytes[8192];
  Result<std::size_t> size = base::receive_some(socket_.get(), bytes, sizeof bytes);
  if (!size) {
    if (size.error().fault == Fault::again) return watch_->readable([this] { hear(); });
    return end(fail(Fault::unavailable, "the bastion's socket leads nowhere"));
  }
  Result<std::string> answer = look_.feed(base::Bytes(bytes, *size));
  if (!answer && answer.error().fault == Fault::unavailable)  // perhaps our own front, which makes room
    return end(fail(Fault::unavailable,
                    str("an SSH server answers through the bastion, but ", answer.error().what)));
  if (!answer)
    return end(fail(Fault::denied, str("another server than this board is behind the bastion's socket: ",
                                       answer.error().what)));
  if (!look_.key().empty()) {
    if (std::find(own_.begin(), own_.end(), look_.key()) != own_.end()) return end({});
    return end(fail(Fault::denied, str("another board (", auth::fingerprint_of(look_.key()),
                                       ") has taken the bastion's socket: each needs a path of its own")));
  }
  watch_->readable([this] { hear(); });
  send(*answer);
}

void CallHomeCheck::end(Result<> result) {
  limit_.cancel();
  watch_.reset();
  if (auto done = std::exchange(done_, nullptr)) done(std::move(result));  // perhaps the end of this
}

}  // namespace oob

#include "serial/unix_line.h"

#include "base/unix_socket.h"

namespace oob::serial {

using base::Fault;
using base::Result;
using base::str;

UnixLine::UnixLine(base::Loop& loop, PathWatch& paths, std::string path)
    : FdLine(loop, Kind::socket), paths_(paths), path_(std::move(path)), soon_(loop) {}

void UnixLine::open(std::function<void(Result<>)> done) {
  close();
  seen_ = look_at(path_);
  Result<> outcome;
  // A Unix socket connects at once or not at all; EAGAIN is a listener that has too many waiting.
  if (Result<base::Fd> socket = base::connect_unix(path_); !socket) {
    bool full = socket.error().fault == Fault::again;
    outcome = base::fail(Fault::unavailable,
                         full ? str(path_, ": the listener takes no more connections") : socket.error().what);
  } else {
    socket_ = std::move(*socket);
  }
  soon_.after(base::milliseconds(0), [this, outcome = std::move(outcome), done = std::move(done)] {
    if (socket_) attach(socket_.get());
    done(outcome);
  });
}

Result<> UnixLine::send_break(unsigned) {
  return base::fail(Fault::unavailable, "a Unix socket has no break");
}

void UnixLine::close() {
  soon_.cancel();
  return_.reset();
  detach();
  socket_.reset();
}

void UnixLine::wait_return(std::function<void()> what) {
  return_.emplace(paths_, path_, seen_, std::move(what));
}

std::string UnixLine::describe() const { return str("unix ", path_); }

}  // namespace oob::serial

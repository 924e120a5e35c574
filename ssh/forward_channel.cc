#include "ssh/forward_channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/unix_socket.h"

namespace oob::ssh {

using base::Bytes;
using base::Fault;
using base::Result;
using base::str;

namespace {
constexpr base::milliseconds kLook{500};
}  // namespace

ForwardChannel::ForwardChannel(ssh_channel channel, base::Fd socket, base::Loop& loop,
                               std::function<void()> wake)
    : ChannelEnd(channel),
      wake_(std::move(wake)),
      socket_(std::move(socket)),
      watch_(std::make_unique<base::Watch>(loop, socket_.get())),
      look_(loop) {}

std::size_t ForwardChannel::serve(ssh_session session, std::string& scratch) {
  to_core(scratch);
  std::size_t written = to_client(session, scratch);
  if (!socket_) return written;
  if (closed_by_client()) {
    if (!closed_at_) closed_at_ = base::Clock::now();
    if (lingers()) look_later();
    return written;
  }
  if (core_ended_ && written_ == to_client_.size()) {
    if (core_deaf_ || core_is_gone()) {
      finish();
    } else {
      look_later();
    }
  }
  return written;
}

bool ForwardChannel::lingers() const {
  return socket_ && !core_deaf_ && sent_ < to_core_.size() && base::Clock::now() - *closed_at_ < kLastWords;
}

// --- client to core
// -------------------------------------------------------------------------------------------------

void ForwardChannel::to_core(std::string& scratch) {
  while (true) {
    if (!socket_ || core_deaf_) return take_unread(scratch, [](Bytes) {});  // for nobody
    if (sent_ == to_core_.size()) {
      to_core_.clear();
      if (to_core_.capacity() > kTurn) to_core_.shrink_to_fit();
      sent_ = 0;
      take_unread(scratch, [this](Bytes bytes) { to_core_ += bytes; });
      if (to_core_.empty()) {
        if (!client_eof()) return;
        ::shutdown(socket_.get(), SHUT_WR);
        core_deaf_ = true;
        return;
      }
    }
    Result<std::size_t> sent = base::send_some(socket_.get(), Bytes(to_core_).substr(sent_));
    if (sent) {
      sent_ += *sent;
    } else if (sent.error().fault == Fault::again) {
      if (!watch_->waits_writable()) watch_->writable(wake_);
      return;
    } else {
      // The core has closed it; what it said before is still to be read.
      to_core_ = {};
      sent_ = 0;
      core_deaf_ = true;
    }
  }
}

// --- core to client
// -------------------------------------------------------------------------------------------------

std::size_t ForwardChannel::to_client(ssh_session session, std::string& scratch) {
  std::size_t total = 0;
  while (socket_ && total < kTurn && may_write(session)) {
    if (written_ == to_client_.size()) {
      to_client_.clear();
      written_ = 0;
      if (core_ended_) break;
      Result<std::size_t> size = base::receive_some(socket_.get(), scratch.data(), kTurn);
      if (!size && size.error().fault == Fault::again) {
        if (!watch_->waits_readable()) watch_->readable(wake_);
        break;
      }
      if (!size) {
        core_ended_ = true;
        break;
      }
      to_client_.assign(scratch.data(), *size);
    }
    std::size_t done = write(Bytes(to_client_).substr(written_, kTurn - total));
    if (done == 0) break;
    written_ += done;
    total += done;
  }
  if (to_client_.empty()) to_client_.shrink_to_fit();
  if (core_ended_ && written_ == to_client_.size() && !eof_sent_ && may_write(session)) {
    eof_sent_ = true;
    ssh_channel_send_eof(raw());
  }
  return total;
}

// A socket that was closed looks like one whose bytes have ended until one writes to it, and the client may
// have nothing to say.
bool ForwardChannel::core_is_gone() const {
  pollfd look{socket_.get(), 0, 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR));
}

void ForwardChannel::look_later() {
  if (!look_.waiting()) look_.after(kLook, wake_);
}

void ForwardChannel::finish() {
  look_.cancel();
  watch_.reset();
  socket_.reset();
  to_core_ = to_client_ = {};
  sent_ = written_ = 0;
  if (!eof_sent_) ssh_channel_send_eof(raw());
  ssh_channel_close(raw());
}

// --- until the core has answered
// -------------------------------------------------------------------------------------------------

WaitingForward::WaitingForward(ssh_message message, std::uint32_t number, std::uint32_t window,
                               base::Fd socket)
    : message_(message), number_(number), window_(window), socket_(std::move(socket)) {}

WaitingForward::~WaitingForward() { ssh_message_free(message_); }

base::wire::Forward WaitingForward::wish(ssh_message message, std::uint64_t connection,
                                         std::uint32_t number) {
  const char* host = ssh_message_channel_request_open_destination(message);
  const char* from = ssh_message_channel_request_open_originator(message);
  base::wire::Forward wish;
  wish.connection = connection;
  wish.number = number;
  wish.host = host ? host : "";
  wish.port = static_cast<std::uint32_t>(ssh_message_channel_request_open_destination_port(message));
  wish.origin = str(Bytes(from ? from : "").substr(0, 64), ":",
                    ssh_message_channel_request_open_originator_port(message));
  return wish;
}

std::unique_ptr<ForwardChannel> WaitingForward::accept(base::Loop& loop, std::function<void()> wake,
                                                       bool& sound) {
  ssh_channel raw = ssh_message_channel_request_open_reply_accept(message_);
  if (!raw) return nullptr;
  sound = ssh_channel_window_size(raw) == window_;
  return std::make_unique<ForwardChannel>(raw, std::move(socket_), loop, std::move(wake));
}

void WaitingForward::refuse() { ssh_message_reply_default(message_); }

}  // namespace oob::ssh

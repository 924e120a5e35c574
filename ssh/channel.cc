#include "ssh/channel.h"

#include <libssh/server.h>

#include <algorithm>
#include <cstring>

#include "base/unix_socket.h"

namespace oob::ssh {

using base::Bytes;
using base::Fault;
using base::Result;
using base::wire::Frame;

namespace {

constexpr unsigned kMostControl = 64;  // breaks and signals that may wait behind typed bytes

// RFC 4254, 6.2: 0 is to be ignored; the core knows it as "not said".
std::uint32_t cells(int count) { return static_cast<std::uint32_t>(std::clamp(count, 0, 1000)); }

std::string term_of(const char* sent) {
  std::string term;
  for (const char* c = sent; *c && term.size() < Channel::kMostTerm; ++c)
    if (*c > ' ' && *c < 0x7f) term += *c;
  return term;
}

}  // namespace

Channel::Channel(ssh_channel channel, base::Loop& loop, std::function<void()> wake)
    : ChannelEnd(channel), loop_(loop), wake_(std::move(wake)) {}

void Channel::on_signal(const char* name) {
  // RFC 4254, 6.9: names are short ("INT", "TERM"); local extensions have an @.
  add_to_core(Frame::signal, Bytes(name).substr(0, 64));
}

// --- requests
// -------------------------------------------------------------------------------------------------------

bool Channel::request_pty(const char* term, int columns, int rows) {
  if (started_ || open_.pty) return false;
  open_.pty = true;
  open_.term = term_of(term ? term : "");
  open_.columns = cells(columns);
  open_.rows = cells(rows);
  return true;
}

void Channel::resize(int columns, int rows) {
  if (!open_.pty) return;
  if (cells(columns) > 0) open_.columns = cells(columns);
  if (cells(rows) > 0) open_.rows = cells(rows);
  resized_ = started_;  // only the last one counts
}

bool Channel::may_start(const char* command) const {
  return !started_ && (!command || std::strlen(command) <= kMostCommand);
}

void Channel::start(base::Fd socket, Way way, const char* command) {
  started_ = true;
  socket_ = std::move(socket);
  watch_ = std::make_unique<base::Watch>(loop_, socket_.get());
  open_.shell = way == Way::shell;
  open_.subsystem = way == Way::subsystem;
  open_.command = command ? command : "";
  base::wire::add_frames(to_core_, Frame::open, open_.encode());
  open_.command = {};
}

bool Channel::send_break() { return add_to_core(Frame::brk, base::wire::Writer().u32(0).take()); }

// --- client to core
// -------------------------------------------------------------------------------------------------

bool Channel::add_to_core(Frame kind, Bytes payload) {
  // A break goes behind what was typed before it, as far as that has left libssh.
  if (!socket_ || core_deaf_ || control_ >= kMostControl) return false;
  ++control_;
  base::wire::add_frames(to_core_, kind, payload);
  return true;
}

void Channel::take_typed(std::string& scratch) {
  take_unread(scratch, [this](Bytes typed) {
    if (socket_ && !core_deaf_) base::wire::add_frames(to_core_, Frame::data, typed);
  });
}

void Channel::to_core(std::string& scratch) {
  if (!started_) return;  // typed ahead of its command: stays in libssh
  if (!socket_ || core_deaf_) {
    take_typed(scratch);  // for nobody
    return;
  }
  while (true) {
    if (sent_ == to_core_.size()) {
      to_core_.clear();
      if (to_core_.capacity() > base::wire::kMostPayload) to_core_.shrink_to_fit();
      sent_ = 0;
      control_ = 0;
      take_typed(scratch);
      if (resized_) {
        base::wire::Writer size;
        size.u32(open_.columns).u32(open_.rows);
        base::wire::add_frames(to_core_, Frame::resize, size.take());
        resized_ = false;
      }
      if (client_eof() && !unread() && !eof_sent_) {
        base::wire::add_frames(to_core_, Frame::eof, {});
        eof_sent_ = true;
      }
      if (to_core_.empty()) return;
    }
    Result<std::size_t> sent = base::send_some(socket_.get(), Bytes(to_core_).substr(sent_));
    if (!sent) {
      if (sent.error().fault == Fault::again) {
        if (!watch_->waits_writable()) watch_->writable(wake_);
      } else {
        // The core may have said its last and closed: what it said is read by to_client(), which sees the end
        // too.
        to_core_ = {};
        sent_ = 0;
        core_deaf_ = true;
      }
      return;
    }
    sent_ += *sent;
  }
}

// --- core to client
// -------------------------------------------------------------------------------------------------

// Gathers output of one kind, up to a turn's worth, from what the core sent. False: there is none now.
bool Channel::next_output(std::string& scratch) {
  output_.bytes.clear();
  written_ = 0;
  if (!next_.bytes.empty()) std::swap(output_, next_);
  while (!exit_ && !core_ended_ && next_.bytes.empty() && output_.bytes.size() < kTurn) {
    Frame kind{};
    Bytes payload;
    Result<bool> there = from_core_.next(kind, payload);
    if (!there) {
      core_ended_ = true;
    } else if (*there && (kind == Frame::out || kind == Frame::err)) {
      bool is_err = kind == Frame::err;
      Output& to = output_.bytes.empty() || output_.is_err == is_err ? output_ : next_;
      to.is_err = is_err;
      to.bytes += payload;
    } else if (*there && kind == Frame::exit && payload.size() == 4) {
      exit_ = base::wire::Reader(payload).u32();
    } else if (*there) {
      core_ended_ = true;  // not for us
    } else {
      Result<std::size_t> size = base::receive_some(socket_.get(), scratch.data(), kTurn);
      if (size) {
        from_core_.feed(Bytes(scratch.data(), *size));
      } else if (size.error().fault == Fault::again) {
        break;
      } else {
        core_ended_ = true;
      }
    }
  }
  if (from_core_.held() == 0) from_core_ = {};  // gives its memory back
  return !output_.bytes.empty();
}

std::size_t Channel::to_client(ssh_session session, std::string& scratch) {
  std::size_t total = 0;
  while (socket_ && total < kTurn && may_write(session)) {
    if (written_ == output_.bytes.size() && !next_output(scratch)) {
      output_.bytes.shrink_to_fit();
      if (exit_) {
        finish(*exit_);
      } else if (core_ended_) {
        core_is_gone();
      } else if (!watch_->waits_readable()) {
        watch_->readable(wake_);
      }
      break;
    }
    Bytes rest = Bytes(output_.bytes).substr(written_, kTurn - total);
    std::size_t done = write(rest, output_.is_err);
    if (done == 0) break;
    written_ += done;
    total += done;
  }
  return total;
}

void Channel::core_is_gone() {
  constexpr Bytes kLost = "oobd: the session was lost inside the daemon\n";
  write(kLost, true);
  finish(static_cast<std::uint32_t>(Fault::internal));
}

void Channel::finish(std::uint32_t status) {
  watch_.reset();
  socket_.reset();
  to_core_ = {};
  sent_ = 0;
  output_ = next_ = {};
  written_ = 0;
  finished_ = true;
  ssh_channel_request_send_exit_status(raw(), static_cast<int>(status));
  ssh_channel_send_eof(raw());
  ssh_channel_close(raw());
}

std::size_t Channel::serve(ssh_session session, std::string& scratch) {
  to_core(scratch);
  return to_client(session, scratch);
}

}  // namespace oob::ssh

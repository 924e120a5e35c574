#include "oobd/ctl.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>

#include "base/log.h"
#include "base/unix_socket.h"
#include "base/wire.h"
#include "console/dispatcher.h"
#include "console/words.h"

namespace oob {

using base::Bytes;
using base::Result;
using base::str;
using base::wire::Frame;

namespace {

volatile sig_atomic_t resized = 0;

// The terminal as raw as ssh makes it, and back.
class RawTerminal {
 public:
  explicit RawTerminal(bool wanted) : on_(wanted && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!on_) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  }
  ~RawTerminal() {
    if (on_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
  bool on_;
};

void write_all(int fd, Bytes bytes) {
  while (!bytes.empty()) {
    ssize_t size = ::write(fd, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return;  // whoever reads our output has gone; the daemon's end will come
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
}

void window(std::uint32_t& columns, std::uint32_t& rows) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0) return;
  columns = size.ws_col;
  rows = size.ws_row;
}

// The words as one line that the daemon takes apart into the same words; free text stays as it is.
std::string command_line(const std::vector<std::string>& words) {
  bool free_text = false;
  for (const console::CommandRow& row : console::command_rows())
    free_text = free_text || (row.free_text && !words.empty() && words[0] == row.name);
  std::string line;
  for (std::size_t i = 0; i < words.size(); ++i)
    line += str(i ? " " : "", free_text && i >= 2 ? words[i] : console::quote_word(words[i]));
  return line;
}

std::string open_frame(const std::vector<std::string>& words, bool pty) {
  base::wire::Open open;
  open.shell = words.empty();
  open.pty = pty;
  open.command = command_line(words);
  if (const char* term = std::getenv("TERM")) open.term = base::printable(term, 64);
  if (pty) window(open.columns, open.rows);
  return base::wire::frame(Frame::open, open.encode());
}

// Moves bytes both ways until the daemon says how it ended.
class Conversation {
 public:
  Conversation(int socket, std::string first) : socket_(socket), out_(std::move(first)) {}

  int run() {
    while (true) {
      if (std::exchange(resized, 0)) {
        std::uint32_t columns = 0, rows = 0;
        window(columns, rows);
        base::wire::add_frames(out_, Frame::resize, base::wire::Writer().u32(columns).u32(rows).take());
      }
      bool hear = !eof_ && out_.size() < 64 * 1024;
      pollfd waits[2] = {{socket_, static_cast<short>(POLLIN | (out_.empty() ? 0 : POLLOUT)), 0},
                         {hear ? STDIN_FILENO : -1, POLLIN, 0}};
      if (::poll(waits, 2, -1) < 0 && errno != EINTR) return static_cast<int>(base::Fault::internal);
      if (hear && waits[1].revents) type();
      if (waits[0].revents & POLLOUT) send();
      if (waits[0].revents & (POLLIN | POLLHUP | POLLERR) && !receive()) return status_;
    }
  }

 private:
  void type() {
    char buffer[16 * 1024];
    ssize_t size = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
    eof_ = size <= 0;
    base::wire::add_frames(out_, eof_ ? Frame::eof : Frame::data,
                           eof_ ? Bytes() : Bytes(buffer, static_cast<std::size_t>(size)));
  }

  void send() {
    Result<std::size_t> size = base::send_some(socket_, out_);
    if (size) out_.erase(0, *size);
  }

  bool receive() {
    char buffer[64 * 1024];
    Result<std::size_t> size = base::receive_some(socket_, buffer, sizeof buffer);
    if (!size && size.error().fault == base::Fault::again) return true;
    if (!size) {
      base::log("the daemon has gone");
      return false;
    }
    frames_.feed(Bytes(buffer, *size));
    while (true) {
      Frame kind;
      Bytes payload;
      Result<bool> next = frames_.next(kind, payload);
      if (!next) return false;
      if (!*next) return true;
      if (kind == Frame::out) write_all(STDOUT_FILENO, payload);
      if (kind == Frame::err) write_all(STDERR_FILENO, payload);
      if (kind == Frame::exit) {
        status_ = static_cast<int>(base::wire::Reader(payload).u32());
        return false;
      }
    }
  }

  int socket_;
  std::string out_;
  base::wire::Frames frames_;
  bool eof_ = false;
  int status_ = static_cast<int>(base::Fault::internal);
};

}  // namespace

int run_ctl(const std::string& state, const std::vector<std::string>& words) {
  ::signal(SIGPIPE, SIG_IGN);
  Result<base::Fd> socket = base::connect_unix(state + "/ctl.sock");
  if (!socket) {
    base::log(str("ctl: no daemon answers: ", socket.error().what));
    return static_cast<int>(base::Fault::unavailable);
  }
  bool pty = ::isatty(STDIN_FILENO) && ::isatty(STDOUT_FILENO);
  struct sigaction action {};
  action.sa_handler = [](int) { resized = 1; };
  ::sigaction(SIGWINCH, &action, nullptr);
  RawTerminal raw(pty);
  return Conversation(socket->get(), open_frame(words, pty)).run();
}

}  // namespace oob

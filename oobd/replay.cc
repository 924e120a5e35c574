#include "oobd/replay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>

#include "audit/player.h"
#include "auth/public_key.h"
#include "base/fd.h"
#include "base/loop.h"
#include "console/safe_output.h"

namespace oob {
namespace {

namespace json = boost::json;
using base::fail;
using base::Fault;
using base::Micros;
using base::Result;
using base::str;

constexpr std::size_t kRead = 64 * 1024;
constexpr std::size_t kMostFileLine = 16 << 20;  // of a file that anybody may have made
constexpr std::size_t kWrite = 16 * 1024;        // to the terminal at once, so that keys work in between
constexpr double kLatestMoment = 1e9;            // seconds

Micros steady_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(base::Clock::now().time_since_epoch()).count();
}

// The lines of a file; one without its LF at the end is torn, and is none.
class Lines {
 public:
  static Result<Lines> open(const std::string& path) {
    base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file) return fail(Fault::missing, base::system_error(path).what);
    return Lines(std::move(file), path);
  }

  Result<bool> next(std::string& line) {
    while (true) {
      std::size_t end = buffer_.find('\n', looked_);
      if (end != std::string::npos) {
        line = buffer_.substr(used_, end - used_);
        used_ = looked_ = end + 1;
        return true;
      }
      buffer_.erase(0, used_);
      used_ = 0;
      looked_ = buffer_.size();
      if (buffer_.size() > kMostFileLine)
        return fail(Fault::failed, str(path_, ": a line is longer than 16 MiB"));
      buffer_.resize(looked_ + kRead);
      ssize_t got = ::read(file_.get(), buffer_.data() + looked_, kRead);
      buffer_.resize(looked_ + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return base::system_error(path_);
      if (got == 0) return false;
    }
  }

 private:
  Lines(base::Fd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  base::Fd file_;
  std::string path_, buffer_;
  std::size_t used_ = 0, looked_ = 0;
};

// asciicast v2, whoever wrote it; oobd's `b` stands for the `o` behind it (docs/formats.md, "Recordings").
class Cast {
 public:
  static Result<Cast> open(const std::string& path) {
    Result<Lines> lines = Lines::open(path);
    if (!lines) return lines.error();
    Cast cast(std::move(*lines));
    std::string line;
    Result<bool> first = cast.lines_.next(line);
    if (!first) return first.error();
    boost::system::error_code error;
    json::value header = *first ? json::parse(line, error) : json::value();
    const json::object* object = error ? nullptr : header.if_object();
    const json::value* version = object ? object->if_contains("version") : nullptr;
    if (!version || *version != 2) return fail(Fault::failed, str(path, ": no asciicast v2 file"));
    for (auto [key, to] : {std::pair{"width", &cast.size.columns}, {"height", &cast.size.rows}}) {
      const json::value* value = object->if_contains(key);
      if (value && value->is_int64())
        *to = static_cast<unsigned>(std::clamp<std::int64_t>(value->get_int64(), 1, 1000));
    }
    return cast;
  }

  // Hands the next event to the player; false at the end. A line that is none is passed over.
  Result<bool> next(audit::Player& player) {
    std::string line;
    Result<bool> more = lines_.next(line);
    if (!more || !*more) return more;
    boost::system::error_code error;
    json::value value = json::parse(line, error);
    const json::array* event = error ? nullptr : value.if_array();
    if (!event || event->size() < 3 || !(*event)[1].is_string() || !(*event)[2].is_string()) return true;
    double seconds = (*event)[0].to_number<double>(error);
    if (error || !(seconds >= 0 && seconds < kLatestMoment)) return true;
    time_ = std::max(time_, static_cast<Micros>(seconds * 1e6));
    std::string text((*event)[2].get_string().data(), (*event)[2].get_string().size());
    const json::string& code = (*event)[1].get_string();
    if (code == "b") {
      std::string bytes;
      if (auth::decode_base64(text, bytes)) exact_ = std::move(bytes);
    } else if (code == "o" || code == "r") {
      if (code == "o" && exact_) text = std::move(*exact_);
      exact_.reset();
      player.add(time_, code[0], std::move(text));
    }
    return true;
  }

  audit::Player::Size size;

 private:
  explicit Cast(Lines lines) : lines_(std::move(lines)) {}
  Lines lines_;
  Micros time_ = 0;
  std::optional<std::string> exact_;
};

// This terminal in raw mode, until it goes.
class PlayerTerminal {
 public:
  PlayerTerminal() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
  }
  ~PlayerTerminal() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
  }
  PlayerTerminal(const PlayerTerminal&) = delete;
  PlayerTerminal& operator=(const PlayerTerminal&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

// Signals that would end the program come as a descriptor, so that the terminal is put back.
base::Fd ending_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return base::Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

bool write_all(std::string_view text) {
  while (!text.empty()) {
    ssize_t done = ::write(STDOUT_FILENO, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

// Until there is a key, a signal or the time has come (none: for ever). False: it is to end.
bool wait(audit::Player& player, bool keys, int signals, std::optional<Micros> due) {
  int limit = -1;
  if (due) limit = static_cast<int>(std::clamp<Micros>((*due - steady_now() + 999) / 1000, 0, 60'000));
  pollfd fds[] = {{signals, POLLIN, 0}, {keys ? STDIN_FILENO : -1, POLLIN, 0}};
  if (::poll(fds, 2, limit) < 0) return errno == EINTR;
  if (fds[0].revents) return false;
  if (!fds[1].revents) return true;
  char typed[256];
  ssize_t got = ::read(STDIN_FILENO, typed, sizeof typed);
  return got > 0 && player.typed(base::Bytes(typed, static_cast<std::size_t>(got)), steady_now());
}

Result<> play(Cast& cast, audit::PlayOptions options) {
  bool keys = ::isatty(STDIN_FILENO) && ::isatty(STDOUT_FILENO);
  std::optional<audit::Player::Size> shown;
  winsize window{};
  if (::isatty(STDOUT_FILENO)) {
    shown = audit::Player::Size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 && window.ws_row > 0)
      shown = audit::Player::Size{window.ws_col, window.ws_row};
  }
  base::Fd signals = ending_signals();
  std::optional<PlayerTerminal> raw;
  if (keys) raw.emplace();
  audit::Player player(options, cast.size, shown);
  console::SafeOutput safe;
  Result<> result;
  bool more = true;
  while (!player.over()) {
    while (more && player.wants()) {
      Result<bool> next = cast.next(player);
      if (!next) result = next.error();
      more = next && *next;
      if (!more) player.end();
    }
    std::string out = player.take(steady_now(), kWrite);
    if (!write_all(shown ? safe.pass(out) : out)) break;
    if (player.over()) break;
    if (!wait(player, keys, signals.get(), out.empty() ? player.due() : std::optional<Micros>(0))) break;
  }
  if (shown) write_all(str(safe.settle(), "\r\n"));
  return result;
}

}  // namespace

int run_replay(const std::vector<std::string>& words) {
  std::string file;
  std::optional<std::string> speed, idle, from;
  auto complain = [](const base::Error& error) {
    std::fprintf(stderr, "oobd: %s\n", error.what.c_str());
    return static_cast<int>(error.fault);
  };
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::optional<std::string>* value = words[i] == "--speed"  ? &speed
                                        : words[i] == "--idle" ? &idle
                                        : words[i] == "--from" ? &from
                                                               : nullptr;
    if (value && i + 1 == words.size()) return complain(fail(Fault::usage, words[i] + " needs a value"));
    if (value)
      *value = words[++i];
    else if (words[i].size() > 1 && words[i][0] == '-')
      return complain(fail(Fault::usage, "replay: no such option: " + base::printable(words[i], 60)));
    else if (!file.empty())
      return complain(fail(Fault::usage, "replay: one file, please"));
    else
      file = words[i];
  }
  if (file.empty()) return complain(fail(Fault::usage, "replay: which file?"));
  auto given = [](const std::optional<std::string>& value) { return value ? &*value : nullptr; };
  Result<audit::PlayOptions> options = audit::PlayOptions::parse(given(speed), given(idle), given(from));
  if (!options) return complain(options.error());
  if (!::isatty(STDOUT_FILENO) && !speed) options->speed = 0;
  Result<Cast> cast = Cast::open(file);
  if (!cast) return complain(cast.error());
  Result<> played = play(*cast, *options);
  return played ? 0 : complain(played.error());
}

}  // namespace oob

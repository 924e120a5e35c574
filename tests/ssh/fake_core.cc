#include "tests/ssh/fake_core.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "base/unix_socket.h"

namespace oob::test {

using base::Bytes;
using base::Fd;
using base::str;
using base::wire::Control;
using base::wire::Frame;

namespace {

[[noreturn]] void run_child(const std::vector<std::string>& command, int in, int out, int err) {
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  ::_exit(127);
}

int decoded(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

Fd open_file(const std::string& path, int flags) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  if (!fd) throw std::runtime_error("open " + path);
  return fd;
}

void must(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error(command);
}

}  // namespace

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t x = 1;
  for (char& byte : bytes) {
    x = x * 1664525 + 1013904223;
    byte = static_cast<char>(x >> 24);
  }
  return bytes;
}

std::uint32_t sum(Bytes bytes, std::uint32_t before) {
  for (char byte : bytes) before = before * 31 + static_cast<unsigned char>(byte);
  return before;
}

const Keys& Keys::get() {
  static const Keys* keys = [] {
    auto* made = new Keys;  // lives to the end; its folder is small
    std::atexit([] { delete &Keys::get(); });
    must(str("ssh-keygen -q -t ed25519 -N '' -C '' -f ", made->dir / "host"));
    must(str("ssh-keygen -q -t ed25519 -N '' -C '' -f ", made->dir / "alice"));
    made->host_key = read_file(made->dir / "host");
    made->host_line = read_file(made->dir / "host.pub");
    made->alice = made->dir / "alice";
    return made;
  }();
  return *keys;
}

struct FakeCore::Session {
  Session(base::Loop& loop, Fd socket) : fd(std::move(socket)), watch(loop, fd.get()) {}
  Fd fd;
  base::Watch watch;
  base::wire::Frames frames;
  base::wire::Open open;
  std::string out;  // frames to send
  std::size_t flood = 0, flooded = 0;
  std::string stock;
  std::size_t came = 0;
  std::uint32_t sum = 0;
  bool deaf = false, over = false;
};

FakeCore::FakeCore(base::wire::Setup setup, std::vector<std::string> patience) {
  judge = [](const base::wire::Ask& ask) {
    return base::wire::Verdict{ask.connection,      ask.number, ask.user != "mallory",
                               ask.user == "nopty", false,      ""};
  };
  judge_code = [](const base::wire::Code& code) { return code.code == "123456"; };
  auto pair = base::socket_pair(SOCK_SEQPACKET);
  control_ = std::move(pair->first);
  patience.insert(patience.begin(), FRONT_PROGRAM);
  pid_ = ::fork();
  if (pid_ == 0) {
    // Else freed memory counts as used where the address sanitizer keeps it.
    const char* options = std::getenv("ASAN_OPTIONS");
    ::setenv("ASAN_OPTIONS", str(options ? options : "", ":quarantine_size_mb=1").c_str(), 1);
    ::dup2(pair->second.get(), 3);
    if (pair->second.get() == 3) ::fcntl(3, F_SETFD, 0);
    run_child(patience, 0, 1, 2);
  }
  pair->second.reset();

  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) < 0 ||
      ::listen(listener.get(), 128) < 0 ||
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) < 0)
    throw std::runtime_error("listen");
  port_ = ntohs(address.sin_port);
  if (setup.host_keys.empty()) setup.host_keys.push_back(Keys::get().host_key);
  send(Control::listen, base::wire::Listen{str("127.0.0.1:", port_), {}}.encode(), listener.get());
  send(Control::setup, setup.encode());
  write_file(dir_ / "known_hosts", str("[127.0.0.1]:", port_, " ", Keys::get().host_line));
  watch_ = std::make_unique<base::Watch>(loop, control_.get());
  watch_->readable([this] { hear(); });
  if (!wait([this] { return ready; })) throw std::runtime_error("the front did not get ready");
}

FakeCore::~FakeCore() {
  sessions_.clear();
  if (pid_ > 0) {
    hang_up();
    front_status();
  }
}

bool FakeCore::wait(std::function<bool()> condition, base::milliseconds limit) {
  return run_until(loop, std::move(condition), limit);
}

void FakeCore::hang_up() {
  watch_.reset();
  control_.reset();
}

int FakeCore::front_status() {
  if (pid_ < 0) return -1;
  int status = 0;
  pid_t pid = std::exchange(pid_, -1);
  bool ended = wait([&] { return ::waitpid(pid, &status, WNOHANG) == pid; });
  if (!ended) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
  }
  return decoded(status);
}

pid_t FakeCore::start(const std::vector<std::string>& command, const std::string& input,
                      const std::string& output) {
  Fd in = open_file(input.empty() ? "/dev/null" : input, input.empty() ? O_RDONLY : O_RDWR);
  Fd out = open_file(output.empty() ? "/dev/null" : output, O_WRONLY | O_CREAT | O_TRUNC);
  pid_t pid = ::fork();
  if (pid == 0) run_child(command, in.get(), out.get(), out.get());
  return pid;
}

int FakeCore::end(pid_t pid) {
  int status = 0;
  if (!wait([&] { return ::waitpid(pid, &status, WNOHANG) == pid; })) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    return -1;
  }
  return decoded(status);
}

unsigned FakeCore::fail_until_kept_out(const std::vector<std::string>& command) {
  const auto before = figures.failed;
  unsigned times = 0;
  while (figures.penalised == 0 && times < 30) {
    EXPECT_EQ(run(command).status, 255);
    ++times;
    if (!wait([&] { return figures.failed == before + times; })) break;  // told with the penalty
  }
  EXPECT_EQ(figures.penalised, 1u) << times << " failures";
  return times;
}

Finished FakeCore::run(const std::vector<std::string>& command, const std::string& input,
                       base::milliseconds limit) {
  Finished finished;
  TempDir dir;
  Fd in = open_file(input.empty() ? "/dev/null" : input, O_RDONLY);
  Fd out = open_file(dir / "out", O_WRONLY | O_CREAT);
  Fd err = open_file(dir / "err", O_WRONLY | O_CREAT);
  pid_t pid = ::fork();
  if (pid == 0) run_child(command, in.get(), out.get(), err.get());
  int status = 0;
  if (wait([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }, limit)) {
    finished.status = decoded(status);
  } else {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
  }
  finished.out = read_file(dir / "out");
  finished.err = read_file(dir / "err");
  return finished;
}

std::vector<std::string> FakeCore::ssh(std::vector<std::string> options,
                                       std::vector<std::string> command) const {
  std::vector<std::string> words{"ssh", "-F", "/dev/null", "-p", str(port_)};
  for (const std::string& option :
       {std::string("BatchMode=yes"), std::string("IdentitiesOnly=yes"),
        std::string("StrictHostKeyChecking=yes"), std::string("KexAlgorithms=curve25519-sha256"),
        str("UserKnownHostsFile=", dir_ / "known_hosts"), std::string("LogLevel=ERROR"),
        str("IdentityFile=", Keys::get().alice), std::string("User=alice")}) {
    options.push_back("-o");  // after the caller's: the first one counts
    options.push_back(option);
  }
  words.insert(words.end(), options.begin(), options.end());
  words.push_back("127.0.0.1");
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

Finished FakeCore::python(const std::string& script, std::vector<std::string> words) {
  words.insert(words.begin(), {"/usr/bin/python3", "-W", "ignore", str(SSH_TESTS, "/", script), str(port_),
                               Keys::get().alice});
  return run(words);
}

void FakeCore::send(Control kind, const std::string& payload, int pass) {
  if (!base::send_packet(control_.get(), base::wire::packet(kind, payload), pass))
    throw std::runtime_error("the front does not listen");
}

long FakeCore::rss_kib() const {
  std::ifstream status(str("/proc/", pid_, "/status"));
  std::string word;
  long kib = 0;
  while (status >> word)
    if (word == "VmRSS:") status >> kib;
  return kib;
}

int FakeCore::descriptors() const {
  int count = 0;
  for (const auto& each : std::filesystem::directory_iterator(str("/proc/", pid_, "/fd"))) {
    std::error_code gone;
    // The front makes no pipes; a sanitizer does for a moment, to see whether memory can be read.
    if (!std::filesystem::read_symlink(each.path(), gone).string().starts_with("pipe:") && !gone) ++count;
  }
  return count;
}

double FakeCore::cpu_ms() const {
  std::ifstream schedstat(str("/proc/", pid_, "/schedstat"));
  double nanoseconds = 0;
  schedstat >> nanoseconds;
  return nanoseconds / 1e6;
}

void FakeCore::hear() {
  while (true) {
    auto packet = base::receive_packet(control_.get());
    if (!packet) {
      if (packet.error().fault == base::Fault::again) watch_->readable([this] { hear(); });
      return;
    }
    Bytes payload = Bytes(packet->bytes).substr(1);
    switch (static_cast<Control>(packet->bytes[0])) {
      case Control::ready:
        ready = true;
        about = base::wire::Ready::decode(payload).value();
        break;
      case Control::figures:
        figures = base::wire::Figures::decode(payload).value();
        ++figures_told;
        break;
      case Control::ask: {
        asks.push_back(base::wire::Ask::decode(payload).value());
        if (!silent) send(Control::verdict, judge(asks.back()).encode());
        break;
      }
      case Control::code: {
        codes.push_back(base::wire::Code::decode(payload).value());
        base::wire::Verdict verdict;
        verdict.connection = codes.back().connection;
        verdict.number = codes.back().number;
        verdict.accept = judge_code(codes.back());
        if (!silent) send(Control::verdict, verdict.encode());
        break;
      }
      case Control::closed:
        closed.push_back(base::wire::Closed::decode(payload).value().connection);
        break;
      case Control::remark:
        remarks.push_back(base::wire::Remark::decode(payload).value());
        break;
      case Control::forward:
        if (packet->fd)
          forwards.push_back({base::wire::Forward::decode(payload).value(), std::move(packet->fd)});
        break;
      case Control::session: {
        if (!packet->fd) break;
        sessions_.push_back(std::make_unique<Session>(loop, std::move(packet->fd)));
        serve(*sessions_.back());
        break;
      }
      default:
        break;
    }
  }
}

void FakeCore::frame(Session& session, Frame kind, Bytes payload) {
  const std::string& command = session.open.command;
  auto say = [&](const std::string& text) { base::wire::add_frames(session.out, Frame::out, text); };
  auto leave = [&](std::uint32_t status) {
    base::wire::add_frames(session.out, Frame::exit, base::wire::Writer().u32(status).take());
    session.over = true;
  };
  if (kind == Frame::open) {
    session.open = base::wire::Open::decode(payload).value();
    opened.push_back(session.open);
    if (command.starts_with("exit ")) leave(static_cast<std::uint32_t>(std::atol(command.c_str() + 5)));
    if (command.starts_with("flood "))
      session.flood = static_cast<std::size_t>(std::atol(command.c_str() + 6));
    if (command == "endless") session.flood = ~std::size_t{0};
    if (command == "hold") session.deaf = true;
    if (command == "vanish") {
      say("going\n");
      session.over = true;
    }
    if (command == "both") {
      for (int i = 0; i < 3; ++i) {
        say("out");
        base::wire::add_frames(session.out, Frame::err, "err");
      }
      leave(0);
    }
    if (session.open.shell)
      say(str("shell ", session.open.term, " ", session.open.columns, "x", session.open.rows,
              session.open.pty ? " pty\n" : "\n"));
  } else if (command == "cat") {
    if (kind == Frame::data) say(std::string(payload));
    if (kind == Frame::eof) leave(0);
  } else if (command == "sftp") {
    if (kind == Frame::eof) leave(0);
  } else if (command == "sink") {
    if (kind == Frame::data) {
      session.came += payload.size();
      session.sum = sum(payload, session.sum);
    }
    if (kind == Frame::eof) {
      say(str(session.came, " ", session.sum, "\n"));
      leave(0);
    }
  } else if (command == "events" || session.open.shell) {
    base::wire::Reader reader(payload);
    if (kind == Frame::data) say(str("data ", base::printable(payload), "\n"));
    if (kind == Frame::eof) say("eof\n");
    if (kind == Frame::signal) say(str("signal ", payload, "\n"));
    if (kind == Frame::brk) say(str("break ", reader.u32(), "\n"));
    if (kind == Frame::resize) {
      std::uint32_t columns = reader.u32();
      say(str("resize ", columns, "x", reader.u32(), "\n"));
    }
    if (kind == Frame::eof || payload.find('q') != Bytes::npos) leave(0);
  }
}

void FakeCore::serve(Session& session) {
  char buffer[65536];
  while (true) {
    if (session.flooded < session.flood && session.out.empty()) {
      if (session.stock.empty()) session.stock = pattern(std::size_t{1} << 20);
      std::size_t at = session.flooded % session.stock.size();
      std::size_t size =
          std::min({session.stock.size() - at, session.flood - session.flooded, std::size_t{60'000}});
      base::wire::add_frames(session.out, Frame::out, Bytes(session.stock).substr(at, size));
      session.flooded += size;
      if (session.flooded == session.flood) {
        base::wire::add_frames(session.out, Frame::exit, base::wire::Writer().u32(0).take());
        session.over = true;
      }
    }
    if (!session.out.empty()) {
      auto sent = base::send_some(session.fd.get(), session.out);
      if (sent) {
        session.out.erase(0, *sent);
        continue;
      }
      if (sent.error().fault == base::Fault::again) {
        session.watch.writable([this, &session] { serve(session); });
        return;
      }
      session.over = true;
    }
    if (session.over) break;
    if (session.deaf) {
      session.watch.readable([] {});
      return;
    }
    auto size = base::receive_some(session.fd.get(), buffer, sizeof buffer);
    if (!size && size.error().fault == base::Fault::again) {
      session.watch.readable([this, &session] { serve(session); });
      return;
    }
    if (!size) break;
    session.frames.feed(Bytes(buffer, *size));
    Frame kind{};
    Bytes payload;
    while (session.frames.next(kind, payload).value()) frame(session, kind, payload);
  }
  sessions_.remove_if([&](auto& each) { return each.get() == &session; });
}

void FakeCore::end_sessions(std::uint32_t status) {
  for (auto& session : sessions_) {
    session->deaf = false;
    session->flood = 0;
    base::wire::add_frames(session->out, Frame::exit, base::wire::Writer().u32(status).take());
    session->over = true;
    Session* one = session.get();
    loop.post([this, one] {  // it may have gone by then
      for (auto& each : sessions_)
        if (each.get() == one) return serve(*one);
    });
  }
}

}  // namespace oob::test

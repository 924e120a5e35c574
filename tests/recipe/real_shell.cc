#include "tests/recipe/real_shell.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/bytes.h"

namespace oob::recipe {

using base::Bytes;
using base::str;
namespace fs = std::filesystem;

namespace {

constexpr double kBytesPerSecond = 11520;

[[noreturn]] void die(const std::string& what) {
  std::perror(what.c_str());
  std::abort();
}

// Not by system(), which lets this process ignore Ctrl-C meanwhile, and every shell that another thread
// starts then would ignore it for ever.
void install_busybox(const std::string& folder) {
  std::string words[] = {"busybox", "--install", "-s", folder};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  pid_t pid = 0;
  int status = -1;
  if (::posix_spawn(&pid, "/bin/busybox", nullptr, nullptr, arguments, environ) != 0 ||
      ::waitpid(pid, &status, 0) != pid || status != 0)
    die("busybox --install");
}

// Whether the process or one that it has started is doing something, or waits for a disk (proc(5)).
bool works(int pid) {
  std::ifstream file(str("/proc/", pid, "/stat"));
  std::string text;
  std::getline(file, text);
  std::size_t end = text.rfind(") ");
  if (end == std::string::npos) return false;
  if (text[end + 2] == 'R' || text[end + 2] == 'D') return true;
  std::ifstream children(str("/proc/", pid, "/task/", pid, "/children"));
  for (int child = 0; children >> child;)
    if (works(child)) return true;
  return false;
}

}  // namespace

// --- tools

DeviceTools::DeviceTools(const std::string& kind) : kind_(kind) {
  std::string name = (fs::temp_directory_path() / "oob-shell-XXXXXX").string();
  if (!::mkdtemp(name.data())) die(name);
  folder_ = name;
  for (const std::string& folder : {bin(), home(), temporary()}) fs::create_directory(folder);
  if (kind == "busybox") {
    install_busybox(bin());
    fs::remove(bin() + "/sh");
    fs::create_symlink("/bin/busybox", bin() + "/sh");
  } else {
    for (const char* tool :
         {"base64", "openssl", "sha256sum", "shasum", "gzip", "cksum",  "stty", "dd",    "cat",   "mkdir",
          "rm",     "rmdir",   "wc",        "head",   "tail", "printf", "ls",   "sleep", "touch", "tr",
          "echo",   "env",     "od",        "seq",    "true", "false",  "kill", "id",    "yes"})
      for (const char* folder : {"/usr/bin/", "/bin/"})
        if (fs::exists(str(folder, tool)) && !fs::exists(str(bin(), "/", tool)))
          fs::create_symlink(str(folder, tool), str(bin(), "/", tool));
    fs::create_symlink(kind == "bash" ? "/bin/bash" : "/bin/dash", bin() + "/sh");
  }
  // What is called /bin/sh on this machine is one of the three at most.
  script("env",
         "eval last=\\${$#}\nif [ \"$last\" = /bin/sh ];then exec /usr/bin/env \"$1\" \"$2\" \"$3\" \"$4\" "
         "\"$5\" \"$6\" " +
             bin() + "/sh;fi\nexec /usr/bin/env \"$@\"\n");
}

DeviceTools::~DeviceTools() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void DeviceTools::remove(const std::string& tool) { fs::remove(bin() + "/" + tool); }

void DeviceTools::script(const std::string& tool, const std::string& text) {
  std::string path = bin() + "/" + tool;
  fs::remove(path);
  std::ofstream(path) << "#!/bin/dash\n" << text;
  fs::permissions(path, fs::perms::owner_all);
}

void DeviceTools::link(const std::string& tool, const std::string& path) {
  fs::remove(bin() + "/" + tool);
  fs::create_symlink(path, bin() + "/" + tool);
}

void DeviceTools::write(const std::string& name, const std::string& bytes) {
  std::ofstream(home() + "/" + name, std::ios::binary) << bytes;
}

std::string DeviceTools::read(const std::string& name) const {
  std::ifstream file(home() + "/" + name, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

std::vector<std::string> DeviceTools::left_over() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(temporary())) names.push_back(entry.path().filename());
  return names;
}

// --- the shell

RealShell::RealShell(const DeviceTools& tools, Noise noise, double hurry, const std::string& first_command,
                     bool terminal)
    : noise_(noise), hurry_(hurry), random_(noise.seed * 7919 + 13) {
  winsize size{24, 80, 0, 0};
  std::string shell = tools.bin() + "/sh";
  std::vector<std::string> environment{str("PATH=", tools.bin()),
                                       str("HOME=", tools.home()),
                                       "TERM=vt100",
                                       str("TMPDIR=", tools.temporary()),
                                       "PS1=device# ",
                                       "LC_ALL=C",
                                       str("ENV=", tools.home(), "/.start")};
  std::ofstream(tools.home() + "/.start") << "PS1='device# '\n" << first_command << "\n";
  std::string home = tools.home();
  std::vector<char*> pointers;
  for (std::string& one : environment) pointers.push_back(one.data());
  pointers.push_back(nullptr);
  char name[] = "sh", interactive[] = "-i";
  char* arguments[] = {name, terminal ? interactive : nullptr, nullptr};
  int ends[2] = {-1, -1};
  if (terminal) {
    pid_ = ::forkpty(&fd_, nullptr, nullptr, &size);
  } else {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) die("socketpair");
    fd_ = ends[0];
    pid_ = ::fork();
  }
  if (pid_ < 0) die("fork");
  if (pid_ == 0) {
    if (!terminal) {
      ::setsid();
      for (int fd : {0, 1, 2}) ::dup2(ends[1], fd);
    }
    for (int fd = 3; fd < 1024; ++fd) ::close(fd);
    // As on a device, whatever has started the tests.
    for (int signal : {SIGPIPE, SIGINT, SIGQUIT}) ::signal(signal, SIG_DFL);
    if (::chdir(home.c_str()) != 0) ::_exit(126);
    ::execve(shell.c_str(), arguments, pointers.data());
    ::_exit(127);
  }
  if (!terminal) ::close(ends[1]);
  ::fcntl(fd_, F_SETFL, O_NONBLOCK);
  ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
  talk_ = std::make_unique<Talk>(now());
  with_messages("");  // the first is not at once
}

RealShell::~RealShell() {
  talk_.reset();
  ::close(fd_);
  ::kill(-pid_, SIGHUP);
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

Talk::Time RealShell::now() const {
  auto real = std::chrono::duration<double>(waited_);
  auto line = std::chrono::duration<double>(throttled_ ? 0 : static_cast<double>(passed_) / kBytesPerSecond);
  return base::Clock::time_point() + std::chrono::duration_cast<base::Clock::duration>(real + line);
}

void RealShell::pass_time() {
  auto time = base::Clock::now();
  double seconds = std::chrono::duration<double>(time - std::exchange(looked_, time)).count();
  if (!throttled_) {
    // There are some milliseconds between two looks, or it was this process that stood still.
    seconds = std::min(seconds, 0.01);
    if (works(pid_)) seconds /= 10;
  }
  waited_ += seconds * hurry_;
}

std::string RealShell::damaged(Bytes bytes) {
  std::string to;
  std::uniform_real_distribution<double> chance;
  for (char c : bytes) {
    if (noise_.damage > 0 && chance(random_) < noise_.damage) {
      unsigned kind = random_() % 4;
      if (kind == 0) continue;
      if (kind == 1) c = static_cast<char>(c ^ 1 << random_() % 8);
      if (kind == 2) c = static_cast<char>(random_());
      if (kind == 3) to += static_cast<char>(random_());
    }
    to += c;
  }
  return to;
}

std::string RealShell::with_messages(Bytes bytes) {
  std::string to;
  auto later = [this] {
    std::exponential_distribution<double> wait(noise_.messages / kBytesPerSecond);
    next_message_ = passed_ + 1 + static_cast<std::uint64_t>(wait(random_));
  };
  if (noise_.messages > 0 && !next_message_) later();
  for (char c : bytes) {
    ++passed_;
    if (noise_.messages > 0 && passed_ >= next_message_) {
      ++messages_;
      std::string line =
          str(messages_ % 2 ? "\r\n" : "", "[", messages_ % 3 ? "  " : "", 100 + messages_, ".",
              100000 + random_() % 900000, "] usb 1-1: device descriptor read/64, error -", random_() % 99,
              " <x> $y 'z\r\n");
      passed_ += line.size();
      to += line;
      later();
    }
    to += c;
  }
  return to;
}

void RealShell::heard(Bytes bytes) {
  std::string noisy = damaged(with_messages(bytes));
  talk_->pass(now());
  if (log) log('<', noisy);
  if (!cut_) talk_->hear(noisy);
}

bool RealShell::carry(const std::function<bool()>& done, std::chrono::seconds limit) {
  auto until = base::Clock::now() + limit;
  looked_ = base::Clock::now();
  while (!done()) {
    if (base::Clock::now() > until) return false;
    std::size_t most[2] = {512, 512};
    if (throttled_) {
      auto time = base::Clock::now();
      double seconds = std::chrono::duration<double>(time - *std::exchange(throttled_, time)).count();
      for (int way : {0, 1}) {
        // What a UART holds back at most.
        room_[way] = std::min(room_[way] + seconds * kBytesPerSecond, 256.0);
        most[way] = room_[way] < 1 ? 0 : static_cast<std::size_t>(room_[way]);
      }
    }
    pollfd wait{fd_, static_cast<short>(ended_ || !most[0] ? 0 : POLLIN), 0};
    if (talk_->wants_to_type() && most[1] && !cut_ && !ended_) wait.events |= POLLOUT;
    ::poll(&wait, ended_ ? 0 : 1, 2);
    pass_time();
    if (wait.revents & POLLOUT && talk_->wants_to_type()) {
      std::string bytes = talk_->typed().bytes.substr(0, most[1]);
      room_[1] -= static_cast<double>(bytes.size());
      talk_->typed_so_far(bytes.size());
      if (spoil) spoil(bytes);
      std::string noisy = damaged(bytes);
      passed_ += noisy.size();
      if (log) log('>', noisy);
      type_raw(noisy);
    }
    if (wait.revents & (POLLIN | POLLHUP)) {
      char piece[512];
      ssize_t size = ::read(fd_, piece, most[0]);
      if (size > 0) {
        auto before = passed_;
        heard(Bytes(piece, static_cast<std::size_t>(size)));
        room_[0] -= static_cast<double>(passed_ - before);
        if (on_bytes_) on_bytes_();
      } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        ended_ = true;
      }
    }
    talk_->pass(now());
  }
  return true;
}

void RealShell::cut() {
  cut_ = true;
  talk_->cut(base::fail(base::Fault::unavailable, "the line is gone"));
}

void RealShell::plug_in() {
  cut_ = false;
  talk_ = std::make_unique<Talk>(now());
}

void RealShell::type_raw(const std::string& bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    ssize_t size = ::write(fd_, bytes.data() + at, bytes.size() - at);
    if (size > 0) {
      at += static_cast<std::size_t>(size);
    } else if (errno == EAGAIN || errno == EINTR) {
      pollfd wait{fd_, POLLOUT, 0};
      ::poll(&wait, 1, 100);
    } else {
      ended_ = true;
      return;
    }
  }
}

std::string RealShell::ask(const std::string& line) { return ask(line, ""); }

std::string RealShell::ask(const std::string& line, const std::string& answer) {
  type_raw(line + "\r");
  std::string said;
  auto until = base::Clock::now() + std::chrono::seconds(30);
  for (int quiet = 0; quiet < (answer.empty() ? 30 : 5) || said.find(answer) == std::string::npos;) {
    if (base::Clock::now() > until) break;
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, 10) <= 0) {
      ++quiet;
      continue;
    }
    char piece[4096];
    ssize_t size = ::read(fd_, piece, sizeof piece);
    if (size <= 0) break;
    said.append(piece, static_cast<std::size_t>(size));
    quiet = 0;
  }
  return said;
}

std::vector<int> RealShell::children() const {
  std::vector<int> pids;
  std::ifstream file(str("/proc/", pid_, "/task/", pid_, "/children"));
  for (int pid = 0; file >> pid;) pids.push_back(pid);
  return pids;
}

// --- recipe and configuration

Recipe shell_recipe(const DeviceTools& tools) {
  RecipeOutcome outcome = read_recipe(str(R"(recipe test version 1
method posix-block
state shell tail /device# $/ work home
file config.xml )",
                                          tools.home(), "/config.xml\n"));
  if (!outcome.recipe) {
    std::fprintf(stderr, "%s\n", outcome.faults.at(0).message.c_str());
    std::abort();
  }
  return *outcome.recipe;
}

std::string like_pfsense(std::size_t bytes) {
  std::mt19937 random(4711);
  auto pick = [&random](std::initializer_list<const char*> words) {
    return words.begin()[random() % words.size()];
  };
  std::string text = "<?xml version=\"1.0\"?>\n<pfsense>\n\t<version>22.9</version>\n\t<filter>\n";
  auto hex = [&random](unsigned digits) {
    std::string to;
    while (to.size() < digits) to += "0123456789abcdef"[random() % 16];
    return to;
  };
  while (text.size() + 13 < bytes) {
    unsigned kind = random() % 28;
    if (kind == 0) {
      std::string noise;
      while (noise.size() < 1100) noise += static_cast<char>(random());
      text += str("\t\t<cert>\n\t\t\t<refid>", hex(13), "</refid>\n\t\t\t<crt>", base::base64(noise),
                  "</crt>\n\t\t</cert>\n");
    } else if (kind < 11) {
      text += str("\t\t<staticmap>\n\t\t\t<mac>00:", hex(2), ":", hex(2), ":", hex(2), ":", hex(2), ":",
                  hex(2), "</mac>\n\t\t\t<ipaddr>10.", random() % 256, ".", random() % 256, ".",
                  random() % 256, "</ipaddr>\n\t\t\t<hostname>host-", random() % 10000,
                  "</hostname>\n\t\t\t<descr></descr>\n\t\t</staticmap>\n");
    } else {
      text += str("\t\t<rule>\n\t\t\t<type>", pick({"pass", "block", "reject"}), "</type>\n\t\t\t<interface>",
                  pick({"wan", "lan", "opt1", "opt2"}), "</interface>\n\t\t\t<ipprotocol>inet",
                  pick({"", "6"}), "</ipprotocol>\n\t\t\t<tracker>", 1500000000 + random() % 100000000,
                  "</tracker>\n\t\t\t<source>\n\t\t\t\t<network>lan</network>\n\t\t\t</"
                  "source>\n\t\t\t<destination>\n\t\t\t\t<port>",
                  random() % 65536, "</port>\n\t\t\t</destination>\n\t\t\t<descr><![CDATA[",
                  pick({"mail", "web", "dns", "relay", "orport"}), " ", hex(6), "]]></descr>\n\t\t</rule>\n");
    }
  }
  text.resize(bytes - 13, ' ');
  return text + "\n</pfsense>\n\n";
}

}  // namespace oob::recipe

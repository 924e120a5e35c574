#include "tests/support/support.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/stat.h>
#include <termios.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace oob::test {

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "oobd-test-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp " + name);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;  // a test that fails to clean up has failed already
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::string& path, const std::string& text, unsigned mode) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  ::chmod(path.c_str(), mode);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t times = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++times;
  return times;
}

bool run_until(base::Loop& loop, std::function<bool()> condition, base::milliseconds limit) {
  auto deadline = base::Clock::now() + limit;
  bool held = false;
  base::Timer timer(loop);
  std::function<void()> look = [&] {
    held = condition();
    if (held || base::Clock::now() > deadline) {
      loop.stop();
    } else {
      timer.after(base::milliseconds(1), look);
    }
  };
  loop.post(look);
  loop.run();
  return held;
}

Pty::Pty() {
  int master, slave;
  termios raw{};
  cfmakeraw(&raw);
  char name[128];
  if (::openpty(&master, &slave, name, &raw, nullptr) < 0) throw std::runtime_error("openpty");
  gear.reset(master);
  keep.reset(slave);
  ::fcntl(master, F_SETFL, O_NONBLOCK);
  ::fcntl(master, F_SETFD, FD_CLOEXEC);
  ::fcntl(slave, F_SETFD, FD_CLOEXEC);
  path = name;
}

void Pty::say(const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t n = ::write(gear.get(), bytes.data() + done, bytes.size() - done);
    if (n > 0) {
      done += static_cast<std::size_t>(n);
    } else {
      pollfd wait{gear.get(), POLLOUT, 0};
      ::poll(&wait, 1, 100);
    }
  }
}

std::string Pty::hear(std::size_t at_least, base::milliseconds limit) {
  std::string heard;
  auto deadline = base::Clock::now() + limit;
  while (heard.size() < at_least && base::Clock::now() < deadline) {
    pollfd wait{gear.get(), POLLIN, 0};
    ::poll(&wait, 1, 10);
    char buffer[4096];
    ssize_t n = ::read(gear.get(), buffer, sizeof buffer);
    if (n > 0) heard.append(buffer, static_cast<std::size_t>(n));
  }
  return heard;
}

}  // namespace oob::test

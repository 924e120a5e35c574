// What strangers do to a door, from many loopback addresses: bench_door_attacker PORT WHAT NUMBER SOURCES.
//
//   connects   NUMBER connections, each closed at once
//   half-open  NUMBER connections held open without a word, until stdin ends; then says how many were
//   drip       the same, with a byte a second on each
//   logins     NUMBER logins by a key that nobody knows, some at a time
//
// Addresses are 127.1.0.1 and on, SOURCES of them in turn. Writes one line of JSON.
#include <arpa/inet.h>
#include <libssh/libssh.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kAtOnce = 16;

std::string source(long number) {
  return "127.1." + std::to_string(number / 250) + "." + std::to_string(number % 250 + 1);
}

sockaddr_in address_of(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return address;
}

// A connection from `from`, or -1.
int connected(const std::string& from, int port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in near = address_of(from, 0), far = address_of("127.0.0.1", port);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&near), sizeof near) == 0 &&
      ::connect(fd, reinterpret_cast<sockaddr*>(&far), sizeof far) == 0)
    return fd;
  ::close(fd);
  return -1;
}

// Closed by a reset, so that a million of them leave no port behind in TIME_WAIT.
void hang_up(int fd) {
  linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
}

long connects(int port, long number, long sources) {
  long made = 0;
  for (long i = 0; i < number; ++i) {
    int fd = connected(source(i % sources), port);
    if (fd < 0) continue;
    ++made;
    hang_up(fd);
  }
  return made;
}

long held(int port, long number, long sources, bool drip) {
  std::vector<int> open;
  for (long i = 0; i < number; ++i)
    if (int fd = connected(source(i % sources), port); fd >= 0) open.push_back(fd);
  std::printf("{\"held\": %zu}\n", open.size());
  std::fflush(stdout);
  pollfd end{0, POLLIN, 0};
  while (::poll(&end, 1, 1000) == 0)
    for (int fd : open)
      if (drip) ::send(fd, "S", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  long still = 0;
  for (int fd : open) {
    char byte;
    ssize_t size;
    do size = ::recv(fd, &byte, 1, MSG_DONTWAIT);
    while (size > 0);
    still += size < 0 && errno == EAGAIN;
    hang_up(fd);
  }
  return still;
}

// True: the key was tried and refused; false: it did not come to that.
bool login(int port, const std::string& from, ssh_key key) {
  int fd = connected(from, port);
  if (fd < 0) return false;
  ssh_session session = ssh_new();
  long seconds = 60;
  bool no = false;
  ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no);
  ssh_options_set(session, SSH_OPTIONS_HOST, "127.0.0.1");
  ssh_options_set(session, SSH_OPTIONS_USER, "root");
  ssh_options_set(session, SSH_OPTIONS_FD, &fd);
  ssh_options_set(session, SSH_OPTIONS_TIMEOUT, &seconds);
  bool refused =
      ssh_connect(session) == SSH_OK && ssh_userauth_try_publickey(session, nullptr, key) == SSH_AUTH_DENIED;
  ssh_disconnect(session);
  ssh_free(session);
  return refused;
}

long logins(int port, long number, long sources) {
  ssh_key key = nullptr;
  ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key);
  std::atomic<long> next{0}, refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kAtOnce; ++i) {
    threads.emplace_back([&] {
      for (long n; (n = next++) < number;) refused += login(port, source(n % sources), key);
    });
  }
  for (auto& each : threads) each.join();
  ssh_key_free(key);
  return refused;
}

}  // namespace

int main(int count, char** words) {
  if (count != 5) return 64;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  ssh_init();
  int port = std::atoi(words[1]);
  std::string what = words[2];
  long number = std::atol(words[3]), sources = std::atol(words[4]), done = 0;
  auto begun = std::chrono::steady_clock::now();
  if (what == "connects") {
    done = connects(port, number, sources);
  } else if (what == "half-open" || what == "drip") {
    done = held(port, number, sources, what == "drip");
  } else if (what == "logins") {
    done = logins(port, number, sources);
  } else {
    return 64;
  }
  std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begun;
  std::printf("{\"tried\": %ld, \"done\": %ld, \"seconds\": %.1f}\n", number, done, passed.count());
}

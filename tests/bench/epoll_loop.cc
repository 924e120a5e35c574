// The least a console logger can do, to compare with: reads ttys as they have something and appends it to
// files. `bench_epoll_loop [BATCH_MS]`, then on stdin one "TTY FILE" a line and an empty line; says "ready".
// With BATCH_MS it sleeps that long between two looks at its ttys.

#include <sys/epoll.h>

#include <iostream>
#include <sstream>
#include <vector>

#include "tests/bench/gear.h"

int main(int argc, char** argv) {
  long batch_ms = argc > 1 ? std::atol(argv[1]) : 0;
  int poll = epoll_create1(EPOLL_CLOEXEC);
  struct Console {
    int tty, log;
  };
  std::vector<Console> consoles;
  for (std::string line; std::getline(std::cin, line) && !line.empty();) {
    std::istringstream words(line);
    std::string tty, file;
    words >> tty >> file;
    Console console{open(tty.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC),
                    open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
    if (console.tty < 0 || console.log < 0) oob::bench::die(line);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = consoles.size();
    if (epoll_ctl(poll, EPOLL_CTL_ADD, console.tty, &event) != 0) oob::bench::die(tty);
    consoles.push_back(console);
  }
  std::puts("ready");
  std::fflush(stdout);
  std::vector<epoll_event> events(1024);
  static char bytes[65536];
  while (true) {
    if (batch_ms > 0) usleep(batch_ms * 1000);
    int ready = epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < ready; ++i) {
      Console& console = consoles[events[i].data.u64];
      ssize_t size = read(console.tty, bytes, sizeof bytes);
      if (size > 0 && write(console.log, bytes, size) != size) oob::bench::die("a log");
    }
  }
}

// A bad wire as a program: udp_proxy LISTEN_ADDRESS PORT BMC_ADDRESS BMC_PORT [SEED]. Says "listening on
// A:P". Orders come on stdin, a line each (UdpProxy::order), and are answered on stdout; ends when stdin
// closes.
#include <unistd.h>

#include <cstdio>

#include "tests/bmc/udp_proxy.h"

namespace {

int run(int argc, char** argv) {
  std::uint16_t port = 0, bmc_port = 0;
  std::uint64_t seed = 1;
  if (argc < 5 || argc > 6 || !oob::base::parse_number(argv[2], port) ||
      !oob::base::parse_number(argv[4], bmc_port) || (argc == 6 && !oob::base::parse_number(argv[5], seed))) {
    std::fputs("usage: udp_proxy LISTEN_ADDRESS PORT BMC_ADDRESS BMC_PORT [SEED]\n", stderr);
    return 64;
  }
  oob::base::Loop loop;
  oob::test::UdpProxy proxy(loop, seed);
  oob::base::Result<> open = proxy.open(argv[1], port, argv[3], bmc_port);
  if (!open) {
    std::fprintf(stderr, "udp_proxy: %s\n", open.error().what.c_str());
    return 71;
  }
  std::printf("listening on %s:%u\n", argv[1], unsigned{proxy.port()});
  std::fflush(stdout);
  oob::base::Watch input(loop, STDIN_FILENO);
  std::string half;
  std::function<void()> listen = [&] {
    input.readable([&] {
      char buffer[4096];
      ssize_t size = ::read(STDIN_FILENO, buffer, sizeof buffer);
      if (size <= 0) return loop.stop();
      half.append(buffer, static_cast<std::size_t>(size));
      for (std::size_t end; (end = half.find('\n')) != std::string::npos; half.erase(0, end + 1)) {
        oob::base::Result<std::string> done = proxy.order(std::string_view(half).substr(0, end));
        std::puts(done ? done->c_str() : ("error: " + done.error().what).c_str());
      }
      std::fflush(stdout);
      if (half.size() > 65536) half.clear();  // no order is so long
      listen();
    });
  };
  listen();
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return run(argc, argv); }

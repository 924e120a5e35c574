// A test BMC, or many, as a program: see usage below. Says "listening on A:P" for each, ends on SIGTERM,
// SIGINT, or when a stdin that is a pipe, socket or terminal closes.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>

#include "tests/bmc/bmc.h"
#include "tests/bmc/line_socket.h"

namespace oob::test {

namespace {

constexpr char kUsage[] =
    "usage: test_bmc --address A [--port N] [--count N] [--suites 17,3] [--user NAME --password-file F]\n"
    "                [--kg-file F] [--sessions N] [--host echo|silent|numbered:RATE|unix:PATH|tcp:PORT]\n"
    "                [--control PATH|-]\n"
    "Orders on the control socket, a line each: [N] ORDER; N is a BMC from 0, without it all are meant.\n";

struct Asked {
  BmcOptions options;
  unsigned count = 1;
  std::string control;
  std::string host_socket;  // "unix:PATH", "tcp:PORT", or empty
};

std::optional<std::string> secret(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

bool read_host(const std::string& text, Asked& asked) {
  if (text.starts_with("unix:") || text.starts_with("tcp:")) {
    asked.options.host = HostKind::silent;
    asked.host_socket = text;
    return true;
  }
  if (text.starts_with("numbered:")) {
    asked.options.host = HostKind::numbered;
    return base::parse_number(std::string_view(text).substr(9), asked.options.host_rate);
  }
  asked.options.host = text == "echo" ? HostKind::echo : HostKind::silent;
  return text == "echo" || text == "silent";
}

std::optional<Asked> read_arguments(int argc, char** argv) {
  Asked asked;
  BmcOptions& options = asked.options;
  std::string user, password;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string name = argv[i], value = argv[i + 1];
    bool fine = true;
    if (name == "--address") {
      options.address = value;
    } else if (name == "--port") {
      fine = base::parse_number(value, options.port);
    } else if (name == "--count") {
      fine = base::parse_number(value, asked.count) && asked.count > 0 && asked.count <= 5000;
    } else if (name == "--sessions") {
      fine = base::parse_number(value, options.sessions);
    } else if (name == "--suites") {
      options.suites.clear();
      base::split(value, ',', [&](std::string_view piece) {
        fine = base::parse_number(piece, options.suites.emplace_back()) && fine;
      });
    } else if (name == "--user") {
      user = value;
    } else if (name == "--password-file" || name == "--kg-file") {
      std::optional<std::string> text = secret(value);
      fine = text && text->size() <= 20;
      if (fine) (name == "--kg-file" ? options.kg : password) = *text;
    } else if (name == "--control") {
      asked.control = value;
    } else if (name == "--host") {
      fine = read_host(value, asked);
    } else {
      fine = false;
    }
    if (!fine) {
      std::fprintf(stderr, "test_bmc: %s %s: not understood\n%s", name.c_str(), value.c_str(), kUsage);
      return std::nullopt;
    }
  }
  if (argc % 2 == 0 || argc < 3) {
    std::fputs(kUsage, stderr);
    return std::nullopt;
  }
  if (!user.empty()) options.users = {{user, password, 4}};
  return asked;
}

std::string nth_address(const std::string& first, unsigned n) {
  in_addr address{};
  if (n == 0 || inet_pton(AF_INET, first.c_str(), &address) != 1) return first;
  address.s_addr = htonl(ntohl(address.s_addr) + n);
  char text[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &address, text, sizeof text);
}

std::string obey(std::vector<std::unique_ptr<Bmc>>& bmcs, std::string_view line) {
  std::size_t first = 0, last = bmcs.size() - 1;
  std::size_t space = line.find(' ');
  std::size_t number = 0;
  if (space != std::string_view::npos && base::parse_number(line.substr(0, space), number)) {
    if (number >= bmcs.size()) return "error: there is no such BMC";
    first = last = number;
    line.remove_prefix(space + 1);
  }
  std::string said;
  for (std::size_t i = first; i <= last; ++i) {
    base::Result<std::string> done = bmcs[i]->order(line);
    if (!done) return "error: " + done.error().what;
    said = *done;
  }
  return said;
}

bool tells_its_end(int fd) {
  struct stat is {};
  return ::fstat(fd, &is) == 0 && (S_ISFIFO(is.st_mode) || S_ISSOCK(is.st_mode) || ::isatty(fd));
}

// Bytes between the host side of a BMC and who is connected.
std::unique_ptr<LineSocket> host_socket(base::Loop& loop, Bmc& bmc, const std::string& where, unsigned n,
                                        unsigned count) {
  auto made = std::make_unique<LineSocket>(loop, [&bmc](Bytes bytes) { bmc.host_says(bytes); });
  base::Result<> open = where.starts_with("unix:")
                            ? made->listen_unix(where.substr(5) + (count > 1 ? base::str(".", n) : ""))
                            : made->listen_tcp(bmc.address(), where.substr(4));
  if (!open) {
    std::fprintf(stderr, "test_bmc: %s\n", open.error().what.c_str());
    return nullptr;
  }
  bmc.host_hears = [line = made.get()](Bytes bytes) { line->say(bytes); };
  return made;
}

int run(int argc, char** argv) {
  std::optional<Asked> asked = read_arguments(argc, argv);
  if (!asked) return 64;
  ::signal(SIGPIPE, SIG_IGN);
  base::Loop loop;
  std::vector<std::unique_ptr<Bmc>> bmcs;
  std::vector<std::unique_ptr<LineSocket>> hosts;
  for (unsigned i = 0; i < asked->count; ++i) {
    BmcOptions options = asked->options;
    options.address = nth_address(options.address, i);
    bmcs.push_back(std::make_unique<Bmc>(loop, std::move(options)));
    base::Result<> open = bmcs.back()->open();
    if (!open) {
      std::fprintf(stderr, "test_bmc: %s\n", open.error().what.c_str());
      return 71;
    }
    if (!asked->host_socket.empty()) {
      hosts.push_back(host_socket(loop, *bmcs.back(), asked->host_socket, i, asked->count));
      if (!hosts.back()) return 71;
    }
  }
  std::string half;
  std::unique_ptr<LineSocket> control;
  auto orders = [&](Bytes bytes, const std::function<void(std::string)>& answer) {
    half += bytes;
    for (std::size_t end; (end = half.find('\n')) != std::string::npos; half.erase(0, end + 1))
      answer(obey(bmcs, std::string_view(half).substr(0, end)) + "\n");
    if (half.size() > 65536) half.clear();  // no order is so long
  };
  if (!asked->control.empty() && asked->control != "-") {
    control = std::make_unique<LineSocket>(
        loop, [&](Bytes bytes) { orders(bytes, [&](std::string line) { control->say(line); }); });
    base::Result<> open = control->listen_unix(asked->control);
    if (!open) {
      std::fprintf(stderr, "test_bmc: %s\n", open.error().what.c_str());
      return 71;
    }
  }
  for (auto& bmc : bmcs) std::printf("listening on %s:%u\n", bmc->address().c_str(), unsigned{bmc->port()});
  std::fflush(stdout);

  base::Signals signals(loop, {SIGTERM, SIGINT}, [&](int) { loop.stop(); });
  std::unique_ptr<base::Watch> input;
  std::function<void()> listen = [&] {
    input->readable([&] {
      char buffer[4096];
      ssize_t size = ::read(STDIN_FILENO, buffer, sizeof buffer);
      if (size <= 0) return loop.stop();
      if (asked->control == "-")
        orders(Bytes(buffer, static_cast<std::size_t>(size)), [](std::string line) {
          std::fputs(line.c_str(), stdout);
          std::fflush(stdout);
        });
      listen();
    });
  };
  if (tells_its_end(STDIN_FILENO)) {
    input = std::make_unique<base::Watch>(loop, STDIN_FILENO);
    listen();
  }
  loop.run();
  return 0;
}

}  // namespace

}  // namespace oob::test

int main(int argc, char** argv) { return oob::test::run(argc, argv); }

#include "tests/bmc/udp_proxy.h"

#include <sys/socket.h>

#include <charconv>

#include "base/bytes.h"

namespace oob::test {

namespace {

constexpr std::size_t kClientsMost = 256;
constexpr std::size_t kLateMost = 4096;
constexpr int kAtOnce = 64;
constexpr base::milliseconds kHeldMost{100};

std::optional<std::string> receive(int fd, Endpoint& from) {
  char buffer[2048];
  from.size = sizeof from.address;
  ssize_t size =
      ::recvfrom(fd, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from.address), &from.size);
  if (size < 0) return std::nullopt;
  return std::string(buffer, static_cast<std::size_t>(size));
}

}  // namespace

base::Result<> WireFaults::order(std::string_view line) {
  std::size_t equals = line.find('=');
  std::string_view key = line.substr(0, equals);
  std::string_view value = equals == std::string_view::npos ? std::string_view{} : line.substr(equals + 1);
  double number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  bool fine = error == std::errc{} && end == value.data() + value.size() && number >= 0;
  double* share = key == "lose"        ? &lose
                  : key == "duplicate" ? &duplicate
                  : key == "reorder"   ? &reorder
                  : key == "corrupt"   ? &corrupt
                  : key == "truncate"  ? &truncate
                                       : nullptr;
  base::milliseconds* time = key == "delay" ? &delay : key == "jitter" ? &jitter : nullptr;
  if (!fine || (!share && !time) || (share && number > 1) || number > 60'000)
    return base::fail(base::Fault::usage, base::str("\"", base::printable(line), "\" is no fault of a wire"));
  if (share) *share = number;
  if (time) *time = base::milliseconds(static_cast<int>(number));
  return {};
}

UdpProxy::UdpProxy(base::Loop& loop, std::uint64_t seed)
    : loop_(loop), random_(seed), late_timer_(loop), held_timer_(loop) {}
UdpProxy::~UdpProxy() = default;

base::Result<> UdpProxy::open(const std::string& address, std::uint16_t port, const std::string& to_address,
                              std::uint16_t to_port) {
  base::Result<Endpoint> to = make_endpoint(to_address, to_port);
  if (!to) return to.error();
  base::Result<UdpSocket> bound = bind_udp(address, port);
  if (!bound) return bound.error();
  bmc_ = *to;
  socket_ = std::move(bound->fd);
  port_ = bound->port;
  watch_ = std::make_unique<base::Watch>(loop_, socket_.get());
  listen();
  return {};
}

void UdpProxy::listen() {
  watch_->readable([this] {
    while (clients_.size() > kClientsMost) clients_.pop_front();  // here, where none of them is at work
    Endpoint from;
    for (int i = 0; i < kAtOnce; ++i) {
      std::optional<std::string> datagram = receive(socket_.get(), from);
      if (!datagram) break;
      ++seen.to_bmc;
      pass(true, from, std::move(*datagram));
    }
    listen();
  });
}

void UdpProxy::listen(Client& client) {
  client.watch->readable([this, &client] {
    Endpoint bmc;
    for (int i = 0; i < kAtOnce; ++i) {
      std::optional<std::string> datagram = receive(client.socket.fd.get(), bmc);
      if (!datagram) break;
      if (!(bmc == bmc_)) continue;
      ++seen.to_client;
      pass(false, client.from, std::move(*datagram));
    }
    listen(client);
  });
}

UdpProxy::Client* UdpProxy::client(const Endpoint& from) {
  for (Client& each : clients_)
    if (each.from == from) return &each;
  // Where it can, on one address alone: others may have the port of another.
  const char* any = bmc_.is_loopback() ? "127.0.0.1" : bmc_.address.ss_family == AF_INET ? "0.0.0.0" : "::";
  base::Result<UdpSocket> socket = bind_udp(any, 0);
  if (!socket) return nullptr;  // no descriptor: the datagram is lost, as on a wire
  Client& made = clients_.emplace_back(Client{from, std::move(*socket), nullptr});
  made.watch = std::make_unique<base::Watch>(loop_, made.socket.fd.get());
  listen(made);
  return &made;
}

bool UdpProxy::chance(double probability) {
  return probability > 0 && std::uniform_real_distribution<double>(0, 1)(random_) < probability;
}

void UdpProxy::pass(bool to_bmc_now, const Endpoint& client, std::string datagram) {
  if (unplugged) {
    ++seen.lost;
    return;
  }
  if (hook) {
    std::optional<std::string> altered = hook(to_bmc_now, std::move(datagram));
    if (!altered) {
      ++seen.lost;
      return;
    }
    datagram = std::move(*altered);
  }
  const WireFaults& faults = to_bmc_now ? to_bmc : to_client;
  if (chance(faults.lose)) {
    ++seen.lost;
    return;
  }
  if (!datagram.empty() && chance(faults.corrupt)) {
    ++seen.corrupted;
    std::size_t bit = random_() % (datagram.size() * 8);
    datagram[bit / 8] = static_cast<char>(datagram[bit / 8] ^ (1 << bit % 8));
  }
  if (!datagram.empty() && chance(faults.truncate)) {
    ++seen.truncated;
    datagram.resize(random_() % datagram.size());
  }
  base::milliseconds wait = faults.delay;
  if (faults.jitter.count() > 0)
    wait += base::milliseconds(random_() % static_cast<std::uint64_t>(faults.jitter.count() + 1));
  std::optional<Held>& held = held_[to_bmc_now];
  if (!held && chance(faults.reorder)) {
    ++seen.reordered;
    held = Held{client, std::move(datagram)};
    held_timer_.after(kHeldMost, [this] {
      for (bool side : {false, true})
        if (std::optional<Held> last = std::exchange(held_[side], std::nullopt))
          later(side, last->client, std::move(last->datagram), base::milliseconds(0));
    });
    return;
  }
  if (chance(faults.duplicate)) {
    ++seen.duplicated;
    later(to_bmc_now, client, datagram, wait);
  }
  later(to_bmc_now, client, std::move(datagram), wait);
  if (std::optional<Held> last = std::exchange(held, std::nullopt))
    later(to_bmc_now, last->client, std::move(last->datagram), wait);
}

void UdpProxy::later(bool to_bmc_now, const Endpoint& client, std::string datagram, base::milliseconds wait) {
  if (wait.count() <= 0) return transmit(to_bmc_now, client, datagram);
  if (late_.size() >= kLateMost) {
    ++seen.lost;
    return;
  }
  late_.emplace(base::Clock::now() + wait, std::pair(to_bmc_now, Held{client, std::move(datagram)}));
  flush();
}

void UdpProxy::flush() {
  while (!late_.empty() && late_.begin()->first <= base::Clock::now()) {
    auto [to_bmc_now, held] = std::move(late_.extract(late_.begin()).mapped());
    transmit(to_bmc_now, held.client, held.datagram);
  }
  if (!late_.empty()) late_timer_.at(late_.begin()->first, [this] { flush(); });
}

void UdpProxy::transmit(bool to_bmc_now, const Endpoint& from, const std::string& datagram) {
  const Endpoint& to = to_bmc_now ? bmc_ : from;
  int fd = socket_.get();
  if (to_bmc_now) {
    Client* sender = client(from);
    if (!sender) return;
    fd = sender->socket.fd.get();
  }
  // A full socket loses the datagram, as a wire may.
  (void)::sendto(fd, datagram.data(), datagram.size(), 0, to.get(), to.size);
}

base::Result<std::string> UdpProxy::order(std::string_view line) {
  const std::string ok = "ok";
  if (line == "seen")
    return base::str("ok {\"to_bmc\":", seen.to_bmc, ",\"to_client\":", seen.to_client,
                     ",\"lost\":", seen.lost, ",\"duplicated\":", seen.duplicated,
                     ",\"reordered\":", seen.reordered, ",\"corrupted\":", seen.corrupted,
                     ",\"truncated\":", seen.truncated, "}");
  if (line == "unplugged=on" || line == "unplugged=off") {
    unplugged = line.ends_with("on");
    return ok;
  }
  constexpr std::string_view there = "to_bmc.", back = "to_client.";
  base::Result<> done;
  if (!line.starts_with(back))
    done = to_bmc.order(line.starts_with(there) ? line.substr(there.size()) : line);
  if (done && !line.starts_with(there))
    done = to_client.order(line.starts_with(back) ? line.substr(back.size()) : line);
  if (!done) return done.error();
  return ok;
}

}  // namespace oob::test

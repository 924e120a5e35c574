#include "console/forwards.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "console/core.h"
#include "console/relay.h"

namespace oob::console {

using base::Clock;
using base::fail;
using base::Fault;
using base::Fd;
using base::printable;
using base::Result;
using base::str;

namespace {

constexpr std::string_view kBmc = ".bmc";
constexpr std::size_t kMostRemembered = 1024;  // connections whose refusals are counted

// A numeric address. IPv4 mapped into IPv6 is IPv4: to the network it is the same.
struct Address {
  int family = AF_UNSPEC;
  std::array<std::uint8_t, 16> bytes{};  // network order; the first four for IPv4
  unsigned zone = 0;
  bool operator==(const Address&) const = default;
};

// Spellings that differ from system to system ("127.1", "0x7f000001") are no addresses here.
std::optional<Address> parse_address(const std::string& text) {
  Address address;
  if (::inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) {
    address.family = AF_INET;
    return address;
  }
  std::size_t percent = text.find('%');
  in6_addr v6;
  if (::inet_pton(AF_INET6, text.substr(0, percent).c_str(), &v6) != 1) return std::nullopt;
  if (percent != std::string::npos) {
    address.zone = ::if_nametoindex(text.c_str() + percent + 1);
    if (address.zone == 0) return std::nullopt;
  }
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    address.family = AF_INET;
    std::memcpy(address.bytes.data(), v6.s6_addr + 12, 4);
    address.zone = 0;
  } else {
    address.family = AF_INET6;
    std::memcpy(address.bytes.data(), v6.s6_addr, 16);
  }
  return address;
}

socklen_t socket_address(const Address& address, std::uint16_t port, sockaddr_storage& to) {
  if (address.family == AF_INET) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes.data(), sizeof v4.sin_addr);
    std::memcpy(&to, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  v6.sin6_scope_id = address.zone;
  std::memcpy(&v6.sin6_addr, address.bytes.data(), sizeof v6.sin6_addr);
  std::memcpy(&to, &v6, sizeof v6);
  return sizeof v6;
}

// What may be dialled, once everything has said yes.
struct Target {
  auth::Grant grant;
  std::string device, bmc;
  std::string text;  // the address as the configuration has it
  Address address;
  std::uint16_t port = 0;
};

// Empty: the key's line allows it (sshd(8), permitopen).
std::string forbidden_by(const Forwards::Terms& terms, const std::string& host, std::uint32_t port) {
  if (terms.no_forwarding) return "the key may not forward";
  if (terms.permit_open.empty()) return "";
  for (const auth::PermitOpen& open : terms.permit_open)
    if ((open.host == "*" || open.host == host) && (open.port == 0 || open.port == port)) return "";
  return "not among the key's permitopen";
}

Result<Target> target_of(Core& core, const auth::Principal& who, const Device& device, std::uint32_t port) {
  Result<auth::Grant> grant = core.policy->decide(who, auth::Action::forward, device.name);
  if (!grant) return grant.error();
  if (!device.forward) return fail(Fault::missing, str(device.name, ": it has no BMC"));
  const ForwardTarget& to = *device.forward;
  if (std::find(to.ports.begin(), to.ports.end(), port) == to.ports.end())
    return fail(Fault::denied, str("port ", port, " is not in 'forward' of ", to.bmc));
  std::optional<Address> address = parse_address(to.address);
  if (!address)
    return fail(Fault::unavailable, str(to.bmc, ": ", printable(to.address), ": not reachable now"));
  return Target{*grant, device.name, to.bmc, to.address, *address, static_cast<std::uint16_t>(port)};
}

Result<Target> judge(Core& core, const auth::Principal& who, const Forwards::Terms& terms,
                     const std::string& host, std::uint32_t port) {
  std::string forbidden = forbidden_by(terms, host, port);
  if (!forbidden.empty()) return fail(Fault::denied, forbidden);
  if (host.size() > kBmc.size() && host.ends_with(kBmc)) {
    std::string name = host.substr(0, host.size() - kBmc.size());
    Device* device = core.inventory.find(name);
    if (!device) return auth::Policy::no_such_device(name);
    return target_of(core, who, *device, port);
  }
  std::optional<Address> address = parse_address(host);
  if (!address) return fail(Fault::denied, "neither DEVICE.bmc nor a numeric address");
  Result<Target> best = fail(Fault::denied, "not the address of a BMC");
  // Several devices may stand on one BMC: one that allows it is enough.
  for (const auto& [name, device] : core.inventory.all()) {
    if (!device->forward || parse_address(device->forward->address) != address) continue;
    best = target_of(core, who, *device, port);
    if (best) break;
  }
  return best;
}

void set(int socket, int level, int option, int value) {
  // A refusal costs speed of notice, not function.
  (void)::setsockopt(socket, level, option, &value, sizeof value);
}

// A BMC that vanished is noticed within minutes, however quiet its page is.
void set_tcp_options(int socket) {
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, 60);
#endif
#ifdef TCP_KEEPINTVL
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, 20);
#endif
}

}  // namespace

// --- one of them
// -----------------------------------------------------------------------------------------------

// Being written down, then being connected, then moving bytes.
class Forwards::Forward {
 public:
  Forward(Forwards& all, Core& core, Visitor visitor, Terms terms, base::wire::Forward wish, Target target,
          Fd socket, std::function<void(bool)> done)
      : all_(all),
        core_(core),
        visitor_(std::move(visitor)),
        terms_(std::move(terms)),
        wish_(std::move(wish)),
        target_(std::move(target)),
        socket_(std::move(socket)),
        done_(std::move(done)),
        limit_(core.loop) {
    visitor_.doing = "forward";
    visitor_.device = target_.device;
  }

  void begin() {
    core_.journal.commit(entry("forward.open").with("origin", printable(wish_.origin, 80)),
                         life_.wrap([this](const Result<>& written) {
                           if (over_) return;
                           if (!written) return leave();
                           dial();
                         }));
  }

  // Writes down what became of it, and has it taken away.
  void end(const std::string& why) {
    if (over_) return;
    auto open = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begun_).count();
    core_.journal.note(entry("forward.close")
                           .with("bytes_in", static_cast<std::int64_t>(bytes_in()))
                           .with("bytes_out", static_cast<std::int64_t>(bytes_out()))
                           .with("seconds", static_cast<std::int64_t>(open))
                           .with("why", printable(why)));
    leave();
  }

  // Ends it when it may not go on.
  void recheck() {
    Result<Target> now = judge(core_, visitor_.who, terms_, wish_.host, wish_.port);
    if (now && now->address != target_.address) now = fail(Fault::missing, "the BMC has another address now");
    if (!now) end(str("no longer allowed: ", now.error().what));
  }
  void set_terms(Terms terms) { terms_ = std::move(terms); }

  const Visitor& visitor() const { return visitor_; }
  const Target& target() const { return target_; }
  std::uint64_t bytes_in() const { return relay_ ? relay_->bytes_in() : bytes_in_; }
  std::uint64_t bytes_out() const { return relay_ ? relay_->bytes_out() : bytes_out_; }
  bool over() const { return over_; }
  base::Loop& loop() const { return core_.loop; }
  // Nobody is told any more whether it was opened.
  void forget() { done_ = nullptr; }

 private:
  auth::Entry entry(std::string event) const {
    auth::Entry entry = event_of(visitor_, std::move(event));
    entry.with("connection", static_cast<std::int64_t>(visitor_.connection))
        .with("device", target_.device)
        .with("bmc", target_.bmc)
        .with("address", printable(target_.text))
        .with("port", static_cast<std::int64_t>(target_.port));
    return entry;
  }

  void dial() {
    sockaddr_storage address{};
    socklen_t size = socket_address(target_.address, target_.port, address);
    bmc_.reset(::socket(target_.address.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!bmc_) return end(base::system_error("could not connect").what);
    set_tcp_options(bmc_.get());
    if (::connect(bmc_.get(), reinterpret_cast<const sockaddr*>(&address), size) < 0 && errno != EINPROGRESS)
      return end(base::system_error("could not connect").what);
    connecting_ = std::make_unique<base::Watch>(core_.loop, bmc_.get());
    connecting_->writable([this] { dialled(); });
    limit_.after(kConnect,
                 [this] { end(str("could not connect: no answer within ", kConnect.count(), " s")); });
  }

  void dialled() {
    limit_.cancel();
    connecting_.reset();
    int number = 0;
    socklen_t size = sizeof number;
    if (::getsockopt(bmc_.get(), SOL_SOCKET, SO_ERROR, &number, &size) < 0) number = errno;
    if (number != 0) return end(base::system_error("could not connect", number).what);
    ++all_.opened_;
    relay_ = std::make_unique<Relay>(core_.loop, std::move(socket_), std::move(bmc_), all_.scratch(),
                                     [this](const std::string& why) { end(why); });
    answer(true);
    relay_->start();
  }

  void answer(bool open) {
    if (auto done = std::exchange(done_, nullptr)) done(open);
  }

  void leave() {
    over_ = true;
    limit_.cancel();
    connecting_.reset();
    bytes_in_ = bytes_in();
    bytes_out_ = bytes_out();
    relay_.reset();
    bmc_.reset();
    socket_.reset();
    answer(false);
    all_.over(*this);
  }

  Forwards& all_;
  Core& core_;
  Visitor visitor_;
  Terms terms_;
  const base::wire::Forward wish_;
  const Target target_;
  Fd socket_, bmc_;
  std::function<void(bool)> done_;
  const Clock::time_point begun_ = Clock::now();
  std::unique_ptr<base::Watch> connecting_;
  base::Timer limit_;
  std::unique_ptr<Relay> relay_;
  std::uint64_t bytes_in_ = 0, bytes_out_ = 0;  // once the relay is gone
  bool over_ = false;
  base::Life life_;
};

// --- all of them
// -----------------------------------------------------------------------------------------------

Forwards::Forwards() = default;

Forwards::~Forwards() {
  for (const auto& forward : forwards_) forward->forget();
  end_all("oobd is stopped");
}

std::string& Forwards::scratch() {
  if (scratch_.empty()) scratch_.resize(Relay::kPiece);
  return scratch_;
}

void Forwards::open(Core& core, Visitor visitor, const Terms& terms, const base::wire::Forward& wish,
                    Fd socket, std::function<void(bool)> done) {
  Result<Target> target = judge(core, visitor.who, terms, wish.host, wish.port);
  if (target && !core.disk.refusal.empty()) target = fail(Fault::journal, core.disk.refusal);
  if (target && count() >= kMost) target = fail(Fault::busy, str(kMost, " forwards are open"));
  if (!target) {
    refuse(core, visitor, wish, target.error().what);
    return done(false);
  }
  forwards_.push_back(std::make_unique<Forward>(*this, core, std::move(visitor), terms, wish,
                                                std::move(*target), std::move(socket), std::move(done)));
  forwards_.back()->begin();
}

// One who asks on and on can't fill the disk with it.
void Forwards::refuse(Core& core, const Visitor& visitor, const base::wire::Forward& wish,
                      const std::string& why) {
  auto known = std::find_if(refusals_.begin(), refusals_.end(),
                            [&](const Refusals& each) { return each.connection == visitor.connection; });
  if (known == refusals_.end()) {
    if (refusals_.size() >= kMostRemembered) refusals_.erase(refusals_.begin());
    known = refusals_.insert(refusals_.end(), Refusals{visitor.connection, Clock::now(), 0, 0});
  }
  if (Clock::now() - known->since > std::chrono::minutes(1)) {
    known->since = Clock::now();
    known->noted = 0;
  }
  if (known->noted >= kMostRefusals) {
    ++known->unsaid;
    return;
  }
  ++known->noted;
  auth::Entry entry = event_of(visitor, "denied");
  entry.with("action", "forward")
      .with("connection", static_cast<std::int64_t>(visitor.connection))
      .with("host", printable(wish.host, 255))
      .with("port", static_cast<std::int64_t>(wish.port))
      .with("why", printable(why));
  if (wish.host.size() > kBmc.size() && wish.host.ends_with(kBmc))
    entry.with("device", printable(wish.host.substr(0, wish.host.size() - kBmc.size()), 255));
  if (std::uint64_t unsaid = std::exchange(known->unsaid, 0))
    entry.with("unsaid", static_cast<std::int64_t>(unsaid));
  core.journal.note(std::move(entry));
}

// Called from inside it, so it is taken away later.
void Forwards::over(Forward& forward) {
  bytes_in_ += forward.bytes_in();
  bytes_out_ += forward.bytes_out();
  forward.loop().post(
      life_.wrap([this] { forwards_.remove_if([](const auto& each) { return each->over(); }); }));
}

void Forwards::end(std::uint64_t connection, const std::string& why) {
  for (const auto& forward : forwards_)
    if (forward->visitor().connection == connection) forward->end(why);
  std::erase_if(refusals_, [&](const Refusals& each) { return each.connection == connection; });
}

void Forwards::end_all(const std::string& why) {
  for (const auto& forward : forwards_) forward->end(why);
  refusals_.clear();
}

bool Forwards::end_numbered(std::uint64_t number, const std::string& why) {
  for (const auto& forward : forwards_) {
    if (forward->over() || forward->visitor().session != number) continue;
    forward->end(why);
    return true;
  }
  return false;
}

void Forwards::recheck() {
  for (const auto& forward : forwards_)
    if (!forward->over()) forward->recheck();
}

void Forwards::recheck(const TermsNow& terms_now) {
  for (const auto& forward : forwards_) {
    if (forward->over()) continue;
    std::optional<Terms> terms = terms_now(forward->visitor().connection);
    if (terms) forward->set_terms(std::move(*terms));
    if (!terms) forward->end("no longer allowed: the key is no longer accepted");
  }
  recheck();
}

std::vector<Forwards::Shown> Forwards::all() const {
  std::vector<Shown> shown;
  for (const auto& forward : forwards_)
    if (!forward->over())
      shown.push_back(
          {forward->visitor(), forward->target().port, forward->bytes_in(), forward->bytes_out()});
  return shown;
}

std::size_t Forwards::count() const {
  return static_cast<std::size_t>(
      std::count_if(forwards_.begin(), forwards_.end(), [](const auto& each) { return !each->over(); }));
}

std::size_t Forwards::count(std::uint64_t connection) const {
  return static_cast<std::size_t>(std::count_if(forwards_.begin(), forwards_.end(), [&](const auto& each) {
    return !each->over() && each->visitor().connection == connection;
  }));
}

std::uint64_t Forwards::bytes_in() const {
  std::uint64_t all = bytes_in_;
  for (const auto& forward : forwards_)
    if (!forward->over()) all += forward->bytes_in();
  return all;
}

std::uint64_t Forwards::bytes_out() const {
  std::uint64_t all = bytes_out_;
  for (const auto& forward : forwards_)
    if (!forward->over()) all += forward->bytes_out();
  return all;
}

}  // namespace oob::console

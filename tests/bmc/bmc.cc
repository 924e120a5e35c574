#include "tests/bmc/bmc.h"

#include <sys/socket.h>

#include <algorithm>

#include "tests/bmc/parts.h"

namespace oob::test {

namespace {

constexpr std::size_t kLateMost = 4096;
constexpr int kAtOnce = 64;  // datagrams read before others have their turn

}  // namespace

Bmc::Parts::Parts(Bmc& owner, base::Loop& on, BmcOptions how)
    : bmc(owner),
      loop(on),
      options(std::move(how)),
      late_timer(on),
      chassis(on, options, owner.seen),
      log(owner.faults),
      sensors(options, owner.faults),
      sol(on, options, owner.faults.sol, owner.seen.sol, [this] { return chassis.powered(); }),
      sessions(
          on, options, owner.faults, owner.seen,
          [this](const Endpoint& to, std::string datagram) { send(to, std::move(datagram)); },
          [this](Session& session) {
            if (session.id == sol_owner) sol_gone(false);
          }) {
  options.guid.resize(16);
  sol.hears = [this](Bytes bytes) {
    if (bmc.host_hears) bmc.host_hears(bytes);
  };
  sol.hears_break = [this] {
    if (bmc.host_hears_break) bmc.host_hears_break();
  };
}

base::Result<> Bmc::Parts::open() {
  base::Result<UdpSocket> bound = bind_udp(options.address, options.port);
  if (!bound) return bound.error();
  socket = std::move(bound->fd);
  port = bound->port;
  watch = std::make_unique<base::Watch>(loop, socket.get());
  listen();
  return {};
}

void Bmc::Parts::listen() {
  watch->readable([this] {
    receive();
    listen();
  });
}

void Bmc::Parts::receive() {
  char buffer[2048];
  for (int i = 0; i < kAtOnce; ++i) {
    Endpoint from;
    from.size = sizeof from.address;
    ssize_t size = ::recvfrom(socket.get(), buffer, sizeof buffer, 0,
                              reinterpret_cast<sockaddr*>(&from.address), &from.size);
    if (size < 0) return;  // nothing more; or a peer's port was closed, which is its affair
    ++bmc.seen.packets;
    if (bmc.faults.deaf || base::Clock::now() < deaf_until) continue;
    if (bmc.faults.answer_every > 1 && ++heard % bmc.faults.answer_every != 0) continue;
    datagram(Bytes(buffer, static_cast<std::size_t>(size)), from);
  }
}

void Bmc::Parts::datagram(Bytes bytes, const Endpoint& from) {
  if (std::optional<std::string> answer = pong(bytes)) return send(from, std::move(*answer));
  std::optional<Datagram> datagram = read_datagram(bytes);
  if (!datagram) {
    ++bmc.seen.bad_packets;
    return;
  }
  if (datagram->session == 0) return outside_sessions(*datagram, from);
  Session* session = datagram->rmcp_plus ? sessions.find(datagram->session) : nullptr;
  if (!session) {
    ++bmc.seen.no_session;
    return;
  }
  std::optional<std::string> payload = open_payload(*datagram, session->keys);
  if (!payload) {
    ++bmc.seen.bad_packets;
    return;
  }
  if (!sessions.in_window(*session, datagram->sequence)) {
    ++bmc.seen.replays;
    return;
  }
  sessions.touch(*session);
  if (datagram->payload_type == 1) {
    if (session->id == sol_owner) sol.packet(*payload);
    return;
  }
  if (datagram->payload_type != 0) return;
  std::uint32_t id = session->id;
  message(*payload, session, [this, id](std::string message, base::milliseconds wait) {
    if (Session* still = sessions.find(id)) send_in_session(*still, 0, message, wait);
  });
  after_answer();
}

void Bmc::Parts::outside_sessions(const Datagram& datagram, const Endpoint& from) {
  if (datagram.authenticated || datagram.encrypted || (!datagram.rmcp_plus && datagram.authentication != 0)) {
    ++bmc.seen.bad_packets;
    return;
  }
  if (!datagram.rmcp_plus && bmc.faults.no_ipmi_15) return;
  if (datagram.rmcp_plus && datagram.payload_type != 0)
    return sessions.handshake(datagram.payload_type, datagram.payload, from);
  message(datagram.payload, nullptr,
          [this, from, plus = datagram.rmcp_plus](std::string message, base::milliseconds wait) {
            send(from, bare_packet(plus, 0, message), wait);
          });
}

void Bmc::Parts::send_in_session(Session& session, unsigned payload_type, Bytes payload,
                                 base::milliseconds wait) {
  Faults& faults = bmc.faults;
  Seal wrong;
  wrong.strip_authenticated = strikes(faults.strip_authenticated);
  wrong.strip_encrypted = strikes(faults.strip_encrypted);
  wrong.wrong_code = strikes(faults.wrong_auth_code);
  wrong.pad_16 = strikes(faults.pad_16);
  wrong.pad_too_long = strikes(faults.pad_too_long);
  wrong.wrong_pad = strikes(faults.wrong_pad);
  if (session.sequence == 0) session.sequence = 1;  // 6.12.13: 0 is for packets outside sessions
  std::uint32_t sequence = session.sequence++;
  if (strikes(faults.old_sequence)) sequence -= 1000;
  if (strikes(faults.zero_sequence)) sequence = 0;
  std::uint32_t id = session.console_id ^ (strikes(faults.wrong_session_id) ? 0x00010000 : 0);
  std::string datagram = seal_packet(session.keys, payload_type, id, sequence, payload, wrong);
  if (strikes(faults.cut)) datagram.resize(std::min<std::size_t>(datagram.size(), faults.cut_at));
  if (!session.last_packet.empty() && strikes(faults.replay_old))
    send(session.from, session.last_packet, wait);
  session.last_packet = datagram;
  if (strikes(faults.send_twice)) send(session.from, datagram, wait);
  send(session.from, std::move(datagram), wait);
}

void Bmc::Parts::send(const Endpoint& to, std::string datagram, base::milliseconds wait) {
  wait += bmc.faults.delay;
  if (wait.count() <= 0) return transmit(to, datagram);
  if (late.size() >= kLateMost) return;
  late.emplace(base::Clock::now() + wait, std::pair(to, std::move(datagram)));
  flush();
}

void Bmc::Parts::flush() {
  while (!late.empty() && late.begin()->first <= base::Clock::now()) {
    auto [to, datagram] = std::move(late.extract(late.begin()).mapped());
    transmit(to, datagram);
  }
  if (!late.empty()) late_timer.at(late.begin()->first, [this] { flush(); });
}

void Bmc::Parts::transmit(const Endpoint& to, Bytes datagram) {
  ++bmc.seen.sent;
  // A full socket loses the datagram, as the network may.
  (void)::sendto(socket.get(), datagram.data(), datagram.size(), 0, to.get(), to.size);
}

void Bmc::Parts::reset(base::milliseconds gone) {
  ++bmc.seen.resets;
  sol_gone(false);
  sessions.forget(false);
  late.clear();
  late_timer.cancel();
  deaf_until = base::Clock::now() + gone;
}

Bmc::Bmc(base::Loop& loop, BmcOptions options)
    : parts_(std::make_unique<Parts>(*this, loop, std::move(options))) {}
Bmc::~Bmc() = default;

base::Result<> Bmc::open() { return parts_->open(); }
std::uint16_t Bmc::port() const { return parts_->port; }
const std::string& Bmc::address() const { return parts_->options.address; }
void Bmc::reset(base::milliseconds gone) { parts_->reset(gone); }
void Bmc::forget_sessions() {
  parts_->sol_gone(false);
  parts_->sessions.forget(false);
}
bool Bmc::powered() const { return parts_->chassis.powered(); }
void Bmc::set_power(bool on) { parts_->chassis.set_power(on); }
void Bmc::host_says(base::Bytes bytes) { parts_->sol.host_says(bytes); }
void Bmc::set_host(HostKind kind, unsigned rate) { parts_->sol.set_host(kind, rate); }
void Bmc::hold_input(bool held, unsigned room) { parts_->sol.hold_input(held, room); }
bool Bmc::sol_active() const { return parts_->sol.active(); }
std::uint32_t Bmc::sol_session() const { return sol_active() ? parts_->sol_owner : 0; }
void Bmc::steal_sol(bool tell) {
  parts_->sol_gone(tell);
  faults.sol.active_elsewhere = true;
}
std::string Bmc::boot_flags() const { return parts_->chassis.boot_flags(); }
void Bmc::set_sensor(unsigned number, std::uint8_t raw, std::uint16_t states) {
  parts_->sensors.set(number, raw, states);
}
void Bmc::set_sensor_unavailable(unsigned number, bool unavailable) {
  parts_->sensors.set_unavailable(number, unavailable);
}
void Bmc::add_event(std::string record) { parts_->log.add(std::move(record)); }
std::size_t Bmc::events() const { return parts_->log.size(); }

}  // namespace oob::test

#include "tests/bmc/session.h"

#include <algorithm>

namespace oob::test {

namespace {

// Statuses of table 13-15.
constexpr unsigned kNoResources = 0x01, kBadSession = 0x02, kInactive = 0x08, kRole = 0x0a,
                   kNameLength = 0x0c, kName = 0x0d, kCheckValue = 0x0f, kNoSuite = 0x11, kIllegal = 0x12;

void put_algorithm(std::string& to, unsigned type, unsigned number) {
  to += std::string{static_cast<char>(type), 0, 0, 8, static_cast<char>(number), 0, 0, 0};
}

}  // namespace

Sessions::Sessions(base::Loop& loop, const BmcOptions& options, Faults& faults, Seen& seen, Send send,
                   std::function<void(Session&)> gone)
    : options_(options),
      faults_(faults),
      seen_(seen),
      send_(std::move(send)),
      gone_(std::move(gone)),
      timer_(loop) {}

Sessions::~Sessions() { forget(false); }

void Sessions::handshake(unsigned payload_type, Bytes payload, const Endpoint& from) {
  if (payload_type == 0x10) return open_session(payload, from);
  if (payload_type == 0x12) return rakp1(payload, from);
  if (payload_type == 0x14) return rakp3(payload, from);
  ++seen_.bad_packets;
}

// Table 13-9: tag, privilege, 2 reserved, session ID, three algorithm payloads of 8 bytes.
void Sessions::open_session(Bytes payload, const Endpoint& from) {
  ++seen_.open_sessions;
  if (payload.size() != 32) {
    ++seen_.bad_packets;
    return;
  }
  unsigned tag = get8(payload, 0);
  std::uint32_t console = get32(payload, 4);
  if (strikes(faults_.open_session.ignore)) return;
  if (strikes(faults_.open_session.refuse))
    return refuse(0x11, tag, faults_.open_session.status, console, from);
  Algorithms asked{get8(payload, 12) & 0x3fu, get8(payload, 20) & 0x3fu, get8(payload, 28) & 0x3fu};
  bool known = faults_.accept_suite_0 && asked == Algorithms{};
  for (unsigned suite : options_.suites) known = known || suite_algorithms(suite) == asked;
  if (!known) return refuse(0x11, tag, kNoSuite, console, from);
  if ((get8(payload, 1) & 0x0f) > 4) return refuse(0x11, tag, kRole, console, from);

  // A repeated request finds the slot it already has.
  Session* session = nullptr;
  for (auto& each : table_)
    if (each->state == Session::State::opened && each->console_id == console && each->from == from)
      session = each.get();
  if (!session) {
    if (faults_.table_full || table_.size() >= options_.sessions)
      return refuse(0x11, tag, kNoResources, console, from);
    table_.push_back(std::make_unique<Session>());
    session = table_.back().get();
    session->deadline = base::Clock::now() + options_.handshake_timeout;
    do session->id = get32(random_bytes(4), 0);
    while (session->id == 0 || std::count_if(table_.begin(), table_.end(),
                                             [&](auto& each) { return each->id == session->id; }) > 1);
    session->handle = next_handle_++ % 255 + 1;
    ++seen_.handshakes_begun;
    seen_.handshakes.enter();
    if (options_.gauge) options_.gauge->enter();
    if (!timer_.waiting()) tick();
  }
  session->console_id = console;
  session->from = from;
  session->limit = (get8(payload, 1) & 0x0f) == 0 ? 4 : get8(payload, 1) & 0x0f;
  session->deadline = base::Clock::now() + options_.handshake_timeout;
  Algorithms& used = session->keys.algorithms = asked;
  if (faults_.offer_authentication >= 0)
    used.authentication = static_cast<unsigned>(faults_.offer_authentication);
  if (faults_.offer_integrity >= 0) used.integrity = static_cast<unsigned>(faults_.offer_integrity);
  if (faults_.offer_confidentiality >= 0)
    used.confidentiality = static_cast<unsigned>(faults_.offer_confidentiality);

  std::string out{static_cast<char>(tag), 0, static_cast<char>(session->limit), 0};
  put32(out, console);
  put32(out, session->id);
  put_algorithm(out, 0, used.authentication);
  put_algorithm(out, 1, used.integrity);
  put_algorithm(out, 2, used.confidentiality);
  answer(faults_.open_session, 0x11, std::move(out), from);
}

const BmcUser* Sessions::user(Bytes name, unsigned& number) const {
  for (std::size_t i = 0; i < options_.users.size(); ++i) {
    if (options_.users[i].name != name) continue;
    number = static_cast<unsigned>(i) + 2;  // user 1 is the anonymous one
    return &options_.users[i];
  }
  return nullptr;
}

// Table 13-11: tag, 3 reserved, BMC's session ID, 16 random bytes, role, 2 reserved, name length, name.
void Sessions::rakp1(Bytes payload, const Endpoint& from) {
  ++seen_.rakp1;
  if (payload.size() < 28) {
    ++seen_.bad_packets;
    return;
  }
  if (strikes(faults_.rakp1.ignore)) return;
  unsigned tag = get8(payload, 0);
  Session* session = pending(get32(payload, 4));
  if (!session) return refuse(0x13, tag, kBadSession, 0, from);
  std::uint32_t console = session->console_id;
  auto no = [&](unsigned status) {
    remove(session);
    refuse(0x13, tag, status, console, from);
  };
  if (strikes(faults_.rakp1.refuse)) return no(faults_.rakp1.status);
  std::size_t length = get8(payload, 27);
  if (length > 16) return no(kNameLength);
  // FreeIPMI's old option pads the name to 16 bytes; the standard does not.
  if (payload.size() != 28 + length) return no(kIllegal);
  session->name = payload.substr(28, length);
  session->user = user(session->name, session->user_number);
  bool anonymous = session->name.empty() && faults_.accept_anonymous;
  if (!session->user && !anonymous) return no(kName);
  session->role = get8(payload, 24);
  unsigned role = session->role & 0x0f;
  unsigned limit = std::min(session->user ? session->user->privilege : 4, session->limit);
  if (role > 4) return no(0x09);
  if (role > limit) return no(kRole);
  session->limit = role == 0 ? limit : role;
  // The same message again gets the same answer; a wire that doubles packets is no attack.
  bool again = options_.repeats_rakp2 && session->console_random == payload.substr(8, 16);
  if (!again) session->bmc_random = random_bytes(16);
  session->console_random = payload.substr(8, 16);
  session->state = Session::State::challenged;
  session->deadline = base::Clock::now() + options_.handshake_timeout;

  std::string hashed;
  put32(hashed, console);
  put32(hashed, session->id);
  hashed += session->console_random + session->bmc_random + options_.guid;
  hashed += static_cast<char>(session->role);
  hashed += static_cast<char>(length);
  hashed += session->name;
  std::string password = session->user ? session->user->password : "";
  std::string code = keyed_hash(session->keys.algorithms.authentication, password, hashed);
  if (!code.empty() && strikes(faults_.wrong_rakp2_code)) code.back() = static_cast<char>(code.back() ^ 1);

  std::string out{static_cast<char>(tag), 0, 0, 0};
  put32(out, console);
  answer(faults_.rakp1, 0x13, out + session->bmc_random + options_.guid + code, from);
}

// Table 13-13: tag, status, 2 reserved, BMC's session ID, code.
void Sessions::rakp3(Bytes payload, const Endpoint& from) {
  ++seen_.rakp3;
  if (payload.size() < 8) {
    ++seen_.bad_packets;
    return;
  }
  if (strikes(faults_.rakp3.ignore)) return;
  unsigned tag = get8(payload, 0);
  Session* session = pending(get32(payload, 4));
  if (!session || session->state != Session::State::challenged)
    return refuse(0x15, tag, kInactive, session ? session->console_id : 0, from);
  std::uint32_t console = session->console_id;
  if (get8(payload, 1) != 0) {  // the console broke it off; no answer is due (13.23)
    ++seen_.console_refused;
    return remove(session);
  }
  if (strikes(faults_.rakp3.refuse)) {
    remove(session);
    return refuse(0x15, tag, faults_.rakp3.status, console, from);
  }
  unsigned authentication = session->keys.algorithms.authentication;
  std::string password = session->user ? session->user->password : "";
  std::string named;
  named += static_cast<char>(session->role);
  named += static_cast<char>(session->name.size());
  named += session->name;
  std::string hashed = session->bmc_random;
  put32(hashed, console);
  if (!faults_.accept_any_password &&
      !same_secret(payload.substr(8), keyed_hash(authentication, password, hashed + named))) {
    ++seen_.wrong_passwords;
    remove(session);
    return refuse(0x15, tag, kCheckValue, console, from);
  }
  // 13.31: SIK by K_g, or by the user's password where there is none; K1 and K2 from constants of 20 bytes.
  session->sik = keyed_hash(authentication, options_.kg.empty() ? password : options_.kg,
                            session->console_random + session->bmc_random + named);
  session->keys.k1 = keyed_hash(authentication, session->sik, std::string(20, '\x01'));
  session->keys.k2 = keyed_hash(authentication, session->sik, std::string(20, '\x02')).substr(0, 16);
  session->state = Session::State::active;
  session->privilege = std::min(session->limit, 2u);
  session->sequence = faults_.first_sequence;
  settle(*session);
  touch(*session);
  ++seen_.handshakes_finished;
  seen_.sessions_most = std::max(seen_.sessions_most, ++seen_.sessions);

  hashed = session->console_random;
  put32(hashed, session->id);
  std::string code = keyed_hash(authentication, session->sik, hashed + options_.guid);
  code.resize(check_value_size(authentication));
  if (!code.empty() && strikes(faults_.wrong_rakp4_code)) code.back() = static_cast<char>(code.back() ^ 1);
  std::string out{static_cast<char>(tag), 0, 0, 0};
  put32(out, console);
  answer(faults_.rakp3, 0x15, out + code, from);
}

void Sessions::refuse(unsigned payload_type, unsigned tag, unsigned status, std::uint32_t console_id,
                      const Endpoint& to) {
  ++seen_.handshakes_refused;
  std::string out{static_cast<char>(tag), static_cast<char>(status), 0, 0};
  put32(out, console_id);
  StepFaults& step = payload_type == 0x11   ? faults_.open_session
                     : payload_type == 0x13 ? faults_.rakp1
                                            : faults_.rakp3;
  answer(step, payload_type, std::move(out), to);
}

void Sessions::answer(StepFaults& step, unsigned payload_type, std::string payload, const Endpoint& to) {
  if (strikes(step.wrong_tag)) payload[0] = static_cast<char>(payload[0] + 1);
  if (strikes(step.wrong_session_id)) payload[4] = static_cast<char>(payload[4] ^ 0x55);
  if (strikes(step.resize)) {
    int size = static_cast<int>(payload.size()) + step.by;
    payload.resize(static_cast<std::size_t>(std::clamp(size, 0, 1000)));
  }
  std::string datagram = bare_packet(true, payload_type, payload);
  if (strikes(step.twice)) send_(to, datagram);
  send_(to, std::move(datagram));
}

Session* Sessions::pending(std::uint32_t id) {
  for (auto& each : table_)
    if (each->id == id && each->state != Session::State::active) return each.get();
  return nullptr;
}

Session* Sessions::find(std::uint32_t id) {
  for (auto& each : table_)
    if (each->id == id && each->state == Session::State::active) return each.get();
  return nullptr;
}

std::vector<Session*> Sessions::active() {
  std::vector<Session*> found;
  for (auto& each : table_)
    if (each->state == Session::State::active) found.push_back(each.get());
  return found;
}

// 6.12.13: up to 15 ahead, up to 16 behind and not seen yet. Zero is for packets outside sessions.
bool Sessions::in_window(Session& session, std::uint32_t sequence) {
  if (sequence == 0) return false;
  std::uint32_t ahead = sequence - session.highest;
  // Over the wrap there is one number less: 0 is skipped.
  if (sequence < session.highest && ahead < 0x80000000) --ahead;
  if (ahead != 0 && ahead < 0x80000000) {
    if (ahead > options_.window_ahead) return false;
    session.seen = ahead > 31 ? 0 : session.seen << ahead;
    session.seen |= 1;
    session.highest = sequence;
    return true;
  }
  std::uint32_t behind = session.highest - sequence;
  if (sequence > session.highest) --behind;
  if (behind > 16 || (session.seen >> behind & 1) != 0) return false;
  session.seen |= 1u << behind;
  return true;
}

void Sessions::touch(Session& session) { session.deadline = base::Clock::now() + options_.session_timeout; }

void Sessions::settle(Session& session) {
  if (!session.counted) return;
  session.counted = false;
  seen_.handshakes.leave();
  if (options_.gauge) options_.gauge->leave();
}

void Sessions::remove(Session* session) {
  settle(*session);
  if (session->state == Session::State::active) --seen_.sessions;
  std::erase_if(table_, [&](auto& each) { return each.get() == session; });
}

void Sessions::close(Session& session) {
  gone_(session);
  remove(&session);
}

void Sessions::forget(bool tell) {
  while (!table_.empty()) {
    if (tell && table_.back()->state == Session::State::active) gone_(*table_.back());
    remove(table_.back().get());
  }
}

void Sessions::tick() {
  base::Clock::time_point now = base::Clock::now();
  for (std::size_t i = table_.size(); i-- > 0;) {
    Session& session = *table_[i];
    if (session.deadline > now) continue;
    if (session.state == Session::State::active) {
      ++seen_.sessions_expired;
      close(session);
    } else {
      remove(&session);
    }
  }
  if (table_.empty()) return;
  auto step = std::min(options_.session_timeout, options_.handshake_timeout) / 4;
  timer_.after(std::clamp(step, base::milliseconds(10), base::milliseconds(1000)), [this] { tick(); });
}

}  // namespace oob::test

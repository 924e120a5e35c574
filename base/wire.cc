#include "base/wire.h"

namespace oob::base::wire {

Writer& Writer::u8(std::uint8_t value) {
  buffer_ += static_cast<char>(value);
  return *this;
}
Writer& Writer::u32(std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) buffer_ += static_cast<char>(value >> shift);
  return *this;
}
Writer& Writer::u64(std::uint64_t value) {
  return u32(static_cast<std::uint32_t>(value >> 32)).u32(static_cast<std::uint32_t>(value));
}
Writer& Writer::text(Bytes value) {
  u32(static_cast<std::uint32_t>(value.size()));
  buffer_ += value;
  return *this;
}

Bytes Reader::take(std::size_t size) {
  if (!ok_ || size > rest_.size()) {
    ok_ = false;
    return {};
  }
  Bytes taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}
std::uint8_t Reader::u8() {
  Bytes b = take(1);
  return b.empty() ? 0 : static_cast<std::uint8_t>(b[0]);
}
std::uint32_t Reader::u32() {
  Bytes b = take(4);
  std::uint32_t value = 0;
  for (char c : b) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}
std::uint64_t Reader::u64() {
  std::uint64_t high = u32();
  return high << 32 | u32();
}
Bytes Reader::text() {
  std::uint32_t size = u32();
  return take(size);
}

namespace {
template <class Message>
Result<Message> whole(const Reader& reader, Message message, const char* name) {
  if (!reader.done()) return fail(Fault::internal, str("bad ", name, " message"));
  return message;
}
}  // namespace

std::string Setup::encode() const {
  Writer w;
  w.u32(static_cast<std::uint32_t>(host_keys.size()));
  for (const auto& key : host_keys) w.text(key);
  w.u32(grace_seconds)
      .u32(most_unauthenticated)
      .u32(most_per_source)
      .u32(most_tries)
      .u32(most_channels)
      .u32(most_connections)
      .u8(penalties)
      .u32(static_cast<std::uint32_t>(good_sources.size()));
  for (const auto& source : good_sources) w.text(source);
  return w.take();
}
Result<Setup> Setup::decode(Bytes payload) {
  Reader r(payload);
  Setup m;
  std::uint32_t keys = r.u32();
  for (std::uint32_t i = 0; i < keys && r.ok(); ++i) m.host_keys.emplace_back(r.text());
  m.grace_seconds = r.u32();
  m.most_unauthenticated = r.u32();
  m.most_per_source = r.u32();
  m.most_tries = r.u32();
  m.most_channels = r.u32();
  m.most_connections = r.u32();
  m.penalties = r.u8() == 1;
  std::uint32_t good = r.u32();
  for (std::uint32_t i = 0; i < good && r.ok(); ++i) m.good_sources.emplace_back(r.text());
  return whole(r, std::move(m), "setup");
}

std::string Ready::encode() const { return Writer().text(sandbox).text(key_exchange).take(); }
Result<Ready> Ready::decode(Bytes payload) {
  Reader r(payload);
  Ready m;
  m.sandbox = r.text();
  m.key_exchange = r.text();
  return whole(r, std::move(m), "ready");
}

std::string Listen::encode() const {
  return Writer().text(address).u8(static_cast<std::uint8_t>(way)).text(bastion).take();
}
Result<Listen> Listen::decode(Bytes payload) {
  Reader r(payload);
  Listen m{std::string(r.text())};
  m.way = static_cast<Listen::Way>(r.u8());
  m.bastion = r.text();
  if (m.way > Listen::Way::home) return fail(Fault::usage, "listen: no such way");
  if (r.ok() && (m.way == Listen::Way::home) == m.bastion.empty())
    return fail(Fault::usage, "listen: a bastion's name belongs to call-home, and to nothing else");
  return whole(r, std::move(m), "listen");
}

std::string Deafen::encode() const { return Writer().text(address).take(); }
Result<Deafen> Deafen::decode(Bytes payload) {
  Reader r(payload);
  Deafen m{std::string(r.text())};
  return whole(r, std::move(m), "deafen");
}

std::string Ask::encode() const {
  return Writer()
      .u64(connection)
      .u32(number)
      .u8(verified)
      .text(user)
      .text(key)
      .text(peer)
      .text(local)
      .text(client)
      .take();
}
Result<Ask> Ask::decode(Bytes payload) {
  Reader r(payload);
  Ask m;
  m.connection = r.u64();
  m.number = r.u32();
  m.verified = r.u8() == 1;
  m.user = r.text();
  m.key = r.text();
  m.peer = r.text();
  m.local = r.text();
  m.client = r.text();
  return whole(r, std::move(m), "ask");
}

std::string Verdict::encode() const {
  return Writer().u64(connection).u32(number).u8(accept).u8(no_pty).u8(further).text(prompt).take();
}
Result<Verdict> Verdict::decode(Bytes payload) {
  Reader r(payload);
  Verdict m;
  m.connection = r.u64();
  m.number = r.u32();
  m.accept = r.u8() == 1;
  m.no_pty = r.u8() == 1;
  m.further = r.u8() == 1;
  m.prompt = r.text();
  return whole(r, std::move(m), "verdict");
}

std::string Code::encode() const { return Writer().u64(connection).u32(number).text(code).take(); }
Result<Code> Code::decode(Bytes payload) {
  Reader r(payload);
  Code m;
  m.connection = r.u64();
  m.number = r.u32();
  m.code = r.text();
  return whole(r, std::move(m), "code");
}

std::string Forward::encode() const {
  return Writer().u64(connection).u32(number).text(host).u32(port).text(origin).take();
}
Result<Forward> Forward::decode(Bytes payload) {
  Reader r(payload);
  Forward m;
  m.connection = r.u64();
  m.number = r.u32();
  m.host = r.text();
  m.port = r.u32();
  m.origin = r.text();
  return whole(r, std::move(m), "forward");
}

std::string Opened::encode() const { return Writer().u64(connection).u32(number).u8(open).take(); }
Result<Opened> Opened::decode(Bytes payload) {
  Reader r(payload);
  Opened m;
  m.connection = r.u64();
  m.number = r.u32();
  m.open = r.u8() == 1;
  return whole(r, m, "opened");
}

std::string Figures::encode() const {
  return Writer()
      .u32(connections)
      .u32(unauthenticated)
      .u32(waiting)
      .u32(penalised)
      .u64(accepted)
      .u64(kept_out)
      .u64(too_many)
      .u64(timed_out)
      .u64(failed)
      .take();
}
Result<Figures> Figures::decode(Bytes payload) {
  Reader r(payload);
  Figures m;
  m.connections = r.u32();
  m.unauthenticated = r.u32();
  m.waiting = r.u32();
  m.penalised = r.u32();
  m.accepted = r.u64();
  m.kept_out = r.u64();
  m.too_many = r.u64();
  m.timed_out = r.u64();
  m.failed = r.u64();
  return whole(r, m, "figures");
}

std::string Drop::encode() const { return Writer().u64(connection).text(why).take(); }
Result<Drop> Drop::decode(Bytes payload) {
  Reader r(payload);
  Drop m;
  m.connection = r.u64();
  m.why = r.text();
  return whole(r, std::move(m), "drop");
}

std::string OpenSession::encode() const { return Writer().u64(connection).take(); }
Result<OpenSession> OpenSession::decode(Bytes payload) {
  Reader r(payload);
  OpenSession m{r.u64()};
  return whole(r, m, "session");
}

std::string Closed::encode() const { return Writer().u64(connection).take(); }
Result<Closed> Closed::decode(Bytes payload) {
  Reader r(payload);
  Closed m{r.u64()};
  return whole(r, m, "closed");
}

std::string Remark::encode() const {
  return Writer().u8(static_cast<std::uint8_t>(kind)).text(peer).text(text).take();
}
Result<Remark> Remark::decode(Bytes payload) {
  Reader r(payload);
  Remark m;
  m.kind = r.u8() == 1 ? Kind::refused : Kind::log;
  m.peer = r.text();
  m.text = r.text();
  return whole(r, std::move(m), "remark");
}

std::string packet(Control kind, Bytes payload) {
  std::string bytes(1, static_cast<char>(kind));
  bytes += payload;
  return bytes;
}

std::string Open::encode() const {
  return Writer().u8(shell).u8(subsystem).u8(pty).text(command).text(term).u32(columns).u32(rows).take();
}
Result<Open> Open::decode(Bytes payload) {
  Reader r(payload);
  Open m;
  m.shell = r.u8() == 1;
  m.subsystem = r.u8() == 1;
  m.pty = r.u8() == 1;
  m.command = r.text();
  m.term = r.text();
  m.columns = r.u32();
  m.rows = r.u32();
  return whole(r, std::move(m), "open");
}

void add_frames(std::string& to, Frame kind, Bytes payload) {
  do {
    Bytes piece = payload.substr(0, kMostPayload);
    payload.remove_prefix(piece.size());
    std::uint32_t length = static_cast<std::uint32_t>(piece.size() + 1);
    for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(length >> shift);
    to += static_cast<char>(kind);
    to += piece;
  } while (!payload.empty());
}

std::string frame(Frame kind, Bytes payload) {
  std::string bytes;
  add_frames(bytes, kind, payload);
  return bytes;
}

Result<bool> Frames::next(Frame& kind, Bytes& payload) {
  Bytes rest = Bytes(buffer_).substr(start_);
  if (rest.empty() && start_ > 0) {
    buffer_.clear();
    start_ = 0;
    if (buffer_.capacity() > 2 * kMostPayload) buffer_.shrink_to_fit();
    return false;
  }
  if (rest.size() >= 4) {
    std::uint32_t length = Reader(rest).u32();
    if (length == 0 || length > kMostPayload + 1)
      return fail(Fault::internal, str("frame of ", length, " bytes"));
    if (rest.size() - 4 >= length) {
      kind = static_cast<Frame>(rest[4]);
      payload = rest.substr(5, length - 1);
      start_ += 4 + length;
      return true;
    }
  }
  buffer_.erase(0, start_);
  start_ = 0;
  return false;
}

}  // namespace oob::base::wire

#include "oobd/errands_wire.h"

#include "base/wire.h"
#include "oobd/errands.h"

namespace oob::errands {

using base::Bytes;
using base::Result;
using base::wire::Reader;
using base::wire::Writer;

namespace {

base::Error senseless() { return base::fail(base::Fault::internal, "a message that makes no sense"); }

// A name that could not be in a configuration, or a NUL that would end a word early, is nobody's.
bool takes(Bytes text) { return text.size() <= kMostText && text.find('\0') == Bytes::npos; }

// Whether it has passed base::printable() already, which writes a backslash as two.
bool is_printable(Bytes text) {
  std::string rest(text);
  std::erase(rest, '\\');
  return base::printable(rest, rest.size() + 1) == rest;
}

}  // namespace

std::string Order::encode() const {
  Writer writer;
  writer.u8(static_cast<std::uint8_t>(kind));
  if (kind == Kind::adopt) return writer.take();
  writer.u64(number);
  if (kind == Kind::notify) writer.text(name).u32(limit).text(event).text(device).text(interface);
  if (kind == Kind::call_home) writer.text(name).u32(place);
  return writer.take();
}

Result<Order> Order::decode(Bytes packet) {
  Reader reader(packet);
  Order order;
  order.kind = static_cast<Kind>(reader.u8());
  bool known = order.kind == Kind::notify || order.kind == Kind::call_home || order.kind == Kind::end ||
               order.kind == Kind::adopt;
  if (!reader.ok() || !known) return senseless();
  if (order.kind != Kind::adopt) order.number = reader.u64();
  if (order.kind == Kind::notify || order.kind == Kind::call_home) {
    Bytes name = reader.text();
    if (!takes(name)) return senseless();
    order.name = name;
  }
  if (order.kind == Kind::notify) {
    order.limit = reader.u32();
    Bytes event = reader.text(), device = reader.text(), interface = reader.text();
    if (!takes(event) || !takes(device) || !takes(interface)) return senseless();
    order.event = event;
    order.device = device;
    order.interface = interface;
  }
  if (order.kind == Kind::call_home) order.place = reader.u32();
  if (!reader.done()) return senseless();
  return order;
}

std::string End::encode() const {
  Writer writer;
  return writer.u8(static_cast<std::uint8_t>(Kind::ended))
      .u64(number)
      .u32(static_cast<std::uint32_t>(status))
      .text(Bytes(words).substr(0, kMostWords))
      .take();
}

std::string full(Kind kind) {
  return kind == Kind::notify ? base::str(Errands::kMostPrograms, " programs run already")
                              : base::str(Errands::kMostCalls, " ssh to bastions run already");
}

std::string begun_anew() { return Writer().u8(static_cast<std::uint8_t>(Kind::begun_anew)).take(); }
bool is_begun_anew(Bytes packet) { return packet == begun_anew(); }

std::string Halt::encode() const {
  return Writer().u8(static_cast<std::uint8_t>(Kind::halted)).text(Bytes(why).substr(0, kMostWords)).take();
}

Result<Halt> Halt::decode(Bytes packet) {
  Reader reader(packet);
  bool known = static_cast<Kind>(reader.u8()) == Kind::halted;
  Bytes why = reader.text();
  if (!known || !reader.done() || why.size() > kMostWords) return senseless();
  return Halt{is_printable(why) ? std::string(why) : base::printable(why, kMostWords)};
}

Result<End> End::decode(Bytes packet) {
  Reader reader(packet);
  bool known = static_cast<Kind>(reader.u8()) == Kind::ended;
  End end;
  end.number = reader.u64();
  end.status = static_cast<std::int32_t>(reader.u32());
  Bytes words = reader.text();
  if (!known || !reader.done() || words.size() > kMostWords) return senseless();
  end.words = is_printable(words) ? std::string(words) : base::printable(words, kMostWords);
  return end;
}

}  // namespace oob::errands

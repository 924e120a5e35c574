#include "serial/telnet.h"

#include <utility>

namespace oob::serial {

using base::str;

namespace {

// RFC 854
constexpr unsigned char kSe = 240, kBreak = 243, kSb = 250, kWill = 251, kWont = 252, kDo = 253, kDont = 254,
                        kIac = 255;
// Options: RFC 856, 857, 858, 2217
constexpr unsigned char kBinary = 0, kEcho = 1, kSuppressGoAhead = 3, kComPort = 44;
constexpr std::array<unsigned char, 4> kOptions{kBinary, kEcho, kSuppressGoAhead, kComPort};
// RFC 2217, 2: what the client sends; the answer has the same number plus 100
constexpr unsigned char kSetBaud = 1, kSetBits = 2, kSetParity = 3, kSetStop = 4, kSetControl = 5;
constexpr unsigned char kAnswer = 100;
constexpr unsigned char kFlowNone = 1, kFlowXonXoff = 2, kFlowHardware = 3, kBreakOn = 5, kBreakOff = 6;

constexpr const char* kParityNames[] = {"?", "none", "odd", "even", "mark", "space"};
constexpr const char* kStopNames[] = {"?", "1", "2", "1.5"};
constexpr const char* kFlowNames[] = {"?", "none", "xonxoff", "rtscts"};

template <std::size_t N>
std::string name(const char* const (&names)[N], std::uint32_t value) {
  return value < N ? names[value] : str("code ", value);
}

}  // namespace

Telnet::Telnet(const TelnetSettings& wanted) {
  auto want = [this](Setting setting, std::uint32_t value) {
    wanted_[static_cast<std::size_t>(setting)] = {true, false, value};
  };
  if (wanted.baud) want(Setting::baud, *wanted.baud);
  if (base::Result<Format> format = parse_format(wanted.format); format) {
    constexpr std::string_view kParities = "?NOEMS";
    want(Setting::bits, static_cast<std::uint32_t>(format->bits));
    want(Setting::parity, static_cast<std::uint32_t>(kParities.find(format->parity)));
    want(Setting::stop, static_cast<std::uint32_t>(format->stop));
  }
  if (base::Result<Flow> flow = parse_flow(wanted.flow); flow) {
    want(Setting::flow, *flow == Flow::rtscts    ? kFlowHardware
                        : *flow == Flow::xonxoff ? kFlowXonXoff
                                                 : kFlowNone);
  }
}

const Telnet::Option* Telnet::option(unsigned char code) const {
  for (std::size_t i = 0; i < kOptions.size(); ++i)
    if (kOptions[i] == code) return &options_[i];
  return nullptr;
}

Telnet::Option* Telnet::option(unsigned char code) {
  return const_cast<Option*>(std::as_const(*this).option(code));
}

void Telnet::send(unsigned char verb, unsigned char code) {
  for (unsigned char c : {kIac, verb, code}) pending_ += static_cast<char>(c);
}

void Telnet::start() {
  for (unsigned char code : {kComPort, kBinary, kSuppressGoAhead}) {
    option(code)->us = Side::asked;
    send(kWill, code);
  }
  for (unsigned char code : {kBinary, kSuppressGoAhead}) {
    option(code)->him = Side::asked;
    send(kDo, code);
  }
}

std::size_t Telnet::receive(char* bytes, std::size_t size) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < size; ++i)
    if (byte(static_cast<unsigned char>(bytes[i]))) bytes[kept++] = bytes[i];
  return kept;
}

bool Telnet::byte(unsigned char c) {
  switch (state_) {
    case State::data: {
      if (c == kIac) {
        state_ = State::command;
        return false;
      }
      // RFC 854: in the network virtual terminal a bare CR comes as CR NUL.
      bool padding = c == 0 && after_return_ && option(kBinary)->him != Side::yes;
      after_return_ = c == '\r';
      return !padding;
    }
    case State::command:
      state_ = State::data;
      if (c == kIac) {
        after_return_ = false;
        return true;
      }
      if (c >= kWill && c <= kDont) {
        verb_ = c;
        state_ = State::verb;
      } else if (c == kSb) {
        value_.clear();
        value_size_ = 0;
        state_ = State::value;
      }
      return false;  // others (NOP, GA, DM, a stray SE) mean nothing to a serial line
    case State::verb:
      state_ = State::data;
      option_command(verb_, c);
      return false;
    case State::value:
      if (c == kIac) {
        state_ = State::value_command;
        return false;
      }
      break;
    case State::value_command:
      if (c == kIac) {
        state_ = State::value;
        break;
      }
      if (c == kSe) {
        state_ = State::data;
        subnegotiation_ends();
        return false;
      }
      // Broken off by another command: what was gathered is void, the command counts.
      state_ = State::command;
      return byte(c);
  }
  // A byte of a subnegotiation.
  if (value_.size() < kMostSubnegotiation) value_ += static_cast<char>(c);
  if (++value_size_ >= kLostSubnegotiation) {
    state_ = State::data;
    if (!std::exchange(lost_told_, true))
      remark("a telnet subnegotiation did not end; what follows is taken for data");
  }
  return false;
}

void Telnet::option_command(unsigned char verb, unsigned char code) {
  if (verb == kWill || verb == kWont) {
    peer_does(code, verb == kWill);
  } else {
    peer_wants(code, verb == kDo);
  }
}

// WILL and WONT: what the other side does. RFC 1143 without the states for taking something back, which this
// never does by itself.
void Telnet::peer_does(unsigned char code, bool willing) {
  Option* known = option(code);
  if (!known) {
    if (willing && !refused_him_[code]) {
      refused_him_.set(code);
      send(kDont, code);
    }
    return;
  }
  Side before = known->him;
  if (before != Side::asked && (before == Side::yes) == willing) return;
  if (before != Side::asked && ++changes_ > kMostChanges) return;
  known->him = willing ? Side::yes : Side::no;
  if (before != Side::asked) send(willing ? kDo : kDont, code);
}

// DO and DONT: what this side is to do.
void Telnet::peer_wants(unsigned char code, bool wanted) {
  Option* known = code == kEcho ? nullptr : option(code);  // this side never echoes
  if (!known) {
    if (wanted && !refused_us_[code]) {
      refused_us_.set(code);
      send(kWont, code);
    }
    return;
  }
  Side before = known->us;
  if (before != Side::asked && (before == Side::yes) == wanted) return;
  if (before != Side::asked && ++changes_ > kMostChanges) return;
  known->us = wanted ? Side::yes : Side::no;
  if (before != Side::asked) send(wanted ? kWill : kWont, code);
  if (code == kComPort) com_port_is(wanted ? ComPort::agreed : ComPort::refused);
}

void Telnet::com_port_is(ComPort now) {
  com_port_ = now;
  if (now == ComPort::agreed) return ask_settings();
  bool any = false;
  for (const Wanted& wanted : wanted_) any = any || wanted.given;
  if (any && !settings_asked_)
    remark("the other side knows no RFC 2217: baud, format and flow stay as they are there");
}

void Telnet::ask_settings() {
  if (std::exchange(settings_asked_, true)) return;
  auto ask_if = [this](Setting setting, unsigned char command, int size) {
    const Wanted& wanted = wanted_[static_cast<std::size_t>(setting)];
    if (wanted.given) ask(command, wanted.value, size);
  };
  ask_if(Setting::baud, kSetBaud, 4);
  ask_if(Setting::bits, kSetBits, 1);
  ask_if(Setting::parity, kSetParity, 1);
  ask_if(Setting::stop, kSetStop, 1);
  ask_if(Setting::flow, kSetControl, 1);
}

void Telnet::ask(unsigned char command, std::uint32_t value, int size) {
  send(kSb, kComPort);
  pending_ += static_cast<char>(command);
  for (int shift = (size - 1) * 8; shift >= 0; shift -= 8) {
    auto c = static_cast<unsigned char>(value >> shift);
    pending_ += static_cast<char>(c);
    if (c == kIac) pending_ += static_cast<char>(c);
  }
  pending_ += static_cast<char>(kIac);
  pending_ += static_cast<char>(kSe);
}

void Telnet::subnegotiation_ends() {
  if (value_size_ > kMostSubnegotiation || value_.size() < 3) return;
  auto at = [this](std::size_t i) { return static_cast<unsigned char>(value_[i]); };
  if (at(0) != kComPort || com_port_ != ComPort::agreed) return;
  if (at(1) == kAnswer + kSetBaud) {
    if (value_.size() != 6) return;
    std::uint32_t baud = 0;
    for (std::size_t i = 2; i < 6; ++i) baud = baud << 8 | at(i);
    return answered(Setting::baud, baud);
  }
  if (value_.size() != 3) return;
  switch (at(1)) {
    case kAnswer + kSetBits:
      return answered(Setting::bits, at(2));
    case kAnswer + kSetParity:
      return answered(Setting::parity, at(2));
    case kAnswer + kSetStop:
      return answered(Setting::stop, at(2));
    case kAnswer + kSetControl:
      // Answers about break and modem lines come under the same number.
      if (at(2) >= kFlowNone && at(2) <= kFlowHardware) answered(Setting::flow, at(2));
      return;
    default:
      return;  // a signature, line or modem state: nothing to do
  }
}

void Telnet::answered(Setting setting, std::uint32_t value) {
  Wanted& wanted = wanted_[static_cast<std::size_t>(setting)];
  if (!wanted.given || wanted.told || wanted.value == value) return;
  wanted.told = true;
  switch (setting) {
    case Setting::baud:
      return remark(str("baud ", wanted.value, " refused, the port stays at ", value));
    case Setting::bits:
      return remark(str(wanted.value, " data bits refused, the port stays at ", value));
    case Setting::parity:
      return remark(str("parity ", name(kParityNames, wanted.value), " refused, the port stays at ",
                        name(kParityNames, value)));
    case Setting::stop:
      return remark(str(wanted.value, " stop bits refused, the port stays at ", name(kStopNames, value)));
    case Setting::flow:
      return remark(str("flow control ", name(kFlowNames, wanted.value), " refused, the port stays at ",
                        name(kFlowNames, value)));
  }
}

void Telnet::remark(const std::string& text) {
  if (!remark_.empty()) remark_ += "; ";
  remark_ += text;
}

std::string Telnet::take_remark() { return std::exchange(remark_, {}); }

bool Telnet::doubled(char byte) const {
  return static_cast<unsigned char>(byte) == kIac || (byte == '\r' && option(kBinary)->us != Side::yes);
}

Telnet::Encoded Telnet::encode(base::Bytes from, char* to, std::size_t room) const {
  Encoded made;
  for (char byte : from) {
    bool two = doubled(byte);
    if (made.size + (two ? 2 : 1) > room) break;
    to[made.size++] = byte;
    // IAC IAC; and CR NUL, which the network virtual terminal wants for a bare CR.
    if (two) to[made.size++] = byte == '\r' ? '\0' : byte;
    ++made.taken;
  }
  return made;
}

void Telnet::break_on() { ask(kSetControl, kBreakOn, 1); }
void Telnet::break_off() { ask(kSetControl, kBreakOff, 1); }

void Telnet::break_command() {
  pending_ += static_cast<char>(kIac);
  pending_ += static_cast<char>(kBreak);
}

}  // namespace oob::serial

#include <optional>

#include "tests/bmc/bmc.h"

namespace oob::test {

namespace {

using base::str;

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

// \r \n \\ \xNN; any other backslash is no text.
std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    if (text[i] == 'r') {
      out += '\r';
    } else if (text[i] == 'n') {
      out += '\n';
    } else if (text[i] == '\\') {
      out += '\\';
    } else if (text[i] == 'x') {
      std::optional<std::string> byte = from_hex(text.substr(i + 1, 2));
      if (!byte || byte->size() != 1) return std::nullopt;
      out += *byte;
      i += 2;
    } else {
      return std::nullopt;
    }
  }
  return out;
}

}  // namespace

base::Result<std::string> Bmc::order(std::string_view line) {
  const std::string ok = "ok";
  auto no = [&](std::string_view why) {
    return base::fail(base::Fault::usage, str("\"", base::printable(line), "\": ", why));
  };
  if (line == "seen") return str("ok ", seen.json());
  if (line == "forget") {
    forget_sessions();
    return ok;
  }
  std::size_t equals = line.find('=');
  std::string_view key = line.substr(0, equals);
  std::string_view value = equals == std::string_view::npos ? std::string_view{} : line.substr(equals + 1);
  bool on = value == "on";
  if (key == "power" || key == "hold") {
    if (!on && value != "off") return no("is neither on nor off");
    if (key == "power") set_power(on);
    if (key == "hold") hold_input(on);
    return ok;
  }
  if (key == "reset") {
    unsigned gone = 0;
    if (!base::parse_number(value, gone)) return no("takes milliseconds");
    reset(base::milliseconds(gone));
    return ok;
  }
  if (key == "steal") {
    if (value != "silent" && value != "told") return no("is neither silent nor told");
    steal_sol(value == "told");
    return ok;
  }
  if (key == "host") {
    std::size_t colon = value.find(':');
    std::string_view kind = value.substr(0, colon);
    unsigned rate = 3200;
    if (colon != std::string_view::npos && !base::parse_number(value.substr(colon + 1), rate))
      return no("takes bytes a second");
    if (kind != "echo" && kind != "silent" && kind != "numbered") return no("there is no such host");
    set_host(kind == "echo"     ? HostKind::echo
             : kind == "silent" ? HostKind::silent
                                : HostKind::numbered,
             rate);
    return ok;
  }
  if (key == "say" || key == "event") {
    std::optional<std::string> bytes = key == "say" ? unescaped(value) : from_hex(value);
    if (!bytes || (key == "event" && bytes->size() != 16)) return no("cannot be read");
    if (key == "say")
      host_says(*bytes);
    else
      add_event(std::move(*bytes));
    return ok;
  }
  if (key == "sensor") {
    std::vector<unsigned> numbers;
    bool fine = true;
    base::split(value, ',', [&](std::string_view piece) {
      unsigned number = 0;
      fine = fine && base::parse_number(piece, number);
      numbers.push_back(number);
    });
    if (!fine || numbers.size() < 2 || numbers.size() > 3) return no("takes number, raw value, states");
    set_sensor(numbers[0], static_cast<std::uint8_t>(numbers[1]),
               static_cast<std::uint16_t>(numbers.size() > 2 ? numbers[2] : 0));
    return ok;
  }
  base::Result<> done = faults.order(line);
  if (!done) return done.error();
  return ok;
}

}  // namespace oob::test

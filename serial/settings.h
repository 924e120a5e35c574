#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// How a line is set up, in the words of the configuration, and the checks of those words.
namespace oob::serial {

struct TtySettings {
  std::string path;  // a device node or a link to one
  unsigned baud = 115200;
  std::string format = "8N1";  // 5 to 8 bits; parity N, E, O, M or S; 1 or 2 stop bits
  std::string flow = "none";   // none, rtscts, xonxoff
};

struct TelnetSettings {
  std::string address;           // as parse_endpoint() takes it
  std::optional<unsigned> baud;  // asked of the far end by RFC 2217 when given
  std::string format, flow;      // the same; empty: left as the far end has it
};

struct Format {
  int bits = 8;
  char parity = 'N';
  int stop = 1;
};
enum class Flow { none, rtscts, xonxoff };

// A numeric address and port. `zone` is the interface of a link-local IPv6 address ("fe80::1%eth0").
struct Endpoint {
  bool ipv6 = false;
  std::array<std::uint8_t, 16> address{};  // network order; the first four for IPv4
  std::string zone;
  std::uint16_t port = 0;
};

// Fault::config with a text that says what is allowed.
base::Result<Format> parse_format(std::string_view text);
base::Result<Flow> parse_flow(std::string_view text);
// "192.0.2.40:4001", "[2001:db8::1]:4001", "localhost:4001" (127.0.0.1). Never looks a name up.
base::Result<Endpoint> parse_endpoint(std::string_view text);

base::Result<> check_format(std::string_view text);
base::Result<> check_flow(std::string_view text);
base::Result<> check_baud(unsigned baud);
base::Result<> check_endpoint(std::string_view text);

}  // namespace oob::serial

#include "serial/settings.h"

#include <arpa/inet.h>

namespace oob::serial {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

Result<Format> parse_format(std::string_view text) {
  constexpr std::string_view kParities = "NEOMS";
  bool right = text.size() == 3 && text[0] >= '5' && text[0] <= '8' &&
               kParities.find(text[1]) != std::string_view::npos && (text[2] == '1' || text[2] == '2');
  if (!right)
    return fail(Fault::config, str("\"", base::printable(text, 40),
                                   "\" is no format: 5 to 8 bits, parity N, E, O, M or S, 1 or 2 stop bits, "
                                   "as in \"8N1\""));
  return Format{text[0] - '0', text[1], text[2] - '0'};
}

Result<Flow> parse_flow(std::string_view text) {
  if (text == "none") return Flow::none;
  if (text == "rtscts") return Flow::rtscts;
  if (text == "xonxoff") return Flow::xonxoff;
  return fail(Fault::config,
              str("\"", base::printable(text, 40), "\" is no flow control: none, rtscts or xonxoff"));
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  auto wrong = [text] {
    return fail(Fault::config, str("\"", base::printable(text, 100),
                                   "\" is no numeric address with a port, as in \"192.0.2.40:4001\" or "
                                   "\"[2001:db8::1]:4001\""));
  };
  Endpoint endpoint;
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong();
  std::string host(text.substr(0, colon));
  if (!base::parse_number(text.substr(colon + 1), endpoint.port) || endpoint.port == 0) return wrong();
  if (host.find('\0') != std::string::npos) return wrong();
  if (host.starts_with('[') && host.ends_with(']')) {
    endpoint.ipv6 = true;
    host = host.substr(1, host.size() - 2);
    if (std::size_t percent = host.find('%'); percent != std::string::npos) {
      endpoint.zone = host.substr(percent + 1);
      host.resize(percent);
      if (endpoint.zone.empty()) return wrong();
    }
    if (::inet_pton(AF_INET6, host.c_str(), endpoint.address.data()) != 1) return wrong();
    return endpoint;
  }
  if (host == "localhost") host = "127.0.0.1";
  if (::inet_pton(AF_INET, host.c_str(), endpoint.address.data()) != 1) return wrong();
  return endpoint;
}

Result<> check_format(std::string_view text) {
  Result<Format> format = parse_format(text);
  if (!format) return format.error();
  return {};
}

Result<> check_flow(std::string_view text) {
  Result<Flow> flow = parse_flow(text);
  if (!flow) return flow.error();
  return {};
}

Result<> check_baud(unsigned baud) {
  if (baud < 50 || baud > 20'000'000)
    return fail(Fault::config, str(baud, " is no baud rate: 50 to 20000000"));
  return {};
}

Result<> check_endpoint(std::string_view text) {
  Result<Endpoint> endpoint = parse_endpoint(text);
  if (!endpoint) return endpoint.error();
  return {};
}

}  // namespace oob::serial

// [uplink.NAME]: the ways out of the board.
#include <arpa/inet.h>

#include <algorithm>

#include "oobd/config_reader.h"
#include "oobd/config_values.h"
#include "uplink/interfaces.h"
#include "uplink/target.h"

namespace oob {
namespace {

constexpr std::size_t kMostProbes = 8, kMostListens = 16;  // of one uplink

// The parts of what check_listen() has let through.
struct ListenParts {
  bool is_v6 = false, is_any = false;
  std::string host;  // in bytes: "::1" and "0:0::1" are one
  std::string port;
};

ListenParts parts_of(std::string_view text) {
  ListenParts parts;
  std::size_t colon = text.rfind(':');
  std::string host(text.substr(0, colon));
  parts.port = std::string(text.substr(colon + 1));
  parts.is_v6 = host.starts_with('[');
  if (parts.is_v6) host = host.substr(1, host.size() - 2);
  unsigned char bytes[sizeof(in6_addr)] = {};
  ::inet_pton(parts.is_v6 ? AF_INET6 : AF_INET, host.c_str(), bytes);
  parts.host.assign(reinterpret_cast<const char*>(bytes), parts.is_v6 ? 16 : 4);
  parts.is_any = parts.host.find_first_not_of('\0') == std::string::npos;
  return parts;
}

// The system gives a port of an address to one listener, unless both are bound to interfaces, and to
// different ones (socket(7), SO_BINDTODEVICE). "Any" is every address.
bool clash(std::string_view one, std::string_view other) {
  ListenParts a = parts_of(one), b = parts_of(other);
  unsigned port_a = 0, port_b = 0;
  bool same_port = base::parse_number(a.port, port_a) && base::parse_number(b.port, port_b) &&
                   port_a == port_b && port_a != 0;
  return same_port && a.is_v6 == b.is_v6 && (a.is_any || b.is_any || a.host == b.host);
}

// What to write instead.
std::string cure(const std::string& here, const std::string& in_server) {
  ListenParts a = parts_of(here), b = parts_of(in_server);
  if (a.is_any && !b.is_any)
    return "give one of them another port, or write the address of this uplink here instead of all of them";
  if (!b.is_any) return "take one of them out";
  const char* loopback = b.is_v6 ? "[::1]:" : "127.0.0.1:";
  return base::str(
      "give one of them another port, or write in server.listen addresses of other interfaces, like \"",
      loopback, b.port, "\"", a.is_any ? ", and here the address of this uplink" : "");
}

}  // namespace

void ConfigReader::read_uplink(const Member& uplink) {
  const Node& table = uplink.value;
  faults_.check(uplink.place, check_name(uplink.key));
  faults_.check_table(table, table.place, kUplink,
                      base::str("[uplink.", base::printable(uplink.key, 80), "]"));
  UplinkConfig config;
  if (const Node* interface = text(table, "interface")) {
    faults_.check(interface->place, uplink::check_interface_name(interface->text));
    auto other = std::find_if(config_.uplinks.begin(), config_.uplinks.end(),
                              [&](const auto& each) { return each.second.interface == interface->text; });
    if (other != config_.uplinks.end()) {
      faults_.add(interface->place,
                  base::str("interface ", in_quotes(interface->text), " is that of [uplink.",
                            base::printable(other->first, 80), "] already"));
    }
    config.interface = interface->text;
  }
  for (const Node* address : texts(table, "listen")) {
    if (!faults_.check(address->place, check_listen(address->text))) continue;
    auto clashes = [&](const std::string& other) { return clash(address->text, other); };
    auto at = std::find_if(config.listen.begin(), config.listen.end(), clashes);
    if (at != config.listen.end() && *at != address->text) {  // told already where it is twice the same
      faults_.add(address->place, base::str("listen ", in_quotes(address->text), " clashes with ",
                                            in_quotes(*at), " of the same uplink: one of them is enough"));
    }
    at = std::find_if(config_.listen.begin(), config_.listen.end(), clashes);
    if (at != config_.listen.end()) {
      faults_.add(
          address->place,
          base::str("listen ", in_quotes(address->text), " clashes with server.listen ", in_quotes(*at),
                    ": the system gives the port to one of them; ", cure(address->text, *at)));
    }
    config.listen.push_back(address->text);
  }
  if (config.listen.size() > kMostListens) {
    faults_.add(
        table.member("listen")->value.place,
        base::str("listen has ", config.listen.size(), " addresses; an uplink has at most ", kMostListens));
  }
  for (const Node* probe : texts(table, "probe")) {
    if (!faults_.check(probe->place, uplink::Target::parse(probe->text))) continue;
    config.probe.push_back(probe->text);
  }
  if (config.probe.size() > kMostProbes) {
    faults_.add(
        table.member("probe")->value.place,
        base::str("probe has ", config.probe.size(), " addresses; an uplink has at most ", kMostProbes));
  }
  if (const Node* metered = get(table, "metered", Node::Kind::truth)) config.metered = metered->truth;
  config_.uplinks[uplink.key] = std::move(config);
}

}  // namespace oob

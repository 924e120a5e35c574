#include "console/peering.h"

#include <arpa/inet.h>

#include <algorithm>
#include <boost/json/parse.hpp>

namespace oob::console {

namespace json = boost::json;
using base::Bytes;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

using State = Peering::State;

constexpr std::size_t kMostName = 128, kMostSince = 40, kMostError = 200,
                      kMostLine = 120;  // bytes
constexpr std::size_t kMostDepth = 16;  // of JSON

struct StateName {
  State state;
  const char* name;
};
constexpr StateName kStates[] = {
    {State::established, "established"},
    {State::idle, "idle"},
    {State::connect, "connect"},
    {State::active, "active"},
    {State::open_sent, "opensent"},
    {State::open_confirm, "openconfirm"},
    {State::down, "down"},
    {State::missing, "not found"},
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// FRR also says "Idle (Admin)" and "Idle (PfxCt)"; BIRD "Close" of a session that it is leaving.
std::optional<State> state_of(std::string_view text) {
  std::string word;
  for (char c : text.substr(0, 32)) {
    if (c == ' ') break;
    word += lower(c);
  }
  if (word == "close" || word == "clearing" || word == "deleted") return State::idle;
  for (const StateName& each : kStates)
    if (word == each.name) return each.state;
  return std::nullopt;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view take_word(std::string_view& text) {
  text = trimmed(text);
  std::size_t size = 0;
  while (size < text.size() && !is_blank(text[size])) ++size;
  std::string_view word = text.substr(0, size);
  text.remove_prefix(size);
  return word;
}

// The line without its newline; false at the end.
bool take_line(std::string_view& text, std::string_view& line) {
  if (text.empty()) return false;
  std::size_t end = text.find('\n');
  line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return true;
}

base::Error not_understood(const char* command, Bytes answer) {
  std::string_view rest = answer, line;
  while (take_line(rest, line))
    if (!trimmed(line).empty()) break;
  line = trimmed(line);
  return fail(Fault::failed, line.empty()
                                 ? str(command, " said nothing")
                                 : str("that is not what ", command, " says: ", base::printable(line, 80)));
}

// --- BIRD

// Of "Routes: 1 imported, 2 exported, 1 preferred".
std::optional<std::uint64_t> imported(std::string_view value) {
  std::string_view number = take_word(value), what = take_word(value);
  std::uint64_t count = 0;
  if (!what.starts_with("imported") || !base::parse_number(number, count)) return std::nullopt;
  return count;
}

Result<Peering> read_bird(const std::string& neighbour, Bytes answer) {
  constexpr const char* kCommand = "birdc";
  Peering peering;
  bool is_here = false, has_state = false;
  std::string_view rest = answer, line;
  while (take_line(rest, line)) {
    bool is_whole = answer.data() + answer.size() != line.data() + line.size();
    bool is_indented = !line.empty() && is_blank(line.front());
    std::string_view words = line;
    if (!is_indented) {
      // A header, or the row of another protocol: Name Proto Table State Since Info.
      std::string_view name = take_word(words);
      if (!is_here && (line.find("unexpected CF_SYM_UNDEFINED") != std::string_view::npos ||
                       line.starts_with("No protocols match")))
        return peering;
      if (name.empty() || (is_here && name != neighbour)) {
        if (is_here && !name.empty()) break;
        continue;
      }
      if (name != neighbour || !is_whole) continue;
      std::string_view kind = take_word(words);
      if (kind != "BGP")
        return fail(Fault::failed, str(base::printable(neighbour, kMostName), " is no BGP protocol but ",
                                       base::printable(kind, 20)));
      is_here = true;
      take_word(words);
      if (take_word(words) == "down") {
        peering.state = State::down;
        has_state = true;
      }
      peering.since = base::printable(take_word(words), kMostSince);
      // A date and a time, with some `timeformat`s.
      std::string_view more = words, next = take_word(more);
      if (!next.empty() && next.find(':') != std::string_view::npos && next.front() >= '0' &&
          next.front() <= '9') {
        peering.since += str(" ", base::printable(next, kMostSince));
        words = more;
      }
      if (std::optional<State> state = state_of(take_word(words)); state && !has_state) {
        peering.state = *state;
        has_state = true;
      }
      continue;
    }
    if (!is_here || !is_whole) continue;
    words = trimmed(words);
    std::size_t colon = words.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view key = words.substr(0, colon), value = trimmed(words.substr(colon + 1));
    if (key == "Last error") {
      peering.last_error = base::printable(value, kMostError);
    } else if (key == "BGP state") {
      if (std::optional<State> state = state_of(value)) {
        peering.state = *state;
        has_state = true;
      }
    } else if (key == "Routes") {
      if (std::optional<std::uint64_t> count = imported(value))
        peering.prefixes = peering.prefixes.value_or(0) + *count;
    }
  }
  if (!has_state) return not_understood(kCommand, answer);
  return peering;
}

// --- JSON

const json::value* member(const json::value& value, std::string_view key) {
  const json::object* object = value.if_object();
  return object ? object->if_contains(json::string_view(key.data(), key.size())) : nullptr;
}

std::string text_of(const json::value& value, std::string_view key, std::size_t most) {
  const json::value* found = member(value, key);
  const json::string* text = found ? found->if_string() : nullptr;
  return text ? base::printable(Bytes(text->data(), text->size()), most) : "";
}

std::optional<std::uint64_t> count_of(const json::value& value, std::string_view key) {
  const json::value* found = member(value, key);
  if (!found) return std::nullopt;
  if (const std::int64_t* number = found->if_int64(); number && *number >= 0)
    return static_cast<std::uint64_t>(*number);
  if (const std::uint64_t* number = found->if_uint64()) return *number;
  return std::nullopt;
}

void add(std::optional<std::uint64_t>& sum, std::optional<std::uint64_t> more) {
  if (more) sum = sum.value_or(0) + *more;
}

// What is before and behind the object are remarks of the daemon, a prompt, an empty line.
std::optional<json::value> object_in(Bytes answer) {
  std::size_t from = answer.find('{'), to = answer.rfind('}');
  if (from == Bytes::npos || to == Bytes::npos || to < from) return std::nullopt;
  Bytes text = answer.substr(from, to + 1 - from);
  json::parse_options options;
  options.max_depth = kMostDepth;
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return value;
}

// Addresses are written in more than one way.
bool same_address(std::string_view one, std::string_view other) {
  if (one == other) return true;
  in6_addr a{}, b{};
  return ::inet_pton(AF_INET6, std::string(one).c_str(), &a) == 1 &&
         ::inet_pton(AF_INET6, std::string(other).c_str(), &b) == 1 &&
         std::equal(a.s6_addr, a.s6_addr + 16, b.s6_addr);
}

const json::value* of_neighbour(const json::value& peers, const std::string& neighbour) {
  const json::object* object = peers.if_object();
  if (!object) return nullptr;
  for (const auto& each : *object)
    if (same_address(std::string_view(each.key().data(), each.key().size()), neighbour)) return &each.value();
  return nullptr;
}

// "show bgp neighbors X json": {"192.0.2.1": {"bgpState": ...}}.
bool read_frr_neighbour(const json::value& peer, Peering& peering) {
  std::optional<State> state = state_of(text_of(peer, "bgpState", 32));
  if (!state) return false;
  peering.state = *state;
  if (*state == State::established) peering.since = text_of(peer, "bgpTimerUpString", kMostSince);
  peering.last_error = text_of(peer, "lastResetDueTo", kMostError);
  const json::value* families = member(peer, "addressFamilyInfo");
  if (families && families->is_object() && *state == State::established)
    for (const auto& each : families->get_object())
      add(peering.prefixes, count_of(each.value(), "acceptedPrefixCounter"));
  return true;
}

Result<Peering> read_frr(const std::string& neighbour, Bytes answer) {
  constexpr const char* kCommand = "vtysh with json";
  std::optional<json::value> whole = object_in(answer);
  if (!whole) return not_understood(kCommand, answer);
  Peering peering;
  if (member(*whole, "bgpNoSuchNeighbor")) return peering;
  if (const json::value* peer = of_neighbour(*whole, neighbour)) {
    if (read_frr_neighbour(*peer, peering)) return peering;
    return not_understood(kCommand, answer);
  }
  // "show bgp summary json": {"ipv4Unicast": {"peers": {"192.0.2.1": {"state": ...}}}}, each family for
  // itself.
  bool is_summary = whole->get_object().empty();
  for (const auto& family : whole->get_object()) {
    const json::value* peers = member(family.value(), "peers");
    if (!peers) continue;
    is_summary = true;
    const json::value* peer = of_neighbour(*peers, neighbour);
    if (!peer) continue;
    std::optional<State> state = state_of(text_of(*peer, "state", 32));
    if (!state) return not_understood(kCommand, answer);
    peering.state = *state;
    if (*state != State::established) continue;
    peering.since = text_of(*peer, "peerUptime", kMostSince);
    // An IPv6 peer is told in both families where nobody keeps it out of one.
    add(peering.prefixes, count_of(*peer, "pfxRcd"));
  }
  if (!is_summary) return not_understood(kCommand, answer);
  return peering;
}

Result<Peering> read_openbgpd(const std::string& neighbour, Bytes answer) {
  constexpr const char* kCommand = "bgpctl -j";
  std::optional<json::value> whole = object_in(answer);
  if (!whole) return not_understood(kCommand, answer);
  Peering peering;
  const json::value* all = member(*whole, "neighbors");
  if (!all && whole->get_object().empty()) return peering;
  if (!all || !all->is_array()) return not_understood(kCommand, answer);
  for (const json::value& each : all->get_array()) {
    if (!same_address(text_of(each, "remote_addr", 64), neighbour)) continue;
    std::optional<State> state = state_of(text_of(each, "state", 32));
    if (!state) return not_understood(kCommand, answer);
    peering.state = *state;
    peering.since = text_of(each, "last_updown", kMostSince);
    for (const char* key : {"last_error_received", "last_error_sent", "last_shutdown_reason"})
      if (peering.last_error.empty()) peering.last_error = text_of(each, key, kMostError);
    const json::value* stats = member(each, "stats");
    const json::value* prefixes = stats ? member(*stats, "prefixes") : nullptr;
    if (prefixes && *state == State::established) peering.prefixes = count_of(*prefixes, "received");
    return peering;
  }
  return peering;
}

}  // namespace

std::optional<RoutingDaemon> routing_daemon(std::string_view name) {
  for (RoutingDaemon each : {RoutingDaemon::bird, RoutingDaemon::frr, RoutingDaemon::openbgpd})
    if (name == name_of(each)) return each;
  return std::nullopt;
}

const char* name_of(RoutingDaemon daemon) {
  switch (daemon) {
    case RoutingDaemon::bird:
      return "bird";
    case RoutingDaemon::frr:
      return "frr";
    case RoutingDaemon::openbgpd:
      break;
  }
  return "openbgpd";
}

const char* name_of(Peering::State state) {
  auto at = std::find_if(std::begin(kStates), std::end(kStates),
                         [&](const StateName& each) { return each.state == state; });
  return at->name;
}

std::string describe(const Peering& peering) {
  bool is_up = peering.state == State::established;
  std::string text = name_of(peering.state);
  if (!peering.since.empty()) text += str(is_up ? " since " : ", since ", peering.since);
  if (is_up && peering.prefixes)
    text += str(", ", *peering.prefixes, *peering.prefixes == 1 ? " prefix" : " prefixes");
  if (!is_up && !peering.last_error.empty()) text += str("; last error: ", peering.last_error);
  return text;
}

std::string peering_command(RoutingDaemon daemon, const std::string& neighbour) {
  switch (daemon) {
    case RoutingDaemon::bird:
      return str("birdc -r show protocols all ", neighbour);
    case RoutingDaemon::frr:
      return str("vtysh -c \"show bgp neighbors ", neighbour, " json\"");
    case RoutingDaemon::openbgpd:
      break;
  }
  return str("bgpctl -j show neighbor ", neighbour);
}

Result<> check_neighbour(RoutingDaemon daemon, std::string_view neighbour) {
  std::string name(neighbour.substr(0, kMostName + 1));
  if (daemon == RoutingDaemon::bird) {
    auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    auto fits = [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); };
    if (!name.empty() && name.size() <= kMostName && is_letter(name.front()) &&
        std::all_of(name.begin(), name.end(), fits))
      return {};
    return fail(Fault::config,
                str("'", base::printable(neighbour, 80),
                    "' is no name of a protocol in BIRD: letters, digits and _, as in its 'protocol "
                    "bgp NAME' and 'birdc show protocols'"));
  }
  unsigned char bytes[sizeof(in6_addr)];
  if (name.size() <= kMostName && name.find('\0') == std::string::npos &&
      (::inet_pton(AF_INET, name.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, name.c_str(), bytes) == 1))
    return {};
  return fail(Fault::config,
              str("'", base::printable(neighbour, 80),
                  "' is no numeric address: write the peer's, like \"192.0.2.1\" or \"2001:db8::1\""));
}

std::optional<Unreached> unreached(RoutingDaemon daemon, Bytes said) {
  using Why = Unreached::Why;
  auto has = [](Bytes text, std::string_view words) { return text.find(words) != Bytes::npos; };
  std::string_view rest = said, line;
  while (take_line(rest, line)) {
    line = trimmed(line);
    auto because = [&](Why why) { return Unreached{why, base::printable(line, kMostLine)}; };
    if (daemon == RoutingDaemon::frr) {
      if (has(line, "bgpd is not running")) return because(Why::not_running);
      // Its hint follows wherever it is not run as root, also for those who may ask.
      if (has(line, "failed to connect to any daemons"))
        return because(has(said, "try running me as a privileged user") ? Why::either : Why::not_running);
      continue;
    }
    if (daemon == RoutingDaemon::bird && has(line, "Connection closed by server"))
      return because(Why::not_running);
    const char* connects =
        daemon == RoutingDaemon::bird ? "Unable to connect to server control socket" : "bgpctl: connect: ";
    if (!has(line, connects)) continue;
    if (has(line, "No such file") || has(line, "Connection refused")) return because(Why::not_running);
    if (has(line, "Permission denied")) return because(Why::not_allowed);
  }
  return std::nullopt;
}

const char* asking_cure(RoutingDaemon daemon) {
  switch (daemon) {
    case RoutingDaemon::bird:
      return "put that user into the group of BIRD's control socket (bird)";
    case RoutingDaemon::frr:
      return "put that user into the group frrvty";
    case RoutingDaemon::openbgpd:
      break;
  }
  return "ask by bgpd's restricted socket (bgpctl -s)";
}

Result<Peering> read_peering(RoutingDaemon daemon, const std::string& neighbour, Bytes answer) {
  if (answer.size() > kMostPeeringText)
    return fail(Fault::failed,
                str("the answer has ", answer.size(), " bytes; ", kMostPeeringText, " at most"));
  switch (daemon) {
    case RoutingDaemon::bird:
      return read_bird(neighbour, answer);
    case RoutingDaemon::frr:
      return read_frr(neighbour, answer);
    case RoutingDaemon::openbgpd:
      break;
  }
  return read_openbgpd(neighbour, answer);
}

}  // namespace oob::console

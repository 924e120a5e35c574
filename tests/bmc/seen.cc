#include "tests/bmc/seen.h"

#include <cstdio>

#include "base/bytes.h"

namespace oob::test {

using base::str;

std::string Seen::json() const {
  std::string out = "{";
  auto field = [&](std::string_view name, std::uint64_t value) {
    out += str(out.size() > 1 && out.back() != '{' ? "," : "", "\"", name, "\":", value);
  };
  field("packets", packets);
  field("sent", sent);
  field("bad_packets", bad_packets);
  field("replays", replays);
  field("no_session", no_session);
  field("capabilities", capabilities);
  field("open_sessions", open_sessions);
  field("rakp1", rakp1);
  field("rakp3", rakp3);
  field("handshakes_begun", handshakes_begun);
  field("handshakes_finished", handshakes_finished);
  field("handshakes_refused", handshakes_refused);
  field("handshakes_now", handshakes.now);
  field("handshakes_most", handshakes.most);
  field("console_refused", console_refused);
  field("wrong_passwords", wrong_passwords);
  field("sessions", sessions);
  field("sessions_most", sessions_most);
  field("sessions_closed", sessions_closed);
  field("sessions_expired", sessions_expired);
  field("resets", resets);
  out += ",\"power\":{";
  constexpr std::array<std::string_view, 6> actions{"off", "on", "cycle", "reset", "diagnostic", "soft"};
  for (std::size_t i = 0; i < actions.size(); ++i) field(actions[i], power[i]);
  out += "}";
  field("identified", identified);
  field("identify_seconds", identify_seconds);
  out += ",\"commands\":{";
  for (const auto& [which, times] : commands) {
    char name[16];
    std::snprintf(name, sizeof name, "%02x/%02x", which.first & 0xff, which.second & 0xff);
    field(name, times);
  }
  out += "},\"sol\":{";
  field("activations", sol.activations);
  field("deactivations", sol.deactivations);
  field("packets_in", sol.packets_in);
  field("packets_out", sol.packets_out);
  field("accepted", sol.accepted);
  field("duplicates", sol.duplicates);
  field("acknowledged", sol.acknowledged);
  field("repeated", sol.repeated);
  field("given_up", sol.given_up);
  field("nacks", sol.nacks);
  field("breaks", sol.breaks);
  field("host_lost", sol.host_lost);
  field("too_long", sol.too_long);
  return out + "}}";
}

}  // namespace oob::test

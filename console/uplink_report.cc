#include "console/uplink_report.h"

#include <algorithm>
#include <boost/json/array.hpp>

#include "console/core.h"

namespace oob::console {

namespace json = boost::json;
using base::str;
using uplink::Figures;
using uplink::Health;

namespace {

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + text;
  return all;
}

// "down for 3 min: 3 of 3 probes unanswered". The span is the steady clock's, for the other may have been set
// since.
std::string state_of(const Figures& each) {
  return str(name_of(each.health),
             each.since ? str(" for ", base::human_span(each.lasting)) : " since the start",
             each.why.empty() ? "" : str(": ", base::printable(each.why)));
}

json::array listed(const std::vector<std::string>& texts) {
  json::array all;
  for (const std::string& text : texts) all.emplace_back(text);
  return all;
}

// What the uplink should listen on and does not: "192.0.2.1:2222: Address already in use".
std::vector<std::string> not_listening(const Core& core, const std::string& uplink) {
  std::vector<std::string> all;
  for (const ClosedListener& each : core.closed_listeners())
    if (each.uplink == uplink) all.push_back(str(each.address, ": ", base::printable(each.why)));
  return all;
}

}  // namespace

std::string uplink_status(const Core& core) {
  std::vector<Figures> all = core.uplinks();
  if (all.empty()) return "";
  auto up =
      std::count_if(all.begin(), all.end(), [](const Figures& each) { return each.health == Health::up; });
  auto out = std::find_if(all.begin(), all.end(), [](const Figures& each) { return each.is_way_out; });
  std::string text = str("uplinks      ", up, " of ", all.size(), " up; ",
                         out == all.end() ? "outbound connections go where the routing table says"
                                          : str("the way out is ", out->name),
                         "\n");
  for (const Figures& each : all) {
    text += str("             ", each.name, " (", each.interface, "): ", state_of(each));
    if (!each.hindrance.empty()) text += "; as far as was asked: " + base::printable(each.hindrance);
    if (each.metered) text += "; metered";
    if (!each.addresses.empty()) text += "; has " + joined(each.addresses);
    if (!each.listening.empty()) text += "; listens on " + joined(each.listening);
    if (std::vector<std::string> closed = not_listening(core, each.name); !closed.empty())
      text += "; does NOT listen on " + joined(closed);
    if (each.is_way_out) text += "; the way out";
    text += '\n';
  }
  return text;
}

void uplink_status(const Core& core, json::object& object) {
  std::vector<Figures> all = core.uplinks();
  if (all.empty()) return;
  json::array list;
  for (const Figures& each : all) {
    list.push_back(json::object{
        {"uplink", each.name},
        {"interface", each.interface},
        {"state", name_of(each.health)},
        {"since", each.since ? json::value(base::rfc3339(each.since)) : json::value(nullptr)},
        {"lasting_us", each.lasting},
        {"why", each.why},
        {"hindrance", each.hindrance},
        {"metered", each.metered},
        {"way_out", each.is_way_out},
        {"addresses", listed(each.addresses)},
        {"listening", listed(each.listening)},
        {"not_listening", listed(not_listening(core, each.name))},
        {"probes", each.probes},
        {"answered", each.answered},
        {"round_trip_us", each.round_trip ? json::value(each.round_trip) : json::value(nullptr)}});
  }
  object["uplinks"] = std::move(list);
}

std::string uplink_metrics(const Core& core) {
  std::vector<Figures> all = core.uplinks();
  if (all.empty()) return "";
  std::string text;
  auto family = [&](const char* name, const char* type, const char* help, auto value) {
    text += str("# HELP oobd_uplink_", name, " ", help, "\n# TYPE oobd_uplink_", name, " ", type, "\n");
    for (const Figures& each : all)
      text += str("oobd_uplink_", name, "{uplink=\"", each.name, "\"} ", value(each), "\n");
  };
  family("up", "gauge", "1 while the uplink is up",
         [](const Figures& f) { return f.health == Health::up ? 1 : 0; });
  family("degraded", "gauge", "1 while it works, but not all is well",
         [](const Figures& f) { return f.health == Health::degraded ? 1 : 0; });
  family("state_seconds", "gauge", "how long its state has been what it is, or since it is watched",
         [](const Figures& f) { return static_cast<double>(f.lasting) / 1e6; });
  family("way_out", "gauge", "1 while outbound connections go by it",
         [](const Figures& f) { return f.is_way_out ? 1 : 0; });
  family("listeners_closed", "gauge", "addresses of its own that it can't be dialled at",
         [&core](const Figures& f) { return not_listening(core, f.name).size(); });
  family("probes_total", "counter", "probes sent since the start", [](const Figures& f) { return f.probes; });
  family("answered_total", "counter", "probes of these that were answered",
         [](const Figures& f) { return f.answered; });
  family("round_trip_seconds", "gauge", "of the last answered probe; 0: none yet",
         [](const Figures& f) { return static_cast<double>(f.round_trip) / 1e6; });
  return text;
}

std::string uplink_remark(const Core& core) {
  std::string text;
  for (const Figures& each : core.uplinks()) {
    if (each.health != Health::up)
      text += str(text.empty() ? "" : "; ", "uplink ", each.name, " is ", state_of(each));
    for (const std::string& closed : not_listening(core, each.name))
      text += str(text.empty() ? "" : "; ", "uplink ", each.name, " does not listen on ", closed);
  }
  return text;
}

}  // namespace oob::console

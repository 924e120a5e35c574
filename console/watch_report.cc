#include "console/watch_report.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <vector>

#include "console/core.h"

namespace oob::console {

namespace json = boost::json;
using base::str;

namespace {

std::vector<WatchFigures> watched(const Core& core, const Visitor& visitor) {
  std::vector<WatchFigures> all = core.watches();
  std::erase_if(all, [&](const WatchFigures& each) {
    return !each.device.empty() && !core.policy->may_see(visitor.who, each.device);
  });
  return all;
}

json::value when_or_null(base::Micros time) {
  return time ? json::value(base::rfc3339(time)) : json::value(nullptr);
}

}  // namespace

const char* name_of(WatchState state) {
  switch (state) {
    case WatchState::up:
      return "up";
    case WatchState::lost:
      return "lost";
    case WatchState::unknown:
      break;
  }
  return "unknown";
}

std::string watch_status(const Core& core, const Visitor& visitor) {
  std::vector<WatchFigures> all = watched(core, visitor);
  if (all.empty()) return "";
  auto up = std::count_if(all.begin(), all.end(),
                          [](const WatchFigures& each) { return each.state == WatchState::up; });
  std::string text = str("peerings     ", up, " of ", all.size(), " up\n");
  base::Micros now = base::wall_now();
  for (const WatchFigures& each : all) {
    const char* state = each.state == WatchState::lost ? "LOST" : name_of(each.state);
    text += str("             ", each.name, each.device.empty() ? "" : str(" (", each.device, ")"), ": ",
                state, each.since ? str(" for ", base::human_span(now - each.since)) : "",
                each.text.empty() ? "" : str(": ", each.text));
    if (!each.trouble.empty() && each.trouble != each.text) {
      text += str("; not looked ",
                  each.looked ? str("for ", base::human_span(now - each.looked)) : std::string("yet"), ": ",
                  each.trouble);
    } else if (!each.looked && each.text.empty()) {
      text += ": not looked yet";
    }
    text += '\n';
  }
  return text;
}

void watch_status(const Core& core, const Visitor& visitor, json::object& object) {
  std::vector<WatchFigures> all = watched(core, visitor);
  if (all.empty()) return;
  json::array list;
  for (const WatchFigures& each : all)
    list.push_back(
        json::object{{"watch", each.name},
                     {"device", each.device.empty() ? json::value(nullptr) : json::value(each.device)},
                     {"state", name_of(each.state)},
                     {"since", when_or_null(each.since)},
                     {"text", each.text},
                     {"looked", when_or_null(each.looked)},
                     {"trouble", each.trouble},
                     {"prefixes", each.prefixes ? json::value(*each.prefixes) : json::value(nullptr)}});
  object["watches"] = std::move(list);
}

std::string watch_metrics(const Core& core, const Visitor& visitor) {
  std::vector<WatchFigures> all = watched(core, visitor);
  if (all.empty()) return "";
  std::string text;
  auto family = [&](const char* name, const char* help, auto wanted, auto value) {
    text += str("# HELP oobd_watch_", name, " ", help, "\n# TYPE oobd_watch_", name, " gauge\n");
    for (const WatchFigures& each : all)
      if (wanted(each)) text += str("oobd_watch_", name, "{watch=\"", each.name, "\"} ", value(each), "\n");
  };
  auto always = [](const WatchFigures&) { return true; };
  family("up", "1 while the peering is established, or the probes are answered", always,
         [](const WatchFigures& f) { return f.state == WatchState::up ? 1 : 0; });
  family("lost", "1 while it is known that it is not", always,
         [](const WatchFigures& f) { return f.state == WatchState::lost ? 1 : 0; });
  family(
      "looked_seconds", "when it was seen last, since 1970",
      [](const WatchFigures& f) { return f.looked != 0; },
      [](const WatchFigures& f) { return f.looked / 1'000'000; });
  family(
      "prefixes", "taken from the peer, where the daemon tells",
      [](const WatchFigures& f) { return f.prefixes.has_value(); },
      [](const WatchFigures& f) { return *f.prefixes; });
  return text;
}

std::string watch_cell(const Core& core, const std::string& device) {
  std::string text;
  for (const WatchFigures& each : core.watches())
    if (each.device == device && each.state == WatchState::lost) text += str(", ", each.name, " LOST");
  return text;
}

void watch_list(const Core& core, const std::string& device, json::object& object) {
  json::object states;
  for (const WatchFigures& each : core.watches())
    if (each.device == device) states[each.name] = name_of(each.state);
  if (!states.empty()) object["watches"] = std::move(states);
}

}  // namespace oob::console

#include "console/listener_report.h"

#include <boost/json/array.hpp>

#include "console/core.h"

namespace oob::console {

namespace json = boost::json;
using base::printable;
using base::str;

std::string listener_status(const Core& core) {
  std::string text;
  for (const ClosedListener& each : core.closed_listeners())
    if (each.uplink.empty())
      text += str(text.empty() ? "listeners    " : "             ", "NOT OPEN: ", each.address, ": ",
                  printable(each.why), "; tried again each second\n");
  return text;
}

void listener_status(const Core& core, json::object& object) {
  json::array closed;
  for (const ClosedListener& each : core.closed_listeners())
    closed.push_back(
        json::object{{"listen", each.address},
                     {"uplink", each.uplink.empty() ? json::value(nullptr) : json::value(each.uplink)},
                     {"why", printable(each.why)}});
  object["not_listening"] = std::move(closed);
}

std::string listener_metrics(const Core& core) {
  return str(
      "# HELP oobd_listeners_closed addresses to dial that could not be opened, of uplinks and others\n",
      "# TYPE oobd_listeners_closed gauge\noobd_listeners_closed ", core.closed_listeners().size(), "\n");
}

}  // namespace oob::console

#include "console/call_home_report.h"

#include <boost/json.hpp>

namespace oob::console {

namespace json = boost::json;
using base::str;

std::string call_home_status(const Core& core) {
  std::string text;
  base::Micros now = base::wall_now();
  for (const CallHomeFigures& one : core.call_homes()) {
    text += str(text.empty() ? "call-home    " : "             ", one.name, ": ");
    std::string span = base::human_span(now - one.since);
    std::string way = one.interface.empty() ? "" : str(" by ", one.interface);
    text += one.up ? str("up for ", span, ", ", one.bastion, way, ", ", one.socket, "\n")
                   : str("DOWN for ", span, ", ", one.bastion, ": ", one.why, "\n");
  }
  return text;
}

void call_home_status(const Core& core, json::object& status) {
  json::array all;
  for (const CallHomeFigures& one : core.call_homes()) {
    json::object object{{"callhome", one.name},
                        {"bastion", one.bastion},
                        {"socket", one.socket},
                        {"up", one.up},
                        {"since", base::rfc3339(one.since)},
                        {"interface", one.interface}};
    if (!one.up) object["why"] = one.why;
    all.push_back(std::move(object));
  }
  status["callhomes"] = std::move(all);
}

std::string call_home_metrics(const Core& core) {
  std::string text;
  for (const CallHomeFigures& one : core.call_homes()) {
    if (text.empty())
      text =
          "# HELP oobd_callhome_up 1 while the bastion's socket leads here\n# TYPE oobd_callhome_up gauge\n";
    text += str("oobd_callhome_up{callhome=\"", one.name, "\"} ", one.up ? 1 : 0, "\n");
  }
  return text;
}

}  // namespace oob::console

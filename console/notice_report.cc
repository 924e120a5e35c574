#include "console/notice_report.h"

#include <boost/json.hpp>

#include "console/core.h"

namespace oob::console {

using base::str;
using notice::Figures;

std::string notice_status(const Core& core) {
  std::string text;
  for (const Figures& one : core.notices()) {
    std::string last =
        one.last == 0 ? "" : str(", the last ", base::human_span(base::wall_now() - one.last), " ago");
    std::string waiting = one.waiting == 0 ? "" : str("; ", one.waiting, " events wait to be told");
    text += str(text.empty() ? "notify       " : "             ", one.name, ": ", one.sent,
                one.sent == 1 ? " notice" : " notices", " sent", last, waiting, "\n");
    if (!one.trouble.empty()) text += str("               ", one.trouble, "\n");
  }
  return text;
}

void notice_status(const Core& core, boost::json::object& object) {
  std::vector<Figures> all = core.notices();
  if (all.empty()) return;
  boost::json::array notify;
  for (const Figures& one : all) {
    notify.push_back({{"name", one.name},
                      {"sent", one.sent},
                      {"failed", one.failed},
                      {"waiting", one.waiting},
                      {"last", one.last ? boost::json::value(base::rfc3339(one.last)) : boost::json::value()},
                      {"trouble", one.trouble}});
  }
  object["notify"] = std::move(notify);
}

std::string notice_metrics(const Core& core) {
  std::vector<Figures> all = core.notices();
  if (all.empty()) return "";
  std::string text;
  auto family = [&](const char* name, const char* type, const char* help, auto value) {
    text += str("# HELP oobd_notify_", name, " ", help, "\n# TYPE oobd_notify_", name, " ", type, "\n");
    for (const Figures& one : all)
      text += str("oobd_notify_", name, "{notify=\"", one.name, "\"} ", one.*value, "\n");
  };
  family("sent_total", "counter", "notices delivered since the start", &Figures::sent);
  family("failed_total", "counter", "tries to deliver one that failed", &Figures::failed);
  family("waiting", "gauge", "events that wait to be told", &Figures::waiting);
  return text;
}

}  // namespace oob::console

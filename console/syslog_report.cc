#include "console/syslog_report.h"

#include "console/core.h"

namespace oob::console {

using base::str;

std::string syslog_status(const Core& core) {
  audit::SyslogFigures figures = core.syslog();
  if (figures.server.empty()) return "";
  std::string waiting = figures.waiting == 0 ? ""
                                             : str("; ", figures.waiting, " records wait, the oldest for ",
                                                   base::human_span(figures.behind * 1'000'000));
  std::string text = str("syslog       ", figures.connected ? "connected to " : "not connected to ",
                         figures.server, waiting, "\n");
  if (!figures.trouble.empty()) text += str("             ", figures.trouble, "\n");
  if (figures.lost > 0)
    text += str("             ", figures.lost, " records were removed before they were sent\n");
  return text;
}

void syslog_status(const Core& core, boost::json::object& object) {
  audit::SyslogFigures figures = core.syslog();
  if (figures.server.empty()) return;
  object["syslog"] = {{"server", figures.server},   {"connected", figures.connected},
                      {"trouble", figures.trouble}, {"waiting", figures.waiting},
                      {"behind", figures.behind},   {"sent", figures.sent},
                      {"lost", figures.lost}};
}

std::string syslog_metrics(const Core& core) {
  audit::SyslogFigures figures = core.syslog();
  if (figures.server.empty()) return "";
  std::string text;
  auto figure = [&](const char* name, const char* type, const char* help, auto value) {
    text += str("# HELP oobd_syslog_", name, " ", help, "\n# TYPE oobd_syslog_", name, " ", type,
                "\noobd_syslog_", name, " ", value, "\n");
  };
  figure("connected", "gauge", "1 while the collector is connected", figures.connected ? 1 : 0);
  figure("waiting_records", "gauge", "records of the journal that are not known to have arrived",
         figures.waiting);
  figure("behind_seconds", "gauge", "age of the oldest of them", figures.behind);
  figure("sent_total", "counter", "messages sent since the start, doubles too", figures.sent);
  figure("lost_total", "counter", "records that were removed before they were sent", figures.lost);
  return text;
}

}  // namespace oob::console

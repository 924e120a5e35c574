#include "oobd/uplink_news.h"

#include <algorithm>

#include "base/log.h"
#include "base/peer_address.h"
#include "uplink/ways.h"

namespace oob {

using base::str;
using uplink::Figures;
using uplink::Health;

std::map<std::string, uplink::Settings> uplink_settings(const Config& config) {
  std::map<std::string, uplink::Settings> settings;
  for (const auto& [name, each] : config.uplinks) settings[name] = {each.interface, each.probe, each.metered};
  return settings;
}

UplinkNews::UplinkNews(console::Core& core, uplink::Uplinks& uplinks, audit::SyslogExport& syslog)
    : core_(core), uplinks_(uplinks), syslog_(syslog) {
  core_.uplinks = [this] { return figures(); };
  audit::SyslogExport::Ways ways;
  ways.to = [this](const std::string& server) {
    return uplink::ways_to(base::address_of(server), uplinks_.figures());
  };
  ways.leads_out = [this](const std::string& interface) {
    // Where each byte costs, nothing stays once something else works.
    return uplinks_.leads_out(interface) && (!is_metered(interface) || is_metered(uplinks_.way_out()));
  };
  syslog_.go_by(std::move(ways));
  change_ = uplinks_.on_change([this](const uplink::Uplinks::Change& change) { changed(change); });
  way_ = uplinks_.on_way_out([this](const std::string& interface) { way_changed(interface); });
}

UplinkNews::~UplinkNews() {
  core_.uplinks = [] { return std::vector<Figures>{}; };
  syslog_.go_by({});
}

void UplinkNews::changed(const uplink::Uplinks::Change& change) {
  std::vector<Figures> all = uplinks_.figures();
  auto at =
      std::find_if(all.begin(), all.end(), [&](const Figures& each) { return each.name == change.name; });
  std::string interface = at == all.end() ? "" : at->interface;
  const char* event = change.now == Health::up         ? "uplink.up"
                      : change.now == Health::degraded ? "uplink.degraded"
                                                       : "uplink.down";
  std::string text = base::printable(change.why);
  base::log(str("uplink ", change.name, " (", interface, ") is ", name_of(change.now),
                text.empty() ? "" : str(": ", text)));
  core_.journal.note(
      auth::Entry(event).with("uplink", change.name).with("interface", interface).with("text", text));
  syslog_.ways_changed();
}

void UplinkNews::way_changed(const std::string& interface) {
  std::string name;
  for (const Figures& each : uplinks_.figures())
    if (each.is_way_out) name = each.name;
  std::string text = name.empty() ? "no uplink is known to work: the routing table decides"
                                  : str("outbound connections go by uplink ", name, " (", interface, ")");
  base::log(text);
  core_.journal.note(
      auth::Entry("uplink.way_out").with("uplink", name).with("interface", interface).with("text", text));
  syslog_.ways_changed();
}

bool UplinkNews::is_metered(const std::string& interface) const {
  std::vector<Figures> all = uplinks_.figures();
  return std::any_of(all.begin(), all.end(),
                     [&](const Figures& each) { return each.interface == interface && each.metered; });
}

std::vector<Figures> UplinkNews::figures() const {
  std::vector<Figures> all = uplinks_.figures();
  if (!listening_) return all;
  for (Figures& each : all) each.listening = listening_(each.name);
  return all;
}

}  // namespace oob

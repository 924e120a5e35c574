#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "audit/syslog_export.h"
#include "console/core.h"
#include "oobd/config.h"
#include "uplink/uplinks.h"

namespace oob {

// What the parts of uplinks are told of each [uplink.NAME].
std::map<std::string, uplink::Settings> uplink_settings(const Config& config);

// Tells everybody else of the uplinks: the journal (uplink.up, uplink.degraded, uplink.down,
// uplink.way_out), `status` and its like, and the export of the journal, which goes by them.
class UplinkNews {
 public:
  // The addresses where the uplink of this name listens.
  using Listening = std::function<std::vector<std::string>(const std::string& name)>;

  // All of them outlive it.
  UplinkNews(console::Core& core, uplink::Uplinks& uplinks, audit::SyslogExport& syslog);
  ~UplinkNews();
  UplinkNews(const UplinkNews&) = delete;
  UplinkNews& operator=(const UplinkNews&) = delete;

  // Who knows what listens, for `status`.
  void listening(Listening listening) { listening_ = std::move(listening); }

 private:
  void changed(const uplink::Uplinks::Change& change);
  void way_changed(const std::string& interface);
  std::vector<uplink::Figures> figures() const;
  bool is_metered(const std::string& interface) const;

  console::Core& core_;
  uplink::Uplinks& uplinks_;
  audit::SyslogExport& syslog_;
  Listening listening_;
  uplink::Uplinks::Handle change_, way_;
};

}  // namespace oob

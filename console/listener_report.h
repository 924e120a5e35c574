#pragma once

#include <boost/json/object.hpp>
#include <string>

namespace oob::console {

struct Core;

// What people should be able to dial and can't, since it could not be opened; it is tried again.
struct ClosedListener {
  std::string uplink;   // whose it is; empty: of server.listen, or of a call-home
  std::string address;  // as configured: "192.0.2.1:2222", "unix:/run/oobd/onion.sock"
  std::string why;      // "Address already in use"
};

// For `status` and `metrics`. The text has those of no uplink: uplink_status() tells of the others.
std::string listener_status(const Core& core);
void listener_status(const Core& core, boost::json::object& object);
std::string listener_metrics(const Core& core);

}  // namespace oob::console

#include "console/door_report.h"

#include <boost/json/array.hpp>

namespace oob::console {

using base::str;

// The names of draft-ietf-sshm-mlkem-hybrid-kex and of OpenSSH's sntrup761x25519.
bool is_post_quantum(const std::string& algorithms) {
  return algorithms.find("mlkem768") != std::string::npos ||
         algorithms.find("sntrup761") != std::string::npos;
}

namespace {

std::string or_unknown(const std::string& text) { return text.empty() ? "not known yet" : text; }

}  // namespace

std::string door_status(const Core& core) {
  const base::wire::Figures& f = core.door.figures;
  std::string text =
      str("door         ", f.connections, " connections, ", f.unauthenticated, " of them not logged in, ",
          f.waiting, " waiting, ", f.penalised, " sources kept out now\n");
  text +=
      str("             since the front began: ", f.accepted, " connections, ", f.failed, " failed logins, ",
          f.timed_out, " unfinished, ", f.kept_out, " kept out, ", f.too_many, " too many at once\n");
  text += str("sandbox      front: ", or_unknown(core.door.front_sandbox), "\n");
  text += str("             core: ", or_unknown(core.door.core_sandbox), "\n");
  for (const std::string& key : core.door.host_keys) text += str("host key     ", key, "\n");
  text += str("key exchange ", or_unknown(core.door.key_exchange),
              is_post_quantum(core.door.key_exchange) ? "" : "; none is post-quantum", "\n");
  return text;
}

void door_status(const Core& core, boost::json::object& object) {
  const base::wire::Figures& f = core.door.figures;
  object["door"] = {{"connections", f.connections},
                    {"unauthenticated", f.unauthenticated},
                    {"waiting", f.waiting},
                    {"penalised", f.penalised},
                    {"accepted", f.accepted},
                    {"kept_out", f.kept_out},
                    {"too_many", f.too_many},
                    {"timed_out", f.timed_out},
                    {"failed", f.failed}};
  object["sandbox"] = {{"front", core.door.front_sandbox}, {"core", core.door.core_sandbox}};
  boost::json::array keys;
  for (const std::string& key : core.door.host_keys) keys.emplace_back(key);
  object["host_keys"] = std::move(keys);
  object["key_exchange"] = core.door.key_exchange;
  object["post_quantum"] = is_post_quantum(core.door.key_exchange);
}

std::string door_metrics(const Core& core) {
  const base::wire::Figures& f = core.door.figures;
  std::string text;
  auto figure = [&](const char* name, const char* type, const char* help, auto value) {
    text += str("# HELP oobd_", name, " ", help, "\n# TYPE oobd_", name, " ", type, "\noobd_", name, " ",
                value, "\n");
  };
  figure("connections", "gauge", "SSH connections now", f.connections);
  figure("connections_unauthenticated", "gauge", "of them not logged in", f.unauthenticated);
  figure("connections_waiting", "gauge", "accepted and not spoken to yet", f.waiting);
  figure("sources_penalised", "gauge", "sources that are kept out now", f.penalised);
  figure("connections_total", "counter", "connections since the front began", f.accepted);
  figure("connections_kept_out_total", "counter", "refused because of a penalty", f.kept_out);
  figure("connections_too_many_total", "counter", "refused or dropped for want of room", f.too_many);
  figure("logins_timed_out_total", "counter", "not finished within the grace time", f.timed_out);
  figure("logins_failed_total", "counter", "connections that ended after refused keys or codes", f.failed);
  return text;
}

}  // namespace oob::console

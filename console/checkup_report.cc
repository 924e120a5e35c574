#include "console/checkup_report.h"

#include <boost/json/array.hpp>

#include "console/core.h"

namespace oob::console {

std::string checkup_status(const Core& core) {
  std::string text;
  for (const std::string& error : core.uplink_errors())
    text += base::str(text.empty() ? "routing      " : "             ", "WRONG: ", error, "\n");
  return text;
}

void checkup_status(const Core& core, boost::json::object& object) {
  boost::json::array errors;
  for (const std::string& error : core.uplink_errors()) errors.emplace_back(error);
  object["uplink_errors"] = std::move(errors);
}

}  // namespace oob::console

// How the last drill went, for `status` and `metrics`.
#include <boost/json.hpp>

#include "console/drills.h"

namespace oob::console {

namespace json = boost::json;
using base::Micros;
using base::str;

namespace {

struct Named {
  std::vector<std::string> names;  // of failures that may be seen
  std::uint64_t others = 0;
};

Named named_of(const Core& core, const Visitor& visitor, const DrillRecord& record) {
  Named named;
  for (const DrillRecord::Failure& each : record.failures)
    if (each.device.empty() || core.policy->may_see(visitor.who, each.device))
      named.names.push_back(each.name);
  named.others = record.failed - std::min<std::uint64_t>(record.failed, named.names.size());
  return named;
}

}  // namespace

std::string drill_status(const Core& core, const Visitor& visitor) {
  if (!core.drills) return "";
  Micros now = base::wall_now(), next = core.drills->next();
  std::string text = "drill        ";
  if (core.drills->under_way()) text += "under way; ";
  if (const auto& last = core.drills->last()) {
    Named named = named_of(core, visitor, *last);
    text += str("the last ", last->is_good() ? "passed " : "FAILED ",
                base::human_span(std::max<Micros>(now - last->at, 0)), " ago: ", last->passed, " passed, ",
                last->failed, " failed, ", last->skipped, " skipped");
    std::string names;
    for (const std::string& name : named.names) names += (names.empty() ? "" : ", ") + name;
    if (!names.empty() || named.others)
      text +=
          str(" (", names, named.others ? str(names.empty() ? "" : " and ", named.others, " more") : "", ")");
  } else {
    text += "there was none yet: 'drill' tries every console, BMC and way in";
  }
  if (next) text += str("; the next in ", base::human_span(std::max<Micros>(next - now, 0)));
  return text + "\n";
}

void drill_status(const Core& core, const Visitor& visitor, json::object& object) {
  if (!core.drills) return;
  Micros next = core.drills->next();
  json::object drill{{"under_way", core.drills->under_way()}};
  drill["next"] = next ? json::value(base::rfc3339(next)) : json::value(nullptr);
  if (const auto& last = core.drills->last()) {
    Named named = named_of(core, visitor, *last);
    json::array failures;
    for (const std::string& name : named.names) failures.emplace_back(name);
    drill["last"] = base::rfc3339(last->at);
    drill["result"] = last->is_good() ? "passed" : "failed";
    drill["by"] = last->by;
    drill["passed"] = last->passed;
    drill["failed"] = last->failed;
    drill["skipped"] = last->skipped;
    drill["failures"] = std::move(failures);
  } else {
    drill["last"] = nullptr;
  }
  object["drill"] = std::move(drill);
}

std::string drill_metrics(const Core& core) {
  if (!core.drills || !core.drills->last()) return "";
  const DrillRecord& last = *core.drills->last();
  std::string text;
  auto figure = [&](const char* name, const char* help, auto value) {
    text += str("# HELP oobd_drill_", name, " ", help, "\n# TYPE oobd_drill_", name, " gauge\noobd_drill_",
                name, " ", value, "\n");
  };
  figure("timestamp_seconds", "when the last whole drill began", last.at / 1'000'000);
  figure("good", "1 when nothing failed in it", last.is_good() ? 1 : 0);
  figure("passed", "checks of it that passed", last.passed);
  figure("failed", "checks of it that failed", last.failed);
  figure("skipped", "checks of it that were skipped", last.skipped);
  return text;
}

}  // namespace oob::console

#include "console/drill_job.h"

#include <algorithm>
#include <boost/json.hpp>

#include "console/confirm.h"
#include "console/drills.h"

namespace oob::console {

namespace json = boost::json;
using base::fail;
using base::Fault;
using base::Result;
using base::str;
using Outcome = DrillCheck::Outcome;

namespace {

// Beside the number: what has failed is to be seen among all that has not.
const char* shout(Outcome outcome) {
  switch (outcome) {
    case Outcome::passed:
      return "ok";
    case Outcome::failed:
      return "FAILED";
    case Outcome::skipped:
      break;
  }
  return "skipped";
}

const char* name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::passed:
      return "passed";
    case Outcome::failed:
      return "failed";
    case Outcome::skipped:
      break;
  }
  return "skipped";
}

// All that the words stand for and the visitor may see; in the order of their names.
Result<std::vector<std::string>> chosen(Core& core, const Visitor& visitor,
                                        const std::vector<std::string>& words) {
  std::vector<std::string> devices;
  for (const std::string& word : words) {
    bool any = false;
    for (const auto& [name, device] : core.inventory.all()) {
      if (!base::glob_match(word, name) || !core.policy->may_see(visitor.who, name)) continue;
      devices.push_back(name);
      any = true;
    }
    if (!any) return auth::Policy::no_such_device(word);
  }
  std::sort(devices.begin(), devices.end());
  devices.erase(std::unique(devices.begin(), devices.end()), devices.end());
  return devices;
}

}  // namespace

Result<std::unique_ptr<Job>> DrillJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  if (!core.drills) return fail(Fault::unavailable, "there are no drills here");
  Drill::Order order;
  order.visitor = visitor;
  order.board = a.words.empty();
  if (order.board) {
    for (const auto& [name, device] : core.inventory.all())
      if (core.policy->may_see(visitor.who, name)) order.devices.push_back(name);
  } else {
    Result<std::vector<std::string>> devices = chosen(core, visitor, a.words);
    if (!devices) return devices.error();
    order.devices = std::move(*devices);
    if (a.words.size() == 1 && !is_glob(a.words[0])) visitor.device = a.words[0];
  }
  return std::make_unique<DrillJob>(core, visitor, io, std::move(order), a.has("--json"));
}

DrillJob::DrillJob(Core& core, Visitor&, JobIo& io, Drill::Order order, bool as_json)
    : core_(core), io_(io), order_(std::move(order)), as_json_(as_json) {}

DrillJob::~DrillJob() {
  // While the daemon stops they have gone already.
  if (!over_ && core_.drills) core_.drills->give_up(drill_, "whoever wanted it has left");
}

void DrillJob::start() {
  drill_ = core_.drills->begin(core_, std::move(order_),
                               life_.wrap([this](const DrillCheck& check) { show(check); }),
                               life_.wrap([this](const Result<DrillTally>& tally) { conclude(tally); }));
}

void DrillJob::show(const DrillCheck& check) {
  if (over_) return;
  ++shown_;
  if (as_json_) {
    json::object object{{"check", check.name}};
    object["device"] = check.device.empty() ? json::value(nullptr) : json::value(check.device);
    object["result"] = name_of(check.outcome);
    object["text"] = check.text;
    object["ms"] = check.took / 1000;
    return io_.print(json::serialize(object) + "\n");
  }
  io_.print(str(shout(check.outcome), " ", shown_, " ", check.name, ": ", check.text, "\n"));
}

void DrillJob::conclude(const Result<DrillTally>& tally) {
  if (std::exchange(over_, true)) return;
  if (!tally) {
    io_.remark(str("oobd: ", tally.error().what));
    return io_.finish(static_cast<int>(tally.error().fault));
  }
  if (as_json_) {
    json::object object{{"result", tally->is_good() ? "passed" : "failed"},
                        {"checks", tally->tried()},
                        {"passed", tally->passed},
                        {"failed", tally->failed},
                        {"skipped", tally->skipped},
                        {"ms", tally->took / 1000}};
    io_.print(json::serialize(object) + "\n");
  } else {
    io_.print(str(text_of(*tally), ", in ", drill_seconds(tally->took), "\n"));
  }
  io_.finish(tally->is_good() ? kDone : static_cast<int>(Fault::failed));
}

std::size_t DrillJob::typed(base::Bytes bytes) {
  if (!over_ && io_.terminal().pty && bytes.find('\x03') != base::Bytes::npos) {
    over_ = true;
    core_.drills->give_up(drill_, "by Ctrl-C");
    io_.remark("oobd: given up");
    io_.finish(kInterrupted);
  }
  return bytes.size();
}

void DrillJob::recheck() {
  if (core_.drills) core_.drills->recheck();
}

}  // namespace oob::console

#include "console/power_job.h"
#include "console/words.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

namespace oob::console {

namespace json = boost::json;
using base::Error;
using base::fail;
using base::Fault;
using base::printable;
using base::Result;
using base::str;

namespace {

constexpr PowerAction kActions[] = {PowerAction::on, PowerAction::off, PowerAction::cycle, PowerAction::reset,
                                    PowerAction::soft};

// "status" is none.
Result<std::optional<PowerAction>> action_named(const std::string& word) {
  std::vector<std::string_view> known = {"status"};
  for (PowerAction action : kActions) {
    if (word == name_of(action)) return std::optional(action);
    known.push_back(name_of(action));
  }
  if (word == "status") return std::optional<PowerAction>();
  std::string_view near = only_nearest(word, known);
  return fail(Fault::usage, str("power: no such action: ", printable(word, 60),
                                near.empty() ? "" : str("; did you mean '", near, "'?"),
                                " (status, on, off, cycle, reset or soft)"));
}

// Which devices it is about, as far as this visitor may know.
Result<> choose(Core& core, const Visitor& visitor, PowerJob::Work& work) {
  auth::Action right = work.action ? auth::Action::power : auth::Action::watch;
  if (!is_glob(work.pattern)) {
    if (!core.inventory.find(work.pattern)) return auth::Policy::no_such_device(work.pattern);
    Result<auth::Grant> grant = decide(core, visitor, right, work.pattern);
    if (!grant) return grant.error();
    Result<Chassis*> chassis = chassis_of(core, work.pattern);
    if (!chassis) return chassis.error();
    work.devices.push_back(work.pattern);
    return {};
  }
  for (const auto& [name, device] : core.inventory.all()) {
    if (!base::glob_match(work.pattern, name) || !core.policy->may_see(visitor.who, name)) continue;
    if (!device->chassis) {
      ++work.skipped;
      continue;
    }
    Result<auth::Grant> grant = decide(core, visitor, right, name);
    if (grant) {
      work.devices.push_back(name);
    } else {
      work.refused.emplace_back(name, fail(Fault::denied, "not permitted"));
    }
  }
  if (!work.devices.empty() || !work.refused.empty()) return {};
  if (work.skipped == 0) return auth::Policy::no_such_device(work.pattern);
  return fail(Fault::unavailable, str("no device of ", printable(work.pattern),
                                      " has chassis power configured (power = { bmc = … })"));
}

std::vector<const Device*> found(Core& core, const std::vector<std::string>& names) {
  std::vector<const Device*> devices;
  for (const std::string& name : names)
    if (const Device* device = core.inventory.find(name)) devices.push_back(device);
  return devices;
}

}  // namespace

Result<std::unique_ptr<Job>> PowerJob::make(Core& core, Visitor& visitor, JobIo& io, Arguments a) {
  Work work;
  work.pattern = a.words[0];
  work.as_json = a.has("--json");
  if (a.words.size() > 1) {
    Result<std::optional<PowerAction>> action = action_named(a.words[1]);
    if (!action) return action.error();
    work.action = *action;
  }
  if (a.has("--wait")) {
    Result<base::Micros> span = base::parse_span(a.options["--wait"]);
    if (!span) return base::wrap("power: --wait", span.error());
    if (*span > std::chrono::microseconds(kMostWait).count())
      return fail(Fault::usage, str("power: --wait takes 0 to ", kMostWait.count(), " seconds"));
    work.wait = std::chrono::duration_cast<base::milliseconds>(std::chrono::microseconds(*span));
  }
  Result<> chosen = choose(core, visitor, work);
  if (!chosen) return chosen.error();
  if (!is_glob(work.pattern)) visitor.device = work.pattern;
  Confirmation needed;
  if (work.action && !work.devices.empty()) {
    std::vector<const Device*> devices = found(core, work.devices);
    needed = confirmation_for(work.pattern, devices, *work.action, core.inventory);
    Result<bool> yes = confirms(a.options["--yes"], needed, work.pattern, devices);
    if (!yes) return base::wrap("power", yes.error());
    if (*yes) needed = {};
    if (!needed.names.empty() && !io.terminal().pty)
      return fail(Fault::usage, str("power: nothing was done: ", needed.why, "; --yes ",
                                    is_glob(needed.names) ? str("'", needed.names, "'") : needed.names,
                                    " does it all the same"));
  }
  return std::make_unique<PowerJob>(core, visitor, io, std::move(work), std::move(needed));
}

PowerJob::PowerJob(Core& core, Visitor& visitor, JobIo& io, Work work, Confirmation asked)
    : core_(core),
      visitor_(visitor),
      io_(io),
      work_(std::move(work)),
      asked_(std::move(asked)),
      answer_(core.loop) {}

void PowerJob::start() {
  if (asked_.names.empty()) return seek_approval();
  ask();
}

// --- the question
// -----------------------------------------------------------------------------------------------

void PowerJob::ask() {
  io_.print(str(asked_.why, "\n"));
  std::string what = work_.devices.size() > 1 ? "them" : asked_.names == work_.pattern ? "it" : work_.pattern;
  const Terminal& terminal = io_.terminal();
  editor_.emplace(str("type ", asked_.names, " to ", deed_of(*work_.action, what), ": "),
                  LineEditor::Terminal{terminal.columns, terminal.name == "dumb"});
  std::string out;
  editor_->show(out);
  io_.raw(out);
  answer_.after(kAnswer, [this] {
    io_.print("\n");
    answered(false);
  });
}

std::size_t PowerJob::typed(base::Bytes bytes) {
  std::size_t taken = 0;
  if (editor_) {
    std::string out;
    LineEditor::Fed fed = editor_->feed(bytes, out);
    taken = fed.taken;
    io_.raw(out);
    if (fed.event == LineEditor::Event::none) return taken;
    bool named = fed.event == LineEditor::Event::line && editor_->line() == asked_.names;
    answered(named);
  }
  if (!over_ && io_.terminal().pty && bytes.substr(taken).find('\x03') != base::Bytes::npos) interrupt();
  return bytes.size();
}

void PowerJob::ended() {
  if (editor_) answered(false);
}

void PowerJob::resized() {
  if (!editor_) return;
  std::string out;
  editor_->resize(io_.terminal().columns, out);
  io_.raw(out);
}

void PowerJob::answered(bool yes) {
  answer_.cancel();
  editor_.reset();
  Result<> still = yes ? still_confirmed(asked_, work_.devices, *work_.action, core_.inventory)
                       : Result<>(base::fail(Fault::failed, "not done"));
  if (still) return seek_approval();
  io_.remark(str("oobd: ", still.error().what));
  finish(static_cast<int>(Fault::failed));
}

// --- the work
// ---------------------------------------------------------------------------------------------------

void PowerJob::seek_approval() {
  if (!work_.action || !Approvals::wanted(core_, visitor_.who, work_.devices)) return begin();
  Approvals::Ask ask{.who = visitor_.who,
                     .session = visitor_.session,
                     .entry = event_of(visitor_, ""),
                     .intent = {"power", name_of(*work_.action), work_.pattern, work_.devices},
                     .waits = life_.wrap([this](const std::string& text) { io_.remark("oobd: " + text); })};
  sought_ =
      core_.approvals->seek(core_, std::move(ask), life_.wrap([this](const Result<ApprovalPtr>& approval) {
        sought_ = 0;
        if (!approval) {
          io_.remark(str("oobd: ", approval.error().what));
          return finish(static_cast<int>(approval.error().fault));
        }
        approval_ = *approval;
        begin();
      }));
}

void PowerJob::begin() {
  begun_ = true;
  for (const std::string& name : work_.devices) width_ = std::max(width_, name.size());
  for (const auto& [name, error] : work_.refused) width_ = std::max(width_, name.size());
  if (work_.skipped)
    io_.remark(str("oobd: ", work_.skipped, work_.skipped == 1 ? " device has" : " devices have",
                   " no chassis power configured"));
  waiting_.assign(work_.devices.begin(), work_.devices.end());
  auto refused = std::move(work_.refused);
  for (const auto& [name, error] : refused) conclude(name, error);
  fill();
}

void PowerJob::fill() {
  while (!over_ && !waiting_.empty() && under_way_.size() < kAtOnce) {
    std::string device = std::move(waiting_.front());
    waiting_.pop_front();
    begin_one(device);
  }
  if (!over_ && waiting_.empty() && under_way_.empty()) finish(worst_);
}

// Perhaps the device has waited for its turn, or for an answer.
bool PowerJob::may_begin(const std::string& device) {
  Result<Chassis*> chassis = chassis_of(core_, device);
  Result<auth::Grant> grant = core_.policy->decide(visitor_.who, right(), device);
  if (chassis && grant) return true;
  conclude(device, chassis ? grant.error() : chassis.error());
  return false;
}

// The waiting devices that what is done to `device` is done to as well.
std::vector<std::string> PowerJob::take_same_bmc(const std::string& device) {
  const std::string bmc = (*chassis_of(core_, device))->bmc();
  std::vector<std::string> same;
  std::erase_if(waiting_, [&](const std::string& other) {
    Result<Chassis*> chassis = chassis_of(core_, other);
    if (!chassis || (*chassis)->bmc() != bmc) return false;
    same.push_back(other);
    return true;
  });
  std::erase_if(same, [&](const std::string& other) { return !may_begin(other); });
  return same;
}

void PowerJob::begin_one(const std::string& device) {
  if (!may_begin(device)) return;
  std::vector<std::string> devices = {device};
  if (work_.action)
    for (std::string& other : take_same_bmc(device)) devices.push_back(std::move(other));
  for (const std::string& name : devices)
    under_way_[name] = {std::make_unique<base::Timer>(core_.loop), device};
  auto done = [this, devices](const Result<PowerOutcome>& result) {
    std::string remark = str("same BMC as ", devices.front());
    for (const std::string& name : devices) {
      if (!under_way_.erase(name)) continue;
      Result<PowerOutcome> own = result;
      if (name != devices.front()) {
        if (!own) {
          own = fail(own.error().fault, str(own.error().what, " (", remark, ")"));
        } else {
          own->remark += own->remark.empty() ? remark : "; " + remark;
        }
      }
      conclude(name, own);
    }
    fill();
  };
  if (work_.action) {
    Deeds::Order order = power_order(core_, visitor_, device, *work_.action, work_.wait);
    order.also.assign(devices.begin() + 1, devices.end());
    order.approval = approval_;
    core_.deeds->begin(core_, std::move(order), life_.wrap(std::move(done)));
    return;
  }
  under_way_[device].guard->after(core_.chassis_patience,
                                  [done] { done(fail(Fault::unavailable, "no answer")); });
  (*chassis_of(core_, device))->power(life_.wrap([done](const Result<PowerState>& state) {
    if (!state) return done(state.error());
    done(PowerOutcome{*state, ""});
  }));
}

void PowerJob::conclude(const std::string& device, const Result<PowerOutcome>& result) {
  if (over_) return;
  if (!result) worst_ = std::max(worst_, static_cast<int>(result.error().fault));
  if (work_.as_json) {
    json::object object{{"device", device}, {"power", result ? name_of(result->state) : "unknown"}};
    if (work_.action) object["action"] = name_of(*work_.action);
    if (work_.action && result) object["result"] = "done";
    if (!result) object["error"] = result.error().what;
    if (result && !result->remark.empty()) object["remark"] = result->remark;
    return io_.print(json::serialize(object) + "\n");
  }
  if (!result && !is_glob(work_.pattern)) {
    // Some texts name the device themselves.
    bool named = result.error().what.find(device) != std::string::npos;
    return io_.remark(str("oobd: ", named ? "" : device + ": ", result.error().what));
  }
  std::string name = device + std::string(width_ - std::min(width_, device.size()) + 2, ' ');
  std::string action = work_.action ? str(name_of(*work_.action), ": ") : "";
  io_.print(str(name, action, result ? text_of(*result) : str("error: ", result.error().what), "\n"));
}

void PowerJob::recheck() {
  if (over_) return;
  if (sought_) {
    for (const std::string& device : work_.devices) {
      Result<auth::Grant> grant = core_.policy->decide(visitor_.who, right(), device);
      if (grant) continue;
      io_.remark(str("oobd: ", grant.error().what, "; nothing was done"));
      return finish(static_cast<int>(grant.error().fault));
    }
  }
  if (!begun_) return;  // the question's answer is looked at again
  std::vector<std::string> devices;
  for (const auto& [name, guard] : under_way_) devices.push_back(name);
  for (const std::string& device : devices) {
    Result<Chassis*> chassis = chassis_of(core_, device);
    Result<auth::Grant> grant = core_.policy->decide(visitor_.who, right(), device);
    if (chassis && grant) continue;
    Error error = chassis ? grant.error() : chassis.error();
    if (work_.action) error.what += "; what was begun goes on, and its result will be in the journal";
    conclude(device, error);
    under_way_.erase(device);
  }
  fill();
}

void PowerJob::interrupt() {
  std::set<std::string> actions;
  for (const auto& [name, under_way] : under_way_) actions.insert(under_way.by);
  if (work_.action && begun_)
    io_.remark(str("oobd: ", actions.size(), actions.size() == 1 ? " action goes on" : " actions go on",
                   ", with the result in the journal",
                   waiting_.empty() ? "" : str("; ", waiting_.size(), " were not begun")));
  if (sought_) io_.remark("oobd: withdrawn; nothing was done");
  finish(kInterrupted);
}

void PowerJob::finish(int status) {
  if (over_) return;
  over_ = true;
  core_.approvals->withdraw(sought_);
  answer_.cancel();
  editor_.reset();
  under_way_.clear();
  waiting_.clear();
  io_.finish(status);
}

}  // namespace oob::console

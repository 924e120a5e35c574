#include "console/visits_under_way.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <memory>
#include <utility>

#include "base/bytes.h"
#include "base/log.h"
#include "base/whole_file.h"
#include "console/core.h"

namespace oob::console {

namespace json = boost::json;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostVisits = 4096;  // more than there are devices

}  // namespace

// --- the file
// -------------------------------------------------------------------------------------------------------

std::string visits_text(const VisitsUnderWay::Visits& visits) {
  std::string text = json::serialize(json::object{{"version", 1}}) + "\n";
  for (const auto& [device, visit] : visits) {
    json::object line{{"device", device},
                      {"doing", visit.doing},
                      {"under_way", visit.under_way},
                      {"why", base::printable(visit.why)}};
    text += json::serialize(line) + "\n";
  }
  return text;
}

VisitsUnderWay::Visits read_visits(const std::string& text) {
  VisitsUnderWay::Visits visits;
  base::split(text, '\n', [&](std::string_view line) {
    boost::system::error_code wrong;
    json::value value = json::parse(json::string_view(line.data(), line.size()), wrong);
    if (wrong || !value.is_object() || visits.size() >= kMostVisits) return;
    auto text_at = [&](const char* key) {
      const json::value* found = value.get_object().if_contains(key);
      return found ? found->if_string() : nullptr;
    };
    const json::value* under_way = value.get_object().if_contains("under_way");
    const json::string *device = text_at("device"), *doing = text_at("doing"), *why = text_at("why");
    if (!device || device->empty() || !doing || !why || !under_way || !under_way->is_bool()) return;
    visits[std::string(*device)] = {base::printable(base::Bytes(doing->data(), doing->size())),
                                    base::printable(base::Bytes(why->data(), why->size())),
                                    under_way->get_bool()};
  });
  return visits;
}

VisitsUnderWay::VisitsUnderWay(base::Disk& disk, std::string file) : disk_(disk), file_(std::move(file)) {}

Result<> VisitsUnderWay::open() {
  if (::access(file_.c_str(), F_OK) != 0) return {};
  Result<std::string> text = base::read_whole(file_, kMostFile);
  if (!text) return base::wrap(file_, text.error());
  visits_ = read_visits(*text);
  for (const auto& [device, visit] : visits_)
    if (visit.under_way) before_.insert(device);
  return {};
}

void VisitsUnderWay::save() {
  changed_ = true;
  if (!writing_) write();
}

// One write at a time; what came meanwhile is served by the next.
void VisitsUnderWay::write() {
  writing_ = true;
  changed_ = false;
  auto written = std::make_shared<Result<>>();
  auto served = std::make_shared<std::vector<Done>>(std::exchange(waiting_, {}));
  auto then = life_.wrap([this, written, served] {
    writing_ = false;
    if (changed_) write();
    if (!*written) base::log(str("visits under way can't be kept: ", written->error().what));
    for (Done& done : *served) done(*written);
  });
  std::string bytes = visits_text(visits_);
  disk_.run([written, file = file_, bytes] { *written = base::write_whole(file, bytes, 0600); }, then);
}

void VisitsUnderWay::flush() {
  life_.renew();
  waiting_.clear();
  if (changed_) write();
}

// --- what happens
// ---------------------------------------------------------------------------------------------------

void VisitsUnderWay::tell(Core& core) {
  bool any = false;
  for (auto& [device, visit] : visits_) {
    Device* there = core.inventory.find(device);
    if (!there) continue;
    if (before_.erase(device)) {
      any = true;
      visit.under_way = false;
      visit.why = str("the daemon ended in the middle of ", visit.doing);
      base::log(str(device, ": THE CONSOLE IS LEFT OPEN: ", visit.why));
      core.journal.note(auth::Entry("console.open").with("device", device).with("text", visit.why));
    }
    if (!visit.under_way && there->console->left_open().empty())
      there->console->left_open(visit.why, seen_to(device));
  }
  if (any) save();
}

void VisitsUnderWay::begin(const std::string& device, const std::string& doing, Done done) {
  before_.erase(device);
  Visit& visit = visits_[device];
  visit.doing = doing;
  visit.under_way = true;
  waiting_.push_back(std::move(done));
  save();
}

void VisitsUnderWay::end(const std::string& device, const std::string& why) {
  auto at = visits_.find(device);
  if (at == visits_.end()) return;
  if (why.empty()) {
    visits_.erase(at);
  } else {
    at->second.under_way = false;
    at->second.why = why;
  }
  save();
}

std::function<void()> VisitsUnderWay::seen_to(const std::string& device) {
  return life_.wrap([this, device] {
    auto at = visits_.find(device);
    if (at == visits_.end()) return;
    at->second.why.clear();
    if (!at->second.under_way) visits_.erase(at);
    save();
  });
}

}  // namespace oob::console

#include "console/watches_told.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <memory>
#include <utility>

#include "base/bytes.h"
#include "base/log.h"
#include "base/whole_file.h"

namespace oob::console {

namespace json = boost::json;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostTold = 4096;  // more than there are watches

}  // namespace

// --- the file
// ------------------------------------------------------------------------------------------------------

std::string watches_told_text(const WatchesTold::All& all) {
  std::string text = json::serialize(json::object{{"version", 1}}) + "\n";
  for (const auto& [name, told] : all) {
    json::object line{{"watch", name},
                      {"what", base::printable(told.what, told.what.size())},
                      {"state", name_of(told.state)},
                      {"since", told.since}};
    text += json::serialize(line) + "\n";
  }
  return text;
}

WatchesTold::All read_watches_told(const std::string& text) {
  WatchesTold::All all;
  base::split(text, '\n', [&](std::string_view line) {
    boost::system::error_code wrong;
    json::value value = json::parse(json::string_view(line.data(), line.size()), wrong);
    if (wrong || !value.is_object() || all.size() >= kMostTold) return;
    auto text_at = [&](const char* key) {
      const json::value* found = value.get_object().if_contains(key);
      return found ? found->if_string() : nullptr;
    };
    const json::string *name = text_at("watch"), *what = text_at("what"), *state = text_at("state");
    const json::value* since = value.get_object().if_contains("since");
    if (!name || name->empty() || !what || !state || !since || !since->is_int64()) return;
    if (since->get_int64() < 0) return;
    for (WatchState each : {WatchState::up, WatchState::lost, WatchState::unknown})
      if (*state == name_of(each)) all[std::string(*name)] = {std::string(*what), each, since->get_int64()};
  });
  return all;
}

WatchesTold::WatchesTold(base::Disk& disk, std::string file) : disk_(disk), file_(std::move(file)) {}

WatchesTold::~WatchesTold() {
  life_.renew();
  if (changed_) write();
}

Result<> WatchesTold::open() {
  if (::access(file_.c_str(), F_OK) != 0) return {};
  Result<std::string> text = base::read_whole(file_, kMostFile);
  if (!text) return base::wrap(file_, text.error());
  all_ = read_watches_told(*text);
  return {};
}

// --- what happens
// --------------------------------------------------------------------------------------------------

void WatchesTold::tell(const std::string& name, Told told) {
  all_[name] = std::move(told);
  save();
}

void WatchesTold::forget(const std::string& name) {
  if (all_.erase(name)) save();
}

void WatchesTold::save() {
  changed_ = true;
  if (!writing_) write();
}

// One write at a time; what came meanwhile is in the next.
void WatchesTold::write() {
  writing_ = true;
  changed_ = false;
  auto written = std::make_shared<Result<>>();
  disk_.run([written, file = file_,
             bytes = watches_told_text(all_)] { *written = base::write_whole(file, bytes, 0600); },
            life_.wrap([this, written] {
              writing_ = false;
              if (!*written) base::log(str("what watches have told can't be kept: ", written->error().what));
              if (changed_) write();
            }));
}

}  // namespace oob::console

// Lines of a device's console that are an event.
#include <algorithm>

#include "console/alarms.h"
#include "oobd/config_reader.h"

namespace oob {

void ConfigReader::read_alarms(const Node& device, DeviceConfig& config) {
  using console::AlarmPatterns;
  std::vector<const Node*> patterns = texts(device, "alarms");
  auto recipe = config_.recipes ? config_.recipes->find(config.model) : nullptr;
  bool has_more = recipe && !recipe->alarms.empty();
  if (patterns.empty() && !has_more) return;
  bool all_good = true;
  for (const Node* pattern : patterns) {
    bool good = faults_.check(pattern->place, AlarmPatterns::check(pattern->text));
    all_good = all_good && good;
    if (good) config.alarms.push_back(pattern->text);
  }
  if (has_more)
    for (const recipe::Pattern& pattern : recipe->alarms)
      if (std::string text = pattern.re2();
          std::find(config.alarms.begin(), config.alarms.end(), text) == config.alarms.end())
        config.alarms.push_back(std::move(text));
  if (!all_good) return;
  const Place& place = (patterns.empty() ? *device.member("model") : *device.member("alarms")).value.place;
  auto made = AlarmPatterns::make(config.alarms);
  if (!made)
    faults_.add(place,
                base::str("alarms", has_more ? " with those of the model" : "", ": ", made.error().what));
}

}  // namespace oob

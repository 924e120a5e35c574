#include "tests/bmc/chassis.h"

#include "tests/bmc/completion.h"
#include "tests/bmc/packet.h"

namespace oob::test {

Chassis::Chassis(base::Loop& loop, const BmcOptions& options, Seen& seen)
    : options_(options), seen_(seen), powered_(options.powered), timer_(loop), light_(loop) {
  constexpr std::array<std::size_t, 6> sizes{1, 1, 1, 1, 2, 5};
  for (std::size_t i = 0; i < sizes.size(); ++i) boot_[i].assign(sizes[i], '\0');
}

std::string Chassis::run(unsigned command, Bytes data) {
  switch (command) {
    case 0x00:
      return done({0, 0x20, 0x20, 0x20, 0x20});  // Get Chassis Capabilities
    case 0x01:
      return status();
    case 0x02:
      return control(data);
    case 0x04:
      return identify(data);
    case 0x06:  // Set Power Restore Policy
      if (data.size() != 1) return code(kLength);
      if ((get8(data, 0) & 7) < 3) policy_ = get8(data, 0) & 7;
      return done({7});
    case 0x07:
      return done({static_cast<char>(cause_), 1});  // Get System Restart Cause
    case 0x08:
      return set_boot_option(data);
    case 0x09:
      return boot_option(data);
    case 0x0f:
      return done({60, 42, 0, 0, 0});  // Get POH Counter
    default:
      return code(kInvalidCommand);
  }
}

std::string Chassis::status() const {
  unsigned light = light_for_good_ ? 2 : light_.waiting() ? 1 : 0;
  return done({static_cast<char>((powered_ ? 1 : 0) | policy_ << 5), static_cast<char>(last_event_),
               static_cast<char>(0x40 | light << 4), 0});
}

void Chassis::set_power(bool on) {
  timer_.cancel();
  if (on && !powered_) started();
  powered_ = on;
}

void Chassis::started() {
  std::string& flags = boot_[5];
  if (!(get8(flags, 0) & 0x40)) flags.assign(5, '\0');
}

std::string Chassis::control(Bytes data) {
  if (data.size() != 1) return code(kLength);
  unsigned number = get8(data, 0) & 0x0f;
  if (number > 5) return code(kInvalidField);
  auto action = static_cast<PowerAction>(number);
  bool needs_power = action != PowerAction::on && action != PowerAction::off;
  if (needs_power && !powered_) return code(kState);
  ++seen_.power[number];
  switch (action) {
    case PowerAction::off:
      timer_.after(options_.power_off_takes, [this] { set_power(false); });
      break;
    case PowerAction::on:
      last_event_ = 0x10;  // by command
      cause_ = 1;
      timer_.after(options_.power_on_takes, [this] { set_power(true); });
      break;
    case PowerAction::cycle:
      timer_.after(options_.power_off_takes, [this] {
        set_power(false);
        timer_.after(options_.cycle_gap + options_.power_on_takes, [this] { set_power(true); });
      });
      break;
    case PowerAction::reset:
      started();
      break;
    case PowerAction::diagnostic:
      break;
    case PowerAction::soft:
      timer_.after(options_.soft_takes, [this] { set_power(false); });
      break;
  }
  // Without a delay the new state is there when the answer is.
  if (action == PowerAction::off && options_.power_off_takes.count() == 0) set_power(false);
  if (action == PowerAction::on && options_.power_on_takes.count() == 0) set_power(true);
  return done();
}

std::string Chassis::identify(Bytes data) {
  if (data.size() > 2) return code(kLength);
  unsigned seconds = data.empty() ? 15 : get8(data, 0);
  light_for_good_ = data.size() == 2 && (get8(data, 1) & 1);
  light_.cancel();
  if (!light_for_good_ && seconds > 0) light_.after(base::milliseconds(1000) * seconds, [] {});
  ++seen_.identified;
  seen_.identify_seconds = light_for_good_ ? 256 : seconds;
  return done();
}

std::string Chassis::set_boot_option(Bytes data) {
  if (data.empty()) return code(kLength);
  unsigned number = get8(data, 0) & 0x7f;
  if (number >= boot_.size()) return code(0x80);  // parameter not supported
  if (data.size() == 1) return done();            // only marks it valid or locked
  if (data.size() != boot_[number].size() + 1) return code(kLength);
  if (number == 4) {  // acknowledge: a mask of what is written, then the bits
    unsigned mask = get8(data, 1);
    boot_[4][1] = static_cast<char>((get8(boot_[4], 1) & ~mask) | (get8(data, 2) & mask));
  } else {
    boot_[number] = data.substr(1);
  }
  return done();
}

std::string Chassis::boot_option(Bytes data) const {
  if (data.size() != 3) return code(kLength);
  unsigned number = get8(data, 0) & 0x7f;
  if (number >= boot_.size()) return code(0x80);
  return done({1, static_cast<char>(number)}) + boot_[number];
}

}  // namespace oob::test

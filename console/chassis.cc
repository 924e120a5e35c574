#include "console/chassis.h"

namespace oob::console {

const char* name_of(PowerState state) {
  switch (state) {
    case PowerState::unknown:
      return "unknown";
    case PowerState::on:
      return "on";
    case PowerState::off:
      return "off";
  }
  return "unknown";
}

const char* name_of(PowerAction action) {
  switch (action) {
    case PowerAction::on:
      return "on";
    case PowerAction::off:
      return "off";
    case PowerAction::cycle:
      return "cycle";
    case PowerAction::reset:
      return "reset";
    case PowerAction::soft:
      return "soft";
  }
  return "unknown";
}

const char* name_of(BootDevice device) {
  switch (device) {
    case BootDevice::none:
      return "none";
    case BootDevice::pxe:
      return "pxe";
    case BootDevice::disk:
      return "disk";
    case BootDevice::cdrom:
      return "cdrom";
    case BootDevice::bios:
      return "bios";
  }
  return "unknown";
}

}  // namespace oob::console

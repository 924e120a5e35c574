#include "uplink/figures.h"

namespace oob::uplink {

const char* name_of(Health health) {
  switch (health) {
    case Health::up:
      return "up";
    case Health::degraded:
      return "degraded";
    case Health::down:
      return "down";
  }
  return "";
}

}  // namespace oob::uplink

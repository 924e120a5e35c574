#include "oobd/drill_ground.h"

#include "oobd/check_uplink.h"
#include "oobd/listeners.h"

namespace oob {

namespace {

// Null: none is open.
const FrontProcess::Gate* door_of(const std::vector<FrontProcess::Gate>& open) {
  const FrontProcess::Gate* tors = nullptr;
  for (const FrontProcess::Gate& gate : open) {
    if (is_tied(gate.address)) continue;
    if (gate.way != Listener::Way::onion) return &gate;
    if (!tors) tors = &gate;
  }
  return tors;
}

}  // namespace

console::DrillGround drill_ground(const Config& config, const Gates& gates, DrillLogin& login,
                                  Notices& notices) {
  console::DrillGround ground;
  ground.every = config.drill.every;
  ground.pulls_by_clock = config.snapshot.every > 0;
  ground.by_the_clock = [words = uplink_plan(config).by_the_clock] { return words; };
  ground.notify = [&notices](const std::string& name, std::function<void(notice::Outcome)> done) {
    notices.try_out(name, std::move(done));
  };
  if (!config.call_homes.empty() || !config.listen.empty())
    ground.login = [&login, &gates](DrillLogin::Done done) {
      std::vector<FrontProcess::Gate> open = gates.open();
      if (const FrontProcess::Gate* door = door_of(open))
        return login.look(door->address, door->way, std::move(done));
      done(base::fail(base::Fault::unavailable, "no listener that this board can dial is open"));
    };
  return ground;
}

}  // namespace oob

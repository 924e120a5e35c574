#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "console/drill_probe.h"
#include "notice/figures.h"

namespace oob::console {

struct Core;
struct Device;

// What a drill asks of what the board knows already: nothing here waits. Each failure says why, and its cure.

// Uplinks, from this side and from that of the bastions, and routing.
std::vector<DrillCheck> drill_ways(const Core& core);

// Whoever is told of events, where that is known: the last notice has failed, or one was delivered within the
// hour, so that drills one after another tell nobody of so many tests. Nothing: it has to be tried.
std::optional<DrillCheck> drill_notify(const notice::Figures& figures);

// The room for transcripts and for the journal.
DrillCheck drill_disk(const Core& core);

// `by_the_clock`: what of a login needs the right time.
DrillCheck drill_clock(const Core& core, const std::vector<std::string>& by_the_clock);

// Whether the device's configuration was proved lately, and whether the last try went well. Where none was
// ever stored and the clock takes none (`by_clock`: [snapshot] every is set), nobody wants any, and it is
// skipped. REQUIRES: it has a model.
DrillCheck drill_snapshot(const Core& core, const Device& device, base::Micros every, bool by_clock);

// How old a snapshot may be: twice what is between two drills, but no less than two weeks.
base::Micros oldest_snapshot(base::Micros every);

// How much a failure matters on the day: the lowest comes first.
unsigned drill_rank(const DrillCheck& check);

}  // namespace oob::console

#pragma once

#include <string>
#include <vector>

#include "console/history.h"
#include "console/snapshots.h"

namespace oob::console {

// The first eight digits of a revision, as people see and type it.
std::string short_revision(const std::string& revision);
// "config.xml +3 -1, pf.conf new"; at most so many files, then how many more. Empty where nothing changed.
std::string changes_text(const std::vector<History::Change>& changes, std::size_t most = 4);
const char* name_of(History::Change::Kind kind);  // "added", "changed", "removed"

// "stored 3f2a9c1e  config.xml +3 -1  211 kB, device, 8.2 s"; `since`: when the revision that has not changed
// was stored, 0 where that is not known.
std::string outcome_text(const Snapshots::Outcome& outcome, base::Micros since);
// One JSON object as a line. Fields: device, result (stored, unchanged, quarantined, busy, denied, failed),
// revision, grade, method, files, seconds, retries, bytes_on_wire, recording; why, error and left_open where
// there is something to be said.
std::string outcome_json(const std::string& device, const Snapshots::Outcome& outcome);
// {"device", "progress": {"file", "done", "of", "number", "files"}} as a line.
std::string progress_json(const std::string& device, const recipe::Progress& progress);

}  // namespace oob::console

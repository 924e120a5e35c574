#pragma once

#include <string_view>
#include <vector>

namespace oob::auth {

// The events a record of the journal may tell of, in order of their names: a closed list, version 1
// (docs/formats.md, "Events"). tests/house/events.py holds the sources to it.
struct JournalEvent {
  const char* name;
  const char* help;  // one line
};
const std::vector<JournalEvent>& journal_events();
bool is_journal_event(std::string_view name);

}  // namespace oob::auth

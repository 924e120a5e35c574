#pragma once

#include <string>

#include "auth/journal.h"

namespace oob::audit {

// Ends what a crash left in `directory`, STATE/recordings (docs/formats.md, "Recordings"): the recordings
// that were open, and redactions that were told and not done. A file that says it was open and that the
// journal has no `recording.open` of was not made by the daemon: it is no evidence and gets no mark, but goes
// to STATE/recordings/strange as it is. Leaves all alone where the journal can't be read: it is looked at
// again by the next start. Blocks, for start-up; the journal is STATE/journal.
void recover_recordings(auth::Journal& journal, const std::string& directory);

}  // namespace oob::audit

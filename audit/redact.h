#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "audit/cast_file.h"
#include "auth/journal.h"
#include "base/disk.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::audit {

// What hiding a part of a recording comes to (docs/formats.md, "redaction").
struct RedactionPlan {
  struct Range {
    std::uint64_t from = 0, to = 0;  // bytes of the file: what one mark covers
    std::string before, after;       // SHA-256, hex
  };
  struct Piece {
    std::uint64_t at = 0;
    std::string bytes;  // are to be there
  };
  std::string path;
  std::vector<Range> ranges;  // one `redaction` record each; none where all is hidden already
  std::vector<Piece> pieces;  // that differ from what is there
  std::size_t events = 0;     // whose text is hidden, then
};

// What the journal says of one recording: its marks, and what redactions made of them, in their order.
struct RecordingMarks {
  std::vector<CastMark> marks;
  std::vector<RedactionPlan::Range> redactions;
};
// From STATE/journal. Blocks.
base::Result<RecordingMarks> marks_of(const std::string& journal, const std::string& id);

// For the `o`, `i` and `b`, and the `text` of the `e`, of a closed recording from `from` to `to`, both
// inclusive, in microseconds since its beginning. Fault::missing: there is none, or nothing at that time.
// Fault::busy: it is still being made. Fault::failed: its file is not what its marks say; hiding must not
// make that good. What an interrupted apply() left is gone on with. Blocks.
base::Result<RedactionPlan> plan_redaction(const std::string& recordings, const std::string& id,
                                           base::Micros from, base::Micros to, const RecordingMarks& known);
// Writes the pieces, and has them on the disk. Blocks.
base::Result<> apply(const RedactionPlan& plan);

// What a crash left undone of the redactions that the newest records of a journal tell of (as many as
// marked_transcripts() looks at, before `end`): hides it, where that gives just the hashes of the records.
// Answers the recordings, for the log. `recordings` and `journal` are folders. Blocks: for start-up.
std::vector<std::string> finish_redactions(const std::string& recordings, const std::string& journal,
                                           std::uint64_t end);

// All of it: plans, commits a record for each range, then writes. One after another for each recording: no
// record is made of what another is about to change. `record` is the Entry `redaction` with who and why; the
// rest is added. `done` gets the number of events whose text is hidden now, on the loop.
void redact(base::Blocking& blocking, auth::Journal& journal, const std::string& state, const std::string& id,
            base::Micros from, base::Micros to, auth::Entry record,
            std::function<void(base::Result<std::size_t>)> done);

}  // namespace oob::audit

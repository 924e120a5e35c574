#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace oob::audit {

// Up to which offset the journal below `directory` (STATE/journal) has marked each device's transcript
// (docs/formats.md, `transcript.mark`): what was written behind that before a crash is still to be marked.
// Looks at the newest records alone, `kMostRecords` before `end`; a device that is not among them is left
// out, one that is named there only as begun is at 0. Blocks: for start-up.
constexpr std::uint64_t kMostRecords = 50'000;
std::map<std::string, std::uint64_t> marked_transcripts(const std::string& directory, std::uint64_t end);

}  // namespace oob::audit

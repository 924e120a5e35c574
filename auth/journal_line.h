#pragma once

#include <cstdint>
#include <string>

#include "auth/journal.h"
#include "base/bytes.h"
#include "base/time.h"

namespace oob::auth {

constexpr std::size_t kMostJournalText = 4096;  // bytes of one text; the rest is cut off and shown as "..."
constexpr std::size_t kMostJournalLine = 256 * 1024;

using JournalFields = std::map<std::string, std::variant<std::string, std::int64_t>>;

// The one form of these values, without LF. REQUIRES: every key is_journal_key().
std::string canonical_json(const JournalFields& fields);
bool is_journal_key(std::string_view key);
// Not longer than journal_line() leaves a text.
bool is_journal_text(base::Bytes text);

// The record as one canonical JSON line, "\n" included (docs/formats.md, "Journal").
std::string journal_line(const Entry& entry, const JournalStamp& stamp, std::uint64_t number,
                         const std::string& boot);

// The number "n" of a whole record (without its "\n"). False for anything that journal_line() can't have
// made, as far as that shows without reading every field.
bool journal_number(base::Bytes line, std::uint64_t& number);

// This boot of the machine; where the system does not tell, this start of the program.
std::string boot_id();

}  // namespace oob::auth

#pragma once

#include <string>
#include <string_view>

#include "auth/journal_reader.h"
#include "auth/signed_note.h"
#include "base/bytes.h"
#include "base/time.h"

namespace oob::audit {

// Messages as RFC 5424 has them; docs/formats.md, "Syslog export". A receiver takes messages of 2048 octets
// and should take 8192 (RFC 5425, 4.3.1): none is longer.
constexpr std::size_t kMostSyslogMessage = 8192;

// A name for the HOSTNAME of messages: what can't stand there (RFC 5424, 6) is '-'; "-" where nothing is
// left.
std::string syslog_hostname(std::string_view name);

// One record of the journal. Of a record that does not fit, long values are cut, then the last ones left out;
// `cut` then says so.
std::string syslog_record(const auth::Record& record, std::string_view hostname);
// A line of the journal that is no record, with the number that its place gives it: `why` is what is wrong.
std::string syslog_damaged(std::uint64_t n, base::Bytes line, std::string_view why, base::Micros now,
                           std::string_view hostname);
std::string syslog_checkpoint(const auth::SignedNote& note, base::Micros now, std::string_view hostname);

// The message as a frame on the connection: its length, a blank, itself (RFC 5425, 4.3).
std::string syslog_frame(std::string_view message);

}  // namespace oob::audit

#pragma once

#include <cstddef>
#include <string_view>

#include "auth/authorized_keys.h"

namespace oob::auth {

// Where and why the options of a line are wrong; `at` counts bytes from the front of the options.
struct OptionFault {
  std::size_t at = 0;
  std::string message;
};

// How long the first word of a line is, spaces inside quotes counted in (it is the options unless it names a
// key type). False when a quote is not closed; `length` is then the place of that quote.
bool first_word(std::string_view line, std::size_t& length);

// Reads `options` ("restrict,from=\"192.0.2.0/24\"") into the terms, from and expires of `line`. True when
// all are right. The order counts as in sshd: "restrict,pty" allows a pty, "pty,restrict" does not.
bool parse_key_options(std::string_view options, AuthorizedKey& line, OptionFault& fault);

// Whether `word` is the name of an option, one that is refused too.
bool is_key_option(std::string_view word);

// YYYYMMDD[HHMM[SS]][Z]; without Z it is local time.
bool parse_expiry(std::string_view text, base::Micros& time);

}  // namespace oob::auth

#pragma once

#include <string>

#include "base/bytes.h"

namespace oob::console {

// What a console said is replayed to a terminal that was not there: `recent` may be cut anywhere at its
// beginning, in an escape sequence (ECMA-48) or in a UTF-8 sequence too. The results begin at the beginning
// of a line and leave out what makes a terminal answer (status, attribute, mode, colour and window queries,
// ENQ), strings as a whole (titles, clipboard, other OSC, DCS, APC, PM, SOS) and bells. Colours and other
// modes end up as `recent` leaves them, so that live output can follow. An unfinished sequence at the end is
// kept, as live output finishes it, unless it could become one of those left out.

// The last screen of a terminal of this size (0 counts as 24 and 80): the last rows lines, wrapped lines
// counted by columns, or what follows the last clearing of the whole screen where that is later. Linear time.
std::string screenful(base::Bytes recent, unsigned rows, unsigned columns);

// The last so many lines that ended, and the one that has not.
std::string last_lines(base::Bytes recent, unsigned lines);

// What stands at the front of text, as a terminal takes it.
struct Glyph {
  std::size_t size = 0;  // bytes; 0 where `text` is empty or a UTF-8 sequence is cut at its end
  unsigned width = 0;  // columns: 0 combining marks and controls, 2 for wide East Asian characters and emoji
  bool valid = false;  // false: not UTF-8; size is 1 (or 0 where cut), width 1
};
Glyph first_glyph(base::Bytes text);

// Columns that `text` takes, without tabs, controls and sequences.
std::size_t width_of(base::Bytes text);

}  // namespace oob::console

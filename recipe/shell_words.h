#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace oob::recipe {

// The words that go to and come from a shell on a device over a line that damages bytes and mixes in the
// kernel's messages.

using Words = std::vector<std::string>;

// POSIX.1-2017, cksum: the CRC of the bytes and of their number.
std::uint32_t cksum(base::Bytes bytes);

// What a device proves its words by: its cksum, or, where it has none (Debian's busybox), gzip's CRC.
enum class Sum { cksum, gzip };
std::uint32_t sum_of(Sum kind, base::Bytes bytes);

// One word for a shell, whatever it holds (no NUL).
std::string shell_word(base::Bytes text);

// For an argument that is typed unquoted and then read by `printf %b`: every byte that could mean anything to
// a shell is an octal number. So a byte that is lost or damaged leaves no quote open, and what follows is
// never run. REQUIRES: no NUL.
std::string encoded(base::Bytes text);
// Where encoded(text.substr(0, answer)) has at most `most` bytes, and does not end in a line's end (which
// `$(...)` would take away). At least 1, unless text is empty.
std::size_t fits_encoded(base::Bytes text, std::size_t most);

// What was heard without line ends and the kernel's lines ("[  123.456789] ..."), which come between any two
// bytes; places[i] is where byte i of it was.
std::string without_messages(base::Bytes heard, std::vector<std::size_t>& places);

// The first whole answer "<NONCE WORDS CRC LENGTH>" of what was heard, as its cksum (or gzip's CRC) proves
// it. Nothing else that a device says can be taken for one, nor can the echo of a command, which has no nonce
// behind a "<".
struct Answer {
  Words words;
  std::size_t end = 0;  // behind it, in what was heard
};
std::optional<Answer> find_answer(base::Bytes heard, base::Bytes nonce);

// Which function has made an answer whose first word is "k57", and to which number; of f "57" alone: ' '. The
// number is 0 where it is neither.
struct AnsweredBy {
  char function = ' ';
  unsigned number = 0;
};
AnsweredBy answered_by(base::Bytes first_word);

// Bytes from the words of `base64`, `openssl base64`, `b64encode -r` or `uuencode -m`; nothing when they are
// none.
std::optional<std::string> from_base64(const std::string* begin, const std::string* end);

bool is_sha256(base::Bytes word);  // 64 lower-case hex digits

}  // namespace oob::recipe

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace oob::console {

constexpr std::size_t kMostCommandLine = 16 * 1024;  // bytes

// A command line into words, quoted as for a shell: blanks part words; '…' keeps everything, "…" everything
// but \" and \\, a backslash elsewhere the next character. Nothing is expanded. Fault::usage with the column
// (characters, from 1): a quote that is never closed, a NUL, a line longer than kMostCommandLine. Only the
// first `most` words are looked at, so that free text may follow them unquoted (see rest_after).
base::Result<std::vector<std::string>> split_words(std::string_view line, std::size_t most = SIZE_MAX);

// The word so that split_words(), and a POSIX shell, take it for one word again. REQUIRES: no NUL in it.
std::string quote_word(std::string_view word);

// The text after so many words and the one blank behind them, untouched: stock ssh joins its arguments with
// single blanks, so this is what `ssh oob send edge1 "show  ver"` had in its quotes. Empty where there are
// fewer words.
std::string_view rest_after(std::string_view line, unsigned words);

// Whether all of it stands in one pair of quotes with blanks inside: quoted twice, for such a command reaches
// a device as one word, the name of no program.
bool is_quoted_whole(std::string_view line);

// The one of `known` that a mistyped `word` is nearest to, for words where a wrong guess does harm: empty
// when none is near, and when two are as near ("of" is "on" as well as "off").
std::string_view only_nearest(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace oob::console

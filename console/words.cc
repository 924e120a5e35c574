#include "console/words.h"

#include <algorithm>

namespace oob::console {
namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Counted in characters, as a person counts them: UTF-8 continuation bytes don't.
std::size_t column(std::string_view line, std::size_t at) {
  auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  return 1 + static_cast<std::size_t>(std::count_if(line.begin(), line.begin() + at, begins));
}

// One word from `at`, which is not a blank: appended to `word`; `at` moves behind it. npos, or where the
// quote stands that is never closed.
std::size_t take_word(std::string_view line, std::size_t& at, std::string& word) {
  while (at < line.size() && !blank(line[at])) {
    char c = line[at++];
    if (c == '\\') {
      // With nothing behind it it stands for itself: "dir c:\" is what people type.
      word += at < line.size() ? line[at++] : c;
    } else if (c == '\'' || c == '"') {
      std::size_t opened = at - 1;
      while (at < line.size() && line[at] != c) {
        if (c == '"' && line[at] == '\\' && at + 1 < line.size() &&
            (line[at + 1] == '"' || line[at + 1] == '\\')) {
          ++at;
        }
        word += line[at++];
      }
      if (at == line.size()) return opened;
      ++at;
    } else {
      word += c;
    }
  }
  return std::string_view::npos;
}

void skip_blanks(std::string_view line, std::size_t& at) {
  while (at < line.size() && blank(line[at])) ++at;
}

}  // namespace

base::Result<std::vector<std::string>> split_words(std::string_view line, std::size_t most) {
  if (line.size() > kMostCommandLine) {
    return base::fail(base::Fault::usage, base::str("the command line has ", line.size(), " bytes, at most ",
                                                    kMostCommandLine, " are taken"));
  }
  std::size_t nul = line.find('\0');
  if (nul != std::string_view::npos) {
    return base::fail(base::Fault::usage, base::str("column ", column(line, nul), ": a NUL byte"));
  }
  std::vector<std::string> words;
  std::size_t at = 0;
  for (skip_blanks(line, at); at < line.size() && words.size() < most; skip_blanks(line, at)) {
    std::size_t open = take_word(line, at, words.emplace_back());
    if (open != std::string_view::npos) {
      return base::fail(base::Fault::usage, base::str("column ", column(line, open), ": the quote ",
                                                      line[open], " is never closed"));
    }
  }
  return words;
}

std::string quote_word(std::string_view word) {
  // Only what no shell takes for anything else stays bare; a ~ or = can mean something to one.
  auto bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./:,+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), bare)) return std::string(word);
  std::string quoted = "'";
  for (char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string_view rest_after(std::string_view line, unsigned words) {
  std::size_t at = 0;
  for (; words > 0; --words) {
    skip_blanks(line, at);
    if (at == line.size()) return {};
    std::string word;
    if (take_word(line, at, word) != std::string_view::npos) return {};
  }
  if (at > 0 && at < line.size()) ++at;
  return line.substr(at);
}

bool is_quoted_whole(std::string_view line) {
  while (!line.empty() && blank(line.front())) line.remove_prefix(1);
  while (!line.empty() && blank(line.back())) line.remove_suffix(1);
  if (line.empty() || (line[0] != '\'' && line[0] != '"')) return false;
  std::size_t at = 1;
  while (at < line.size() && line[at] != line[0]) at += line[0] == '"' && line[at] == '\\' ? 2 : 1;
  return at + 1 == line.size() && std::any_of(line.begin(), line.end(), blank);
}

std::string_view only_nearest(std::string_view word, const std::vector<std::string_view>& known) {
  std::string_view near = base::nearest(word, known);
  if (near.empty()) return near;
  std::size_t least = base::edit_distance(word, near);
  auto as_near = [&](std::string_view other) { return base::edit_distance(word, other) == least; };
  return std::count_if(known.begin(), known.end(), as_near) == 1 ? near : std::string_view();
}

}  // namespace oob::console

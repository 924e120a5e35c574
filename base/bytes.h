#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace oob::base {

// A view of bytes that somebody else owns. May hold anything, NULs too.
using Bytes = std::string_view;

namespace detail {
inline void add(std::string& to, std::string_view piece) { to += piece; }
inline void add(std::string& to, char piece) { to += piece; }
template <class Number>
requires std::is_arithmetic_v<Number>
void add(std::string& to, Number piece) { to += std::to_string(piece); }
}  // namespace detail

// Joins texts and numbers: str("r1: ", 3, " lines").
template <class... Pieces>
std::string str(const Pieces&... pieces) {
  std::string joined;
  (detail::add(joined, pieces), ...);
  return joined;
}

// What a peer or device sent, made fit for a terminal, a log or the journal: printable ASCII and whole UTF-8
// stay, all else is written \n, \t, \\ or \xNN. Cut at `most` bytes of output with "...".
std::string printable(Bytes raw, std::size_t most = 400);

// Shell-like pattern with * and ? only. Linear in time for any pattern.
bool glob_match(std::string_view pattern, std::string_view text);

std::string hex(Bytes raw);
// Padded base64 without line breaks (RFC 4648, 4).
std::string base64(Bytes raw);

// The nearest of `known` to a mistyped `word` by edit distance, or empty when none is near.
template <class Words>
std::string_view nearest(std::string_view word, const Words& known);
std::size_t edit_distance(std::string_view a, std::string_view b);

template <class Words>
std::string_view nearest(std::string_view word, const Words& known) {
  std::string_view best;
  std::size_t least = word.size() / 3 + 2;
  for (std::string_view candidate : known) {
    std::size_t distance = edit_distance(word, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

// Splits at each `separator`; empty pieces stay. The views live as long as `text`.
template <class Piece>
void split(std::string_view text, char separator, Piece piece) {
  while (true) {
    std::size_t at = text.find(separator);
    piece(text.substr(0, at));
    if (at == std::string_view::npos) return;
    text.remove_prefix(at + 1);
  }
}

// A decimal number that fills the whole text.
template <class Number>
bool parse_number(std::string_view text, Number& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

}  // namespace oob::base

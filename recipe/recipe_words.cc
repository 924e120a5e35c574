#include "recipe/recipe_words.h"

#include <re2/re2.h>

namespace oob::recipe {
namespace {

constexpr std::int64_t kMostMemory = 1 << 20;  // of one compiled expression, its automaton included

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_./*?-+:,@").find(c) != std::string_view::npos;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string quoted(std::string_view text) { return base::str("'", base::printable(text, 60), "'"); }

std::shared_ptr<const re2::RE2> compile(std::string_view expression, std::string_view flags, bool at_the_end,
                                        std::string& error) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMostMemory);
  // Devices send bytes, and a dot is to match each.
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  // By itself first, so that what is put around it can't be closed by it.
  re2::RE2 alone(re2::StringPiece(expression.data(), expression.size()), options);
  if (!alone.ok()) {
    error = alone.error();
    return nullptr;
  }
  std::string whole = base::str("(?", flags, ":", expression, ")", at_the_end ? "[ \\t]*\\z" : "");
  auto compiled = std::make_shared<const re2::RE2>(whole, options);
  if (compiled->ok()) return compiled;
  error = compiled->error();
  return nullptr;
}

LineWords::LineWords(std::string_view line, unsigned number, std::vector<RecipeFault>& faults)
    : whole_(line), rest_(line), number_(number), faults_(faults) {
  skip_blanks();
}

void LineWords::skip_blanks() {
  while (!rest_.empty() && is_blank(rest_[0])) rest_.remove_prefix(1);
  if (!rest_.empty() && rest_[0] == '#') rest_ = {};
}

Spot LineWords::spot() const {
  std::string_view before = whole_.substr(0, whole_.size() - rest_.size());
  if (rest_.empty()) before = whole_;
  unsigned column = 1;
  for (char c : before) column += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return {number_, column};
}

void LineWords::fault(Spot at, std::string message) {
  faults_.push_back({at.line, at.column, std::move(message)});
}

void LineWords::give_up(Spot at, std::string message) {
  fault(at, std::move(message));
  rest_ = {};
}

std::string_view LineWords::take(std::size_t size) {
  std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

// A text or expression is over where a blank is, or the line ends.
bool LineWords::ends_here(Spot at, std::string_view what) {
  if (rest_.empty() || is_blank(rest_[0])) {
    skip_blanks();
    return true;
  }
  give_up(at, base::str("there is no blank behind ", what));
  return false;
}

std::optional<std::string> LineWords::word(std::string_view what) {
  Spot at = spot();
  if (at_end()) {
    give_up(at, base::str("here should be ", what));
    return std::nullopt;
  }
  std::size_t size = 0;
  while (size < rest_.size() && is_word(rest_[size])) ++size;
  if (size < rest_.size() && !is_blank(rest_[size])) {
    give_up(at, base::str("here should be ", what, ", and ", quoted(rest_.substr(size, 1)),
                          " can't be part of a word"));
    return std::nullopt;
  }
  std::string taken(take(size));
  skip_blanks();
  return taken;
}

std::optional<std::string> LineWords::text(std::string_view what) {
  Spot at = spot();
  if (peek() != '"') {
    give_up(at, base::str("here should be ", what, ", in double quotes"));
    return std::nullopt;
  }
  take(1);
  std::string text;
  while (!rest_.empty() && rest_[0] != '"') {
    char c = take(1)[0];
    if (c != '\\') {
      text += c;
      continue;
    }
    Spot here = spot();
    --here.column;
    char escape = rest_.empty() ? '\0' : take(1)[0];
    if (escape == 'r') {
      text += '\r';
    } else if (escape == 'n') {
      text += '\n';
    } else if (escape == 't') {
      text += '\t';
    } else if (escape == '"' || escape == '\\') {
      text += escape;
    } else if (escape == 'x' && rest_.size() >= 2 && hex_digit(rest_[0]) >= 0 && hex_digit(rest_[1]) >= 0) {
      text += static_cast<char>(hex_digit(rest_[0]) * 16 + hex_digit(rest_[1]));
      take(2);
    } else if (escape) {
      give_up(here,
              "in a text \\r, \\n, \\t, \\\", \\\\ and \\xHH have a meaning, and nothing else after \\");
      return std::nullopt;
    }
  }
  if (rest_.empty()) {
    give_up(at, "the text has no double quote at its end");
    return std::nullopt;
  }
  take(1);
  if (!ends_here(at, "the text")) return std::nullopt;
  return text;
}

std::optional<Pattern> LineWords::pattern(std::string_view what, bool at_the_end) {
  Spot at = spot();
  if (peek() != '/') {
    give_up(at, base::str("here should be ", what, ", between slashes"));
    return std::nullopt;
  }
  std::string_view from = rest_;
  take(1);
  std::string expression;
  while (!rest_.empty() && rest_[0] != '/') {
    char c = take(1)[0];
    if (c == '\\' && !rest_.empty()) {
      if (rest_[0] != '/') expression += c;
      c = take(1)[0];
    }
    expression += c;
  }
  if (rest_.empty()) {
    give_up(at, "the expression has no slash at its end; a slash in it is written \\/");
    return std::nullopt;
  }
  take(1);
  std::string flags;
  while (!rest_.empty() && !is_blank(rest_[0])) {
    Spot here = spot();
    char flag = take(1)[0];
    if (std::string_view("sim").find(flag) == std::string_view::npos) {
      give_up(here,
              base::str("no flag ", quoted(std::string(1, flag)),
                        " is known behind an expression: s, i and m are; a slash in it is written \\/"));
      return std::nullopt;
    }
    if (flags.find(flag) == std::string::npos) flags += flag;
  }
  Pattern pattern;
  pattern.text = from.substr(0, from.size() - rest_.size());
  skip_blanks();
  if (expression.empty() || expression.size() > kLongestPattern) {
    give_up(at, expression.empty() ? "the expression is empty" : "the expression is longer than 4096 bytes");
    return std::nullopt;
  }
  std::string error;
  pattern.expression = compile(expression, flags, at_the_end, error);
  if (!pattern.expression) {
    give_up(at, base::str("the expression is none (RE2 syntax): ", base::printable(error, 120)));
    return std::nullopt;
  }
  return pattern;
}

std::optional<std::uint64_t> LineWords::size(std::string_view what) {
  Spot at = spot();
  std::optional<std::string> taken = word(what);
  if (!taken) return std::nullopt;
  std::string_view digits = *taken;
  std::uint64_t unit = 1, number = 0;
  if (digits.ends_with('K')) unit = 1024;
  if (digits.ends_with('M')) unit = 1024 * 1024;
  if (unit > 1) digits.remove_suffix(1);
  if (!base::parse_number(digits, number) || number > UINT32_MAX) {
    give_up(at, base::str(quoted(*taken), " is not a size such as 65536, 64K or 8M"));
    return std::nullopt;
  }
  return number * unit;
}

}  // namespace oob::recipe

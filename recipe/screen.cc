#include "recipe/screen.h"

#include <re2/re2.h>

#include <algorithm>

namespace oob::recipe {
namespace {

constexpr std::size_t kMostParameters = 64;  // a longer control sequence is noise
constexpr std::size_t kMostString = 512;     // of a window's title and the like

std::string_view without_end_blanks(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

// The upper left corner: none given, zero and one are all the first (ECMA-48, 8.3.21).
bool is_home(std::string_view parameters) {
  return std::all_of(parameters.begin(), parameters.end(),
                     [](char c) { return c == '0' || c == '1' || c == ';'; }) &&
         parameters.find("11") == std::string_view::npos && parameters.find("10") == std::string_view::npos;
}

}  // namespace

void Screen::clear() {
  text_.clear();
  line_ = 0;
  lines_ = 1;
  returned_ = false;
}

void Screen::feed(base::Bytes raw) {
  for (char byte : raw) take(byte);
}

void Screen::take(char byte) {
  auto code = static_cast<unsigned char>(byte);
  if (code == 0x18 || code == 0x1a) {  // CAN and SUB end any sequence
    in_ = In::text;
    return;
  }
  switch (in_) {
    case In::text:
      return put(byte);
    case In::escape:
      if (byte == '[') {
        in_ = In::control;
        parameters_.clear();
      } else if (byte == ']' || byte == 'P' || byte == 'X' || byte == '^' || byte == '_') {
        in_ = In::string;
        skipped_ = 0;
      } else if (code < 0x20) {
        if (byte != '\x1b') put(byte);
      } else if (code >= 0x30) {  // below are intermediate bytes
        in_ = In::text;
        if (byte == 'c' && keep_ == Keep::screen) clear();
      }
      return;
    case In::control:
      if (byte == '\x1b') {
        in_ = In::escape;
      } else if (code < 0x20) {
        put(byte);  // a control within a control sequence acts (ECMA-48, 5.5; as VT100 did)
      } else if (code >= 0x40) {
        in_ = In::text;
        end_control(byte);
      } else if (parameters_.size() >= kMostParameters) {
        in_ = In::text;
      } else {
        parameters_ += byte;
      }
      return;
    case In::string_escape:
      in_ = In::text;
      if (byte != '\\') {
        in_ = In::escape;
        take(byte);
      }
      return;
    case In::string:
      if (byte == '\x1b') {
        in_ = In::string_escape;
      } else if (byte == '\a') {
        in_ = In::text;
      } else if (byte == '\n' || byte == '\r') {  // none has lines: its end was lost
        in_ = In::text;
        put(byte);
      } else if (++skipped_ > kMostString) {
        in_ = In::text;
      }
      return;
  }
}

void Screen::end_control(char final_byte) {
  if (keep_ == Keep::all) return;
  if (final_byte == 'J' && (parameters_ == "2" || parameters_ == "3")) return clear();
  if ((final_byte == 'H' || final_byte == 'f') && is_home(parameters_)) return clear();
}

void Screen::put(char byte) {
  auto code = static_cast<unsigned char>(byte);
  if (byte == '\n') return end_line();
  if (byte == '\r') {
    returned_ = true;
    return;
  }
  if (byte == '\x1b') {
    in_ = In::escape;
    return;
  }
  if ((code < 0x20 && byte != '\t' && byte != '\b') || code == 0x7f) return;
  if (returned_) {
    text_.resize(line_);
    returned_ = false;
  }
  if (byte == '\b') {
    // A character of UTF-8 is taken back whole.
    while (text_.size() > line_ && (static_cast<unsigned char>(text_.back()) & 0xc0) == 0x80)
      text_.pop_back();
    if (text_.size() > line_) text_.pop_back();
    return;
  }
  text_ += byte;
  bound();
}

void Screen::end_line() {
  returned_ = false;
  text_ += '\n';
  line_ = text_.size();
  ++lines_;
  bound();
}

void Screen::bound() {
  if (keep_ == Keep::all) return;
  while (lines_ > kLines || text_.size() > kBytes) {
    std::size_t end = text_.find('\n');
    if (end == std::string::npos) {  // one endless line: its beginning goes
      text_.erase(0, kBytes / 2);
      return;
    }
    text_.erase(0, end + 1);
    line_ -= end + 1;
    --lines_;
  }
}

std::string as_seen(base::Bytes raw) {
  Screen screen(Screen::Keep::all);
  screen.feed(raw);
  return std::string(screen.text());
}

std::string as_echoed(base::Bytes raw) {
  // Returns become a control that no device sends on purpose and Screen passes over, and a line's end too.
  std::string flat;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '\r' || raw[i] == '\n') continue;
    // At the right edge readline has the terminal wrap by the next line's first character, or by a blank
    // where it knows none yet, and writes it again from the line's beginning.
    if (i + 1 < raw.size() && raw[i + 1] == '\r') {
      const char next = i + 2 < raw.size() ? raw[i + 2] : '\0';
      if ((raw[i] == ' ' && next != '\n') || raw[i] == next) continue;
    }
    flat += raw[i];
  }
  return as_seen(flat);
}

// --- recognition
// -------------------------------------------------------------------------------------------------

Recognition::Recognition(const Recipe& recipe) : recipe_(recipe) {
  for (const State& state : recipe.states) {
    // `$` and \z need the end, so that blanks behind a match are tried on and off by at().
    const re2::RE2& own = *state.pattern.expression;
    states_.push_back({&state, std::make_unique<re2::RE2>("(?:" + own.pattern() + ")\\z", own.options())});
  }
  auto rank = [](const AtEnd& one) { return one.state->screen ? 0 : one.state->after.empty() ? 2 : 1; };
  std::stable_sort(states_.begin(), states_.end(),
                   [&](const AtEnd& a, const AtEnd& b) { return rank(a) < rank(b); });
}

Recognition::~Recognition() = default;

const State* Recognition::at(std::string_view screen, std::string_view typed_at) const {
  const std::size_t solid = without_end_blanks(screen).size();
  if (solid == 0) return nullptr;
  constexpr std::size_t kMostBlanks = 4;  // that a pattern may ask for
  for (const AtEnd& one : states_) {
    const std::vector<std::string>& after = one.state->after;
    if (!after.empty() && std::find(after.begin(), after.end(), typed_at) == after.end()) continue;
    for (std::size_t end = solid; end <= std::min(screen.size(), solid + kMostBlanks); ++end)
      if (re2::RE2::PartialMatch(re2::StringPiece(screen.data(), end), *one.expression)) return one.state;
  }
  return nullptr;
}

bool Recognition::begun(std::string_view last_line) const {
  return matches_begun(last_line) && !is_only_prompts(last_line);
}

bool Recognition::matches_begun(std::string_view line) const {
  return std::any_of(recipe_.begun.begin(), recipe_.begun.end(),
                     [&](const Pattern& pattern) { return pattern.search(line); });
}

// The same prompt several times, with nothing typed: where the echo is off, an Enter is not shown.
bool Recognition::is_only_prompts(std::string_view line) const {
  constexpr std::size_t kLongest = 1000;
  line = without_end_blanks(line);
  if (line.size() > kLongest) return false;
  for (std::size_t size = 1; size < line.size(); ++size) {
    // All of them but the last have the blanks behind them.
    std::string_view prompt = line.substr(0, size), bare = without_end_blanks(prompt);
    if (line.substr(size) != line.substr(0, line.size() - size) || line.size() % size != bare.size() % size)
      continue;
    const State* state = at(prompt, "");
    return state && state->work && !matches_begun(prompt);
  }
  return false;
}

bool Recognition::refused(std::string_view screen) const {
  return std::any_of(recipe_.refused.begin(), recipe_.refused.end(),
                     [&](const Pattern& pattern) { return pattern.search(screen); });
}

}  // namespace oob::recipe

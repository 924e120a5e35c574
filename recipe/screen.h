#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "recipe/recipe.h"

namespace re2 {
class RE2;
}

namespace oob::recipe {

// What a device has said, as a person sees it: escape sequences (ECMA-48, 5) and other controls are out, a
// carriage return before a line's end belongs to it, one elsewhere begins the line anew, a backspace takes
// back, clearing the screen or going to its upper left corner begins it anew. The same in one piece and in
// any others.
class Screen {
 public:
  enum class Keep {
    screen,  // the last kLines lines and kBytes bytes since it was cleared
    all,     // everything, also what was cleared: for reading what a command prints
  };
  static constexpr std::size_t kLines = 100, kBytes = 8 * 1024;

  explicit Screen(Keep keep = Keep::screen) : keep_(keep) {}

  void feed(base::Bytes raw);
  // Lines with \n between them. Valid until the next feed().
  std::string_view text() const { return text_; }
  std::string_view last_line() const { return text().substr(line_); }
  void clear();

 private:
  enum class In { text, escape, control, string, string_escape };
  void take(char byte);
  void put(char byte);
  void end_line();
  void end_control(char final_byte);
  void bound();

  Keep keep_;
  std::string text_;
  std::size_t line_ = 0;   // where the last line begins in text_
  std::size_t lines_ = 1;  // in text_
  bool returned_ = false;  // a carriage return came, and nothing behind it yet
  In in_ = In::text;
  std::string parameters_;   // of a control sequence
  std::size_t skipped_ = 0;  // of a string: a damaged byte must not hide all that follows
};

// The same in one go.
std::string as_seen(base::Bytes raw);

// What was echoed of a typed line, wherever a terminal wrapped it: without escape sequences, line ends and
// carriage returns (and the character that some put before one to wrap).
std::string as_echoed(base::Bytes raw);

// Says at which state of a recipe a screen is. The Recipe outlives it.
class Recognition {
 public:
  explicit Recognition(const Recipe& recipe);
  ~Recognition();

  // Null: none that the recipe knows. `typed_at`: the name of the state that was typed at last; empty: none.
  // Where several match, a state of the whole screen goes before others, then one that is only an answer.
  const State* at(std::string_view screen, std::string_view typed_at) const;
  // Somebody has left something half typed on this line. Not so when it is a prompt of a work state alone,
  // though several times: whose Enters were not echoed.
  bool begun(std::string_view last_line) const;
  // The user or password was wrong.
  bool refused(std::string_view screen) const;

 private:
  struct AtEnd {
    const State* state;
    std::unique_ptr<re2::RE2> expression;
  };
  bool matches_begun(std::string_view line) const;
  bool is_only_prompts(std::string_view line) const;

  const Recipe& recipe_;
  std::vector<AtEnd> states_;  // in the order in which they are asked
};

}  // namespace oob::recipe

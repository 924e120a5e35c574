#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"

namespace oob::audit {

// Makes of a console's output the text that a person has read: a terminal (libvterm; ECMA-48, UTF-8, wide and
// combining characters, the alternate screen) whose lines are kept when they leave the screen: because it
// scrolls, because it is cleared, or because a program on the alternate screen ends or scrolls. What is
// overwritten in place is not a line of its own. Lines that the terminal wrapped are joined again.
//
// Takes any bytes. The text holds no control characters and none that turn text around. Memory is bounded:
// the cells of two screens, and kMostHeld of lines.
class ScreenText {
 public:
  static constexpr unsigned kMostColumns = 1000, kMostRows = 200;  // larger terminals are taken for so large
  static constexpr std::size_t kMostHeld = 512 * 1024;             // bytes of lines that nobody took
  static constexpr std::size_t kMostLine = 64 * 1024;              // of joined lines; then it is parted again

  struct Line {
    std::string text;
    base::Micros time = 0;  // when it was last changed
  };

  ScreenText(unsigned columns, unsigned rows);
  ~ScreenText();
  ScreenText(const ScreenText&) = delete;
  ScreenText& operator=(const ScreenText&) = delete;

  // How many of the bytes were taken: all, unless lines have to be taken first. `now` is kept with what
  // changes.
  std::size_t feed(base::Bytes bytes, base::Micros now = 0);
  void resize(unsigned columns, unsigned rows);

  // The lines that have left the screen since the last call, in order.
  std::vector<Line> take_lines();
  // Nothing more comes: what is left, to the last line that is not empty.
  std::vector<Line> finish();
  // The screen as it is: all its rows as they stand, without blanks at their ends and empty ones at its end.
  std::vector<std::string> screen() const;
  // What makes a terminal of this size show the screen as it is, with colours and the cursor in its place.
  std::string picture(unsigned columns, unsigned rows) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace oob::audit

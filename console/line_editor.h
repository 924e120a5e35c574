#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace oob::console {

// Edits one line after a prompt on a raw terminal, as readline does in its Emacs mode: bytes typed in, bytes
// for the terminal out. Pure: the terminal and the time are elsewhere. The line stays on one row, which
// scrolls sideways, so that a terminal needs to know no more than CR, backspace, CSI C, K, H and J. On a
// plain terminal (TERM=dumb) no escape sequence is sent, and the line is edited at its end alone.
//
// Input may come in any pieces; the line, the events and what is on the screen at the end do not depend on
// them.
class LineEditor {
 public:
  static constexpr std::size_t kMostLine = 4096;    // bytes; the bell beyond
  static constexpr std::size_t kMostHistory = 200;  // lines

  // Words that the last word of `before` (the line up to the cursor, from the last blank) may become, whole
  // words. Called from feed(); must not call the editor.
  using Complete = std::function<std::vector<std::string>(std::string_view before)>;

  struct Terminal {
    unsigned columns = 80;  // 0 counts as 80
    bool plain = false;
  };

  LineEditor(std::string prompt, Terminal terminal, Complete complete = nullptr);

  enum class Event {
    none,
    line,  // Enter (CR, LF or CR LF): line() has it, the history too unless it is blank or repeats the last
    interrupt,  // Ctrl-C: what was typed is gone
    end,        // Ctrl-D on an empty line
  };
  struct Fed {
    std::size_t taken = 0;  // bytes; what is left belongs to whatever the event starts, or to the next feed()
    Event event = Event::none;
  };
  // Takes typed bytes up to the first event. Appends to `out` what the terminal is to get; after an event the
  // cursor is at the beginning of a row, and the next prompt appears with show().
  Fed feed(base::Bytes typed, std::string& out);

  // Shows the prompt and what has been typed so far, on a row of which the cursor is at the beginning: first,
  // after each event, and after something else was written.
  void show(std::string& out);
  // Clears the row for something else to be written; then show() again.
  void hide(std::string& out);

  // The terminal has another size now. While the prompt shows, it is drawn again.
  void resize(unsigned columns, std::string& out);
  void set_prompt(std::string prompt) { prompt_ = std::move(prompt); }

  // The line that was entered last. Valid until the next feed().
  const std::string& line() const { return entered_; }
  const std::deque<std::string>& history() const { return history_; }

 private:
  enum class State { plain, esc, csi, ss3, linux_key, string };

  Event key(char c, std::string& out);
  Event control(char c, std::string& out);
  void alt(char c);
  void csi_end(char final);
  void arrow(char final, bool by_word);
  void glyph_byte(char c);
  void insert(std::string_view text);
  Event enter(std::string& out);

  std::size_t before(std::size_t at) const;
  std::size_t after(std::size_t at) const;
  std::size_t word_before(std::size_t at) const;
  std::size_t word_after(std::size_t at) const;
  void move(std::size_t to);
  void cut(std::size_t from, std::size_t to, bool keep);
  void transpose();
  void recall(bool older);
  void replace(std::string text);

  void complete(bool again, std::string& out);
  void list(const std::vector<std::string>& words, std::string& out);

  void forget_row();
  void draw(std::string& out);
  void draw_plain(std::string& out);
  std::size_t window(std::size_t room) const;

  std::string prompt_;
  unsigned columns_;
  bool plain_;
  Complete complete_;

  std::string text_;
  std::size_t cursor_ = 0;  // in text_, at the beginning of a glyph
  std::string entered_;
  std::string cut_;  // for Ctrl-Y
  std::deque<std::string> history_;
  std::size_t recalled_ = 0;  // place in history_; its size: the line being typed
  std::string typing_;        // that line while another is recalled

  State state_ = State::plain;
  std::string parameters_;  // of a CSI sequence, bounded
  std::string partial_;     // the beginning of a UTF-8 sequence
  bool skip_newline_ = false;
  bool listing_ = false;  // the last key was a TAB that found several

  bool shown_ = false;  // the prompt and the line are on the cursor's row
  bool bell_ = false;
  // What the terminal shows of text_, to send as little as possible.
  bool drawn_valid_ = false;
  std::string drawn_;
  std::size_t drawn_from_ = 0;    // in text_
  std::size_t drawn_cursor_ = 0;  // in text_
};

}  // namespace oob::console

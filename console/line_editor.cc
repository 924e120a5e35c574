#include "console/line_editor.h"

#include <algorithm>

#include "console/screenful.h"

namespace oob::console {
namespace {

constexpr char kEditorEsc = '\x1b';
constexpr std::size_t kMostParameters = 16;
constexpr std::size_t kMostListed = 200;
constexpr unsigned kLeastColumns = 4, kMostColumns = 1000;

constexpr char ctrl(char letter) { return static_cast<char>(letter & 0x1f); }

bool control_byte(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; }

bool word_byte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

unsigned sane(unsigned columns) {
  return columns == 0 ? 80 : std::clamp(columns, kLeastColumns, kMostColumns);
}

}  // namespace

LineEditor::LineEditor(std::string prompt, Terminal terminal, Complete complete)
    : prompt_(std::move(prompt)),
      columns_(sane(terminal.columns)),
      plain_(terminal.plain),
      complete_(std::move(complete)) {}

// --- keys
// ---------------------------------------------------------------------------------------------------------

LineEditor::Fed LineEditor::feed(base::Bytes typed, std::string& out) {
  Fed fed;
  while (fed.taken < typed.size() && fed.event == Event::none) {
    char c = typed[fed.taken++];
    bool belongs = skip_newline_ && c == '\n';
    skip_newline_ = false;
    if (!belongs) fed.event = key(c, out);
  }
  // A CR LF in one piece is taken whole, so that the LF does not reach what the line starts.
  if (skip_newline_ && fed.taken < typed.size() && typed[fed.taken] == '\n') {
    skip_newline_ = false;
    ++fed.taken;
  }
  if (fed.event == Event::none) draw(out);
  return fed;
}

LineEditor::Event LineEditor::key(char c, std::string& out) {
  // A control character within a sequence ends it and counts for itself (ECMA-48, 5.4); in a string all but
  // its end belongs to it, and Enter and Ctrl-C always work.
  bool ends = control_byte(c) &&
              (state_ != State::string || c == '\a' || c == '\r' || c == ctrl('C') || c == kEditorEsc);
  if (state_ != State::plain && ends) {
    bool bell_ends_string = state_ == State::string && c == '\a';
    state_ = State::plain;
    if (bell_ends_string) return Event::none;
  }
  switch (state_) {
    case State::plain:
      break;
    case State::esc:
      state_ = State::plain;
      parameters_.clear();
      if (c == '[') {
        state_ = State::csi;
      } else if (c == 'O') {
        state_ = State::ss3;
      } else if (c == ']' || c == 'P' || c == '_' || c == '^' || c == 'X') {
        state_ = State::string;
      } else {
        alt(c);
      }
      return Event::none;
    case State::csi:
      if (c == '[' && parameters_.empty()) {
        state_ = State::linux_key;  // the Linux console's F1 to F5: ESC [ [ A
      } else if (c >= '@' && c <= '~') {
        state_ = State::plain;
        csi_end(c);
      } else if (parameters_.size() < kMostParameters) {
        parameters_ += c;
      }
      return Event::none;
    case State::ss3:
      state_ = State::plain;
      arrow(c, false);
      return Event::none;
    case State::linux_key:
      state_ = State::plain;
      return Event::none;
    case State::string:
      return Event::none;
  }
  if (control_byte(c)) {
    partial_.clear();
    return control(c, out);
  }
  listing_ = false;
  glyph_byte(c);
  return Event::none;
}

LineEditor::Event LineEditor::control(char c, std::string& out) {
  bool listing = listing_;
  listing_ = false;
  switch (c) {
    case '\r':
      skip_newline_ = true;
      [[fallthrough]];
    case '\n':
      return enter(out);
    case ctrl('C'):
      cursor_ = text_.size();
      draw(out);
      out += "^C\r\n";
      replace({});
      forget_row();
      recalled_ = history_.size();
      return Event::interrupt;
    case ctrl('D'):
      if (text_.empty()) {
        draw(out);
        out += "\r\n";
        forget_row();
        return Event::end;
      }
      if (cursor_ == text_.size()) {
        bell_ = true;
      } else {
        cut(cursor_, after(cursor_), false);
      }
      break;
    case ctrl('H'):
    case '\x7f':
      if (cursor_ == 0) bell_ = true;
      cut(before(cursor_), cursor_, false);
      break;
    case ctrl('A'):
      move(0);
      break;
    case ctrl('B'):
      move(before(cursor_));
      break;
    case ctrl('E'):
      move(text_.size());
      break;
    case ctrl('F'):
      move(after(cursor_));
      break;
    case ctrl('K'):
      cut(cursor_, text_.size(), true);
      break;
    case ctrl('U'):
      cut(0, cursor_, true);
      break;
    case ctrl('W'): {
      std::size_t at = cursor_;
      while (at > 0 && text_[at - 1] == ' ') --at;
      while (at > 0 && text_[at - 1] != ' ') --at;
      cut(at, cursor_, true);
      break;
    }
    case ctrl('Y'):
      insert(cut_);
      break;
    case ctrl('T'):
      transpose();
      break;
    case ctrl('P'):
      recall(true);
      break;
    case ctrl('N'):
      recall(false);
      break;
    case ctrl('L'):
      draw(out);
      out += plain_ ? "\r\n" : "\033[H\033[2J";
      show(out);
      break;
    case '\t':
      complete(listing, out);
      break;
    case kEditorEsc:
      state_ = State::esc;
      break;
    default:
      bell_ = true;
      break;
  }
  return Event::none;
}

void LineEditor::alt(char c) {
  listing_ = false;
  if (c == 'b' || c == 'B') {
    move(word_before(cursor_));
  } else if (c == 'f' || c == 'F') {
    move(word_after(cursor_));
  } else if (c == 'd' || c == 'D') {
    cut(cursor_, word_after(cursor_), true);
  }
}

void LineEditor::csi_end(char final) {
  listing_ = false;
  // "1;5" is Ctrl, "1;3" Alt with the key; rxvt and PuTTY have ways of their own for Ctrl.
  bool by_word = parameters_ == "1;5" || parameters_ == "1;3" || parameters_ == "5";
  if (final == '~') {
    if (parameters_ == "1" || parameters_ == "7") move(0);
    if (parameters_ == "4" || parameters_ == "8") move(text_.size());
    if (parameters_ == "3") {
      if (cursor_ == text_.size()) bell_ = true;
      cut(cursor_, after(cursor_), false);
    }
  } else if (parameters_.empty() || by_word) {
    arrow(final, by_word);
  }
}

void LineEditor::arrow(char final, bool by_word) {
  listing_ = false;
  switch (final) {
    case 'A':
      recall(true);
      break;
    case 'B':
      recall(false);
      break;
    case 'C':
      move(by_word ? word_after(cursor_) : after(cursor_));
      break;
    case 'D':
      move(by_word ? word_before(cursor_) : before(cursor_));
      break;
    case 'H':
      move(0);
      break;
    case 'F':
      move(text_.size());
      break;
    default:
      break;
  }
}

void LineEditor::glyph_byte(char c) {
  partial_ += c;
  Glyph glyph = first_glyph(partial_);
  if (glyph.size == 0) return;
  std::string whole = std::move(partial_);
  partial_.clear();
  // printable() knows which characters drive a terminal: C1 controls, and what turns text around.
  if (glyph.valid && (whole == "\\" || base::printable(whole) == whole)) {
    insert(whole);
    return;
  }
  bell_ = true;
  // Not UTF-8: dropped up to where a character can begin again.
  for (char byte : glyph.valid ? std::string() : whole.substr(glyph.size)) glyph_byte(byte);
}

// --- the line
// -----------------------------------------------------------------------------------------------------

void LineEditor::insert(std::string_view text) {
  if (text_.size() + text.size() > kMostLine) {
    bell_ = true;
    return;
  }
  text_.insert(cursor_, text);
  cursor_ += text.size();
}

LineEditor::Event LineEditor::enter(std::string& out) {
  cursor_ = text_.size();
  draw(out);
  out += "\r\n";
  entered_ = std::move(text_);
  replace({});
  forget_row();
  bool blank = entered_.find_first_not_of(' ') == std::string::npos;
  if (!blank && (history_.empty() || history_.back() != entered_)) {
    if (history_.size() == kMostHistory) history_.pop_front();
    history_.push_back(entered_);
  }
  recalled_ = history_.size();
  return Event::line;
}

std::size_t LineEditor::before(std::size_t at) const {
  // Combining marks go with what they stand on.
  unsigned width = 0;
  while (at > 0 && width == 0) {
    do {
      --at;
    } while (at > 0 && (static_cast<unsigned char>(text_[at]) & 0xc0) == 0x80);
    width = first_glyph(base::Bytes(text_).substr(at)).width;
  }
  return at;
}

std::size_t LineEditor::after(std::size_t at) const {
  base::Bytes text = text_;
  if (at < text.size()) at += first_glyph(text.substr(at)).size;
  while (at < text.size()) {
    Glyph glyph = first_glyph(text.substr(at));
    if (glyph.width > 0) break;
    at += glyph.size;
  }
  return at;
}

std::size_t LineEditor::word_before(std::size_t at) const {
  while (at > 0 && !word_byte(text_[at - 1])) --at;
  while (at > 0 && word_byte(text_[at - 1])) --at;
  return at;
}

std::size_t LineEditor::word_after(std::size_t at) const {
  while (at < text_.size() && !word_byte(text_[at])) ++at;
  while (at < text_.size() && word_byte(text_[at])) ++at;
  return at;
}

void LineEditor::move(std::size_t to) {
  if (plain_ && to != cursor_) {
    bell_ = true;  // edited at its end alone
  } else {
    cursor_ = to;
  }
}

void LineEditor::cut(std::size_t from, std::size_t to, bool keep) {
  if (from == to) return;
  if (keep) cut_ = text_.substr(from, to - from);
  text_.erase(from, to - from);
  cursor_ = from;
}

// As readline: the glyph before the cursor changes places with the one under it, or at the end the last two
// do.
void LineEditor::transpose() {
  std::size_t second = cursor_ == text_.size() ? before(cursor_) : cursor_;
  if (second == 0) {
    bell_ = true;
    return;
  }
  std::size_t first = before(second), end = after(second);
  text_ = text_.substr(0, first) + text_.substr(second, end - second) + text_.substr(first, second - first) +
          text_.substr(end);
  cursor_ = end;
}

void LineEditor::recall(bool older) {
  if (older ? recalled_ == 0 : recalled_ == history_.size()) {
    bell_ = true;
    return;
  }
  if (recalled_ == history_.size()) typing_ = text_;
  recalled_ += older ? -1 : 1;
  replace(recalled_ == history_.size() ? typing_ : history_[recalled_]);
}

void LineEditor::replace(std::string text) {
  text_ = std::move(text);
  cursor_ = text_.size();
}

// --- completion
// ---------------------------------------------------------------------------------------------------

void LineEditor::complete(bool again, std::string& out) {
  if (!complete_) {
    bell_ = true;
    return;
  }
  std::string_view before = std::string_view(text_).substr(0, cursor_);
  std::string_view word = before.substr(before.rfind(' ') + 1);
  std::vector<std::string> words = complete_(before);
  std::erase_if(words,
                [&](const std::string& candidate) { return candidate.substr(0, word.size()) != word; });
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  if (words.empty()) {
    bell_ = true;
    return;
  }
  std::string common = words.front();
  for (const std::string& candidate : words) {
    auto ends = std::mismatch(common.begin(), common.end(), candidate.begin(), candidate.end());
    common.erase(ends.first, common.end());
  }
  // Not in the middle of a character.
  std::size_t whole = 0;
  for (Glyph glyph; (glyph = first_glyph(base::Bytes(common).substr(whole))).size > 0;) whole += glyph.size;
  common.resize(whole);
  std::string more = common.size() > word.size() ? common.substr(word.size()) : std::string();
  if (words.size() == 1) {
    if (cursor_ == text_.size() || text_[cursor_] != ' ') more += ' ';
    insert(more);
  } else if (!more.empty()) {
    insert(more);
    listing_ = true;
  } else if (again) {
    list(words, out);
  } else {
    bell_ = true;
    listing_ = true;
  }
}

void LineEditor::list(const std::vector<std::string>& words, std::string& out) {
  std::size_t shown = std::min(words.size(), kMostListed), widest = 0;
  for (std::size_t i = 0; i < shown; ++i) widest = std::max(widest, width_of(words[i]));
  std::size_t across = std::max<std::size_t>(1, columns_ / (widest + 2));
  std::size_t down = (shown + across - 1) / across;
  draw(out);
  out += "\r\n";
  for (std::size_t row = 0; row < down; ++row) {
    for (std::size_t i = row; i < shown; i += down) {
      out += words[i];
      if (i + down < shown) out.append(widest + 2 - width_of(words[i]), ' ');
    }
    out += "\r\n";
  }
  if (shown < words.size()) out += base::str("and ", words.size() - shown, " more\r\n");
  show(out);
}

// --- the screen
// ---------------------------------------------------------------------------------------------------

void LineEditor::show(std::string& out) {
  shown_ = true;
  drawn_valid_ = false;
  if (plain_) {
    out += prompt_;
    drawn_.clear();
  }
  draw(out);
}

void LineEditor::hide(std::string& out) {
  if (!shown_) return;
  out += plain_ ? "\r\n" : "\r\033[K";
  forget_row();
}

void LineEditor::resize(unsigned columns, std::string& out) {
  columns_ = sane(columns);
  if (!shown_ || plain_) return;
  drawn_valid_ = false;
  draw(out);
}

void LineEditor::forget_row() {
  shown_ = false;
  bell_ = false;
  drawn_valid_ = false;
}

void LineEditor::draw(std::string& out) {
  if (bell_) out += '\a';
  bell_ = false;
  if (!shown_) return;
  if (plain_) {
    draw_plain(out);
    return;
  }
  base::Bytes text = text_;
  std::size_t prompt_width = width_of(prompt_);
  // On a terminal too narrow for both, the prompt gives way.
  bool prompt = prompt_width + kLeastColumns <= columns_;
  // The last column stays free: a cursor there means different things to different terminals.
  std::size_t room = columns_ - 1 - (prompt ? prompt_width : 0);
  std::size_t from = window(room), end = from, width = 0;
  while (end < text.size()) {
    std::size_t next = after(end);
    std::size_t more = width_of(text.substr(end, next - end));
    if (width + more > room) break;
    width += more;
    end = next;
  }
  base::Bytes visible = text.substr(from, end - from);
  bool same_window = drawn_valid_ && drawn_from_ == from;
  if (same_window && visible == drawn_ && drawn_cursor_ == cursor_) return;
  bool appended = same_window && cursor_ == end && drawn_cursor_ == from + drawn_.size() &&
                  visible.substr(0, drawn_.size()) == drawn_;
  if (appended) {
    out += visible.substr(drawn_.size());
  } else {
    out += '\r';
    if (!same_window || visible != drawn_) {
      if (prompt) out += prompt_;
      out += visible;
      out += "\033[K\r";
    }
    std::size_t column = (prompt ? prompt_width : 0) + width_of(text.substr(from, cursor_ - from));
    if (column > 0) out += base::str("\033[", column, "C");
  }
  drawn_ = visible;
  drawn_from_ = from;
  drawn_cursor_ = cursor_;
  drawn_valid_ = true;
}

// Where the window of `room` columns begins: it follows the cursor by half windows. Only text and cursor
// decide, so that the same keys in other pieces give the same screen.
std::size_t LineEditor::window(std::size_t room) const {
  base::Bytes text = text_;
  std::size_t cursor = width_of(text.substr(0, cursor_)), half = std::max<std::size_t>(1, room / 2);
  if (cursor <= room) return 0;
  std::size_t skip = (cursor - room + half - 1) / half * half;
  std::size_t from = 0;
  for (std::size_t width = 0; width < skip;) {
    std::size_t next = after(from);
    width += width_of(text.substr(from, next - from));
    from = next;
  }
  return from;
}

// Rubs out behind what stays, by backspace, blank, backspace: all that the dumbest terminal knows.
void LineEditor::draw_plain(std::string& out) {
  std::size_t same = 0;
  while (same < drawn_.size() && same < text_.size() && drawn_[same] == text_[same]) ++same;
  // A mark that goes takes what it stands on with it, as does a cut character.
  auto stands_alone = [this](std::size_t at) {
    unsigned char byte = static_cast<unsigned char>(drawn_[at]);
    return (byte & 0xc0) != 0x80 && first_glyph(base::Bytes(drawn_).substr(at)).width > 0;
  };
  while (same > 0 && same < drawn_.size() && !stands_alone(same)) --same;
  for (std::size_t i = width_of(base::Bytes(drawn_).substr(same)); i > 0; --i) out += "\b \b";
  out += base::Bytes(text_).substr(same);
  drawn_ = text_;
}

}  // namespace oob::console

#include "audit/screen_text.h"

#include <vterm.h>

#include <algorithm>
#include <optional>

#include "audit/tame_input.h"

namespace oob::audit {

using base::Micros;
using base::str;

namespace {

constexpr std::size_t kPiece = 256;         // fed at once: libvterm keeps so many characters on the stack
constexpr std::size_t kMostCharacters = 3;  // of a cell: one and what is combined with it

enum Flag : std::uint8_t { kBold = 1, kItalic = 2, kUnderline = 4, kBlink = 8, kReverse = 16 };
constexpr std::uint32_t kIndexed = 1u << 24, kRgb = 2u << 24;  // 0: the default colour

struct Pen {
  std::uint32_t foreground = 0, background = 0;
  std::uint8_t flags = 0;
  bool operator==(const Pen&) const = default;
};

struct Cell {
  std::uint32_t characters[kMostCharacters] = {};  // all 0: blank
  std::uint8_t width = 1;                          // 0: the right half of the one before
  Pen pen;
  bool blank() const { return characters[0] == 0 || characters[0] == ' '; }
  bool same_text(const Cell& other) const {
    return std::equal(std::begin(characters), std::end(characters), std::begin(other.characters));
  }
};

struct Row {
  std::vector<Cell> cells;
  std::uint64_t id = 0;
  std::uint64_t continues = 0;  // the row that was wrapped into this one; 0: none
  bool given = false;           // it stands among the lines
  Micros time = 0;
};

// Not for a terminal, nor for a file that people read: controls, and what turns text around.
bool harmful(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069) || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff || c == 0x2028 ||
         c == 0x2029;
}

void add_character(std::string& to, std::uint32_t c) {
  auto byte = [&](std::uint32_t value) { to += static_cast<char>(value); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xc0 | c >> 6);
    byte(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    byte(0xe0 | c >> 12);
    byte(0x80 | (c >> 6 & 0x3f));
    byte(0x80 | (c & 0x3f));
  } else {
    byte(0xf0 | c >> 18);
    byte(0x80 | (c >> 12 & 0x3f));
    byte(0x80 | (c >> 6 & 0x3f));
    byte(0x80 | (c & 0x3f));
  }
}

void add_text(std::string& to, const Cell& cell) {
  if (cell.width == 0) return;
  if (cell.characters[0] == 0) {
    to += ' ';
    return;
  }
  for (std::uint32_t c : cell.characters)
    if (c) add_character(to, c);
}

std::string text_of(const Row& row) {
  std::size_t end = row.cells.size();
  while (end > 0 && row.cells[end - 1].blank() && row.cells[end - 1].width == 1) --end;
  std::string text;
  for (std::size_t i = 0; i < end; ++i) add_text(text, row.cells[i]);
  return text;
}

std::uint32_t colour_of(const VTermColor& colour) {
  if (colour.type & VTERM_COLOR_DEFAULT_MASK) return 0;
  if (VTERM_COLOR_IS_INDEXED(&colour)) return kIndexed | colour.indexed.idx;
  return kRgb | static_cast<std::uint32_t>(colour.rgb.red) << 16 |
         static_cast<std::uint32_t>(colour.rgb.green) << 8 | colour.rgb.blue;
}

// SGR, ECMA-48 8.3.117; the colours as ISO 8613-6 has them.
std::string sgr(const Pen& pen) {
  std::string text = "\x1b[0";
  if (pen.flags & kBold) text += ";1";
  if (pen.flags & kItalic) text += ";3";
  if (pen.flags & kUnderline) text += ";4";
  if (pen.flags & kBlink) text += ";5";
  if (pen.flags & kReverse) text += ";7";
  auto colour = [&](int base, std::uint32_t value) {
    if (value & kIndexed) text += str(";", base, ";5;", value & 0xff);
    if (value & kRgb)
      text += str(";", base, ";2;", value >> 16 & 0xff, ";", value >> 8 & 0xff, ";", value & 0xff);
  };
  colour(38, pen.foreground);
  colour(48, pen.background);
  return text + "m";
}

}  // namespace

struct ScreenText::State {
  State(unsigned columns, unsigned rows);
  ~State() { vterm_free(terminal); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  int put(const VTermGlyphInfo& glyph, VTermPos at);
  void moved(VTermPos to, bool visible);
  int scroll(VTermRect rect, int down, int right);
  void move(VTermRect to, VTermRect from);
  void erase(VTermRect rect);
  void pen_changed(VTermAttr attribute, const VTermValue& value);
  void property(VTermProp property, const VTermValue& value);
  void resized(int new_rows, int new_columns, VTermPos& cursor_moves);

  void write(base::Bytes tame);
  Row fresh();
  void give(Row& row);
  void give_all(std::size_t from, std::size_t to);
  void close();
  void clear_seen(std::size_t from, std::size_t to);
  std::vector<std::string> texts(std::size_t from, std::size_t to) const;

  VTerm* terminal;
  TameInput tamed;
  std::size_t columns, height;
  std::vector<Row> rows, others;  // `others`: of the screen that is not shown
  bool alternate = false, cursor_shown = true;
  Pen pen;
  Micros now = 0;
  std::uint64_t next_id = 1;
  std::uint64_t full = 0;     // the row whose last column was just written: the next character wraps
  std::optional<Line> open;   // may be continued
  std::uint64_t open_id = 0;  // its last row
  std::vector<Line> lines;
  std::size_t held = 0;                 // bytes of them
  std::vector<std::string> last_clear;  // so that a program that redraws the same is not told again and again
  std::optional<std::pair<std::size_t, Row>> just_erased;  // CSI J erases the cursor's row by itself, first
};

void ScreenText::State::write(base::Bytes tame) {
  while (!tame.empty()) {
    std::size_t size = std::min(tame.size(), kPiece);
    while (size < tame.size() && (static_cast<unsigned char>(tame[size]) & 0xc0) == 0x80) --size;
    vterm_input_write(terminal, tame.data(), size);
    tame.remove_prefix(size);
  }
}

Row ScreenText::State::fresh() {
  Row row;
  row.cells.resize(columns);
  row.id = next_id++;
  row.time = now;
  return row;
}

void ScreenText::State::close() {
  if (!open) return;
  held += open->text.size() + sizeof(Line);
  lines.push_back(std::move(*open));
  open.reset();
}

void ScreenText::State::give(Row& row) {
  if (row.given) return;
  row.given = true;
  std::string text = text_of(row);
  if (open && row.continues != 0 && row.continues == open_id &&
      open->text.size() + text.size() <= kMostLine) {
    open->text += text;
    open->time = std::max(open->time, row.time);
  } else {
    close();
    open = Line{std::move(text), row.time};
  }
  open_id = row.id;
}

// To the last of them that is not empty.
void ScreenText::State::give_all(std::size_t from, std::size_t to) {
  while (to > from && text_of(rows[to - 1]).empty()) --to;
  for (std::size_t i = from; i < to; ++i) give(rows[i]);
}

std::vector<std::string> ScreenText::State::texts(std::size_t from, std::size_t to) const {
  std::vector<std::string> all;
  for (std::size_t i = from; i < to; ++i) all.push_back(text_of(rows[i]));
  while (!all.empty() && all.back().empty()) all.pop_back();
  return all;
}

// These rows are about to be blank.
void ScreenText::State::clear_seen(std::size_t from, std::size_t to) {
  std::vector<std::string> gone = texts(from, to);
  if (gone.empty() || gone == last_clear) return;
  give_all(0, from);
  give_all(from, to);
  last_clear = std::move(gone);
}

int ScreenText::State::put(const VTermGlyphInfo& glyph, VTermPos at) {
  if (at.row < 0 || at.col < 0) return 1;
  std::size_t r = static_cast<std::size_t>(at.row), c = static_cast<std::size_t>(at.col);
  if (r >= rows.size() || c >= columns) return 1;
  just_erased.reset();
  Row& row = rows[r];
  if (c == 0) row.continues = full != 0 && (r == 0 || rows[r - 1].id == full) ? full : 0;
  Cell cell;
  for (std::size_t i = 0; i < kMostCharacters && glyph.chars[i]; ++i)
    cell.characters[i] = harmful(glyph.chars[i]) ? 0xfffd : glyph.chars[i];
  std::size_t width = static_cast<std::size_t>(std::clamp(glyph.width, 1, 2));
  width = std::min(width, columns - c);
  cell.width = static_cast<std::uint8_t>(width);
  cell.pen = pen;
  // Half of a wide character that is written into leaves a blank in the other half.
  if (row.cells[c].width == 0 && c > 0) row.cells[c - 1] = Cell();
  if (c + width < columns && row.cells[c + width].width == 0) row.cells[c + width] = Cell();
  if (!row.cells[c].same_text(cell)) {
    row.given = false;
    row.time = now;
  }
  row.cells[c] = cell;
  if (width == 2) {
    row.cells[c + 1] = Cell();
    row.cells[c + 1].width = 0;
  }
  full = c + width >= columns ? row.id : 0;
  return 1;
}

void ScreenText::State::moved(VTermPos to, bool visible) {
  cursor_shown = visible;
  bool waits = full != 0 && to.row >= 0 && static_cast<std::size_t>(to.row) < rows.size() &&
               rows[static_cast<std::size_t>(to.row)].id == full && to.col + 1 == static_cast<int>(columns);
  if (!waits) full = 0;
}

int ScreenText::State::scroll(VTermRect rect, int down, int right) {
  just_erased.reset();
  bool whole = rect.start_col == 0 && rect.end_col == static_cast<int>(columns);
  if (right != 0 || !whole) return 0;  // then it comes as a move and an erasure
  std::size_t from = static_cast<std::size_t>(std::clamp(rect.start_row, 0, static_cast<int>(rows.size())));
  std::size_t to = static_cast<std::size_t>(
      std::clamp(rect.end_row, static_cast<int>(from), static_cast<int>(rows.size())));
  std::size_t by = std::min<std::size_t>(static_cast<std::size_t>(std::abs(down)), to - from);
  auto begin = rows.begin() + static_cast<std::ptrdiff_t>(from),
       end = rows.begin() + static_cast<std::ptrdiff_t>(to);
  auto step = static_cast<std::ptrdiff_t>(by);
  if (down > 0) {
    for (std::size_t i = from; i < from + by; ++i) give(rows[i]);
    std::rotate(begin, begin + step, end);
    std::generate(end - step, end, [this] { return fresh(); });
  } else {
    std::rotate(begin, end - step, end);
    std::generate(begin, begin + step, [this] { return fresh(); });
  }
  return 1;
}

void ScreenText::State::move(VTermRect to, VTermRect from) {
  int height_moved = std::min(to.end_row - to.start_row, from.end_row - from.start_row);
  int width_moved = std::min(to.end_col - to.start_col, from.end_col - from.start_col);
  std::vector<Cell> cells;
  for (int i = 0; i < height_moved; ++i) {
    int r = to.start_row > from.start_row ? height_moved - 1 - i : i;
    int source = from.start_row + r, target = to.start_row + r;
    bool inside = source >= 0 && target >= 0 && source < static_cast<int>(rows.size()) &&
                  target < static_cast<int>(rows.size()) && from.start_col >= 0 && to.start_col >= 0 &&
                  std::max(from.start_col, to.start_col) + width_moved <= static_cast<int>(columns);
    if (!inside || width_moved <= 0) continue;
    auto& source_cells = rows[static_cast<std::size_t>(source)].cells;
    cells.assign(source_cells.begin() + from.start_col, source_cells.begin() + from.start_col + width_moved);
    Row& row = rows[static_cast<std::size_t>(target)];
    std::copy(cells.begin(), cells.end(), row.cells.begin() + to.start_col);
    row.given = false;
    row.time = now;
  }
}

void ScreenText::State::erase(VTermRect rect) {
  auto bound = [](int value, std::size_t most) {
    return std::min(static_cast<std::size_t>(std::max(value, 0)), most);
  };
  std::size_t from = bound(rect.start_row, rows.size()), to = bound(rect.end_row, rows.size());
  std::size_t left = bound(rect.start_col, columns), right = bound(rect.end_col, columns);
  if (from >= to || left >= right) return;
  bool whole = left == 0 && right == columns;
  std::optional<std::pair<std::size_t, Row>> before = std::move(just_erased);
  just_erased.reset();
  if (whole && to - from == 1) {
    just_erased.emplace(from, rows[from]);
  } else if (whole) {
    bool joined = before && before->first + 1 == from;
    if (joined) std::swap(rows[from - 1], before->second);
    clear_seen(joined ? from - 1 : from, to);
    if (joined) std::swap(rows[from - 1], before->second);
  }
  for (std::size_t r = from; r < to; ++r) {
    Row& row = rows[r];
    if (whole) {
      row = fresh();
    } else {
      std::fill(row.cells.begin() + static_cast<std::ptrdiff_t>(left),
                row.cells.begin() + static_cast<std::ptrdiff_t>(right), Cell());
    }
  }
  if (whole) full = 0;
}

void ScreenText::State::pen_changed(VTermAttr attribute, const VTermValue& value) {
  auto flag = [&](Flag which, bool on) {
    pen.flags = static_cast<std::uint8_t>(on ? pen.flags | which : pen.flags & ~which);
  };
  switch (attribute) {
    case VTERM_ATTR_BOLD:
      return flag(kBold, value.boolean);
    case VTERM_ATTR_ITALIC:
      return flag(kItalic, value.boolean);
    case VTERM_ATTR_UNDERLINE:
      return flag(kUnderline, value.number != 0);
    case VTERM_ATTR_BLINK:
      return flag(kBlink, value.boolean);
    case VTERM_ATTR_REVERSE:
      return flag(kReverse, value.boolean);
    case VTERM_ATTR_FOREGROUND:
      pen.foreground = colour_of(value.color);
      return;
    case VTERM_ATTR_BACKGROUND:
      pen.background = colour_of(value.color);
      return;
    default:
      return;
  }
}

void ScreenText::State::property(VTermProp property, const VTermValue& value) {
  if (property == VTERM_PROP_CURSORVISIBLE) cursor_shown = value.boolean;
  if (property != VTERM_PROP_ALTSCREEN || static_cast<bool>(value.boolean) == alternate) return;
  just_erased.reset();
  give_all(0, rows.size());
  std::swap(rows, others);
  alternate = value.boolean;
  full = 0;
  if (alternate) std::generate(rows.begin(), rows.end(), [this] { return fresh(); });
}

void ScreenText::State::resized(int new_rows, int new_columns, VTermPos& cursor_moves) {
  just_erased.reset();
  full = 0;
  columns = static_cast<std::size_t>(std::max(new_columns, 1));
  height = static_cast<std::size_t>(std::max(new_rows, 1));
  VTermPos cursor{};
  vterm_state_get_cursorpos(vterm_obtain_state(terminal), &cursor);
  std::size_t keep = static_cast<std::size_t>(std::max(cursor.row, 0)) + 1;
  auto fit = [&](std::vector<Row>& screen, bool shown) {
    if (screen.size() > height) {
      // What is below the cursor and empty goes first, then the oldest.
      std::size_t end = screen.size();
      while (end > height && (!shown || end > keep) && text_of(screen[end - 1]).empty()) --end;
      screen.resize(end);
      std::size_t above = end - std::min(end, height);
      for (std::size_t i = 0; i < above; ++i) give(screen[i]);
      screen.erase(screen.begin(), screen.begin() + static_cast<std::ptrdiff_t>(above));
      if (shown) cursor_moves.row -= static_cast<int>(above);
    }
    while (screen.size() < height) screen.push_back(fresh());
    for (Row& row : screen) row.cells.resize(columns);
  };
  fit(rows, true);
  fit(others, false);
}

ScreenText::State::State(unsigned wide, unsigned high)
    : terminal(vterm_new(static_cast<int>(high), static_cast<int>(wide))), columns(wide), height(high) {
  for (std::size_t i = 0; i < height; ++i) {
    rows.push_back(fresh());
    others.push_back(fresh());
  }
  vterm_set_utf8(terminal, 1);
  // What it would answer to a device's questions goes nowhere.
  vterm_output_set_callback(
      terminal, [](const char*, std::size_t, void*) {}, nullptr);
  static const VTermStateCallbacks callbacks = {
      .putglyph = [](VTermGlyphInfo* glyph, VTermPos at, void* user) -> int {
        return static_cast<State*>(user)->put(*glyph, at);
      },
      .movecursor = [](VTermPos to, VTermPos, int visible, void* user) -> int {
        static_cast<State*>(user)->moved(to, visible != 0);
        return 1;
      },
      .scrollrect = [](VTermRect rect, int down, int right, void* user) -> int {
        return static_cast<State*>(user)->scroll(rect, down, right);
      },
      .moverect = [](VTermRect to, VTermRect from, void* user) -> int {
        static_cast<State*>(user)->move(to, from);
        return 1;
      },
      .erase = [](VTermRect rect, int, void* user) -> int {
        static_cast<State*>(user)->erase(rect);
        return 1;
      },
      .initpen = [](void* user) -> int {
        static_cast<State*>(user)->pen = Pen();
        return 1;
      },
      .setpenattr = [](VTermAttr attribute, VTermValue* value, void* user) -> int {
        static_cast<State*>(user)->pen_changed(attribute, *value);
        return 1;
      },
      .settermprop = [](VTermProp property, VTermValue* value, void* user) -> int {
        static_cast<State*>(user)->property(property, *value);
        return 1;
      },
      .bell = nullptr,
      .resize = [](int new_rows, int new_columns, VTermPos* moves, void* user) -> int {
        static_cast<State*>(user)->resized(new_rows, new_columns, *moves);
        return 1;
      },
      .setlineinfo = nullptr,
  };
  VTermState* state = vterm_obtain_state(terminal);
  vterm_state_set_callbacks(state, &callbacks, this);
  vterm_state_reset(state, 1);
}

ScreenText::ScreenText(unsigned columns, unsigned rows)
    : state_(
          std::make_unique<State>(std::clamp(columns, 1u, kMostColumns), std::clamp(rows, 1u, kMostRows))) {}
ScreenText::~ScreenText() = default;

std::size_t ScreenText::feed(base::Bytes bytes, Micros now) {
  State& state = *state_;
  state.now = now;
  std::size_t taken = 0;
  std::string tame;
  while (taken < bytes.size() && state.held < kMostHeld) {
    base::Bytes piece = bytes.substr(taken, kPiece);
    tame.clear();
    state.tamed.add(piece, tame);
    state.write(tame);
    taken += piece.size();
  }
  return taken;
}

void ScreenText::resize(unsigned columns, unsigned rows) {
  vterm_set_size(state_->terminal, static_cast<int>(std::clamp(rows, 1u, kMostRows)),
                 static_cast<int>(std::clamp(columns, 1u, kMostColumns)));
}

std::vector<ScreenText::Line> ScreenText::take_lines() {
  state_->held = 0;
  return std::exchange(state_->lines, {});
}

std::vector<ScreenText::Line> ScreenText::finish() {
  State& state = *state_;
  state.give_all(0, state.rows.size());
  if (state.alternate) {
    std::swap(state.rows, state.others);
    state.give_all(0, state.rows.size());
    std::swap(state.rows, state.others);
  }
  state.close();
  return take_lines();
}

std::vector<std::string> ScreenText::screen() const { return state_->texts(0, state_->rows.size()); }

std::string ScreenText::picture(unsigned columns, unsigned rows) const {
  const State& state = *state_;
  std::string out = state.alternate ? "\x1b[0m\x1b[?1049h\x1b[H\x1b[2J" : "\x1b[0m\x1b[?1049l\x1b[H\x1b[2J";
  Pen pen;
  for (std::size_t r = 0; r < state.rows.size() && r < rows; ++r) {
    const std::vector<Cell>& cells = state.rows[r].cells;
    std::size_t end = std::min<std::size_t>(cells.size(), columns);
    while (end > 0 && cells[end - 1].blank() && cells[end - 1].width == 1 && cells[end - 1].pen == Pen())
      --end;
    if (end == 0) continue;
    out += str("\x1b[", r + 1, ";1H");
    for (std::size_t i = 0; i < end; ++i) {
      if (cells[i].width == 0) continue;
      if (cells[i].width == 2 && i + 2 > columns) break;
      if (!(cells[i].pen == pen)) out += sgr(pen = cells[i].pen);
      add_text(out, cells[i]);
    }
  }
  VTermPos cursor{};
  vterm_state_get_cursorpos(vterm_obtain_state(state.terminal), &cursor);
  out += sgr(state.pen);
  out += str("\x1b[", cursor.row + 1, ";", cursor.col + 1, "H");
  out += state.cursor_shown ? "\x1b[?25h" : "\x1b[?25l";
  return out;
}

}  // namespace oob::audit

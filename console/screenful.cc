#include "console/screenful.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

namespace oob::console {
namespace {

struct Range {
  std::uint32_t first, last;
};

// The scripts that consoles are likely to speak, after Unicode 15's General_Category (Mn, Me, zero-width Cf)
// and East_Asian_Width (W, F). Terminals differ among themselves beyond these.
constexpr Range kZeroWidth[] = {
    {0x300, 0x36f},     {0x483, 0x489},   {0x591, 0x5bd},   {0x5bf, 0x5bf},   {0x5c1, 0x5c2},
    {0x5c4, 0x5c5},     {0x610, 0x61a},   {0x64b, 0x65f},   {0x670, 0x670},   {0x6d6, 0x6dc},
    {0x6df, 0x6e4},     {0x93a, 0x93a},   {0x93c, 0x93c},   {0x941, 0x948},   {0x94d, 0x94d},
    {0xe31, 0xe31},     {0xe34, 0xe3a},   {0xe47, 0xe4e},   {0x1160, 0x11ff}, {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff},   {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064}, {0x20d0, 0x20ff},
    {0x302a, 0x302d},   {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff},
    {0xe0100, 0xe01ef},
};
constexpr Range kWide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2329, 0x232a},   {0x23e9, 0x23ec},   {0x23f0, 0x23f0},
    {0x23f3, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},   {0x2648, 0x2653},   {0x267f, 0x267f},
    {0x2693, 0x2693},   {0x26a1, 0x26a1},   {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x26c4, 0x26c5},
    {0x26ce, 0x26ce},   {0x26d4, 0x26d4},   {0x26ea, 0x26ea},   {0x26f2, 0x26f3},   {0x26f5, 0x26f5},
    {0x26fa, 0x26fa},   {0x26fd, 0x26fd},   {0x2705, 0x2705},   {0x270a, 0x270b},   {0x2728, 0x2728},
    {0x274c, 0x274c},   {0x274e, 0x274e},   {0x2753, 0x2755},   {0x2757, 0x2757},   {0x2795, 0x2797},
    {0x27b0, 0x27b0},   {0x27bf, 0x27bf},   {0x2b1b, 0x2b1c},   {0x2b50, 0x2b50},   {0x2b55, 0x2b55},
    {0x2e80, 0x303e},   {0x3041, 0x3247},   {0x3250, 0x4dbf},   {0x4e00, 0xa4cf},   {0xa960, 0xa97f},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe10, 0xfe19},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
    {0xffe0, 0xffe6},   {0x17000, 0x18cff}, {0x1b000, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf},
    {0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c},
    {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3}, {0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4},
    {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d}, {0x1f54b, 0x1f54e},
    {0x1f550, 0x1f567}, {0x1f57a, 0x1f57a}, {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f},
    {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6df}, {0x1f6eb, 0x1f6ef}, {0x1f6f4, 0x1f6ff},
    {0x1f7e0, 0x1f7ff}, {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faff},
    {0x20000, 0x3fffd},
};

template <std::size_t size>
bool within(const Range (&ranges)[size], std::uint32_t code) {
  const Range* at =
      std::lower_bound(std::begin(ranges), std::end(ranges), code,
                       [](const Range& range, std::uint32_t value) { return range.last < value; });
  return at != std::end(ranges) && at->first <= code;
}

unsigned width_of_code(std::uint32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return 0;
  if (code < 0x300) return 1;
  if (within(kZeroWidth, code)) return 0;
  return within(kWide, code) ? 2 : 1;
}

constexpr char kEscapeByte = '\x1b';
constexpr std::size_t kMostSequence = 256;  // bytes; a longer one no terminal would take

bool holds(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }

// What a CSI sequence consists of (ECMA-48, 5.4), `sequence` being whole: "\033[?25h".
struct Csi {
  explicit Csi(std::string_view sequence) : final(sequence.back()) {
    std::string_view body = sequence.substr(2, sequence.size() - 3);
    std::size_t middle = std::min(body.find_first_of(" !\"#$%&'()*+,-./"), body.size());
    intermediate = body.substr(middle);
    parameters = body.substr(0, middle);
    if (!parameters.empty() && holds("<=>?", parameters[0])) {
      prefix = parameters[0];
      parameters.remove_prefix(1);
    }
  }
  bool plain(char f) const { return final == f && prefix == 0 && intermediate.empty(); }
  unsigned number(unsigned unless) const {  // the first parameter
    unsigned value = 0;
    std::string_view first = parameters.substr(0, parameters.find(';'));
    return base::parse_number(first, value) && value > 0 ? value : unless;
  }

  char final;
  char prefix = 0;
  std::string_view parameters, intermediate;
};

// Allowed is what is known not to make a terminal answer, print or change its size: a list of the dangerous
// ones would lack the next terminal's invention.
bool allowed_csi(const Csi& csi) {
  if (!csi.intermediate.empty()) {
    return csi.prefix == 0 &&
           ((csi.intermediate == " " && csi.final == 'q') || (csi.intermediate == "!" && csi.final == 'p'));
  }
  switch (csi.prefix) {
    case 0:
      return holds("@ABCDEFGHIJKLMPSTXZ`abdefghlmrsu", csi.final);
    // Mode 2048 answers with the window's size.
    case '?':
      return holds("hlJKrs", csi.final) && csi.parameters.find("2048") == std::string_view::npos;
    case '>':
      return holds("mu", csi.final);
    default:
      return csi.final == 'u';
  }
}

bool allowed_escape(std::string_view sequence) {
  if (sequence.size() == 2) return holds("78=>DEHMcNOno|}~", sequence[1]);
  return holds("()*+-./#%", sequence[1]);
}

// Bytes as a terminal takes them apart (after the state machine of DEC's terminals): controls within a
// sequence count at once and the sequence goes on, ESC begins another, CAN and SUB end it. So what is handed
// on stays in whole pieces, and leaving one out can't make a new sequence of its neighbours.
//
// Target: text(at, size, width), control(at, c), escape(at, sequence), csi(at, sequence), rest(at, bytes).
template <class Target>
class Parser {
 public:
  explicit Parser(Target& target) : target_(target) {}

  void run(base::Bytes bytes, std::size_t from) {
    std::size_t at = from;
    while (at < bytes.size()) at += step(bytes, at);
    // Live output goes on with what is unfinished here. A long string may never end: noise looks like that.
    if (state_ != State::ground && !overlong_) target_.rest(began_, sequence_);
  }

 private:
  enum class State { ground, escape, csi, string };

  std::size_t step(base::Bytes bytes, std::size_t at) {
    unsigned char byte = static_cast<unsigned char>(bytes[at]);
    char c = bytes[at];
    if (c == kEscapeByte) {
      start(at);
    } else if (byte < 0x20 && state_ == State::string) {
      // BEL ends an OSC in practice, and a new line what must be noise: only a DCS may hold one.
      if (c == '\x18' || c == '\x1a' || (c == '\a' && kind_ == ']') || (c == '\n' && kind_ != 'P')) {
        state_ = State::ground;
        if (c == '\n') target_.control(at, c);
      } else {
        add(c);
      }
    } else if (byte < 0x20) {
      if (c == '\x18' || c == '\x1a') state_ = State::ground;
      target_.control(state_ == State::ground ? at : began_, c);
    } else if (state_ == State::ground) {
      return glyph(bytes, at);
    } else if (byte >= 0x7f && state_ != State::string) {
      // DEL is nothing; anything above ends a sequence, and is looked at as text.
      if (byte == 0x7f) return 1;
      state_ = State::ground;
      return 0;
    } else {
      inside(c);
    }
    return 1;
  }

  void start(std::size_t at) {
    state_ = State::escape;
    began_ = at;
    sequence_.assign(1, kEscapeByte);
    overlong_ = false;
  }

  void add(char c) {
    if (sequence_.size() < kMostSequence) {
      sequence_ += c;
    } else {
      overlong_ = true;
    }
  }

  void inside(char c) {
    add(c);
    if (state_ == State::csi && c >= '@') {
      state_ = State::ground;
      if (!overlong_) target_.csi(began_, sequence_);
    } else if (state_ == State::escape && sequence_.size() == 2 && holds("[]PX^_", c)) {
      state_ = c == '[' ? State::csi : State::string;
      kind_ = c;
    } else if (state_ == State::escape && c >= '0') {
      state_ = State::ground;
      if (!overlong_) target_.escape(began_, sequence_);
    }
  }

  std::size_t glyph(base::Bytes bytes, std::size_t at) {
    Glyph glyph = first_glyph(bytes.substr(at, 4));
    if (glyph.size == 0) {
      target_.rest(at, bytes.substr(at));
      return bytes.size() - at;
    }
    unsigned char byte = static_cast<unsigned char>(bytes[at]);
    // C1 controls, as bytes or in UTF-8, begin sequences in some terminals: without the first what follows is
    // text.
    bool c1 = (!glyph.valid && ((byte >= 0x9a && byte <= 0x9f) || byte == 0x90 || byte == 0x98)) ||
              (glyph.valid && byte == 0xc2 && static_cast<unsigned char>(bytes[at + 1]) < 0xa0) ||
              byte == 0x7f;
    if (!c1) target_.text(at, glyph.size, glyph.width);
    return glyph.size;
  }

  Target& target_;
  State state_ = State::ground;
  std::size_t began_ = 0;
  std::string sequence_;
  char kind_ = 0;
  bool overlong_ = false;
};

// `recent` may begin in the middle of something: where its first whole character or sequence begins. Without
// the ESC a sequence looks like text, so only what hardly is text counts: "[0;1m", "1;31m", "25l".
std::size_t first_whole(base::Bytes recent) {
  std::size_t at = 0;
  while (at < recent.size() && at < 3 && (static_cast<unsigned char>(recent[at]) & 0xc0) == 0x80) ++at;
  if (at > 0) return at;
  bool bracket = !recent.empty() && recent[0] == '[';
  if (bracket) ++at;
  std::size_t begin = at;
  bool several = false;
  while (at < recent.size() && at - begin < 16 && holds("0123456789;:?", recent[at])) {
    several = several || holds(";:?", recent[at]);
    ++at;
  }
  std::size_t count = at - begin;
  bool parameters = count > 0 && (bracket || several || count <= 3);
  return parameters && at < recent.size() && holds("mHJKhl", recent[at]) ? at + 1 : 0;
}

bool is_screen_mode(std::string_view mode) { return mode == "?1049" || mode == "?1047" || mode == "?47"; }

// The modes that a sequence sets or resets: "?1", "?25", "4".
template <class Mode>
void each_mode(const Csi& csi, Mode mode) {
  if (!holds("hl", csi.final) || !csi.intermediate.empty() || (csi.prefix != 0 && csi.prefix != '?')) return;
  base::split(csi.parameters, ';', [&](std::string_view number) {
    if (number.empty()) return;
    std::string name(csi.prefix == '?' ? "?" : "");
    mode(name += number, csi.final == 'h');
  });
}

// Where the last rows and the last clearing are.
class Measure {
 public:
  Measure(std::size_t from, std::size_t rows, std::size_t columns) : columns_(columns), rows_(rows) {
    rows_[0] = {from, true};
    clear_ = {from, from};
  }

  void text(std::size_t at, std::size_t, unsigned width) {
    end_clearing(at);
    if (columns_ > 0 && column_ + width > columns_) {
      add_row(at, false);
      column_ = 0;
    }
    column_ += width;
  }
  void control(std::size_t at, char c) {
    if (holds("\a\x05", c)) return;
    end_clearing(at);
    if (c == '\n' || c == '\v' || c == '\f') {
      add_row(at + 1, true);
    } else if (c == '\r') {
      column_ = 0;
    } else if (c == '\b' && column_ > 0) {
      --column_;
    } else if (c == '\t') {
      column_ = (column_ / 8 + 1) * 8;
      if (columns_ > 0) column_ = std::min(column_, columns_ - 1);
    } else if (c == '\x0e' || c == '\x0f') {
      shifted = true;
    }
  }
  void escape(std::size_t at, std::string_view sequence) {
    if (sequence == "\033c") {
      clearing(at);
      full_ = true;
      return;
    }
    end_clearing(at);
    if (sequence.size() > 2 && sequence[1] == '(') shifted = true;
    if (sequence == "\033M" || sequence == "\0338") addressed_ = true;
  }
  void csi(std::size_t at, std::string_view sequence) {
    Csi csi(sequence);
    if (csi.plain('m')) coloured = true;
    if (csi.plain('r')) region = true;
    if (!allowed_csi(csi) || csi.plain('m')) return;
    if (csi.plain('H') || csi.plain('f')) {
      bool home = csi.number(1) == 1 && (csi.parameters.empty() || csi.parameters == "1;1" ||
                                         csi.parameters == "1" || csi.parameters == ";");
      if (home) {
        clearing(at);
        home_ = true;
      } else {
        end_clearing(at);
        addressed_ = true;
        move_to_column(csi.parameters);
      }
    } else if (csi.plain('J') && (csi.number(0) != 1)) {
      clearing(at);
      full_ = full_ || csi.number(0) != 0 || home_;
    } else {
      screen_mode(at, csi);
      end_clearing(at);
      if (csi.plain('d')) addressed_ = true;
      if (csi.plain('G') || csi.plain('`')) column_ = csi.number(1) - 1;
      if (csi.plain('C')) column_ += csi.number(1);
      if (csi.plain('D')) column_ -= std::min<std::size_t>(column_, csi.number(1));
      if (columns_ > 0) column_ = std::min(column_, columns_ - 1);
    }
  }
  void rest(std::size_t at, base::Bytes) { end_clearing(at); }

  // Where to begin in what was parsed, `size` bytes.
  std::size_t start(std::size_t size, bool at_clear) {
    end_clearing(size);
    std::size_t kept = std::min(count_, rows_.size());
    std::size_t start = rows_[(count_ - kept) % rows_.size()].at;
    for (std::size_t i = count_ - kept; i < count_; ++i) {
      const Row& row = rows_[i % rows_.size()];
      if (row.whole) {
        start = row.at;
        break;
      }
    }
    if (!at_clear || clear_.from < start) return start;
    // Clearing would wipe what the person was told on attaching: only for what is then put at places of its
    // own.
    return addressed_ ? clear_.from : std::max(clear_.to, start);
  }

  bool coloured = false;  // some SGR
  bool shifted = false;   // some other character set
  bool region = false;    // some scroll region

 private:
  struct Row {
    std::size_t at;
    bool whole;  // begins a line; else it is where a line wrapped
  };
  struct Clear {
    std::size_t from, to;
  };

  void add_row(std::size_t at, bool whole) { rows_[count_++ % rows_.size()] = {at, whole}; }

  // Home, erase and reset in a row, in any order, clear the screen together: it begins with the first.
  void clearing(std::size_t at) {
    if (!in_clearing_) began_ = at;
    in_clearing_ = true;
  }
  void end_clearing(std::size_t at) {
    if (!in_clearing_) return;
    if (full_) {
      clear_ = {began_, at};
      addressed_ = false;
      column_ = 0;
    } else if (home_) {
      addressed_ = true;
      column_ = 0;
    }
    in_clearing_ = full_ = home_ = false;
  }
  // Full-screen programs have a screen of their own; when they leave, the one before is there again.
  void screen_mode(std::size_t at, const Csi& csi) {
    each_mode(csi, [&](const std::string& mode, bool on) {
      if (!is_screen_mode(mode) || on == other_screen_) return;
      end_clearing(at);
      other_screen_ = on;
      if (on) {
        saved_ = clear_;
        saved_addressed_ = addressed_;
        clear_ = {at, at};
        addressed_ = true;
      } else {
        clear_ = saved_;
        addressed_ = saved_addressed_;
      }
    });
  }
  void move_to_column(std::string_view parameters) {
    std::size_t semicolon = parameters.find(';');
    unsigned column = 1;
    if (semicolon != std::string_view::npos) base::parse_number(parameters.substr(semicolon + 1), column);
    column_ = column > 0 ? column - 1 : 0;
    if (columns_ > 0) column_ = std::min(column_, columns_ - 1);
  }

  std::size_t columns_;    // 0: lines don't wrap
  std::vector<Row> rows_;  // a ring
  std::size_t count_ = 1;
  std::size_t column_ = 0;
  Clear clear_{}, saved_{};
  bool addressed_ = false, saved_addressed_ = false, other_screen_ = false;
  bool in_clearing_ = false, full_ = false, home_ = false;
  std::size_t began_ = 0;
};

// Copies from `start` on; of what is before it keeps how it left the terminal.
class Copy {
 public:
  Copy(base::Bytes bytes, std::size_t start, const Measure& measured, bool fresh)
      : bytes_(bytes), start_(start), measured_(measured), fresh_(fresh) {}

  void text(std::size_t at, std::size_t size, unsigned) {
    if (begin(at)) out_.append(bytes_.substr(at, size));
  }
  void control(std::size_t at, char c) {
    if (begin(at)) {
      if (holds("\b\t\n\v\f\r\x0e\x0f", c)) out_ += c;
    } else if (c == '\x0e' || c == '\x0f') {
      shift_ = c;
    }
  }
  void escape(std::size_t at, std::string_view sequence) {
    if (begin(at)) {
      if (allowed_escape(sequence)) out_ += sequence;
    } else if (sequence == "\033c") {
      forget();
    } else if (sequence == "\033=" || sequence == "\033>") {
      keypad_ = sequence == "\033=";
    } else if (sequence.size() == 3 && sequence[1] == '(') {
      set_ = sequence;
    }
  }
  void csi(std::size_t at, std::string_view sequence) {
    Csi csi(sequence);
    if (begin(at)) {
      if (allowed_csi(csi)) out_ += sequence;
    } else if (csi.plain('m')) {
      std::string_view first = csi.parameters.substr(0, csi.parameters.find(';'));
      bool reset = first.find_first_not_of('0') == std::string_view::npos;
      if (reset || attributes_.size() > kMostSequence) attributes_.clear();
      if (!reset || first.size() < csi.parameters.size()) attributes_ += sequence;
    } else if (csi.plain('r')) {
      region_ = csi.parameters;
    } else if (csi.final == 'p' && csi.intermediate == "!") {
      forget();
    } else {
      each_mode(csi, [this](std::string mode, bool on) {
        if (modes_.size() < kMostModes || modes_.count(mode) > 0) modes_[std::move(mode)] = on;
      });
    }
  }
  void rest(std::size_t at, base::Bytes piece) {
    if (begin(at)) out_ += piece;
  }

  std::string take() {
    begin(start_);
    return std::move(out_);
  }

 private:
  static constexpr std::size_t kMostModes = 64;

  void forget() {
    attributes_.clear();
    region_.clear();
    set_.clear();
    modes_.clear();
    shift_ = '\x0f';
    keypad_ = false;
  }

  // Puts the terminal into the state in which the device left it at `start`, in so far as anything was said
  // of it.
  bool begin(std::size_t at) {
    if (at < start_) return false;
    if (begun_) return true;
    begun_ = true;
    if (fresh_) {
      // The terminal is as new: only what differs. Being on another screen comes first, as it homes the
      // cursor.
      for (const auto& [mode, on] : modes_) {
        if (on && is_screen_mode(mode)) out_ += base::str("\033[", mode, "h");
      }
      for (const auto& [mode, on] : modes_) {
        bool usual = mode == "?7" || mode == "?25";
        if (on == usual || is_screen_mode(mode) || mode == "?1048" || mode == "?3" || mode == "?2048")
          continue;
        out_ += base::str("\033[", mode, on ? 'h' : 'l');
      }
      if (keypad_) out_ += "\033=";
    }
    // Setting a scroll region homes the cursor; what is restored with it is set anew below.
    if (measured_.region && (!fresh_ || !region_.empty())) out_ += base::str("\0337\033[", region_, "r\0338");
    bool ascii = (set_.empty() || set_ == "\033(B") && shift_ == '\x0f';
    if (measured_.shifted && (!fresh_ || !ascii)) {
      out_ += set_.empty() ? "\033(B" : set_;
      out_ += shift_;
    }
    if (measured_.coloured) out_ += base::str("\033[m", attributes_);
    return true;
  }

  base::Bytes bytes_;
  std::size_t start_;
  const Measure& measured_;
  bool fresh_;
  bool begun_ = false;
  std::string out_;
  std::string attributes_, region_, set_;
  std::map<std::string, bool> modes_;
  char shift_ = '\x0f';
  bool keypad_ = false;
};

std::string replay(base::Bytes recent, std::size_t rows, std::size_t columns, bool screen) {
  std::size_t from = first_whole(recent);
  Measure measure(from, rows, columns);
  Parser(measure).run(recent, from);
  Copy copy(recent, measure.start(recent.size(), screen), measure, screen);
  Parser(copy).run(recent, from);
  return copy.take();
}

constexpr std::size_t kMostRows = 10'000;

}  // namespace

std::string screenful(base::Bytes recent, unsigned rows, unsigned columns) {
  return replay(recent, rows == 0 ? 24 : std::min<std::size_t>(rows, kMostRows), columns == 0 ? 80 : columns,
                true);
}

std::string last_lines(base::Bytes recent, unsigned lines) {
  return replay(recent, std::min<std::size_t>(lines, kMostRows) + 1, 0, false);
}

Glyph first_glyph(base::Bytes text) {
  if (text.empty()) return {};
  auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  unsigned lead = byte(0);
  if (lead < 0x80) return {1, width_of_code(lead), true};
  // Unicode 15, table 3-7: the second byte's bounds depend on the first.
  std::size_t size = lead >= 0xc2 && lead <= 0xdf   ? 2
                     : lead >= 0xe0 && lead <= 0xef ? 3
                     : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                    : 0;
  if (size == 0) return {1, 1, false};
  unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  std::uint32_t code = lead & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if (i == text.size()) return {0, 0, false};
    if (byte(i) < low || byte(i) > high) return {1, 1, false};
    code = code << 6 | (byte(i) & 0x3f);
    low = 0x80;
    high = 0xbf;
  }
  return {size, width_of_code(code), true};
}

std::size_t width_of(base::Bytes text) {
  std::size_t width = 0;
  while (!text.empty()) {
    Glyph glyph = first_glyph(text);
    if (glyph.size == 0) return width + 1;
    width += glyph.width;
    text.remove_prefix(glyph.size);
  }
  return width;
}

}  // namespace oob::console

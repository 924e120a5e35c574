#include "console/safe_output.h"

#include <iterator>
#include <utility>

#include "console/screenful.h"

namespace oob::console {
namespace {

constexpr char kSafeEsc = '\x1b', kCan = '\x18', kSub = '\x1a';
constexpr std::string_view kUnknown = "\xef\xbf\xbd";  // U+FFFD
// "CSI ?" modes that pass.
constexpr unsigned kModes[] = {1, 6, 7, 25, 66, 47, 1047, 1048, 1049};
constexpr unsigned kScreens = ~0u << 5;  // those of them that choose the screen, as bits
constexpr std::size_t kMostDigits = 5;   // of one parameter; xterm's are of 16 bits

bool any_of(std::string_view set, char c) { return set.find(c) != std::string_view::npos; }

// U+0080 to U+009F; as a byte of its own where it is not UTF-8.
bool is_c1(base::Bytes character, bool valid) {
  unsigned char last = static_cast<unsigned char>(character.back());
  return last >= 0x80 && last < 0xa0 &&
         (valid ? character.size() == 2 && character[0] == '\xc2' : character.size() == 1);
}

// U+202A to U+202E, U+2066 to U+2069.
bool turns_text(base::Bytes character) {
  if (character.size() != 3 || character[0] != '\xe2') return false;
  unsigned char last = static_cast<unsigned char>(character[2]);
  return (character[1] == '\x80' && last >= 0xaa && last <= 0xae) ||
         (character[1] == '\x81' && last >= 0xa6 && last <= 0xa9);
}

// Numbers of a size that every terminal can hold.
bool are_numbers(base::Bytes parameters, bool colons) {
  std::size_t digits = 0;
  for (char c : parameters) {
    if (c == ';' || (colons && c == ':')) {
      digits = 0;
    } else if (c < '0' || c > '9' || ++digits > kMostDigits) {
      return false;
    }
  }
  return true;
}

bool allowed_plain(base::Bytes parameters, char final_byte) {
  if (!are_numbers(parameters, final_byte == 'm')) return false;
  unsigned number = 0;
  bool given = base::parse_number(parameters, number);
  switch (final_byte) {
    case 'h':
    case 'l':
      return given && number == 4;
    case 'J':
      return parameters.empty() || (given && number < 3);
    case 'T':  // with several parameters: xterm's highlight tracking
      return parameters.empty() || given;
    case 's':  // with parameters other things: margins, keys
    case 'u':
      return parameters.empty();
    default:
      return any_of("@ABCDEFGHIKLMPSXZ`abdefgmr", final_byte);
  }
}

}  // namespace

std::string SafeOutput::pass(base::Bytes bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t plain = at;
    if (state_ == State::ground && character_.empty()) {
      while (plain < bytes.size() && bytes[plain] >= ' ' && bytes[plain] <= '~') ++plain;
      out_.append(bytes.substr(at, plain - at));
    }
    at = plain;
    if (at < bytes.size()) step(static_cast<unsigned char>(bytes[at++]));
  }
  return std::exchange(out_, {});
}

void SafeOutput::restart() {
  state_ = State::ground;
  character_.clear();
}

// Parts the bytes into characters. What breaks off a character of several bytes is one that is not UTF-8
// (Unicode 15, 3.9), and the byte that breaks it off stands for itself.
void SafeOutput::step(unsigned char byte) {
  character_ += static_cast<char>(byte);
  Glyph glyph = first_glyph(character_);
  if (glyph.size == 0) return;
  if (!glyph.valid && character_.size() > 1) {
    character_.pop_back();
    beyond_ascii(std::exchange(character_, {}), false);
    return step(byte);
  }
  std::string character = std::exchange(character_, {});
  if (byte < 0x80) {
    ascii(character[0]);
  } else {
    beyond_ascii(character, glyph.valid);
  }
}

void SafeOutput::beyond_ascii(base::Bytes character, bool valid) {
  bool c1 = is_c1(character, valid);
  if (state_ == State::string) {
    bool ends = c1 && character.back() == '\x9c';  // ST
    if (ends || !swallow()) state_ = State::ground;
    return;
  }
  state_ = State::ground;  // no sequence holds such a character
  if (c1 || (valid && turns_text(character))) return;
  out_ += valid ? character : base::Bytes(kUnknown);
}

void SafeOutput::ascii(char c) {
  if (c == kSafeEsc) {
    state_ = State::escape;
    sequence_.assign(1, c);
    swallowed_ = 1;
    overlong_ = false;
    return;
  }
  if (state_ != State::ground && !swallow()) state_ = State::ground;
  if (state_ == State::string) {
    char kind = sequence_[1];
    if (c == kCan || c == kSub || (c == '\a' && kind == ']') || (c == '\n' && kind != 'P'))
      state_ = State::ground;
    if (c == '\n' && kind != 'P') control(c);
  } else if (c < ' ') {
    // ECMA-48 leaves it open; terminals do what a control within a sequence says, and the sequence goes on.
    control(c);
  } else if (c == '\x7f') {
    // nothing, anywhere
  } else if (state_ == State::ground) {
    out_ += c;
  } else {
    inside(c);
  }
}

void SafeOutput::control(char c) {
  if (c == kCan || c == kSub) state_ = State::ground;
  if (!any_of("\a\b\t\n\v\f\r\x0e\x0f", c)) return;
  if (c == '\x0e') changes_.shifted = true;
  out_ += c;
}

// False: the sequence has gone on for too long.
bool SafeOutput::swallow() { return ++swallowed_ <= kMostSwallowed; }

void SafeOutput::inside(char c) {
  if (sequence_.size() < kMostSequence) {
    sequence_ += c;
  } else {
    overlong_ = true;
  }
  if (state_ == State::csi) {
    if (c < '@') return;
    state_ = State::ground;
    if (!overlong_) control_sequence();
  } else if (sequence_.size() == 2 && any_of("[]PX^_k", c)) {
    state_ = c == '[' ? State::csi : State::string;
  } else if (c >= '0') {
    state_ = State::ground;
    if (!overlong_) escape_sequence();
  }
}

void SafeOutput::escape_sequence() {
  base::Bytes rest = base::Bytes(sequence_).substr(1);
  char first = rest[0];
  if (rest.size() == 2 && any_of("()*+", first) && any_of("0AB", rest[1])) {
    changes_.shifted = changes_.shifted || rest[1] != 'B';
  } else if (rest != "#8" && (rest.size() != 1 || !any_of("78DEHM=>c", first))) {
    return;
  }
  if (first == '=' || first == '>') changes_.keypad = first == '=';
  if (first == 'c') changes_ = {};  // RIS
  out_ += sequence_;
}

void SafeOutput::control_sequence() {
  base::Bytes parameters = base::Bytes(sequence_).substr(2, sequence_.size() - 3);
  char final_byte = sequence_.back();
  if (!parameters.empty() && parameters[0] == '?' && any_of("hl", final_byte))
    return modes(parameters.substr(1), final_byte == 'h');
  if (parameters == "!" && final_byte == 'p') {  // DECSTR: all but the choice of the screen
    changes_ = {.modes = changes_.modes & kScreens};
  } else if (!allowed_plain(parameters, final_byte)) {
    return;
  }
  if (final_byte == 'm') changes_.coloured = !parameters.empty() && parameters != "0";
  if (final_byte == 'r') changes_.region = !parameters.empty();
  if (final_byte == 'h' || final_byte == 'l') changes_.insert = final_byte == 'h';
  out_ += sequence_;
}

// "CSI ?12;25h" is what terminfo has for a visible cursor: what is allowed of it stays.
void SafeOutput::modes(base::Bytes parameters, bool on) {
  std::string kept;
  base::split(parameters, ';', [&](base::Bytes parameter) {
    unsigned mode = 0;
    if (!base::parse_number(parameter, mode)) return;
    for (std::size_t i = 0; i < std::size(kModes); ++i) {
      if (kModes[i] != mode) continue;
      bool usual = mode == 7 || mode == 25;
      changes_.modes = on == usual ? changes_.modes & ~(1u << i) : changes_.modes | 1u << i;
      kept += base::str(kept.empty() ? "" : ";", mode);
    }
  });
  if (!kept.empty()) out_ += base::str("\033[?", kept, on ? 'h' : 'l');
}

std::string SafeOutput::settle() {
  Changes changes = std::exchange(changes_, {});
  std::string text;
  if (changes.region) text += "\033[r";
  bool homed = changes.region;
  for (std::size_t i = 0; i < std::size(kModes); ++i) {
    unsigned mode = kModes[i];
    // 1048 saves and restores the cursor: there is nothing to undo.
    if ((changes.modes >> i & 1) == 0 || mode == 1048) continue;
    text += base::str("\033[?", mode, mode == 7 || mode == 25 ? 'h' : 'l');
    homed = homed || mode == 6;
  }
  // The cursor would stand in the upper left corner, on top of what is to be read.
  if (homed) text += "\033[999;1H";
  if (changes.insert) text += "\033[4l";
  if (changes.keypad) text += "\033>";
  if (changes.shifted) text += "\033(B\x0f";
  if (changes.coloured) text += "\033[m";
  return text;
}

}  // namespace oob::console

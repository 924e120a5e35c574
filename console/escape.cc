#include "console/escape.h"

#include <cassert>
#include <cstring>

#include "console/screenful.h"

namespace oob::console {
namespace {

constexpr char kCtrlC = '\x03', kBackspace = '\x08', kCtrlU = '\x15', kEsc = '\x1b', kDelete = '\x7f';

bool control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == kDelete; }

std::string visible(char c) {
  unsigned char byte = static_cast<unsigned char>(c);
  if (byte == kDelete) return "^?";
  if (byte < 0x20) return {'^', static_cast<char>(byte + '@')};
  return base::printable(base::Bytes(&c, 1));
}

}  // namespace

Escape::Escape(std::string_view sequence) : prefix_(sequence[0]), second_(sequence[1]) {
  assert(sequence.size() == 2);
}

std::string Escape::notation() const { return visible(prefix_) + visible(second_); }

std::size_t Escape::feed(base::Bytes typed, Sink& sink) {
  std::size_t at = 0;
  while (at < typed.size()) {
    if (skip_newline_) {
      skip_newline_ = false;
      if (typed[at] == '\n') {
        ++at;
        continue;
      }
    }
    if (state_ == State::plain || state_ == State::prefix) {
      at += plain(typed.substr(at), sink);
      continue;
    }
    char c = typed[at++];
    bool go_on = true;
    if (state_ == State::letter) {
      go_on = letter(c, sink);
    } else if (state_ == State::brk) {
      go_on = brk(c, sink);
    } else if (state_ == State::key) {
      go_on = key(c, sink);
    } else {
      go_on = text(c, sink);
    }
    if (!go_on) break;
  }
  return at;
}

// Up to the letter of an escape, or to the end: all that is for the device goes on in one piece.
std::size_t Escape::plain(base::Bytes typed, Sink& sink) {
  if (state_ == State::prefix) {
    if (typed[0] == second_) {
      state_ = State::letter;
      return 1;
    }
    sink.typed(base::Bytes(&prefix_, 1));
    state_ = State::plain;
  }
  std::size_t end = 0;
  while (true) {
    const void* found = std::memchr(typed.data() + end, prefix_, typed.size() - end);
    if (found == nullptr) {
      sink.typed(typed);
      return typed.size();
    }
    std::size_t at = static_cast<std::size_t>(static_cast<const char*>(found) - typed.data());
    bool last = at + 1 == typed.size();
    if (last || typed[at + 1] == second_) {
      if (at > 0) sink.typed(typed.substr(0, at));
      state_ = last ? State::prefix : State::letter;
      return last ? at + 1 : at + 2;
    }
    end = at + 1;
  }
}

bool Escape::letter(char c, Sink& sink) {
  state_ = State::plain;
  if (c == prefix_) {
    sink.typed(base::Bytes(&prefix_, 1));
    return true;
  }
  switch (c) {
    case '.':
      return sink.command(Command::leave, {});
    case 'a':
      return sink.command(Command::write, {});
    case 'f':
      return sink.command(Command::force, {});
    case 'j':
      return sink.command(Command::join, {});
    case 's':
      return sink.command(Command::watch, {});
    case 'r':
      return sink.command(Command::replay, {});
    case 'p':
      return sink.command(Command::replay_more, {});
    case 'w':
      return sink.command(Command::who, {});
    case 'o':
      return sink.command(Command::reopen, {});
    case '!':
      return sink.command(Command::power, {});
    case '?':
      return sink.command(Command::help, {});
    case 'l':
      state_ = State::brk;
      return true;
    case 'b':
      ask(Command::message, "message to all", sink);
      return true;
    case 'n':
      ask(Command::note, "note", sink);
      return true;
    case ';':
      ask(Command::device, "device", sink);
      return true;
    case '\r':
      skip_newline_ = true;
      [[fallthrough]];
    case '\n':
    case kEsc:
    case kCtrlC:
      sink.echo("\r\n[oobd: cancelled]\r\n");
      return true;
    default:
      sink.echo(base::str("\r\n[oobd: ", notation(), " ", visible(c), " is not a command; ", notation(),
                          " ? for help]\r\n"));
      return true;
  }
}

bool Escape::brk(char c, Sink& sink) {
  state_ = State::plain;
  if (c == '0') return sink.command(Command::send_break, {});
  if (control(c)) {
    skip_newline_ = c == '\r';
    sink.echo("\r\n[oobd: cancelled]\r\n");
  } else {
    sink.echo(base::str("\r\n[oobd: there is no break sequence ", visible(c), "; ", notation(),
                        " l0 sends a break]\r\n"));
  }
  return true;
}

void Escape::ask_key(std::string_view question, Sink& sink) {
  state_ = State::key;
  sink.echo(base::str("\r\n[oobd: ", question, "]\r\n"));
}

// Another escape answers nothing, and is obeyed.
bool Escape::key(char c, Sink& sink) {
  state_ = c == prefix_ ? State::prefix : State::plain;
  skip_newline_ = c == '\r';
  bool printable = c != prefix_ && c >= 0x20 && c < kDelete;
  return sink.command(Command::key, printable ? base::Bytes(&c, 1) : base::Bytes());
}

void Escape::ask(Command command, std::string_view prompt, Sink& sink) {
  asked_ = command;
  text_.clear();
  partial_.clear();
  state_ = State::text;
  sink.echo(base::str("\r\n[oobd: ", prompt, ": "));
}

bool Escape::text(char c, Sink& sink) {
  // Keys that send sequences (arrows and the like) mean nothing here and are swallowed whole; a control
  // character within one ends it and counts (ECMA-48, 5.4).
  if (state_ == State::text_esc && !control(c)) {
    state_ = c == '[' || c == 'O' ? State::text_csi : State::text;
    return true;
  }
  if (state_ == State::text_csi && !control(c)) {
    if (c >= '@' && c <= '~') state_ = State::text;
    return true;
  }
  state_ = State::text;
  if (!control(c)) {
    glyph_byte(c, sink);
    return true;
  }
  partial_.clear();
  switch (c) {
    case '\r':
      skip_newline_ = true;
      [[fallthrough]];
    case '\n': {
      state_ = State::plain;
      bool empty = text_.find_first_not_of(' ') == std::string::npos;
      sink.echo(empty ? "cancelled]\r\n" : "]\r\n");
      if (!empty) return sink.command(asked_, text_);
      return asked_ != Command::answer || sink.command(asked_, {});
    }
    case kCtrlC:
      state_ = State::plain;
      sink.echo(" cancelled]\r\n");
      return asked_ != Command::answer || sink.command(asked_, {});
    case kBackspace:
    case kDelete:
      erase(sink);
      return true;
    case kCtrlU:
      while (!text_.empty()) erase(sink);
      return true;
    case kEsc:
      state_ = State::text_esc;
      return true;
    default:
      sink.echo("\a");
      return true;
  }
}

void Escape::glyph_byte(char c, Sink& sink) {
  partial_ += c;
  Glyph glyph = first_glyph(partial_);
  if (glyph.size == 0) return;
  // C1 controls are UTF-8, but drive other people's terminals: printable() would have to change them.
  bool fit = glyph.valid && text_.size() + partial_.size() <= kMostText &&
             (partial_ == "\\" || base::printable(partial_) == partial_);
  if (fit) {
    text_ += partial_;
    sink.echo(partial_);
  } else {
    sink.echo("\a");
  }
  // What is not UTF-8 is dropped up to where a character can begin again.
  std::string rest = glyph.valid ? std::string() : partial_.substr(glyph.size);
  partial_.clear();
  for (char byte : rest) glyph_byte(byte, sink);
}

void Escape::erase(Sink& sink) {
  if (text_.empty()) {
    sink.echo("\a");
    return;
  }
  unsigned width = 0;
  while (width == 0 && !text_.empty()) {
    std::size_t at = text_.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text_[at]) & 0xc0) == 0x80) --at;
    width = first_glyph(base::Bytes(text_).substr(at)).width;
    text_.resize(at);
  }
  for (unsigned i = 0; i < width; ++i) sink.echo("\b \b");
}

void Escape::forget(Sink& sink) {
  if (reading()) sink.echo(" cancelled]\r\n");
  if (reading() || state_ == State::key) state_ = State::plain;
}

void Escape::finish(Sink& sink) {
  if (state_ == State::prefix) sink.typed(base::Bytes(&prefix_, 1));
  forget(sink);
  state_ = State::plain;
}

std::string Escape::help() const {
  struct Row {
    std::string_view keys, does;
  };
  static constexpr Row kRows[] = {
      {".", "leave this console"},
      {"a", "take the keyboard if it is free"},
      {"f", "force: take the keyboard from whoever has it"},
      {"j", "join: type beside whoever has the keyboard"},
      {"s", "watch only: give the keyboard up"},
      {"r", "replay the last 20 lines"},
      {"p", "replay the last 60 lines"},
      {"w", "who is on this console"},
      {"b", "send a message to all on this console"},
      {"n", "note for the transcript and the journal"},
      {"l0", "send a break"},
      {"o", "close and reopen the line"},
      {";", "go to another device"},
      {"!", "power: status, on, off, cycle, reset, soft"},
      {"?", "this help"},
  };
  static_assert(kReplayLines == 20 && kReplayMoreLines == 60);
  std::string text = base::str("[oobd: the escape is ", notation(), ", then]\r\n");
  auto add = [&text](std::string_view keys, std::string_view does) {
    text += base::str("  ", keys, std::string(keys.size() < 4 ? 4 - keys.size() : 1, ' '), does, "\r\n");
  };
  for (const Row& row : kRows) add(row.keys, row.does);
  add(visible(prefix_), base::str("type a ", visible(prefix_), " to the device"));
  add("^M", "nothing: forget the escape");
  return text;
}

}  // namespace oob::console

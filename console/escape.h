#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace oob::console {

// Looks for the console's escape in what a person types: two bytes (`^E c` unless configured otherwise) and
// then a letter, conserver's where it has one. A pure state machine: what comes out is the same however the
// input is split.
//
// The prefix followed by anything but the second byte is passed on as typed, and may itself begin an escape
// (`^E ^E c`), as in conserver. A prefix that nothing has followed yet is held back.
class Escape {
 public:
  enum class Command {
    leave,        // .
    write,        // a  the keyboard, if it is free
    force,        // f  the keyboard, whoever has it
    join,         // j  the keyboard, beside whoever has it
    watch,        // s  give the keyboard up
    replay,       // r  the last kReplayLines lines
    replay_more,  // p  the last kReplayMoreLines lines
    who,          // w
    message,      // b  text: to all on this console; never empty
    send_break,   // l0
    reopen,       // o
    device,       // ;  text: the name of another device; never empty
    note,         // n  text: for the transcript and the journal; never empty
    power,        // !
    help,         // ?
    key,          // what ask_key() asked for: one printable character; empty for any other key
    answer,       // what ask_text() asked for; empty when it was cancelled
  };
  static constexpr unsigned kReplayLines = 20;
  static constexpr unsigned kReplayMoreLines = 60;
  static constexpr std::size_t kMostText = 512;  // bytes of a message, note or name; the bell beyond

  // Where everything goes, in the order it was typed. Must not destroy or feed the Escape from within.
  class Sink {
   public:
    virtual ~Sink() = default;
    // Bytes for the device, in pieces as large as they came. Valid during the call.
    virtual void typed(base::Bytes run) = 0;
    // `text` is whole UTF-8 without control characters, empty unless the command has one; valid during the
    // call. False: feed() stops here, because what follows is no longer for this console.
    virtual bool command(Command command, std::string_view text) = 0;
    // For the person's own terminal, never for the device: prompts, their echo, and remarks. Lines end in
    // \r\n.
    virtual void echo(base::Bytes text) = 0;
  };

  static constexpr std::string_view kDefault = "\005c";

  // REQUIRES: two bytes, the prefix and the second.
  explicit Escape(std::string_view sequence = kDefault);

  // Takes typed bytes and says how many: all, unless a command answered false.
  std::size_t feed(base::Bytes typed, Sink& sink);
  // From within Sink::command(), or later: the next key is no device's but comes as Command::key. The
  // console's output flows meanwhile.
  void ask_key(std::string_view question, Sink& sink);
  // The same with a text, which comes as Command::answer.
  void ask_text(std::string_view question, Sink& sink) { ask(Command::answer, question, sink); }
  // What was asked for, or is being typed, is wanted no more.
  void forget(Sink& sink);
  // Nothing more will be typed: a held prefix is passed on, a half typed escape or text is dropped.
  void finish(Sink& sink);

  // A prefix waits for the byte after it.
  bool held() const { return state_ == State::prefix; }
  // A message, note or name is being typed on the person's terminal: console output would go into the middle
  // of it.
  bool reading() const {
    return state_ == State::text || state_ == State::text_esc || state_ == State::text_csi;
  }

  // "^Ec": as people write it.
  std::string notation() const;
  // All letters, one a line, each line ending in \r\n.
  std::string help() const;

 private:
  enum class State { plain, prefix, letter, brk, key, text, text_esc, text_csi };

  std::size_t plain(base::Bytes typed, Sink& sink);
  bool letter(char c, Sink& sink);
  bool brk(char c, Sink& sink);
  bool key(char c, Sink& sink);
  bool text(char c, Sink& sink);
  void glyph_byte(char c, Sink& sink);
  void erase(Sink& sink);
  void ask(Command command, std::string_view prompt, Sink& sink);

  char prefix_;
  char second_;
  State state_ = State::plain;
  bool skip_newline_ = false;  // a CR ended a text: the LF of a CR LF belongs to it
  Command asked_ = Command::message;
  std::string text_;
  std::string partial_;  // the beginning of a UTF-8 sequence
};

}  // namespace oob::console

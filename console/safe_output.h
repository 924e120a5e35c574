#pragma once

#include <string>

#include "base/bytes.h"

namespace oob::console {

// A device's output made harmless for the terminal of whoever looks at it: a hacked router may send any
// byte. What passes is a list, whatever else there is does not (ECMA-48; xterm's ctlseqs):
//   text         printable ASCII and well-formed UTF-8, but no C1 controls (terminals take them for CSI, OSC
//                and DCS) and no U+202A-E, U+2066-9 (they turn text around); what is not UTF-8 becomes U+FFFD
//   controls     BEL BS HT LF VT FF CR SO SI
//   ESC          7 8 D E H M = > c, #8 (DECALN), ()*+ with 0 A B
//   CSI          @ A-H I-M P S T X Z ` a b d e f g h l m r s u and !p, without prefix; 'h' and 'l' for mode 4
//                alone; but no 3J: the terminal's scrollback is a record of what the device did
//   CSI ? h, l   modes 1 6 7 25 47 66 1047 1048 1049; a sequence loses the others
// So nothing is left that makes a terminal answer, print, or tell of the mouse, that touches title,
// clipboard, palette, keys or files. The terminal is taken to speak UTF-8: ESC % and the like don't pass.
//
// Strings (OSC, DCS, SOS, PM, APC and screen's ESC k) go with all they hold, up to ST, an ESC of any kind,
// CAN or SUB, an OSC up to BEL as well. One that never ends must not silence the console: a new line ends any
// but a DCS, and kMostSwallowed bytes end any sequence; what comes then is text.
//
// The output is the same however the input is cut, and always ends between whole sequences: it may be
// followed by other text at any place, and passing it through again changes nothing. Takes at most three
// times the input's size.
class SafeOutput {
 public:
  static constexpr std::size_t kMostSequence = 128;    // bytes held; a longer sequence is dropped
  static constexpr std::size_t kMostSwallowed = 4096;  // bytes

  std::string pass(base::Bytes bytes);

  // After a gap in the input: forgets what had begun.
  void restart();

  // What puts the terminal back into its usual modes (colours, character set, screen, scroll region, cursor
  // and keys), in so far as what passed changed them; empty when it did not. Then they count as usual.
  std::string settle();

 private:
  enum class State { ground, escape, csi, string };
  // What differs from a terminal's usual state.
  struct Changes {
    bool coloured = false, shifted = false, region = false, keypad = false, insert = false;
    unsigned modes = 0;  // a bit for each mode that passes
  };

  void step(unsigned char byte);
  void ascii(char c);
  void inside(char c);
  void beyond_ascii(base::Bytes character, bool valid);
  void control(char c);
  void escape_sequence();
  void control_sequence();
  void modes(base::Bytes parameters, bool on);
  bool swallow();

  std::string out_;
  State state_ = State::ground;
  std::string character_;      // the beginning of one in UTF-8
  std::string sequence_;       // from its ESC on; not beyond the introducer of a string
  std::size_t swallowed_ = 0;  // bytes of the sequence, kept or not
  bool overlong_ = false;
  Changes changes_;
};

}  // namespace oob::console

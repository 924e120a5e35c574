// The editor takes any keys: what it sends stays within what a terminal knows and in proportion to what was
// typed, and the lines are the same in any pieces.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "console/line_editor.h"
#include "console/screenful.h"

namespace {

using oob::base::Bytes;
using oob::console::LineEditor;

void demand(bool holds) {
  if (!holds) std::abort();
}

// Controls and sequences of the few kinds the header promises, and UTF-8 otherwise.
void check(Bytes out, bool plain) {
  while (!out.empty()) {
    oob::console::Glyph glyph = oob::console::first_glyph(out);
    demand(glyph.valid);
    unsigned char c = static_cast<unsigned char>(out[0]);
    if (c == 0x1b) {
      demand(!plain && out.size() > 2 && out[1] == '[');
      std::size_t at = 2;
      while (at < out.size() && out[at] >= '0' && out[at] <= '9') ++at;
      demand(at < out.size() && (out[at] == 'C' || out[at] == 'K' || out[at] == 'H' || out[at] == 'J'));
      out.remove_prefix(at + 1);
      continue;
    }
    demand((c >= 0x20 && c != 0x7f) || c == '\a' || c == '\b' || c == '\r' || c == '\n');
    out.remove_prefix(glyph.size);
  }
}

std::string run(Bytes typed, std::size_t step, LineEditor::Terminal terminal) {
  LineEditor editor("oob> ", terminal, [](std::string_view) {
    return std::vector<std::string>{"edge1", "edge2", "attach", "\xc3\xb8st", "\xc3\xa5l"};
  });
  std::string log, out;
  editor.show(out);
  while (!typed.empty()) {
    LineEditor::Fed fed = editor.feed(typed.substr(0, step), out);
    demand(fed.taken > 0 && fed.taken <= typed.size());
    typed.remove_prefix(fed.taken);
    if (fed.event != LineEditor::Event::none) {
      log += oob::base::str(static_cast<int>(fed.event), editor.line(), "\n");
      demand(editor.line().size() <= LineEditor::kMostLine);
      demand(editor.history().size() <= LineEditor::kMostHistory);
      editor.show(out);
    }
    check(out, terminal.plain);
    demand(out.size() < 16384);
    out.clear();
  }
  return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 1024) return 0;
  LineEditor::Terminal terminal{static_cast<unsigned>(data[0] >> 1), (data[0] & 1) != 0};
  Bytes typed(reinterpret_cast<const char*>(data + 1), size - 1);
  std::string whole = run(typed, std::max<std::size_t>(typed.size(), 1), terminal);
  demand(run(typed, 1, terminal) == whole);
  demand(run(typed, 3, terminal) == whole);
  return 0;
}

#include "console/line_editor.h"

#include <gtest/gtest.h>

#include <random>

#include "console/screenful.h"

namespace oob::console {
namespace {

using Event = LineEditor::Event;

// A terminal as simple as the editor asks for; the sequences it does not know are failures. It is wide enough
// in memory to notice a line that runs over its last column.
struct Screen {
  explicit Screen(unsigned columns) : columns(columns) {}

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      if (bytes[0] == '\033') {
        bytes.remove_prefix(csi(bytes));
        continue;
      }
      Glyph glyph = first_glyph(bytes);
      ASSERT_TRUE(glyph.valid);
      put(bytes.substr(0, glyph.size), glyph.width);
      bytes.remove_prefix(glyph.size);
    }
  }
  std::size_t csi(std::string_view bytes) {
    std::size_t at = 2;
    while (at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9') ++at;
    unsigned number = 1;
    base::parse_number(bytes.substr(2, at - 2), number);
    escapes = true;
    char final = at < bytes.size() ? bytes[at] : '?';
    if (final == 'C') {
      column += number;
    } else if (final == 'K') {
      cells.resize(std::min(cells.size(), column));
    } else if (final == 'H') {
      column = 0;
    } else if (final == 'J') {
      cells.clear();
      rows.clear();
    } else {
      ADD_FAILURE() << "unknown sequence " << base::printable(bytes.substr(0, 8));
    }
    EXPECT_LT(column, columns);
    return at + 1;
  }
  void put(std::string_view glyph, unsigned width) {
    char c = glyph[0];
    if (c == '\a') {
      ++bells;
    } else if (c == '\r') {
      column = 0;
    } else if (c == '\n') {
      rows.push_back(row());
      cells.clear();
    } else if (c == '\b') {
      ASSERT_GT(column, 0u);
      --column;
    } else if (width == 0) {
      ASSERT_GT(column, 0u);
      cells[column - 1] += glyph;
    } else {
      if (cells.size() < column + width) cells.resize(column + width, " ");
      cells[column] = glyph;
      for (unsigned i = 1; i < width; ++i) cells[column + i].clear();
      column += width;
      widest = std::max(widest, column);
    }
  }
  std::string row() const {
    std::string text;
    for (const std::string& cell : cells) text += cell;
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
  }

  std::size_t columns;
  std::vector<std::string> cells, rows;
  std::size_t column = 0, widest = 0;
  int bells = 0;
  bool escapes = false;
};

std::vector<std::string> devices(std::string_view before) {
  std::vector<std::string> words;
  for (std::string word :
       {"edge1", "edge2", "relay1", "list", "attach", "\xc3\xb8st", "\xc3\xb8re", "\xc3\xa5l"}) {
    std::string_view last = before.substr(before.rfind(' ') + 1);
    if (std::string_view(word).substr(0, last.size()) == last) words.push_back(word);
  }
  return words;
}

// A person at a terminal.
struct Typist {
  explicit Typist(unsigned columns = 80, bool plain = false)
      : screen(columns), editor("oob> ", {columns, plain}, devices) {
    std::string out;
    editor.show(out);
    screen.write(out);
  }
  Event type(std::string_view keys) {
    Event last = Event::none;
    while (!keys.empty()) {
      std::string out;
      LineEditor::Fed fed = editor.feed(keys, out);
      if (fed.event != Event::none) {
        last = fed.event;
        events += last == Event::line  ? base::str('[', editor.line(), ']')
                  : last == Event::end ? "[end]"
                                       : "[int]";
        editor.show(out);
      }
      screen.write(out);
      sent += out.size();
      EXPECT_GT(fed.taken, 0u);
      keys.remove_prefix(fed.taken);
    }
    return last;
  }
  std::string entered(std::string_view keys) {
    EXPECT_EQ(type(base::str(keys, "\r")), Event::line);
    return editor.line();
  }

  Screen screen;
  LineEditor editor;
  std::string events;
  std::size_t sent = 0;
};

std::string entered(std::string_view keys) { return Typist().entered(keys); }

TEST(LineEditor, GivesTheLineAtEnter) {
  for (std::string_view enter : {"\r", "\n", "\r\n"}) {
    Typist person;
    EXPECT_EQ(person.type(base::str("list", enter, "help", enter)), Event::line);
    EXPECT_EQ(person.events, "[list][help]");
    EXPECT_EQ(person.screen.rows, (std::vector<std::string>{"oob> list", "oob> help"}));
    EXPECT_EQ(person.screen.row(), "oob>");
  }
}

TEST(LineEditor, LeavesWhatFollowsAnEventToOthers) {
  LineEditor editor("> ", {});
  std::string out;
  editor.show(out);
  LineEditor::Fed fed = editor.feed("attach edge1\r\nls\r", out);
  EXPECT_EQ(fed.taken, 14u);
  EXPECT_EQ(fed.event, Event::line);
  EXPECT_EQ(editor.line(), "attach edge1");
}

TEST(LineEditor, SendsNoMoreThanWhatWasTypedAtTheEnd) {
  Typist person;
  person.type("status");
  EXPECT_EQ(person.sent, 6u);
}

TEST(LineEditor, TellsInterruptAndEnd) {
  Typist person;
  EXPECT_EQ(person.type("abc\003"), Event::interrupt);
  EXPECT_EQ(person.screen.rows.back(), "oob> abc^C");
  EXPECT_EQ(person.type("x\004\177"), Event::none);
  EXPECT_EQ(person.type("\004"), Event::end);
  EXPECT_EQ(person.events, "[int][end]");
}

TEST(LineEditor, MovesAndErases) {
  EXPECT_EQ(entered("abc\177d\010e"), "abe");
  EXPECT_EQ(entered("bc\001a\005d"), "abcd");
  EXPECT_EQ(entered("ac\002b\006d"), "abcd");
  EXPECT_EQ(entered("ac\033[Db\033[Cd"), "abcd");
  EXPECT_EQ(entered("ac\033ODb\033OCd"), "abcd");
  EXPECT_EQ(entered("bc\033[Ha\033[Fd\033[1~_\033[4~_\033OH<\033OF>"), "<_abcd_>");
  EXPECT_EQ(entered("abc\001\004\033[3~"), "c");
  EXPECT_EQ(entered("abcd\002\002\013"), "ab");
  EXPECT_EQ(entered("abcd\002\002\025"), "cd");
  EXPECT_EQ(entered("log  edge1  \027x"), "log  x");
  EXPECT_EQ(entered("a b\027\031\031"), "a bb");
  EXPECT_EQ(entered("ab\024c"), "bac");
  EXPECT_EQ(entered("abc\001\006\024"), "bac");
}

TEST(LineEditor, MovesByWords) {
  EXPECT_EQ(entered("one two-three\033b\033b<\033f>"), "one <two>-three");
  EXPECT_EQ(entered("one two\033[1;5D<\033[1;5D<\033[1;5C>"), "<one> <two");
  EXPECT_EQ(entered("one two\033[1;3D\033[5D\033d"), " two");
}

TEST(LineEditor, KnowsOneCharacterFromAnother) {
  EXPECT_EQ(entered("\xc3\xb8\xe4\xb8\xad\177x"), "\xc3\xb8x");
  EXPECT_EQ(entered("ae\xcc\x81\177b"), "ab");
  EXPECT_EQ(entered("a\xe4\xb8\xad\002b\006c"),
            "ab\xe4\xb8\xad"
            "c");
  EXPECT_EQ(entered("\xe4\xb8\xad\xc3\xb8\024"), "\xc3\xb8\xe4\xb8\xad");
  Typist person;
  person.type(
      "\xe4\xb8\xad"
      "b\002");
  EXPECT_EQ(person.screen.column, 7u);
}

TEST(LineEditor, TakesNothingInThatDrivesATerminal) {
  Typist person;
  EXPECT_EQ(person.entered(std::string_view("a\xff\xc2\x9b\xe2\x80\xae\0\x1c"
                                            "b\xe4"
                                            "c",
                                            12)),
            "abc");
  EXPECT_GT(person.screen.bells, 0);
}

TEST(LineEditor, IgnoresSequencesWhole) {
  EXPECT_EQ(entered("a\033[5~\033[15;2~\033[200~b\033[201~\033[<0;1;2M\033[[Ac"), "abc");
  EXPECT_EQ(entered("a\033]11;rgb:0/0/0\033\\b\033]0;x\007c\033P1$r0m\033\\d\033OPe\033xf"), "abcdef");
  EXPECT_EQ(entered("a\033[" + std::string(1000, '1') + "~b"), "ab");
  EXPECT_EQ(entered("a\033\033[Db"), "ba") << "the second ESC counts";
  EXPECT_EQ(entered("abc\033]never ends"), "abc");
}

TEST(LineEditor, RemembersLines) {
  Typist person;
  person.type("one\rtwo\rtwo\r  \rthree\r");
  EXPECT_EQ(person.editor.history().size(), 3u);
  EXPECT_EQ(person.entered("\033[A\033[A"), "two");
  EXPECT_EQ(person.entered("\020\020\020\020\020"), "one");
  EXPECT_EQ(person.entered("typing\033OA\033[B"), "typing");
  EXPECT_EQ(person.entered("\020!\020\016\016x"), "x");
  for (std::size_t i = 0; i < 500; ++i) person.type(base::str(i, "\r"));
  EXPECT_EQ(person.editor.history().size(), LineEditor::kMostHistory);
  EXPECT_EQ(person.editor.history().front(), "300");
}

TEST(LineEditor, CompletesWords) {
  EXPECT_EQ(entered("l\t"), "list ");
  EXPECT_EQ(entered("attach ed\t1"), "attach edge1");
  EXPECT_EQ(entered("at\trel\t"), "attach relay1 ");
  EXPECT_EQ(entered("a x\002\002\t"), "attach x") << "no second blank";
  Typist person;
  EXPECT_EQ(person.entered("xyz\t"), "xyz");
  EXPECT_EQ(person.screen.bells, 1);
  LineEditor editor("> ", {}, [](std::string_view) {
    return std::vector<std::string>{"\xc3\xb8", "\xc3\xa5"};
  });
  std::string out;
  editor.feed("\t\r", out);
  EXPECT_EQ(editor.line(), "") << "a character is never cut in two";
}

TEST(LineEditor, ListsCandidatesAtTheSecondTab) {
  Typist person(12);
  person.type("e\t");
  EXPECT_EQ(person.screen.row(), "oob> edge");
  EXPECT_TRUE(person.screen.rows.empty());
  person.type("\t");
  EXPECT_EQ(person.screen.rows, (std::vector<std::string>{"oob> edge", "edge1", "edge2"}));
  EXPECT_EQ(person.screen.row(), "oob> edge");
  Typist wide(80);
  wide.type("\t");
  EXPECT_EQ(wide.screen.bells, 1);
  wide.type("\t");
  EXPECT_EQ(wide.screen.rows.back(),
            "attach  edge1   edge2   list    relay1  \xc3\xa5l      \xc3\xb8re     \xc3\xb8st");
}

TEST(LineEditor, BoundsTheList) {
  LineEditor editor("> ", {20, false}, [](std::string_view) {
    std::vector<std::string> words;
    for (int i = 0; i < 1000; ++i) words.push_back(base::str("d", i));
    return words;
  });
  std::string out;
  editor.show(out);
  editor.feed("\t\t", out);
  EXPECT_NE(out.find("and 800 more\r\n"), std::string::npos);
  EXPECT_LT(out.size(), 4000u);
}

TEST(LineEditor, ScrollsSidewaysInANarrowTerminal) {
  Typist person(20);
  std::string line;
  for (int i = 0; i < 60; ++i) line += static_cast<char>('a' + i % 26);
  person.type(line);
  EXPECT_EQ(person.screen.row().substr(0, 5), "oob> ");
  EXPECT_EQ(line.substr(line.size() - (person.screen.row().size() - 5)), person.screen.row().substr(5));
  EXPECT_TRUE(person.screen.rows.empty());
  EXPECT_LT(person.screen.widest, 20u);
  person.type("\001");
  EXPECT_EQ(person.screen.row(), "oob> " + line.substr(0, 14));
  EXPECT_EQ(person.screen.column, 5u);
  for (int i = 0; i < 30; ++i) person.type("\006");
  EXPECT_EQ(person.screen.cells[person.screen.column], line.substr(30, 1));
  EXPECT_EQ(person.entered(""), line);
}

TEST(LineEditor, LivesInATerminalThatIsTooNarrowForThePrompt) {
  for (unsigned columns : {1u, 4u, 7u, 9u}) {
    Typist person(std::max(columns, 4u));
    EXPECT_EQ(person.entered("ab\xe4\xb8\xad"
                             "defghijk\001x"),
              "xab\xe4\xb8\xad"
              "defghijk");
    EXPECT_LT(person.screen.widest, std::max(columns, 4u));
  }
}

TEST(LineEditor, IsDrawnAgainAtAnotherSize) {
  Typist person(80);
  person.type("a long line that will not fit");
  std::string out;
  person.editor.resize(20, out);
  person.screen.columns = 20;
  person.screen.write(out);
  EXPECT_LT(person.screen.row().size(), 20u);
  EXPECT_EQ(person.screen.row().substr(0, 5), "oob> ");
}

TEST(LineEditor, MakesRoomForSomethingElse) {
  Typist person;
  person.type("abc\002");
  std::string out;
  person.editor.hide(out);
  out += "[oobd: hello]\r\n";
  person.editor.show(out);
  person.screen.write(out);
  EXPECT_EQ(person.screen.rows.back(), "[oobd: hello]");
  EXPECT_EQ(person.screen.row(), "oob> abc");
  EXPECT_EQ(person.screen.column, 7u);
  person.type("\014");
  EXPECT_TRUE(person.screen.rows.empty());
  EXPECT_EQ(person.screen.row(), "oob> abc");
  EXPECT_EQ(person.screen.column, 7u);
}

TEST(LineEditor, BoundsTheLine) {
  Typist person;
  std::string much(10000, 'a');
  EXPECT_EQ(person.entered(much), std::string(LineEditor::kMostLine, 'a'));
  EXPECT_GT(person.screen.bells, 0);
  // What is sent back is bounded by the screen, not by the square of what was typed.
  Typist other;
  other.type(much + "\001" + std::string(500, '\006'));
  EXPECT_LT(other.sent, 1000u);
}

TEST(LineEditor, SendsAPlainTerminalNoSequences) {
  Typist person(80, true);
  EXPECT_EQ(person.entered("lisx\177t\033[D\001 edge9\027\t\025show\t\t\tx\177"), "show");
  EXPECT_EQ(person.entered("\020\020\016\016two"), "two");
  EXPECT_EQ(person.entered("\xe4\xb8\xad\177e\t\t1"), "edge1");
  EXPECT_EQ(person.entered("\020\020\020\014"), "show");
  EXPECT_FALSE(person.screen.escapes);
  EXPECT_EQ(person.screen.rows.back(), "oob> show");
}

// What the line, the events and the screen are after any keys, in any pieces.
TEST(LineEditor, GivesTheSameForAnySplit) {
  std::mt19937 random(7);
  std::string_view keys[] = {"a",
                             "b c",
                             "\033[A",
                             "\033[B",
                             "\033[D",
                             "\033[C",
                             "\033b",
                             "\033f",
                             "\001",
                             "\005",
                             "\013",
                             "\025",
                             "\027",
                             "\031",
                             "\024",
                             "\t",
                             "\xc3\xb8",
                             "\xe4\xb8\xad",
                             "e\xcc\x81",
                             "\177",
                             "\004",
                             "\033[3~",
                             "\033[1;5D",
                             "\r",
                             "\r\n",
                             "\003",
                             "long words here ",
                             "\xff",
                             "\014",
                             "edge",
                             "\033]0;t\007",
                             "\033[H",
                             "\020",
                             "\016"};
  for (int round = 0; round < 1500; ++round) {
    std::string typed;
    for (int i = 0; i < 40; ++i) typed += keys[random() % std::size(keys)];
    unsigned columns = 9 + random() % 40;
    bool plain = round % 5 == 0;
    if (plain) columns = 1000;
    Typist whole(columns, plain), single(columns, plain), pieces(columns, plain);
    whole.type(typed);
    for (char c : typed) single.type(std::string_view(&c, 1));
    for (std::size_t at = 0; at < typed.size();) {
      std::size_t size = 1 + random() % 9;
      pieces.type(std::string_view(typed).substr(at, size));
      at += size;
    }
    for (Typist* other : {&single, &pieces}) {
      ASSERT_EQ(other->events, whole.events) << base::printable(typed);
      ASSERT_EQ(other->screen.row(), whole.screen.row()) << base::printable(typed);
      ASSERT_EQ(other->screen.column, whole.screen.column) << base::printable(typed);
      ASSERT_EQ(other->screen.rows, whole.screen.rows) << base::printable(typed);
    }
    ASSERT_TRUE(plain || whole.screen.widest < columns + 2) << "the ^C behind a full row";
    whole.type("\003");
    ASSERT_EQ(whole.screen.row(), "oob>");
  }
}

}  // namespace
}  // namespace oob::console

#include "console/escape.h"

#include <gtest/gtest.h>

#include <random>

namespace oob::console {
namespace {

using Command = Escape::Command;

// Writes down all that happens in one string: "<abc>" is typed, "{4:text}" a command, the rest is echo.
struct Record : Escape::Sink {
  void typed(base::Bytes run) override {
    EXPECT_FALSE(run.empty());
    ++runs;
    if (!typing) log += '<';
    typing = true;
    log += run;
    sent += run;
  }
  bool command(Command command, std::string_view text) override {
    close();
    log += base::str('{', static_cast<int>(command), ':', text, '}');
    commands.push_back(command);
    last = text;
    return !(command == stop_at && stopping);
  }
  void echo(base::Bytes text) override {
    close();
    log += text;
    echoed += text;
  }
  void close() {
    if (typing) log += '>';
    typing = false;
  }

  bool typing = false;
  int runs = 0;
  std::string log, sent, echoed, last;
  std::vector<Command> commands;
  Command stop_at = Command::leave;
  bool stopping = false;
};

Record typed(std::string_view bytes) {
  Record record;
  Escape escape;
  EXPECT_EQ(escape.feed(bytes, record), bytes.size());
  return record;
}

TEST(Escape, PassesOnWhatIsNotForIt) {
  EXPECT_EQ(typed("show version\r").sent, "show version\r");
  EXPECT_EQ(typed(std::string_view("\0\xff\x1b[A", 5)).sent, std::string_view("\0\xff\x1b[A", 5));
  EXPECT_EQ(typed("a\005b").sent, "a\005b");
  EXPECT_EQ(typed("a\005b").runs, 1);
}

TEST(Escape, KnowsEveryLetter) {
  struct Row {
    std::string_view keys;
    Command command;
  };
  for (Row row : {Row{".", Command::leave}, Row{"a", Command::write}, Row{"f", Command::force},
                  Row{"j", Command::join}, Row{"s", Command::watch}, Row{"r", Command::replay},
                  Row{"p", Command::replay_more}, Row{"w", Command::who}, Row{"o", Command::reopen},
                  Row{"!", Command::power}, Row{"?", Command::help}, Row{"l0", Command::send_break}}) {
    Record record = typed(base::str("x\005c", row.keys, "y"));
    EXPECT_EQ(record.commands, std::vector{row.command}) << row.keys;
    EXPECT_EQ(record.sent, "xy") << row.keys;
    EXPECT_EQ(record.echoed, "") << row.keys;
    EXPECT_NE(Escape().help().find(base::str("\r\n  ", row.keys, " ")), std::string::npos) << row.keys;
  }
}

TEST(Escape, SendsItsPrefixWhenAskedTo) {
  EXPECT_EQ(typed("a\005c\005b").sent, "a\005b");
  EXPECT_EQ(typed("\005c\005c.").sent, "\005c.");
}

TEST(Escape, FindsAnEscapeRightBehindAPrefix) {
  Record record = typed("\005\005c.");
  EXPECT_EQ(record.sent, "\005");
  EXPECT_EQ(record.commands, std::vector{Command::leave});
}

TEST(Escape, HoldsALonePrefixUntilMoreIsTyped) {
  Record record;
  Escape escape;
  escape.feed("a\005", record);
  EXPECT_TRUE(escape.held());
  EXPECT_EQ(record.sent, "a");
  escape.feed("x", record);
  EXPECT_FALSE(escape.held());
  EXPECT_EQ(record.sent, "a\005x");
  escape.feed("\005", record);
  escape.finish(record);
  EXPECT_EQ(record.sent, "a\005x\005");
  escape.feed("\005c", record);
  EXPECT_FALSE(escape.held());
  escape.finish(record);
  EXPECT_EQ(record.sent, "a\005x\005");
}

TEST(Escape, ToldOfAnUnknownLetterNamesIt) {
  EXPECT_EQ(typed("\005cX").log, "\r\n[oobd: ^Ec X is not a command; ^Ec ? for help]\r\n");
  EXPECT_EQ(typed("\005c\001").log, "\r\n[oobd: ^Ec ^A is not a command; ^Ec ? for help]\r\n");
  EXPECT_EQ(typed("\005c\xff").log, "\r\n[oobd: ^Ec \\xff is not a command; ^Ec ? for help]\r\n");
  EXPECT_EQ(typed("\005cl1").log, "\r\n[oobd: there is no break sequence 1; ^Ec l0 sends a break]\r\n");
}

TEST(Escape, IsForgottenByEnterAndEsc) {
  for (std::string_view key : {"\r", "\n", "\r\n", "\x1b", "\x03", "l\x1b", "l\r\n"}) {
    Record record = typed(base::str("\005c", key, "x"));
    EXPECT_EQ(record.log, "\r\n[oobd: cancelled]\r\n<x") << key;
  }
}

TEST(Escape, ReadsTheTextOfAMessage) {
  Record record = typed("\005cbreb\177lo\xc3\xb8\010\010oot at 5\rls\r");
  EXPECT_EQ(record.commands, std::vector{Command::message});
  EXPECT_EQ(record.last, "reloot at 5");
  EXPECT_EQ(record.sent, "ls\r");
  EXPECT_EQ(typed("\005cnhi\r").log, "\r\n[oobd: note: hi]\r\n{12:hi}");
  EXPECT_EQ(typed("\005c;edge2\r\n").log, "\r\n[oobd: device: edge2]\r\n{11:edge2}");
}

TEST(Escape, DropsATextThatIsCancelledOrEmpty) {
  EXPECT_EQ(typed("\005cbhi\003x").log, "\r\n[oobd: message to all: hi cancelled]\r\n<x");
  EXPECT_EQ(typed("\005cb  \rx").log, "\r\n[oobd: message to all:   cancelled]\r\n<x");
}

TEST(Escape, TakesNothingIntoATextThatDrivesATerminal) {
  Record record = typed(
      "\005cba\x1b[A\x1bOP\x1b[1;5Cb\t\xc2\x9b\xff\xe2\x80\xae\x1b"
      "b\\\r");
  EXPECT_EQ(record.last, "ab\\");
  record = typed(
      "\005cba\xe4\xb8\xad\177\x15"
      "b\r");
  EXPECT_EQ(record.last, "b");
  EXPECT_NE(record.echoed.find("\xe4\xb8\xad\b \b\b \b\b \bb"), std::string::npos);
}

// Asks a key for every "!", and a text for every "t" answered.
struct Asker : Record {
  bool command(Command command, std::string_view text) override {
    Record::command(command, text);
    if (command == Command::power) escape.ask_key("which?", *this);
    if (command == Command::key && text == "t") escape.ask_text("name", *this);
    return true;
  }
  Escape escape;
};

TEST(Escape, AsksForAKeyOrATextInBetween) {
  Asker asker;
  asker.escape.feed("a\005c!kb\005c!\r\nc\005c!t", asker);
  EXPECT_TRUE(asker.escape.reading());
  asker.escape.feed("r1\r\nd", asker);
  EXPECT_EQ(asker.sent, "abcd");
  EXPECT_EQ(asker.last, "r1");
  EXPECT_EQ(asker.commands, (std::vector{Command::power, Command::key, Command::power, Command::key,
                                         Command::power, Command::key, Command::answer}));
  EXPECT_EQ(asker.log.rfind("<a>{13:}\r\n[oobd: which?]\r\n{15:k}<b>{13:}", 0), 0u) << asker.log;
}

TEST(Escape, AKeyThatIsNoAnswerIsToldAsSuch) {
  for (std::string_view key : {"\r", "\x1b", "\003", "\177", "\xff"}) {
    Asker asker;
    asker.escape.feed(base::str("\005c!", key), asker);
    EXPECT_EQ(asker.commands, (std::vector{Command::power, Command::key}));
    EXPECT_EQ(asker.last, "");
  }
  Asker other;
  other.escape.feed("\005c!\005c.", other);
  EXPECT_EQ(other.commands, (std::vector{Command::power, Command::key, Command::leave}));
}

TEST(Escape, ATextThatIsCancelledIsAnEmptyAnswer) {
  for (std::string_view end : {"\r", "r1\003"}) {
    Asker asker;
    asker.escape.feed(base::str("\005c!t", end), asker);
    EXPECT_EQ(asker.commands.back(), Command::answer);
    EXPECT_EQ(asker.last, "");
  }
}

TEST(Escape, ForgetsAQuestionButNothingThatIsTyped) {
  Asker asker;
  asker.escape.feed("\005c!", asker);
  asker.escape.forget(asker);
  asker.escape.feed("x\005c!t\005", asker);
  asker.escape.forget(asker);
  EXPECT_FALSE(asker.escape.reading());
  asker.escape.feed("y\005", asker);
  asker.escape.forget(asker);
  EXPECT_TRUE(asker.escape.held());
  EXPECT_EQ(asker.sent, "xy");
}

TEST(Escape, BoundsAText) {
  Record record = typed("\005cb" + std::string(10000, 'a') + "\r");
  EXPECT_EQ(record.last, std::string(Escape::kMostText, 'a'));
  EXPECT_NE(record.echoed.find('\a'), std::string::npos);
}

TEST(Escape, StopsWhereWhatFollowsIsNoLongerForTheConsole) {
  Record record;
  record.stopping = true;
  Escape escape;
  EXPECT_EQ(escape.feed("ab\005c.list\r", record), 5u);
  EXPECT_EQ(record.sent, "ab");
}

TEST(Escape, PassesOnABigPasteInOnePiece) {
  std::string paste(1 << 20, 'x');
  for (std::size_t i = 0; i < paste.size(); i += 1000) paste[i] = '\005';
  Record record = typed(paste);
  EXPECT_EQ(record.runs, 1);
  EXPECT_EQ(record.sent, paste);
}

TEST(Escape, MayBeOfOtherBytes) {
  Escape escape("~!");
  Record record;
  escape.feed("a~.b~!.~~!~", record);
  EXPECT_EQ(record.sent, "a~.b~~");
  EXPECT_EQ(escape.notation(), "~!");
  EXPECT_NE(escape.help().find("the escape is ~!, then"), std::string::npos);
  Escape twice("\x1d\x1d");
  Record other;
  twice.feed(
      "a\x1d\x1d.b\x1d\x1d\x1d"
      "c",
      other);
  EXPECT_EQ(other.sent,
            "ab\x1d"
            "c");
  EXPECT_EQ(other.commands, std::vector{Command::leave});
}

TEST(Escape, HelpIsInItsOwnNotation) {
  std::string help = Escape().help();
  EXPECT_EQ(help.rfind("[oobd: the escape is ^Ec, then]\r\n  .   leave this console\r\n", 0), 0u) << help;
  EXPECT_NE(help.find("  ^E  type a ^E to the device\r\n"), std::string::npos) << help;
  for (std::size_t i = 0; i < help.size(); ++i) EXPECT_TRUE(help[i] != '\n' || help[i - 1] == '\r');
}

TEST(Escape, GivesTheSameForEverySplit) {
  std::string sample =
      "ab\005\005c.\005x\005c\005\005cbhi \xc3\xb8\177\x1b[A!\r\n\nx\005cl0\005cl9\005cn\003\005c;e\ry\005cZ";
  Record whole = typed(sample);
  for (std::size_t first = 0; first <= sample.size(); ++first) {
    for (std::size_t second = first; second <= sample.size(); ++second) {
      Record record;
      Escape escape;
      escape.feed(base::Bytes(sample).substr(0, first), record);
      escape.feed(base::Bytes(sample).substr(first, second - first), record);
      escape.feed(base::Bytes(sample).substr(second), record);
      ASSERT_EQ(record.log, whole.log) << first << " " << second;
    }
  }
}

TEST(Escape, AnswersAreTheSameForAnyBytesOneByOne) {
  std::mt19937 random(2);
  std::string_view alphabet = "\005\005\005cccc!!!!ttyb.a \r\n\033[\003\xc3\xb8";
  for (int round = 0; round < 2000; ++round) {
    std::string sample;
    for (int i = 0; i < 60; ++i) sample += alphabet[random() % alphabet.size()];
    Asker whole, pieces;
    whole.escape.feed(sample, whole);
    for (char c : sample) pieces.escape.feed(base::Bytes(&c, 1), pieces);
    ASSERT_EQ(pieces.log, whole.log);
  }
}

TEST(Escape, GivesTheSameForAnyBytesOneByOne) {
  std::mt19937 random(1);
  std::string_view alphabet = "\005\005\005\005cccclb;n0.?ax \r\n\033[O\177\003\xc3\xb8\xff";
  for (int round = 0; round < 2000; ++round) {
    std::string sample;
    for (int i = 0; i < 60; ++i) sample += alphabet[random() % alphabet.size()];
    Record whole = typed(sample), pieces;
    Escape escape;
    for (char c : sample) escape.feed(base::Bytes(&c, 1), pieces);
    ASSERT_EQ(pieces.log, whole.log);
  }
}

}  // namespace
}  // namespace oob::console

#include "audit/syslog_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/journal.h"
#include "auth/journal_line.h"

namespace oob::audit {
namespace {

using auth::Entry;
using auth::Record;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Record record_of(const Entry& entry, std::uint64_t n = 17) {
  auth::JournalStamp stamp{1'763'827'391'123'456, 81'234'567};  // 2025-11-22T16:03:11.123456Z
  std::string line = auth::journal_line(entry, stamp, n, "boot-1");
  line.pop_back();
  base::Result<Record> record = Record::parse(line);
  EXPECT_TRUE(record) << record.error().what;
  return *record;
}

std::string message_of(const Entry& entry) { return syslog_record(record_of(entry), "board1"); }

// The parameters of a message's one element, as RFC 5424, 6.3.3 reads them; empty where they are not right.
std::map<std::string, std::string> params_of(const std::string& message) {
  std::map<std::string, std::string> params;
  constexpr std::string_view kBegin = " [oobd@32473";
  std::size_t at = message.find(kBegin);
  if (at == std::string::npos) return {};
  at += kBegin.size();
  while (at < message.size() && message[at] == ' ') {
    std::size_t equals = message.find("=\"", at);
    if (equals == std::string::npos) return {};
    std::string name = message.substr(at + 1, equals - at - 1), value;
    if (name.empty() || name.size() > 32 || name.find_first_of(" =]\"") != std::string::npos) return {};
    for (at = equals + 2; at < message.size() && message[at] != '"'; ++at) {
      if (message[at] == ']') return {};
      if (message[at] == '\\') ++at;
      value += message[at];
    }
    params[name] = value;
    ++at;
  }
  return at < message.size() && message[at] == ']' ? params : std::map<std::string, std::string>();
}

TEST(SyslogMessage, HasTheHeadOfRfc5424) {
  EXPECT_THAT(message_of(Entry("login").with("user", "alice")),
              StartsWith("<110>1 2025-11-22T16:03:11.123456Z board1 oobd - login [oobd@32473 n=\"17\" "));
}

TEST(SyslogMessage, HasEveryFieldOfTheRecord) {
  auto params =
      params_of(message_of(Entry("login").with("user", "alice").with("connection", std::int64_t{-3})));
  std::map<std::string, std::string> expected = {{"n", "17"},
                                                 {"boot", "boot-1"},
                                                 {"ev", "login"},
                                                 {"mono", "81234567"},
                                                 {"user", "alice"},
                                                 {"connection", "-3"},
                                                 {"t", "2025-11-22T16:03:11.123456Z"}};
  EXPECT_EQ(params, expected);
}

TEST(SyslogMessage, EscapesWhatEndsAValue) {
  std::string text = R"(a "quoted" [word] \ and ])";
  std::string message = message_of(Entry("line.remark").with("text", text));
  EXPECT_THAT(message, HasSubstr(R"(text="a \"quoted\" [word\] \\ and \]")"));
  EXPECT_EQ(params_of(message)["text"], text);
}

TEST(SyslogMessage, HasNoControlCharacters) {
  std::string message = message_of(Entry("note").with("text", std::string("a\nb\x1b[2Jc\x7f") + "\xc2\x9b"));
  EXPECT_EQ(params_of(message)["text"], "a\\x0ab\\x1b[2Jc\\x7f\\xc2\\x9b");
  for (char c : message) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
}

TEST(SyslogMessage, SaysThatATextIsUtf8OnlyWhereItIsNotAscii) {
  constexpr const char* kBom = "\xef\xbb\xbf";
  EXPECT_THAT(message_of(Entry("note").with("text", "plain")), Not(HasSubstr(kBom)));
  EXPECT_THAT(message_of(Entry("note").with("text", "plain")), EndsWith("] note: plain"));
  EXPECT_THAT(message_of(Entry("note").with("text", "Gerät")),
              EndsWith(std::string("] ") + kBom + "note: Gerät"));
  EXPECT_EQ(params_of(message_of(Entry("note").with("text", "Gerät")))["text"], "Gerät");
}

TEST(SyslogMessage, TellsHowBadItIs) {
  auto severity = [](const char* event) { return message_of(Entry(event)).substr(0, 5); };
  EXPECT_EQ(severity("login"), "<110>");
  EXPECT_EQ(severity("login.refused"), "<108>");
  EXPECT_EQ(severity("login.refused.many"), "<108>");
  EXPECT_EQ(severity("denied"), "<108>");
  EXPECT_EQ(severity("bmc.failed"), "<108>");
  EXPECT_EQ(message_of(Entry("disk.level").with("to", "full")).substr(0, 5), "<106>");
  EXPECT_EQ(message_of(Entry("disk.level").with("to", "warn")).substr(0, 5), "<108>");
  EXPECT_EQ(message_of(Entry("disk.level").with("to", "fine")).substr(0, 5), "<110>");
  EXPECT_EQ(severity("transcripts.failing"), "<106>");
  EXPECT_EQ(severity("power.request"), "<109>");
}

TEST(SyslogMessage, CutsLongTextsAndSaysSo) {
  Entry entry("sel.records");
  for (int i = 0; i < 3; ++i) entry.with("text" + std::to_string(i), std::string(4000, 'x'));
  std::string message = message_of(entry);
  EXPECT_LE(message.size(), kMostSyslogMessage);
  EXPECT_GT(message.size(), kMostSyslogMessage / 2);
  auto params = params_of(message);
  EXPECT_EQ(params["cut"], "1");
  EXPECT_EQ(params["n"], "17");
  EXPECT_EQ(params["text2"].size(), 2048u);
}

TEST(SyslogMessage, CutsNoCharacterInTwo) {
  std::string text;
  for (int i = 0; i < 1300; ++i) text += "€";
  Entry entry("note");
  entry.with("text", text).with("a", text).with("b", text);
  auto params = params_of(message_of(entry));
  EXPECT_EQ(params["cut"], "1");
  EXPECT_EQ(params["text"].size() % 3, 0u);
}

TEST(SyslogMessage, LeavesOutParametersWhenThereAreTooMany) {
  Entry entry("sel.records");
  for (int i = 0; i < 400; ++i) entry.with("record_" + std::to_string(i), std::string(100, ']'));
  std::string message = message_of(entry);
  EXPECT_LE(message.size(), kMostSyslogMessage);
  auto params = params_of(message);
  EXPECT_EQ(params["cut"], "1");
  EXPECT_EQ(params["n"], "17");
  EXPECT_EQ(params["t"], "2025-11-22T16:03:11.123456Z");
}

TEST(SyslogMessage, IsNotCutWhereItNeedNotBe) {
  EXPECT_THAT(message_of(Entry("note").with("text", std::string(4000, 'x'))), Not(HasSubstr("cut=")));
}

TEST(SyslogMessage, KeepsAnEventThatIsTooLongForAMessageId) {
  std::string event(50, 'e');
  std::string message = message_of(Entry(event));
  EXPECT_THAT(message, HasSubstr(" oobd - " + event.substr(0, 32) + " ["));
  EXPECT_EQ(params_of(message)["ev"], event);
}

TEST(SyslogMessage, ShowsALineThatIsNoRecord) {
  std::string message = syslog_damaged(9, "{\"n\":9,\xff", "no object", 0, "board1");
  EXPECT_THAT(message, StartsWith("<106>1 1970-01-01T00:00:00.000000Z board1 oobd - journal.damaged "));
  auto params = params_of(message);
  EXPECT_EQ(params["n"], "9");
  EXPECT_EQ(params["line"], "{\"n\":9,\\xff");
  EXPECT_LE(syslog_damaged(9, std::string(300'000, '\\'), "x", 0, "board1").size(), kMostSyslogMessage);
}

TEST(SyslogMessage, CarriesACheckpointWhole) {
  auth::SignedNote note;
  note.checkpoint = {"board1/oobd/3fc27d19/1", 18231, std::string(32, '\x07')};
  note.key_name = note.checkpoint.origin;
  note.key_id = std::string(4, '\x01');
  note.signature = std::string(64, '\x02');
  std::string message = syslog_checkpoint(note, 0, "board1");
  EXPECT_THAT(message, HasSubstr(" oobd - checkpoint ["));
  auto params = params_of(message);
  EXPECT_EQ(params["size"], "18231");
  EXPECT_EQ(params["root"], base::base64(note.checkpoint.root));
  EXPECT_EQ(params["note"], base::base64(note.text()));
  EXPECT_THAT(message, EndsWith("] checkpoint " + note.checkpoint.brief()));
}

TEST(SyslogMessage, HasAHostNameThatCanStandThere) {
  EXPECT_EQ(syslog_hostname("board1.example.net"), "board1.example.net");
  EXPECT_EQ(syslog_hostname("my board\n"), "my-board-");
  EXPECT_EQ(syslog_hostname(""), "-");
  EXPECT_EQ(syslog_hostname(std::string(300, 'a')).size(), 255u);
}

TEST(SyslogMessage, IsFramedByItsLengthInOctets) { EXPECT_EQ(syslog_frame("Gerät"), "6 Gerät"); }

}  // namespace
}  // namespace oob::audit

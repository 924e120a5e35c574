#include "notice/notice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/bytes.h"

namespace oob::notice {
namespace {

namespace json = boost::json;

auth::Record record(std::map<std::string, auth::Record::Value> fields, const std::string& ev) {
  auth::Record made;
  made.fields = std::move(fields);
  made.ev = ev;
  made.wall = 1'795'363'391'123'456;
  made.fields["ev"] = ev;
  made.fields["boot"] = "b";
  made.fields["n"] = std::int64_t{17};
  return made;
}

json::object parsed(const Notice& notice) { return json::parse(notice.json).as_object(); }

TEST(Notice, HasWhatTheRecordHasAndALineForAnSms) {
  Notice notice = notice_of(
      record({{"device", "edge1"}, {"text", "edge1: /dev/ttyUSB0: gone"}, {"count", std::int64_t{3}}},
             "line.down"),
      "board1");
  EXPECT_EQ(notice.event, "line.down");
  EXPECT_EQ(notice.device, "edge1");
  EXPECT_EQ(json::serialize(parsed(notice)),
            R"({"board":"board1","event":"line.down","time":"2026-11-22T16:03:11.123456Z",)"
            R"("summary":"edge1: line.down: edge1: /dev/ttyUSB0: gone","count":3,"device":"edge1","n":17,)"
            R"("text":"edge1: /dev/ttyUSB0: gone"})");
}

TEST(Notice, LetsAnAlarmSpeakForItself) {
  Notice notice = notice_of(
      record({{"device", "edge1"}, {"text", "panic: page fault"}, {"lines", "one\\r\\ntwo \\\\n\\n"}},
             "console.alarm"),
      "board1");
  json::object object = parsed(notice);
  EXPECT_EQ(object["summary"], "edge1: panic: page fault");
  EXPECT_EQ(json::serialize(object["lines"]), R"(["one","two \\n"])");
}

TEST(Notice, SaysWhoAndOfTheBoardItself) {
  EXPECT_EQ(
      parsed(notice_of(record({{"user", "alice"}, {"result", "done"}, {"device", "e"}}, "power.result"), "b"))
          .at("summary"),
      "e: power.result by alice: done");
  EXPECT_EQ(parsed(notice_of(record({{"from", "low"}, {"to", "full"}}, "disk.level"), "b")).at("summary"),
            "b: disk.level: low to full");
  EXPECT_EQ(parsed(notice_of(record({}, "stop"), "b")).at("summary"), "b: stop");
}

TEST(Notice, CutsTheSummaryAtAWholeCharacter) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "ü";
  for (std::size_t more = 0; more < 3; ++more) {
    std::string summary(parsed(notice_of(record({{"text", std::string(more, 'x') + text}}, "note"), "b"))
                            .at("summary")
                            .as_string());
    EXPECT_EQ(std::count_if(summary.begin(), summary.end(), [](char c) { return (c & 0xc0) != 0x80; }), 160);
    EXPECT_TRUE(summary.ends_with("ü...")) << summary;
  }
}

TEST(Notice, StaysBoundedWhateverTheRecordHas) {
  std::map<std::string, auth::Record::Value> fields;
  for (char name = 'a'; name <= 'z'; ++name) fields[std::string(1, name)] = std::string(4096, '"');
  Notice notice = notice_of(record(fields, "note"), "b");
  EXPECT_LE(notice.json.size(), kMostNotice);
  EXPECT_EQ(parsed(notice)["cut"], true);
}

TEST(Notice, DoesNotLetARecordPoseAsAnother) {
  json::object object =
      parsed(notice_of(record({{"event", "x"}, {"board", "x"}, {"summary", "x"}}, "note"), "b"));
  EXPECT_EQ(object["event"], "note");
  EXPECT_EQ(object["board"], "b");
}

TEST(Notice, SaysOfATestThatItIsOne) {
  Notice notice = test_notice("b", 1'795'363'391'123'456);
  EXPECT_EQ(notice.event, "drill.test");
  EXPECT_EQ(notice.json,
            R"({"board":"b","event":"drill.test","time":"2026-11-22T16:03:11.123456Z",)"
            R"("summary":"b: a test: the drill tries whether this arrives; nothing has happened",)"
            R"("text":"a test: the drill tries whether this arrives; nothing has happened"})");
}

TEST(Notice, CountsManyByTheirEvents) {
  Many many;
  many.add(notice_of(record({}, "line.down"), "b"));
  Notice last = notice_of(record({}, "line.up"), "b");
  last.wall += 1'000'000;
  many.add(last);
  many.add(last);
  EXPECT_EQ(
      many.notice("b").json,
      R"({"board":"b","event":"many","time":"2026-11-22T16:03:12.123456Z",)"
      R"("summary":"b: 3 events: line.up 2, line.down 1","count":3,"events":{"line.down":1,"line.up":2},)"
      R"("from":"2026-11-22T16:03:11.123456Z","to":"2026-11-22T16:03:12.123456Z",)"
      R"("last":["b: line.down","b: line.up","b: line.up"]})");
}

TEST(Notice, NamesAFewOfManyAndWhatMattersMostFirst) {
  Many many, later;
  auto lost = [](int i) {
    return notice_of(record({{"device", "d" + std::to_string(i)}}, "line.down"), "b");
  };
  for (int i = 0; i < 20; ++i) many.add(lost(i));
  for (const char* device : {"e1", "e2"})
    later.add(notice_of(
        record({{"device", device}, {"text", "panic: " + std::string(200, 'x')}}, "console.alarm"), "b"));
  for (int i = 20; i < 100; ++i) later.add(lost(i));
  many.add(later);
  Notice notice = many.notice("b");
  json::object object = parsed(notice);
  EXPECT_EQ(object["count"], 102);
  const json::array& last = object["last"].as_array();
  ASSERT_EQ(last.size(), 8u);
  EXPECT_THAT(std::string(last[0].as_string()), testing::StartsWith("e1: panic: xxx"));
  EXPECT_THAT(std::string(last[1].as_string()), testing::StartsWith("e2: panic: xxx"));
  EXPECT_EQ(last[2], "d94: line.down");
  EXPECT_EQ(last[7], "d99: line.down");
  EXPECT_EQ(object["summary"].as_string().size(), kMostSummary);
  EXPECT_TRUE(object["summary"].as_string().starts_with("b: 102 events: e1: panic: xxx"));
  EXPECT_EQ(notice.summary, object["summary"].as_string());
  for (int i = 0; i < 20; ++i) later.add(notice_of(record({{"device", "e"}}, "watch.lost"), "b"));
  EXPECT_EQ(parsed(later.notice("b"))["last"].as_array().size(), 8u);
}

TEST(Notice, TakesLinesApartAsPrintableMadeThem) {
  using testing::ElementsAre;
  EXPECT_THAT(lines_of(base::printable("a\r\nb\\n\nc")), ElementsAre("a", "b\\n", "c"));
  EXPECT_THAT(lines_of(""), ElementsAre());
  EXPECT_THAT(lines_of("\\"), ElementsAre("\\"));
}

}  // namespace
}  // namespace oob::notice

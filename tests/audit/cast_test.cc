#include "audit/cast.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <random>
#include <vector>

#include "auth/public_key.h"

namespace oob::audit {
namespace {

using base::Bytes;

// The lines of `text`, each checked to be JSON with no byte that a reader of lines could stumble over.
std::vector<CastEvent> events_of(const std::string& text) {
  std::vector<CastEvent> events;
  if (text.empty()) return events;
  EXPECT_EQ(text.back(), '\n');
  base::split(Bytes(text).substr(0, text.size() - 1), '\n', [&](Bytes line) {
    EXPECT_LT(line.size(), kMostCastLine);
    for (char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
    boost::system::error_code error;
    boost::json::value value = boost::json::parse(line, error);
    ASSERT_FALSE(error) << line;
    ASSERT_EQ(value.as_array().size(), 3u);
    base::Result<CastEvent> event = CastEvent::parse(line);
    ASSERT_TRUE(event) << event.error().what;
    EXPECT_NEAR(value.at(0).as_double(), static_cast<double>(event->time) / 1e6, 1e-9);
    EXPECT_EQ(value.at(1).as_string(), std::string(1, event->code));
    EXPECT_EQ(value.at(2).as_string(), event->text);
    events.push_back(*event);
  });
  return events;
}

// The device's bytes, as docs/formats.md has it; `own` gets oobd's words.
std::string device_bytes(const std::vector<CastEvent>& events, std::string* own = nullptr) {
  std::string bytes, raw;
  bool is_raw = false, is_own = false;
  for (const CastEvent& event : events) {
    if (event.code == 'b') {
      EXPECT_TRUE(auth::decode_base64(event.text, raw));
      is_raw = true;
    } else if (event.code == 'e') {
      is_own = event.text == R"({"ev":"own"})";
    } else if (event.code == 'o') {
      std::string& to = is_own && own ? *own : bytes;
      if (!is_own || own) to += is_raw ? raw : event.text;
      is_raw = is_own = false;
    }
  }
  return bytes;
}

std::string recorded(const std::vector<std::string>& pieces) {
  std::string out;
  CastEncoder encoder;
  base::Micros time = 0;
  for (const std::string& piece : pieces) encoder.device(out, time += 1000, piece);
  encoder.flush(out, time);
  return out;
}

const std::vector<std::string>& samples() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> list = {
        "login: ",
        "\r\nWelcome \"to\" C:\\edge1\t\x1b[1mbold\x1b[0m\x07\x7f\b\f\r\n",
        std::string("NULs \0 and \0\0 more", 18),
        "Grüße, 東京, 🚀 and é",
        "latin-1: Gr\xfc\xdf"
        "e",
        "overlong \xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf \xc1\xbf",
        "surrogates \xed\xa0\x80 \xed\xbf\xbf, and the last before: \xed\x9f\xbf",
        "beyond \xf4\x90\x80\x80 \xf5\x80\x80\x80 \xff\xfe, and the last: \xf4\x8f\xbf\xbf",
        "alone \x80 \xbf\xbf\xbf\xbf\xbf, cut \xe2\x82 \xf0\x9f\x9a x \xc3",
        "\xe2\x82",
        "\xf0\x9f\x9a",
        "\xff\xe2\x82\xac\xe2",
        "U+2028 \xe2\x80\xa8 U+0085 \xc2\x85 U+FEFF \xef\xbb\xbf U+FFFD \xef\xbf\xbd U+FFFF \xef\xbf\xbf",
    };
    std::string every;
    for (int i = 0; i < 256; ++i) every += static_cast<char>(i);
    list.push_back(every);
    std::mt19937 random(7);
    for (int i = 0; i < 20; ++i) {
      std::string noise(random() % 60, '\0');
      for (char& c : noise) c = static_cast<char>(random());
      list.push_back(noise);
    }
    return list;
  }();
  return all;
}

TEST(CastEncoder, GivesBackEveryByteWholeCutAtEveryPlaceAndOneByOne) {
  for (const std::string& sample : samples()) {
    EXPECT_EQ(device_bytes(events_of(recorded({sample}))), sample);
    for (std::size_t cut = 0; cut <= sample.size(); ++cut)
      EXPECT_EQ(device_bytes(events_of(recorded({sample.substr(0, cut), sample.substr(cut)}))), sample)
          << cut;
    std::vector<std::string> bytes;
    for (char c : sample) bytes.emplace_back(1, c);
    EXPECT_EQ(device_bytes(events_of(recorded(bytes))), sample);
  }
}

TEST(CastEncoder, GivesBackEveryPairOfBytes) {
  for (int first = 0; first < 256; ++first) {
    std::string out, all;
    CastEncoder encoder;
    for (int second = 0; second < 256; ++second) {
      std::string pair = {static_cast<char>(first), static_cast<char>(second)};
      encoder.device(out, second, pair);
      all += pair;
    }
    encoder.flush(out, 256);
    EXPECT_EQ(device_bytes(events_of(out)), all) << first;
  }
}

TEST(CastEncoder, WritesWhatIsUtf8AsOneLineInWhateverPartsItComes) {
  std::string rocket = "🚀";
  for (std::size_t cut = 1; cut < rocket.size(); ++cut) {
    std::string out;
    CastEncoder encoder;
    encoder.device(out, 1'000'000, "up " + rocket.substr(0, cut));
    encoder.device(out, 2'000'000, rocket.substr(cut) + "!");
    EXPECT_EQ(out, "[1.000000, \"o\", \"up \"]\n[2.000000, \"o\", \"🚀!\"]\n");
  }
}

TEST(CastEncoder, PutsTheExactBytesBeforeAPicture) {
  EXPECT_EQ(recorded({"a\xff"
                      "b"}),
            "[0.001000, \"b\", \"Yf9i\"]\n[0.001000, \"o\", \"a\xef\xbf\xbd"
            "b\"]\n");
  EXPECT_EQ(recorded({"\xe2\x82"}), "[0.001000, \"b\", \"4oI=\"]\n[0.001000, \"o\", \"\xef\xbf\xbd\"]\n");
}

TEST(CastEncoder, KeepsItsOwnWordsApart) {
  std::string out, own;
  CastEncoder encoder;
  encoder.own(out, 0, "[oobd: edge1]\r\n\xff");
  encoder.device(out, 1, "log\xc3");
  encoder.own(out, 2, "[oobd: bob came]\xc3");
  encoder.own(out, 2, "\xbc");
  encoder.device(out, 3, "in: ");
  encoder.flush(out, 4);
  EXPECT_EQ(device_bytes(events_of(out), &own), "log\xc3in: ");
  EXPECT_EQ(own, "[oobd: edge1]\r\n\xff[oobd: bob came]\xc3\xbc");
  EXPECT_EQ(out.substr(0, 44), "[0.000000, \"e\", \"{\\\"ev\\\":\\\"own\\\"}\"]\n[0.00000");
}

TEST(CastEncoder, NeverGoesBackInTime) {
  std::string out;
  CastEncoder encoder;
  encoder.device(out, 12'034'567, "a");
  encoder.device(out, 9, "b");
  encoder.resized(out, 3, 132, 43);
  encoder.event(out, 86'400'000'001, R"({"ev":"break"})");
  EXPECT_EQ(out,
            "[12.034567, \"o\", \"a\"]\n[12.034567, \"o\", \"b\"]\n[12.034567, \"r\", \"132x43\"]\n"
            "[86400.000001, \"e\", \"{\\\"ev\\\":\\\"break\\\"}\"]\n");
}

TEST(CastEncoder, PartsWhatIsLong) {
  std::mt19937 random(3);
  std::string noise(200'000, '\0'), text;
  for (char& c : noise) c = static_cast<char>(random());
  while (text.size() < 200'000) text += "€ and \x1b ";
  for (const std::string& long_one :
       {noise, text, std::string(100'000, '\x01'), std::string(50'000, '\xff')}) {
    EXPECT_EQ(device_bytes(events_of(recorded({long_one}))), long_one);
  }
  for (const CastEvent& event : events_of(recorded({text}))) EXPECT_EQ(event.code, 'o');
}

TEST(CastEncoder, KeepsWhatWasTyped) {
  for (const std::string& sample : samples()) {
    std::string out, typed, raw;
    CastEncoder().typed(out, 5, sample);
    bool is_raw = false;
    for (const CastEvent& event : events_of(out)) {
      if (event.code == 'b') {
        ASSERT_TRUE(auth::decode_base64(event.text, raw));
        is_raw = true;
        continue;
      }
      EXPECT_EQ(event.code, 'i');
      typed += std::exchange(is_raw, false) ? raw : event.text;
    }
    EXPECT_EQ(typed, sample);
  }
}

TEST(CastEvent, IsParsedFromWhatAnybodyMayWriteInAJsonString) {
  base::Result<CastEvent> event = CastEvent::parse(R"([7.000001, "x", "\u00fc\/\b\f\ud83d\ude80é"])");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->time, 7'000'001);
  EXPECT_EQ(event->code, 'x');
  EXPECT_EQ(event->text, "ü/\b\f🚀é");
}

TEST(CastEvent, IsNotTakenForAnythingElse) {
  for (const char* line : {"",
                           "[",
                           "[]",
                           "{}",
                           "[1.000000, \"o\", \"a\"",
                           "[1.000000, \"o\", \"a\"] ",
                           "[1.0, \"o\", \"a\"]",
                           "[-1.000000, \"o\", \"a\"]",
                           "[1.-00000, \"o\", \"a\"]",
                           "[123456789012.000000, \"o\", \"a\"]",
                           "[1.000000, \"\", \"a\"]",
                           "[1.000000, \"oo\", \"a\"]",
                           "[1.000000, \"o\", \"a\\\"]",
                           "[1.000000, \"o\", \"\\u12g4\"]",
                           "[1.000000, \"o\", \"\\u-123\"]",
                           "[1.000000, \"o\", \"\\ud83d\"]",
                           "[1.000000, \"o\", \"\\ud83d\\u0041\"]",
                           "[1.000000, \"o\", \"\\ude80\"]",
                           "[1.000000, \"o\", \"\xff\"]",
                           "[1.000000, \"o\", \"\t\"]",
                           "[1.000000, \"o\", \"\\x\"]",
                           "[1.000000, \"o\", 1]",
                           "[1.000000,\"o\",\"a\"]"})
    EXPECT_FALSE(CastEvent::parse(line)) << line;
}

TEST(CastEvent, SurvivesEveryCutAndFlip) {
  std::string line = recorded({"é\x1b[1m \"x\" \\ \xff 🚀"});
  line = line.substr(line.find('\n') + 1);
  line.pop_back();
  ASSERT_TRUE(CastEvent::parse(line));
  for (std::size_t cut = 0; cut < line.size(); ++cut)
    EXPECT_FALSE(CastEvent::parse(line.substr(0, cut))) << cut;
  for (std::size_t at = 0; at < line.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = line;
      flipped[at] = static_cast<char>(flipped[at] ^ 1 << bit);
      base::Result<CastEvent> event = CastEvent::parse(flipped);
      if (!event) continue;
      boost::system::error_code error;
      boost::json::value value = boost::json::parse(flipped, error);
      ASSERT_FALSE(error) << flipped;
      EXPECT_EQ(value.at(2).as_string(), event->text);
    }
  }
}

CastHeader header() {
  CastHeader header;
  header.id = "20261122-160311-17";
  header.user = "alice";
  header.key = "SHA256:abc";
  header.source = "2001:db8::7";
  header.session = 17;
  header.device = "edge1";
  header.command = "attach";
  header.term = "xterm-256color";
  header.columns = 132;
  header.rows = 43;
  header.started = 1'795'363'391'123'456;
  return header;
}

TEST(CastHeader, SaysWhoDidWhatWhereAndWhen) {
  EXPECT_EQ(header().line(),
            "{\"version\": 2, \"width\": 132, \"height\": 43, \"timestamp\": 1795363391, \"title\": \"alice "
            "on edge1\", "
            "\"env\": {\"TERM\": \"xterm-256color\"}, \"oobd\": {\"format\": 1, \"id\": "
            "\"20261122-160311-17\", \"user\": "
            "\"alice\", \"key\": \"SHA256:abc\", \"source\": \"2001:db8::7\", \"session\": 17, \"device\": "
            "\"edge1\", "
            "\"command\": \"attach\", \"started\": \"2026-11-22T16:03:11.123456Z\"}}\n");
}

TEST(CastHeader, IsParsedBackWhateverItsTexts) {
  for (const std::string& text : {std::string("plain"), std::string("q\"\\\n\t\x01\x7f ü🚀"), std::string()}) {
    CastHeader one = header();
    one.user = one.key = one.source = one.device = one.command = one.term = text;
    std::string line = one.line();
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    base::Result<CastHeader> back = CastHeader::parse(line.substr(0, line.size() - 1));
    ASSERT_TRUE(back) << back.error().what;
    EXPECT_EQ(back->line(), line);
    EXPECT_EQ(back->user, text);
    EXPECT_EQ(back->started, one.started);
    EXPECT_EQ(back->session, 17u);
    EXPECT_EQ(back->rows, 43u);
  }
  CastHeader odd = header();
  odd.term =
      "vt\xff"
      "100";
  std::string line = odd.line();
  line.pop_back();
  base::Result<CastHeader> back = CastHeader::parse(line);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->term,
            "vt\xef\xbf\xbd"
            "100");
}

TEST(CastHeader, SurvivesEveryCutAndFlip) {
  std::string line = header().line();
  line.pop_back();
  for (std::size_t cut = 0; cut < line.size(); ++cut)
    EXPECT_FALSE(CastHeader::parse(line.substr(0, cut))) << cut;
  for (std::size_t at = 0; at < line.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = line;
      flipped[at] = static_cast<char>(flipped[at] ^ 1 << bit);
      base::Result<CastHeader> back = CastHeader::parse(flipped);
      if (back) {
        EXPECT_TRUE(CastHeader::parse(back->line().substr(0, back->line().size() - 1)));
      }
    }
  }
  EXPECT_FALSE(CastHeader::parse(R"({"version": 2, "width": 80, "height": 24, "timestamp": 1})"));
}

}  // namespace
}  // namespace oob::audit

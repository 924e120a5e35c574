#include "auth/journal_reader.h"

#include <gmock/gmock.h>

#include "auth/journal_line.h"
#include "tests/support/support.h"

namespace oob::auth {
namespace {

using testing::HasSubstr;

std::string record(std::uint64_t n) {
  return journal_line(Entry("test").with("text", "a\"\\\n\xc3\xa9").with("i", -7), {1'700'000'000'123'456, 5},
                      n, "boot");
}

class JournalReaderTest : public testing::Test {
 protected:
  void add(const std::string& name, std::uint64_t from, std::uint64_t to) {
    std::string text = test::read_file(folder_ / name);
    for (std::uint64_t n = from; n < to; ++n) text += record(n);
    test::write_file(folder_ / name, text);
  }
  void open() {
    auto opened = JournalReader::open(folder_.path());
    ASSERT_TRUE(opened) << opened.error().what;
    reader_ = std::move(*opened);
  }
  // The numbers of what next() gives until it says no.
  std::vector<std::uint64_t> rest() {
    std::vector<std::uint64_t> numbers;
    while (true) {
      auto more = reader_->next(line_, place_);
      if (!more) {
        error_ = more.error().what;
        return numbers;
      }
      if (!*more) return numbers;
      EXPECT_EQ(line_ + "\n", record(place_.n));
      numbers.push_back(place_.n);
    }
  }

  test::TempDir folder_;
  std::unique_ptr<JournalReader> reader_;
  std::string line_, error_;
  JournalReader::Place place_;
};

TEST_F(JournalReaderTest, ReadsOnFromFileToFile) {
  add("000000000000.jsonl", 0, 3);
  add("000000000003.jsonl", 3, 5);
  test::write_file(folder_ / "checkpoints", "x");
  test::write_file(folder_ / "3.jsonl", "x");
  open();
  EXPECT_EQ(reader_->first(), 0u);
  EXPECT_EQ(rest(), (std::vector<std::uint64_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(place_.file, "000000000003.jsonl");
  EXPECT_EQ(place_.line, 2u);
  EXPECT_EQ(error_, "");
  EXPECT_EQ(reader_->bytes(), 5 * record(0).size());
  EXPECT_EQ(reader_->bytes_read(), reader_->bytes());
}

TEST_F(JournalReaderTest, FollowsWhatIsWrittenBesideItAlsoIntoANewFile) {
  add("000000000000.jsonl", 0, 1);
  open();
  EXPECT_EQ(rest(), std::vector<std::uint64_t>{0});
  EXPECT_TRUE(rest().empty());
  add("000000000000.jsonl", 1, 3);
  add("000000000003.jsonl", 3, 4);
  EXPECT_EQ(rest(), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(error_, "");
}

TEST_F(JournalReaderTest, FindsTheNextFileThatCanBeRead) {
  add("000000000000.jsonl", 0, 2);
  test::write_file(folder_ / "000000000003.jsonl", "");
  EXPECT_EQ(JournalReader::readable_after(folder_.path(), 1).error().fault, base::Fault::missing);
  add("000000000005.jsonl", 5, 6);
  auto found = JournalReader::readable_after(folder_.path(), 1);
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(*found, 5u);
}

TEST_F(JournalReaderTest, WaitsForTheRestOfATornLine) {
  std::string whole = record(0) + record(1);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    test::write_file(folder_ / "000000000000.jsonl", whole.substr(0, size));
    open();
    std::size_t lines = rest().size();
    EXPECT_EQ(lines, size == whole.size() ? 2u : size >= record(0).size() ? 1u : 0u);
    EXPECT_EQ(reader_->torn(), size - lines * record(0).size());
    test::write_file(folder_ / "000000000000.jsonl", whole);
    EXPECT_EQ(lines + rest().size(), 2u) << size;
  }
}

TEST_F(JournalReaderTest, SeeksAcrossFilesAndNotBeyond) {
  add("000000000002.jsonl", 2, 5);
  add("000000000005.jsonl", 5, 8);
  open();
  EXPECT_EQ(reader_->first(), 2u);
  for (std::uint64_t n : {7, 5, 2, 4, 8}) {
    ASSERT_TRUE(reader_->seek(n)) << n;
    EXPECT_EQ(rest().size(), 8 - n);
  }
  EXPECT_EQ(reader_->seek(1).error().what, "record 1 is not there any more: the first is 2");
  EXPECT_EQ(reader_->seek(9).error().what, "there is no record 9: they end before 8");
}

TEST_F(JournalReaderTest, SaysWhereFilesDoNotFollowEachOther) {
  add("000000000000.jsonl", 0, 2);
  add("000000000003.jsonl", 3, 4);
  open();
  EXPECT_EQ(rest().size(), 2u);
  EXPECT_EQ(error_, "000000000003.jsonl follows 000000000000.jsonl, which ends before 2");
  test::write_file(folder_ / "000000000000.jsonl", record(0) + record(1) + record(2) + "torn");
  open();
  EXPECT_EQ(rest().size(), 3u);
  EXPECT_THAT(error_, HasSubstr("its last line is torn, and 000000000003.jsonl follows"));
}

TEST_F(JournalReaderTest, IsAnErrorWhereThereIsNoJournal) {
  EXPECT_THAT(JournalReader::open(folder_.path()).error().what, HasSubstr("there is no journal"));
  EXPECT_FALSE(JournalReader::open(folder_ / "none"));
}

TEST(Record, HasWhatWasWritten) {
  std::string line = record(42);
  line.pop_back();
  auto read = Record::parse(line);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->n, 42u);
  EXPECT_EQ(read->mono, 5);
  EXPECT_EQ(read->wall, 1'700'000'000'123'456);
  EXPECT_EQ(read->boot, "boot");
  EXPECT_EQ(read->ev, "test");
  EXPECT_EQ(*read->text("text"), "a\"\\\n\xc3\xa9");
  EXPECT_EQ(read->number("i"), -7);
  EXPECT_EQ(read->text("i"), nullptr);
  EXPECT_EQ(read->number("text"), std::nullopt);
  EXPECT_EQ(read->fields.size(), 7u);
}

TEST(Record, ReadsEveryTextThatCanBeWritten) {
  for (std::string text :
       {std::string(5000, 'a'), std::string(5000, '\xff'), std::string(4095, 'a') + "\xc3\xa9",
        std::string("\0\x1f\x7f", 3), std::string("\xf0\x9f\x98\x80\xed\xa0\x80"), std::string(4096, 'x'),
        std::string(4097, 'x'), std::string()}) {
    std::string line = journal_line(Entry("e").with("text", text), {0, 1}, 1, "b");
    line.pop_back();
    auto read = Record::parse(line);
    EXPECT_TRUE(read) << read.error().what << line.substr(0, 100);
  }
}

TEST(Record, TakesOnlyTheOneForm) {
  const std::string good =
      R"({"a":"x","boot":"b","ev":"e","mono":1,"n":2,"t":"2026-11-22T16:03:11.123456Z"})";
  ASSERT_TRUE(Record::parse(good)) << Record::parse(good).error().what;
  auto with = [&](std::string_view from, std::string_view to) {
    std::string other = good;
    return other.replace(other.find(from), from.size(), to);
  };
  for (const std::string& wrong : {with("\"x\"", "\"\\u0041\""),
                                   with("\"x\"", "\"\\n\""),
                                   with("\"x\"", "\"\\/\""),
                                   with("\"x\"", "\"\x7f\""),
                                   with("\"x\"", "\"\xc3\xa9\""),
                                   with("\"x\"", "\"\\u00E9\""),
                                   with("\"x\"", "\"\\ud800\""),
                                   with("\"x\"", "01"),
                                   with("\"x\"", "-0"),
                                   with("\"x\"", "1.0"),
                                   with("\"x\"", "true"),
                                   with("\"x\"", "[]"),
                                   with("\"x\"", "9223372036854775808"),
                                   with("\"x\"", "\"" + std::string(4097, 'x') + "\""),
                                   with("\"a\"", "\"A\""),
                                   with("\"a\"", "\"z\""),
                                   with("\"a\":", "\"a\": "),
                                   with("\"a\"", "\"boot\""),
                                   with("\"n\":2", "\"n\":-2"),
                                   with("\"n\":2", "\"n\":\"2\""),
                                   with("\"mono\":1,", ""),
                                   with("123456Z", "12345Z"),
                                   with("16:03", "24:03"),
                                   with("123456Z", "123456+00:00"),
                                   good + " ",
                                   good + "\n",
                                   " " + good,
                                   std::string("{}")})
    EXPECT_FALSE(Record::parse(wrong)) << wrong.substr(0, 100);
}

TEST(Record, IsNeverReadFromHalfALineNorTwoWaysFromOne) {
  std::string line = record(42);
  line.pop_back();
  for (std::size_t size = 0; size < line.size(); ++size) EXPECT_FALSE(Record::parse(line.substr(0, size)));
  for (std::size_t at = 0; at < line.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string other = line;
      other[at] = static_cast<char>(other[at] ^ 1 << bit);
      auto read = Record::parse(other);
      EXPECT_TRUE(!read || canonical_json(read->fields) == other) << other;
    }
  }
}

}  // namespace
}  // namespace oob::auth

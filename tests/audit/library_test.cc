#include "audit/library.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/support.h"

namespace oob::audit {
namespace {

using base::Fault;
using test::TempDir;
using test::write_file;

CastHeader header(const std::string& id, base::Micros started = 1'795'363'391'000'000) {
  CastHeader header;
  header.id = id;
  header.user = "alice";
  header.device = "edge1";
  header.command = "attach";
  header.started = started;
  return header;
}

// A recording of an invalid byte, an own word and some text.
std::string recording(const CastHeader& header) {
  std::string text = header.line();
  CastEncoder encoder;
  encoder.own(text, 1'000, "[oobd: hello]\r\n");
  encoder.device(text, 2'000'000, "log\xffin: ");
  encoder.resized(text, 2'500'000, 100, 30);
  encoder.event(text, 3'000'000, R"({"ev":"detach"})");
  return text;
}

void put(const TempDir& folder, const std::string& id, const std::string& text) {
  std::string path = folder / recording_path(id);
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  write_file(path, text);
}

TEST(RecordingId, IsADateANumberAndLettersAndNothingElse) {
  for (const char* id : {"20261122-160311-1", "20261122-160311-18446744073709551615", "20261122-160311-7bc"})
    EXPECT_TRUE(is_recording_id(id)) << id;
  for (const char* id :
       {"", "20261122-160311-", "20261122-160311", "20261122-160311-b", "20261122-160311-7b1",
        "20261122-160311-7/", "../../../etc-passwd-1", "20261122x160311-1", "2026112-1603111-1",
        "20261122-160311-7B", "20261122-160311-1.cast"})
    EXPECT_FALSE(is_recording_id(id)) << id;
}

TEST(Library, ListsInTheOrderOfTimeNumberAndLetters) {
  TempDir folder;
  std::vector<std::string> ids = {"20251231-235959-900", "20260101-000000-9",   "20260101-000000-9b",
                                  "20260101-000000-9z",  "20260101-000000-9ba", "20260101-000000-10",
                                  "20260101-000001-1",   "20260201-000000-1"};
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) put(folder, *id, recording(header(*id)));
  base::Result<std::vector<Recording>> list = list_recordings(folder.path(), 0);
  ASSERT_TRUE(list);
  std::vector<std::string> found;
  for (const Recording& one : *list) found.push_back(one.header.id);
  EXPECT_EQ(found, ids);
}

TEST(Library, TellsWhatARecordingIsFromItsFileAlone) {
  TempDir folder;
  std::string id = "20261122-160311-17", text = recording(header(id));
  put(folder, id, text);
  std::filesystem::create_directories(folder / "open");
  std::filesystem::create_directories(folder / "holds");
  Recording one = *find_recording(folder.path(), id);
  EXPECT_EQ(one.path, "2026/11/22/20261122-160311-17.cast");
  EXPECT_EQ(one.bytes, text.size());
  EXPECT_EQ(one.length, 3'000'000);
  EXPECT_FALSE(one.live);
  EXPECT_FALSE(one.held);
  write_file(folder / ("open/" + id), "");
  write_file(folder / ("holds/" + id), "");
  one = *find_recording(folder.path(), id);
  EXPECT_TRUE(one.live);
  EXPECT_TRUE(one.held);
  // Cut in its last line, it is as long as its last whole one.
  put(folder, id, text.substr(0, text.size() - 5));
  EXPECT_EQ(find_recording(folder.path(), id)->length, 2'500'000);
  put(folder, id, header(id).line());
  EXPECT_EQ(find_recording(folder.path(), id)->length, 0);
}

TEST(Library, KnowsTheLengthBehindTheLongestLine) {
  TempDir folder;
  std::string id = "20261122-160311-17", text = recording(header(id));
  CastEncoder encoder;
  encoder.device(text, 9'000'000, std::string(16 * 1024, '\x01'));
  put(folder, id, text + "[9.5");
  EXPECT_EQ(find_recording(folder.path(), id)->length, 9'000'000);
}

TEST(Library, PassesOverWhatItCantReadAndCountsIt) {
  TempDir folder;
  std::string good = "20261122-160311-17";
  put(folder, good, recording(header(good)));
  put(folder, "20261122-160312-18", "");
  put(folder, "20261122-160313-19", "no header\n");
  put(folder, "20261122-160314-20", recording(header("20261122-160311-17")));  // another's
  put(folder, "20261122-160315-21", std::string(300'000, 'x'));
  std::filesystem::create_directories(folder / "2026/11/22/20261122-160316-22.cast");
  std::filesystem::create_symlink(folder / recording_path(good),
                                  folder / recording_path("20261122-160317-23"));
  write_file(folder / "2026/11/22/notes.txt", "no recording");
  write_file(folder / "2026/11/22/20261123-160317-24.cast", "of another day");
  std::size_t damaged = 99;
  base::Result<std::vector<Recording>> list = list_recordings(folder.path(), 0, &damaged);
  ASSERT_TRUE(list);
  EXPECT_EQ(list->size(), 1u);
  EXPECT_EQ(damaged, 6u);
}

TEST(Library, ListsThoseSinceATime) {
  TempDir folder;
  base::Micros noon = 1'795'348'800'000'000;  // 2026-11-22T12:00:00Z
  put(folder, "20261121-235959-1", recording(header("20261121-235959-1", noon - 43'201'000'000)));
  put(folder, "20261122-115959-2", recording(header("20261122-115959-2", noon - 1)));
  put(folder, "20261122-120000-3", recording(header("20261122-120000-3", noon)));
  put(folder, "20261123-000000-4", recording(header("20261123-000000-4", noon + 43'200'000'000)));
  base::Result<std::vector<Recording>> list = list_recordings(folder.path(), noon);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ(list->front().header.id, "20261122-120000-3");
}

TEST(Library, IsEmptyBeforeTheFirst) {
  TempDir folder;
  base::Result<std::vector<Recording>> list = list_recordings(folder / "recordings", 0);
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->empty());
  EXPECT_EQ(find_recording(folder / "recordings", "2026").error().what, "no such recording: 2026");
}

TEST(Library, FindsByTheBeginningOfAnId) {
  TempDir folder;
  for (const char* id : {"20261122-160311-1", "20261122-160311-17", "20261122-170000-2"})
    put(folder, id, recording(header(id)));
  EXPECT_EQ(find_recording(folder.path(), "20261122-17")->header.id, "20261122-170000-2");
  EXPECT_EQ(find_recording(folder.path(), "20261122-160311-1")->header.id, "20261122-160311-1");
  base::Result<Recording> many = find_recording(folder.path(), "20261122-16");
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().fault, Fault::usage);
  EXPECT_EQ(many.error().what,
            "more than one recording begins with 20261122-16: 20261122-160311-1, 20261122-160311-17");
  for (const char* id : {"", "20261122-18", "../x", "20261122-160311-1/../../x"})
    EXPECT_EQ(find_recording(folder.path(), id).error().fault, Fault::missing) << id;
}

TEST(CastReader, GivesTheExactBytesAndWhoseWordsTheyAre) {
  TempDir folder;
  std::string id = "20261122-160311-17", path = folder / "one.cast", text = recording(header(id));
  write_file(path, text);
  std::unique_ptr<CastReader> reader = *CastReader::open(path);
  EXPECT_EQ(reader->header().id, id);
  CastReader::Item item;
  ASSERT_TRUE(*reader->next(item));
  EXPECT_TRUE(item.own);
  EXPECT_EQ(item.raw, "[oobd: hello]\r\n");
  ASSERT_TRUE(*reader->next(item));
  EXPECT_FALSE(item.own);
  EXPECT_EQ(item.raw, "log\xffin: ");
  EXPECT_EQ(item.event.text, "log\xef\xbf\xbdin: ");
  EXPECT_EQ(text.substr(item.at, 17), "[2.000000, \"o\", \"");
  ASSERT_TRUE(*reader->next(item));
  EXPECT_EQ(item.event.code, 'r');
  EXPECT_EQ(item.event.text, "100x30");
  EXPECT_EQ(item.raw, "");
  ASSERT_TRUE(*reader->next(item));
  EXPECT_EQ(item.event.text, R"({"ev":"detach"})");
  EXPECT_FALSE(*reader->next(item));
}

TEST(CastReader, FollowsOneThatGrowsByteByByte) {
  TempDir folder;
  std::string path = folder / "one.cast", text = recording(header("20261122-160311-17")), all;
  std::size_t head = text.find('\n') + 1;
  write_file(path, text.substr(0, head));
  std::unique_ptr<CastReader> reader = *CastReader::open(path);
  for (std::size_t size = head + 1; size <= text.size(); ++size) {
    write_file(path, text.substr(0, size));
    CastReader::Item item;
    base::Result<bool> there = reader->next(item);
    ASSERT_TRUE(there) << there.error().what;
    if (*there) all += item.raw + "|";
  }
  EXPECT_EQ(all, "[oobd: hello]\r\n|log\xffin: |||");
}

TEST(CastReader, EndsWhereTheFileIsCut) {
  TempDir folder;
  std::string path = folder / "one.cast", text = recording(header("20261122-160311-17"));
  std::size_t head = text.find('\n') + 1;
  for (std::size_t size = 0; size < text.size(); ++size) {
    write_file(path, text.substr(0, size));
    base::Result<std::unique_ptr<CastReader>> reader = CastReader::open(path);
    ASSERT_EQ(reader.has_value(), size >= head) << size;
    if (!reader) continue;
    CastReader::Item item;
    base::Result<bool> there = (*reader)->next(item);
    for (; there && *there; there = (*reader)->next(item)) EXPECT_LT(item.at, size);
    EXPECT_TRUE(there) << size;
  }
}

TEST(CastReader, GoesOnBehindALineThatIsBroken) {
  TempDir folder;
  std::string path = folder / "one.cast", text = recording(header("20261122-160311-17"));
  std::size_t head = text.find('\n') + 1;
  write_file(
      path, text.substr(0, head) + "[1.0, nonsense\n" + std::string(400'000, 'x') + "\n" + text.substr(head));
  std::unique_ptr<CastReader> reader = *CastReader::open(path);
  CastReader::Item item;
  int errors = 0, items = 0;
  for (base::Result<bool> there = reader->next(item); !there || *there; there = reader->next(item)) {
    if (there) {
      ++items;
    } else if (errors++ == 0) {
      EXPECT_EQ(there.error().what,
                base::str(path, ": at byte ", head, ": no event of a recording: [1.0, nonsense"));
    }
    ASSERT_LT(errors, 10);
  }
  EXPECT_EQ(items, 4);
  EXPECT_GE(errors, 2);
}

TEST(CastReader, SurvivesEveryFlip) {
  TempDir folder;
  std::string path = folder / "one.cast", text = recording(header("20261122-160311-17"));
  for (std::size_t at = text.find('\n') - 3; at < text.size(); ++at) {
    std::string flipped = text;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
    write_file(path, flipped);
    base::Result<std::unique_ptr<CastReader>> reader = CastReader::open(path);
    if (!reader) continue;
    CastReader::Item item;
    int calls = 0;
    for (base::Result<bool> there = (*reader)->next(item); !there || *there; there = (*reader)->next(item))
      ASSERT_LT(++calls, 20);
  }
}

}  // namespace
}  // namespace oob::audit

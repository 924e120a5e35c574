#include "console/sftp_packet.h"

#include <gtest/gtest.h>

#include "base/wire.h"
#include "tests/support/support.h"

namespace oob::console {
namespace {

using base::wire::Reader;

std::string framed(SftpKind kind, std::uint32_t id, const std::string& rest) {
  std::string packet = base::wire::Writer().u8(static_cast<std::uint8_t>(kind)).u32(id).take() + rest;
  return base::wire::Writer().text(packet).take();
}

// All packets of a stream that comes in pieces of so many bytes; "!" at its break.
std::vector<std::string> packets_of(std::string_view stream, std::size_t piece) {
  SftpPackets packets;
  std::vector<std::string> all;
  while (!stream.empty()) {
    base::Result<std::size_t> taken = packets.feed(stream.substr(0, piece));
    if (!taken) {
      all.push_back("!");
      break;
    }
    stream.remove_prefix(*taken);
    if (packets.whole()) all.push_back(packets.take());
  }
  return all;
}

}  // namespace

TEST(SftpPackets, AreTheSameHoweverTheyCome) {
  std::string stream = framed(SftpKind::stat, 1, base::wire::Writer().text("/a").take()) +
                       framed(SftpKind::write, 2, std::string(70000, 'x')) +
                       framed(SftpKind::close, 3, base::wire::Writer().text("1234").take());
  std::vector<std::string> whole = packets_of(stream, stream.size());
  ASSERT_EQ(whole.size(), 3u);
  for (std::size_t piece : {1, 2, 3, 4, 5, 7, 1000}) EXPECT_EQ(packets_of(stream, piece), whole) << piece;
  for (std::size_t cut = 0; cut < 20; ++cut)
    EXPECT_EQ(packets_of(std::string_view(stream).substr(0, cut), 3).size(), cut < 15 ? 0u : 1u) << cut;
}

TEST(SftpPackets, HaveALengthThatIsBounded) {
  EXPECT_EQ(packets_of(base::wire::Writer().u32(0).take(), 4), std::vector<std::string>{"!"});
  EXPECT_EQ(packets_of(base::wire::Writer().u32(kMostSftpPacket + 1).take(), 1),
            std::vector<std::string>{"!"});
  EXPECT_EQ(packets_of(base::wire::Writer().u32(0xffffffff).take(), 4), std::vector<std::string>{"!"});
  std::string largest(kMostSftpPacket, 'x');
  EXPECT_EQ(packets_of(base::wire::Writer().text(largest).take(), 1 << 20),
            std::vector<std::string>{largest});
}

TEST(SftpRequest, IsTakenApart) {
  auto read = parse_sftp_request(
      base::wire::Writer().u8(5).u32(7).text(std::string("\0h", 2)).u64(1ull << 40).u32(9).take());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->kind, SftpKind::read);
  EXPECT_EQ(read->id, 7u);
  EXPECT_EQ(read->text, std::string("\0h", 2));
  EXPECT_EQ(read->offset, 1ull << 40);
  EXPECT_EQ(read->number, 9u);
  auto open = parse_sftp_request(base::wire::Writer().u8(3).u32(8).text("/x").u32(26).u32(0).take());
  ASSERT_TRUE(open && open->sound);
  EXPECT_EQ(open->number, 26u);
}

TEST(SftpRequest, IsUnsoundWhereverItIsCut) {
  std::string read = base::wire::Writer().u8(5).u32(7).text("hand").u64(1).u32(9).take();
  for (std::size_t size = 0; size < read.size(); ++size) {
    auto request = parse_sftp_request(read.substr(0, size));
    ASSERT_EQ(static_cast<bool>(request), size >= 5) << size;
    if (request) {
      EXPECT_FALSE(request->sound) << size;
    }
  }
  auto lies = parse_sftp_request(base::wire::Writer().u8(17).u32(1).u32(0xffffffff).take() + "short");
  ASSERT_TRUE(lies);
  EXPECT_FALSE(lies->sound);
}

TEST(SftpPath, IsResolvedByItsTextAndStaysBelowTheRoot) {
  auto text = [](std::string_view path) {
    auto parts = sftp_path(path);
    return parts ? sftp_path_text(*parts) : parts.error().what;
  };
  EXPECT_EQ(text(""), "/");
  EXPECT_EQ(text("."), "/");
  EXPECT_EQ(text("//a/./b//"), "/a/b");
  EXPECT_EQ(text("a/../../../etc/passwd"), "/etc/passwd");
  EXPECT_EQ(text("/.."), "/");
  EXPECT_EQ(text("/a/..."), "/a/...");
  EXPECT_EQ(text("\xff\n"), "/\xff\n");
  EXPECT_EQ(text(std::string("/a\0b", 4)), "no such file");
  EXPECT_EQ(text(std::string(5000, 'a')), "no such file");
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "/a";
  EXPECT_EQ(text(deep), "no such file");
}

TEST(SftpNames, ComeInAnswersOfBoundedSize) {
  std::vector<SftpEntry> entries;
  for (int i = 0; i < 250; ++i) entries.push_back({base::str("name", i), {.size = 5, .modified = 1'000'000}});
  std::size_t from = 0;
  std::vector<std::uint32_t> counts;
  while (from < entries.size()) {
    std::string packet = sftp_names(1, entries, from);
    Reader reader(packet);
    EXPECT_EQ(reader.u32(), packet.size() - 4);
    EXPECT_EQ(reader.u8(), 104);
    EXPECT_EQ(reader.u32(), 1u);
    counts.push_back(reader.u32());
  }
  EXPECT_EQ(counts, (std::vector<std::uint32_t>{100, 100, 50}));
  entries.assign(100, {std::string(20000, 'x'), {}});
  from = 0;
  EXPECT_LT(sftp_names(1, entries, from).size(), 130000u);
  EXPECT_EQ(from, 2u);
}

TEST(SftpNames, AreAsLsShowsThem) {
  std::vector<SftpEntry> entries = {{"a\nb", {.size = 1234, .modified = 1'795'363'200'000'000}},
                                    {"d", {.folder = true}}};
  std::size_t from = 0;
  std::string packet = sftp_names(1, entries, from);
  EXPECT_NE(packet.find("-r-------- 1 oobd oobd         1234 Nov 22 2026 a\\nb"), std::string::npos)
      << packet;
  EXPECT_NE(packet.find("dr-x------ 1 oobd oobd            0 Jan 01 1970 d"), std::string::npos);
}

}  // namespace oob::console

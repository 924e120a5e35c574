#include "base/wire.h"

#include <gtest/gtest.h>

#include <vector>

namespace oob::base::wire {
namespace {

struct Seen {
  Frame kind;
  std::string payload;
  bool operator==(const Seen&) const = default;
};

// All frames that come out when `stream` is fed in pieces of `step` bytes.
std::vector<Seen> taken_apart(const std::string& stream, std::size_t step, std::string* error = nullptr) {
  Frames frames;
  std::vector<Seen> seen;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    frames.feed(Bytes(stream).substr(at, step));
    while (true) {
      Frame kind{};
      Bytes payload;
      Result<bool> next = frames.next(kind, payload);
      if (!next) {
        if (error) *error = next.error().what;
        return seen;
      }
      if (!*next) break;
      seen.push_back({kind, std::string(payload)});
    }
    EXPECT_LE(frames.held(), kMostPayload + 5 + step);
  }
  return seen;
}

TEST(Frames, ComeOutTheSameWholeByteByByteAndInAnyPieces) {
  std::vector<Seen> sent = {{Frame::open, Open{}.encode()},
                            {Frame::data, "ls\r"},
                            {Frame::eof, ""},
                            {Frame::data, std::string(kMostPayload, 'x')},
                            {Frame::exit, Writer().u32(7).take()}};
  std::string stream;
  for (const Seen& one : sent) stream += frame(one.kind, one.payload);
  for (std::size_t step :
       {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{5}, std::size_t{4096}, stream.size()})
    EXPECT_TRUE(taken_apart(stream, step) == sent) << step;
}

TEST(Frames, GiveOnlyWholeFramesOfAStreamCutAnywhere) {
  std::string first = frame(Frame::data, "hello"), stream = first + frame(Frame::out, "world");
  for (std::size_t size = 0; size <= stream.size(); ++size) {
    std::size_t whole = size == stream.size() ? 2 : size >= first.size() ? 1 : 0;
    EXPECT_EQ(taken_apart(stream.substr(0, size), 1).size(), whole) << size;
  }
}

TEST(Frames, RefuseALengthOfZeroOrBeyondTheBound) {
  std::string error;
  EXPECT_TRUE(taken_apart(std::string(4, '\0'), 1, &error).empty());
  EXPECT_EQ(error, "frame of 0 bytes");
  EXPECT_TRUE(taken_apart(Writer().u32(kMostPayload + 2).take(), 1, &error).empty());
  EXPECT_EQ(error, "frame of 65538 bytes");
  EXPECT_TRUE(taken_apart("\xff\xff\xff\xff", 4, &error).empty());
  EXPECT_EQ(error, "frame of 4294967295 bytes");
}

TEST(Frames, StayAnErrorOnceTheStreamIsBroken) {
  Frames frames;
  frames.feed(frame(Frame::eof) + std::string(4, '\0') + frame(Frame::eof));
  Frame kind{};
  Bytes payload;
  EXPECT_TRUE(*frames.next(kind, payload));
  EXPECT_FALSE(frames.next(kind, payload));
  EXPECT_FALSE(frames.next(kind, payload));
}

TEST(Frames, CarryALongPayloadAsSeveral) {
  std::string text(2 * kMostPayload + 1, 'y'), stream, again;
  add_frames(stream, Frame::out, text);
  std::vector<Seen> seen = taken_apart(stream, 1000);
  ASSERT_EQ(seen.size(), 3u);
  for (const Seen& one : seen) again += one.payload;
  EXPECT_EQ(again, text);
  EXPECT_EQ(frame(Frame::eof), std::string("\0\0\0\1\3", 5));
}

template <class Message>
void expect_round_trip(const Message& message) {
  std::string bytes = message.encode();
  auto again = Message::decode(bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->encode(), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(Message::decode(bytes.substr(0, size))) << size;
  EXPECT_FALSE(Message::decode(bytes + '\0'));
}

TEST(Messages, ReadBackWhatWasWrittenAndRefuseAnythingCutOrLonger) {
  expect_round_trip(wire::Setup{{"key one", "key two"}, 1, 2, 3, 4, 5, 6, false, {"192.0.2.9"}});
  expect_round_trip(Listen{"192.0.2.1:2222"});
  expect_round_trip(Listen{"unix:/run/oobd/onion.sock", Listen::Way::onion});
  expect_round_trip(Listen{"unix:/var/lib/oobd/homes/fra.home", Listen::Way::home, "fra"});
  expect_round_trip(
      Ask{1ull << 63, 2, true, "alice", std::string("\0k", 2), "192.0.2.9:1", "192.0.2.1:22", "SSH-2.0-x"});
  expect_round_trip(wire::Ready{"seccomp", "curve25519-sha256"});
  expect_round_trip(wire::Code{7, 8, "123456"});
  expect_round_trip(wire::Forward{7, 8, "edge1.bmc", 443, "127.0.0.1:50122"});
  expect_round_trip(wire::Opened{7, 8, true});
  expect_round_trip(wire::Figures{1, 2, 3, 4, 5, 6, 7, 8, 9});
  expect_round_trip(Verdict{7, 8, true, true, true, "now"});
  expect_round_trip(Drop{9, "why"});
  expect_round_trip(OpenSession{10});
  expect_round_trip(Closed{11});
  expect_round_trip(Remark{Remark::Kind::refused, "peer", "text"});
  expect_round_trip(Open{true, true, true, "list", "xterm", 80, 24});
}

TEST(Messages, TakeOnlyOneForYes) {
  std::string verdict = Verdict{1, 2, true, false, false, ""}.encode();
  verdict[12] = 2;
  EXPECT_FALSE(Verdict::decode(verdict)->accept);
}

TEST(Messages, DoNotBelieveACountOfKeysThatAreNotThere) {
  EXPECT_FALSE(wire::Setup::decode(Writer().u32(0xffffffff).take()));
}

TEST(Reader, YieldsZeroesForGoodAfterReadingPastTheEnd) {
  std::string bytes = Writer().u32(10).u8(1).take();
  Reader reader(bytes);
  EXPECT_EQ(reader.text(), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_EQ(reader.u64(), 0u);
  EXPECT_FALSE(reader.ok() || reader.done());
}

TEST(Writer, IsBigEndian) {
  EXPECT_EQ(Writer().u8(1).u32(0x02030405).u64(0x060708090a0b0c0dull).text("x").take(),
            std::string("\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\0\0\0\1x", 18));
  EXPECT_EQ(packet(Control::ready, "p"), "\x20p");
}

}  // namespace
}  // namespace oob::base::wire

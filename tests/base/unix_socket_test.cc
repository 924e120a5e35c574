#include "base/unix_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>

#include "base/wire.h"
#include "tests/support/support.h"

namespace oob::base {
namespace {

int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < 256; ++fd) count += ::fcntl(fd, F_GETFD) >= 0;
  return count;
}

TEST(Packets, KeepTheirBoundsAndCarryADescriptor) {
  auto pair = socket_pair(SOCK_SEQPACKET);
  ASSERT_TRUE(pair);
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  Fd out(pipe_ends[0]), in(pipe_ends[1]);
  ASSERT_TRUE(send_packet(pair->first.get(), "one"));
  ASSERT_TRUE(send_packet(pair->first.get(), "two", in.get()));
  in.reset();
  auto one = receive_packet(pair->second.get()), two = receive_packet(pair->second.get());
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->bytes, "one");
  EXPECT_FALSE(one->fd);
  EXPECT_EQ(two->bytes, "two");
  ASSERT_TRUE(two->fd);
  EXPECT_TRUE(::fcntl(two->fd.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(::write(two->fd.get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(out.get(), &byte, 1), 1);
  EXPECT_EQ(receive_packet(pair->second.get()).error().fault, Fault::again);
  pair->first.reset();
  EXPECT_EQ(receive_packet(pair->second.get()).error().fault, Fault::end);
}

TEST(Packets, CloseEveryDescriptorBeyondTheFirst) {
  auto pair = socket_pair(SOCK_SEQPACKET);
  ASSERT_TRUE(pair);
  int before = open_descriptors();
  for (int count : {2, 4, 12}) {
    int fds[12];
    for (int& fd : fds) fd = STDERR_FILENO;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
    std::string text = "many";
    iovec part{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    std::size_t size = static_cast<std::size_t>(count) * sizeof(int);
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), fds, size);
    ASSERT_GT(::sendmsg(pair->first.get(), &message, 0), 0);
    auto packet = receive_packet(pair->second.get());
    ASSERT_TRUE(packet);
    EXPECT_EQ(open_descriptors(), before + 1) << count;
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Packets, HaveABound) {
  auto pair = socket_pair(SOCK_SEQPACKET);
  ASSERT_TRUE(pair);
  ASSERT_TRUE(send_packet(pair->first.get(), std::string(wire::kMostPayload, 'x')));
  ASSERT_TRUE(send_packet(pair->first.get(), std::string(wire::kMostPayload + 2, 'x'), STDERR_FILENO));
  int before = open_descriptors();
  EXPECT_EQ(receive_packet(pair->second.get())->bytes.size(), wire::kMostPayload);
  EXPECT_EQ(receive_packet(pair->second.get()).error().what, "receive packet: too long");
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Packets, SayAgainWhenThereIsNoRoomAndFailWithoutASignalWhenNobodyReads) {
  auto pair = socket_pair(SOCK_SEQPACKET);
  ASSERT_TRUE(pair);
  Result<> sent;
  for (int i = 0; i < 10000 && sent; ++i) sent = send_packet(pair->first.get(), std::string(1000, 'x'));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().fault, Fault::again);
  auto left = socket_pair(SOCK_SEQPACKET);
  ASSERT_TRUE(left);
  left->second.reset();
  EXPECT_EQ(send_packet(left->first.get(), "x").error().what, "send packet: Broken pipe");
}

TEST(Streams, MoveWhatTheyCan) {
  auto pair = socket_pair(SOCK_STREAM);
  ASSERT_TRUE(pair);
  char buffer[16];
  EXPECT_EQ(receive_some(pair->second.get(), buffer, sizeof buffer).error().fault, Fault::again);
  EXPECT_EQ(*send_some(pair->first.get(), "hello"), 5u);
  EXPECT_EQ(*receive_some(pair->second.get(), buffer, 3), 3u);
  std::string much(1 << 20, 'x');
  auto some = send_some(pair->first.get(), much);
  ASSERT_TRUE(some);
  EXPECT_LT(*some, much.size());
  EXPECT_EQ(send_some(pair->first.get(), much).error().fault, Fault::again);
  pair->first.reset();
  auto got = receive_some(pair->second.get(), buffer, sizeof buffer);
  while (got) got = receive_some(pair->second.get(), buffer, sizeof buffer);
  EXPECT_EQ(got.error().fault, Fault::end);
}

TEST(ListenUnix, ReplacesADeadSocketAndNothingElse) {
  test::TempDir folder;
  std::string path = folder / "ctl";
  auto first = listen_unix(path);
  ASSERT_TRUE(first);
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(listen_unix(path).error().what, path + ": another oobd is running on this state directory");
  auto client = connect_unix(path);
  ASSERT_TRUE(client);
  EXPECT_EQ(peer_of(client->get())->uid, ::getuid());
  EXPECT_EQ(peer_of(client->get())->pid, ::getpid());
  first->reset();
  EXPECT_EQ(connect_unix(path).error().what, path + ": Connection refused");
  EXPECT_TRUE(listen_unix(path));
  test::write_file(folder / "file", "text");
  EXPECT_EQ(listen_unix(folder / "file").error().what,
            (folder / "file") + ": in the way of the control socket");
  EXPECT_EQ(test::read_file(folder / "file"), "text");
  std::string longer = folder / std::string(200, 'x');
  EXPECT_EQ(connect_unix(longer).error().what, longer + ": longer than the 107 bytes of a socket path");
}

}  // namespace
}  // namespace oob::base

#include "oobd/listeners.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/bytes.h"

namespace oob {
namespace {

bool answers(std::uint16_t port) {
  base::Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  where.sin_port = htons(port);
  return ::connect(client.get(), reinterpret_cast<sockaddr*>(&where), sizeof where) == 0;
}

TEST(Listeners, TellThePortTheyGot) {
  base::Result<Listener> listener = listen_tcp("127.0.0.1:0");
  ASSERT_TRUE(listener) << listener.error().what;
  EXPECT_NE(listener->port, 0);
  EXPECT_EQ(listener->address, base::str("127.0.0.1:", listener->port));
  EXPECT_TRUE(answers(listener->port));
}

TEST(Listeners, StayAsTheyAreWhileTheyListen) {
  base::Result<Listener> listener = listen_tcp("127.0.0.1:0");
  ASSERT_TRUE(listener);
  base::Result<bool> again = listen_again(listener->fd.get(), listener->address);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_FALSE(*again);
  EXPECT_TRUE(answers(listener->port));
}

TEST(Listeners, ListenAgainWhereTheyWereShutDown) {
  base::Result<Listener> listener = listen_tcp("127.0.0.1:0");
  ASSERT_TRUE(listener);
  base::Fd copy(::fcntl(listener->fd.get(), F_DUPFD_CLOEXEC, 0));  // whoever had it may have kept it
  ASSERT_EQ(::shutdown(copy.get(), SHUT_RD), 0);
  ASSERT_FALSE(answers(listener->port));
  for (bool mended : {true, false}) {
    base::Result<bool> again = listen_again(listener->fd.get(), listener->address);
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(*again, mended);
  }
  EXPECT_TRUE(answers(listener->port));
  EXPECT_EQ(::fcntl(listener->fd.get(), F_GETFD), FD_CLOEXEC);
}

TEST(Listeners, SayWhenTheirAddressIsTakenByAnother) {
  base::Result<Listener> listener = listen_tcp("127.0.0.1:0");
  ASSERT_TRUE(listener);
  ASSERT_EQ(::shutdown(listener->fd.get(), SHUT_RD), 0);
  base::Result<Listener> other = listen_tcp(listener->address);
  ASSERT_TRUE(other) << other.error().what;
  base::Result<bool> again = listen_again(listener->fd.get(), listener->address);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().what, base::str("listen ", listener->address, ": Address already in use"));
  EXPECT_TRUE(answers(other->port));
}

}  // namespace
}  // namespace oob

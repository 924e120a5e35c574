#include "oobd/listeners.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/bytes.h"
#include "base/unix_socket.h"
#include "tests/support/support.h"

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

TEST(Listeners, AreTiedToAnInterface) {
  base::Result<Listener> listener = listen_tcp("127.0.0.1:0", "lo");
  ASSERT_TRUE(listener) << listener.error().what;
  EXPECT_EQ(listener->address, base::str("127.0.0.1:", listener->port, "%lo"));
  char tied[64] = "";
  socklen_t size = sizeof tied;
  ASSERT_EQ(::getsockopt(listener->fd.get(), SOL_SOCKET, SO_BINDTODEVICE, tied, &size), 0);
  EXPECT_STREQ(tied, "lo");
  EXPECT_TRUE(answers(listener->port));
  ASSERT_EQ(::shutdown(listener->fd.get(), SHUT_RD), 0);
  base::Result<bool> again = listen_again(listener->fd.get(), listener->address);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_TRUE(*again);
  size = sizeof tied;
  ASSERT_EQ(::getsockopt(listener->fd.get(), SOL_SOCKET, SO_BINDTODEVICE, tied, &size), 0);
  EXPECT_STREQ(tied, "lo");
  EXPECT_TRUE(answers(listener->port));
}

TEST(Listeners, SayThatTheirInterfaceIsNotThere) {
  base::Result<Listener> listener = listen_tcp("127.0.0.1:0", "oobd-none0");
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().what, "listen 127.0.0.1:0: interface oobd-none0: not there now");
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) < 0 ? 0 : status.st_mode & 07777;
}

TEST(Listeners, LetTheGroupInAtTheSocketForTorAndNobodyAtOurOwn) {
  test::TempDir dir;
  const std::string onion = dir / "onion.sock", home = dir / "home.sock";
  base::Result<Listener> for_tor = listen_at("unix:" + onion), ours = listen_unix(home, Listener::Way::home);
  ASSERT_TRUE(for_tor) << for_tor.error().what;
  ASSERT_TRUE(ours) << ours.error().what;
  EXPECT_EQ(for_tor->address, "unix:" + onion);
  EXPECT_EQ(for_tor->way, Listener::Way::onion);
  EXPECT_EQ(mode_of(onion), 0660u);
  EXPECT_EQ(mode_of(home), 0600u);
  EXPECT_TRUE(base::connect_unix(onion));
  remove_socket(*for_tor);
  EXPECT_FALSE(std::filesystem::exists(onion));
  EXPECT_TRUE(std::filesystem::exists(home));
}

TEST(Listeners, ReplaceASocketThatNobodyListensAtAndNothingElse) {
  test::TempDir dir;
  const std::string path = dir / "onion.sock";
  ASSERT_TRUE(listen_unix(path, Listener::Way::onion));  // gone, and its file left
  ASSERT_TRUE(std::filesystem::exists(path));
  base::Result<Listener> listener = listen_unix(path, Listener::Way::onion);
  ASSERT_TRUE(listener) << listener.error().what;
  base::Result<Listener> second = listen_unix(path, Listener::Way::onion);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().what, base::str("listen ", path, ": another process listens there"));
  test::write_file(dir / "file", "mine");
  base::Result<Listener> in_the_way = listen_unix(dir / "file", Listener::Way::onion);
  ASSERT_FALSE(in_the_way);
  EXPECT_EQ(in_the_way.error().what,
            base::str("listen ", dir / "file", ": something that is no socket is in the way"));
  base::Result<Listener> nowhere = listen_unix(dir / "no/onion.sock", Listener::Way::onion);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().what, base::str("listen ", dir / "no/onion.sock", ": No such file or directory"));
}

TEST(Listeners, ListenAgainAtASocketThatWasShutDown) {
  test::TempDir dir;
  base::Result<Listener> listener = listen_unix(dir / "onion.sock", Listener::Way::onion);
  ASSERT_TRUE(listener);
  for (bool shut : {false, true}) {
    if (shut) {
      ASSERT_EQ(::shutdown(listener->fd.get(), SHUT_RD), 0);
    }
    base::Result<bool> again = listen_again(listener->fd.get(), listener->address, listener->way);
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(*again, shut);
    base::Result<base::Fd> client = base::connect_unix(dir / "onion.sock");
    ASSERT_TRUE(client);
    base::Fd accepted(::accept(listener->fd.get(), nullptr, nullptr));
    EXPECT_TRUE(accepted);
  }
  EXPECT_EQ(mode_of(dir / "onion.sock"), 0660u);
}

}  // namespace
}  // namespace oob

#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "base/bytes.h"
#include "base/fd.h"

namespace oob::test {

// Waits until the kernel tells that an interface has a carrier, or none, in this thread's namespace. It takes
// its own time for that, and sends nothing before.
inline bool comes_to_carry(const std::string& name, bool carries = true) {
  base::Fd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  do {
    ifreq asked{};
    std::strncpy(asked.ifr_name, name.c_str(), IFNAMSIZ - 1);
    if (::ioctl(any.get(), SIOCGIFFLAGS, &asked) == 0 && ((asked.ifr_flags & IFF_RUNNING) != 0) == carries)
      return true;
    ::poll(nullptr, 0, 5);
  } while (std::chrono::steady_clock::now() < limit);
  return false;
}

// A board with two uplinks, oob0 (10.1.0.2) and lte0 (10.2.0.2), in a network namespace that this thread
// enters, and what is far outside in another: 10.9.9.9, 2001:db8:9::9, with a TCP port that is served. The
// default route goes by oob0, and one with a larger metric by lte0.
class TwoNamespaces {
 public:
  // What keeps it from being made; empty: it is there.
  static std::string missing() {
    if (::geteuid() != 0) return "needs root, for network namespaces";
    if (::access("/usr/sbin/ip", X_OK) < 0 && ::access("/sbin/ip", X_OK) < 0) return "there is no ip(8)";
    if (std::system("exec unshare -n true 2>/dev/null") != 0) return "no network namespace can be made here";
    return "";
  }

  TwoNamespaces() : home_(here()) {
    EXPECT_EQ(::unshare(CLONE_NEWNET), 0);
    far_ = here();
    run("ip link set lo up; ip addr add 10.9.9.9/32 dev lo; ip addr add 2001:db8:9::9/128 dev lo nodad");
    serve();
    EXPECT_EQ(::unshare(CLONE_NEWNET), 0);
    board_ = here();
    run("ip link set lo up");
    // Strict reverse path filtering would drop what comes by the uplink that is not the default route.
    for (const char* each : {"all", "default"})
      std::ofstream(base::str("/proc/sys/net/ipv4/conf/", each, "/rp_filter")) << 2;
    add("oob0", 1);
    add("lte0", 2);
  }
  ~TwoNamespaces() { EXPECT_EQ(::setns(home_.get(), CLONE_NEWNET), 0); }
  TwoNamespaces(const TwoNamespaces&) = delete;
  TwoNamespaces& operator=(const TwoNamespaces&) = delete;

  // A new pair of interfaces; the board's has the name and the addresses 10.N.0.2 and 2001:db8:N::2.
  void add(const std::string& name, int n) {
    std::string v6 = base::str("2001:db8:", n);
    run(base::str("ip link add ", name, " type veth peer name far", n));
    run(base::str("ip link set far", n, " netns /proc/", ::getpid(), "/fd/", far_.get()));
    outside(base::str("ip addr add 10.", n, ".0.1/24 dev far", n, "; ip addr add ", v6, "::1/64 dev far", n,
                      " nodad; ip link set far", n, " up"));
    run(base::str("ip addr add 10.", n, ".0.2/24 dev ", name, "; ip addr add ", v6, "::2/64 dev ", name,
                  " nodad; ip link set ", name, " up"));
    run(base::str("ip route add default via 10.", n, ".0.1 dev ", name, " metric ", n,
                  "00; ip -6 route add default via ", v6, "::1 dev ", name, " metric ", n, "00"));
    EXPECT_TRUE(comes_to_carry(name));
    EXPECT_EQ(::setns(far_.get(), CLONE_NEWNET), 0);
    EXPECT_TRUE(comes_to_carry(base::str("far", n)));
    EXPECT_EQ(::setns(board_.get(), CLONE_NEWNET), 0);
  }
  // From now on nothing comes back by uplink N, whose interface stays up; or it does again.
  void swallow(int n) {
    outside(base::str("ip route add blackhole 10.", n, ".0.2/32; ip -6 route add blackhole 2001:db8:", n,
                      "::2/128"));
  }
  void answer(int n) {
    outside(base::str("ip route del blackhole 10.", n, ".0.2/32; ip -6 route del blackhole 2001:db8:", n,
                      "::2/128"));
  }
  // On the board; all commands must be right.
  static void run(const std::string& commands) {
    EXPECT_EQ(std::system(base::str("set -e; PATH=$PATH:/usr/sbin:/sbin; ", commands).c_str()), 0)
        << commands;
  }
  void outside(const std::string& commands) {
    EXPECT_EQ(::setns(far_.get(), CLONE_NEWNET), 0);
    run(commands);
    EXPECT_EQ(::setns(board_.get(), CLONE_NEWNET), 0);
  }
  std::uint16_t port() const { return port_; }
  std::string tcp() const { return base::str("tcp:10.9.9.9:", port_); }
  std::string tcp6() const { return base::str("tcp:[2001:db8:9::9]:", port_); }

 private:
  static base::Fd here() {
    base::Fd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    EXPECT_TRUE(fd);
    return fd;
  }
  // The kernel answers for it: nothing is ever accepted.
  void serve() {
    listener_.reset(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::listen(listener_.get(), 4096), 0);  // at a port of the system's choice, for both families
    sockaddr_in6 bound{};
    socklen_t size = sizeof bound;
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&bound), &size), 0);
    port_ = ntohs(bound.sin6_port);
  }

  base::Fd home_, far_, board_, listener_;
  std::uint16_t port_ = 0;
};

}  // namespace oob::test

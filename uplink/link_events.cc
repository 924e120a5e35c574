#include "uplink/link_events.h"

#ifdef __linux__
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#endif

#include <utility>

namespace oob::uplink {

#ifdef __linux__

LinkEvents::LinkEvents(base::Loop& loop, std::function<void()> changed) : changed_(std::move(changed)) {
  socket_.reset(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (!socket_ || ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) return;
  watch_ = std::make_unique<base::Watch>(loop, socket_.get());
  watch_->readable([this] { heard(); });
}

void LinkEvents::heard() {
  char bytes[8192];
  constexpr unsigned kMostAtOnce = 100;
  for (unsigned i = 0; i < kMostAtOnce; ++i) {
    ssize_t got = ::recv(socket_.get(), bytes, sizeof bytes, MSG_TRUNC);
    // ENOBUFS: some are lost, which is one more reason to look.
    if (got < 0 && errno != ENOBUFS && errno != EINTR) break;
  }
  watch_->readable([this] { heard(); });
  changed_();
}

#else

LinkEvents::LinkEvents(base::Loop&, std::function<void()> changed) : changed_(std::move(changed)) {}

#endif

}  // namespace oob::uplink

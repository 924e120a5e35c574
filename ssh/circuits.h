#pragma once

#include <cstdint>
#include <functional>
#include <list>

#include "base/fd.h"
#include "base/loop.h"
#include "ssh/proxy_line.h"

namespace oob::ssh {

// Connections from tor that have yet to say by which circuit they come: each is read as far as its line and
// no further, so that what follows is for SSH. None of them counts as begun.
class Circuits {
 public:
  static constexpr std::size_t kMost = 64;  // at once: tor writes the line as soon as it is connected

  // `named`: the socket of one whose line has come, with nothing of it left to read. `refused`: one was
  // closed because it began otherwise, or with nothing for so long. Both outlive it. They run from the loop
  // or from take().
  Circuits(base::Loop& loop, base::milliseconds patience,
           std::function<void(base::Fd socket, std::uint32_t circuit)> named, std::function<void()> refused);
  Circuits(const Circuits&) = delete;
  Circuits& operator=(const Circuits&) = delete;

  // An accepted, non-blocking socket.
  void take(base::Fd socket);

 private:
  struct Entry {
    Entry(base::Loop& loop, base::Fd socket) : fd(std::move(socket)), watch(loop, fd.get()) {}
    base::Fd fd;
    base::Watch watch;
    ProxyLine line;
    base::Clock::time_point since = base::Clock::now();
  };
  using Entries = std::list<Entry>;  // the oldest first

  void read(Entries::iterator entry);
  void drop(Entries::iterator entry);
  void look();

  base::Loop& loop_;
  const base::milliseconds patience_;
  const std::function<void(base::Fd, std::uint32_t)> named_;
  const std::function<void()> refused_;
  Entries entries_;
  base::Timer timer_;
};

}  // namespace oob::ssh

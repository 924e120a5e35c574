#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/loop.h"

namespace oob::console {

// Moves the bytes of one forward between two stream sockets, both ways, until both have said their last: an
// end of one side's bytes is passed on and the other side may go on talking. Reads from one side only what
// the other takes. Bytes for somebody who is gone are dropped.
class Relay {
 public:
  static constexpr std::size_t kPiece = 64 * 1024;  // held for each side at the most, and moved in one go
  // A client that is gone waits no longer than this for the BMC to take any of what it has left behind.
  static constexpr std::chrono::seconds kLastWords{10};

  // Both sockets are non-blocking. `scratch` is working space shared by all, kPiece long. `over` is told once
  // why, by whoever ended first: "closed by the client"; it may destroy this.
  Relay(base::Loop& loop, base::Fd client, base::Fd bmc, std::string& scratch,
        std::function<void(const std::string& why)> over);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  void start() { serve(); }

  std::uint64_t bytes_in() const { return in_.moved; }    // the BMC took
  std::uint64_t bytes_out() const { return out_.moved; }  // the client took

 private:
  struct Side {
    Side(base::Loop& loop, base::Fd socket, std::string name);
    std::string name;
    base::Fd fd;
    base::Watch watch;  // after what it watches, so that it ends before it
  };
  struct Way {
    Way(Side& f, Side& t) : from(f), to(t) {}
    Side &from, &to;
    std::string held;      // read, and not taken yet
    std::size_t sent = 0;  // of what is held
    bool read_all = false;
    bool done = false;  // nothing more is to be written
    std::uint64_t moved = 0;
  };

  void serve();
  bool move(Way& way);
  bool take(Way& way);
  void put(Way& way, base::Bytes bytes);
  void look_after_client();
  void because(const std::string& why);
  void end();

  Side client_, bmc_;
  Way in_, out_;
  std::string& scratch_;
  std::function<void(const std::string&)> over_;
  std::string why_;
  base::Timer look_, again_;
  struct Gone {
    base::Clock::time_point since;  // when the BMC took something last
    std::uint64_t moved;
  };
  std::optional<Gone> gone_;  // the client is
};

}  // namespace oob::console

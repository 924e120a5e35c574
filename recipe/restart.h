#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "base/bytes.h"
#include "base/loop.h"

namespace oob::recipe {

// What a device has said since it was last known who reads our lines there, and whether that looks as if it
// restarts. Then a key may stop it in its boot loader, and a line of ours becomes a choice of a menu or the
// name of a user.
class RestartSigns {
 public:
  using Time = base::Clock::time_point;

  void hear(base::Bytes bytes, Time now);
  // It is known: what came before tells nothing.
  void clear();

  // What systems that go down, boot loaders and kernels that start say, or the end of it; empty: nothing of
  // that came.
  const std::string& sign() const { return sign_; }
  // Lines that came since `from`, but for what our own shell answers, whole or damaged, and what kernels and
  // shells say of themselves at any time.
  unsigned strange_lines(Time from) const;
  const std::string& last_strange() const { return last_strange_; }
  std::uint64_t bytes() const { return bytes_; }
  Time heard_at() const { return heard_at_; }  // of the last of them

 private:
  void end_line(Time now);
  void look();

  std::string line_;  // the beginning of the last one
  std::string sign_, last_strange_;
  std::deque<Time> strange_;
  std::uint64_t bytes_ = 0;
  Time heard_at_{};
};

}  // namespace oob::recipe

#pragma once

#include <functional>
#include <list>
#include <memory>

#include "base/loop.h"

namespace oob::ipmi {

// How many sessions are being opened at once: after a power cut all BMCs of a rack come back together, and
// neither they nor our uplink shall be flooded. First come, first served. Outlives its Passes.
class HandshakeGate {
 public:
  static constexpr std::size_t kAtOnce = 32;

  // A place in the queue, then the right to open a session while it lives.
  class Pass {
   public:
    ~Pass();
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;

   private:
    friend class HandshakeGate;
    Pass(HandshakeGate& gate, std::function<void()> go) : gate_(gate), go_(std::move(go)) {}
    HandshakeGate& gate_;
    std::function<void()> go_;
    bool inside_ = false;
  };

  explicit HandshakeGate(base::Loop& loop, std::size_t at_once = kAtOnce);
  ~HandshakeGate();
  HandshakeGate(const HandshakeGate&) = delete;
  HandshakeGate& operator=(const HandshakeGate&) = delete;

  // `go` runs once, from the loop, when it is this one's turn; dropped with the Pass.
  std::unique_ptr<Pass> enter(std::function<void()> go);

 private:
  void admit();
  base::Timer turn_;
  std::size_t at_once_, inside_ = 0;
  std::list<Pass*> queue_;
};

}  // namespace oob::ipmi

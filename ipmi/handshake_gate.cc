#include "ipmi/handshake_gate.h"

#include <algorithm>
#include <utility>

namespace oob::ipmi {

HandshakeGate::HandshakeGate(base::Loop& loop, std::size_t at_once) : turn_(loop), at_once_(at_once) {}

HandshakeGate::~HandshakeGate() = default;

std::unique_ptr<HandshakeGate::Pass> HandshakeGate::enter(std::function<void()> go) {
  std::unique_ptr<Pass> pass(new Pass(*this, std::move(go)));
  queue_.push_back(pass.get());
  if (!turn_.waiting()) turn_.after(base::milliseconds(0), [this] { admit(); });
  return pass;
}

HandshakeGate::Pass::~Pass() {
  if (!inside_) {
    gate_.queue_.remove(this);
    return;
  }
  --gate_.inside_;
  if (!gate_.queue_.empty() && !gate_.turn_.waiting())
    gate_.turn_.after(base::milliseconds(0), [gate = &gate_] { gate->admit(); });
}

void HandshakeGate::admit() {
  while (inside_ < at_once_ && !queue_.empty()) {
    Pass* pass = queue_.front();
    queue_.pop_front();
    pass->inside_ = true;
    ++inside_;
    std::function<void()> go = std::move(pass->go_);
    go();  // may give passes back, this one too
  }
}

}  // namespace oob::ipmi

#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "auth/policy.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"
#include "console/core.h"
#include "recipe/pull.h"

namespace oob::console {

// Brings the configuration of a device here, by its recipe; stores nothing. Owned by Snapshots; the real one
// is DialoguePuller.
class Puller {
 public:
  enum class Way {
    any,      // over the management network where the device has an address, else its console
    console,  // its console alone
    network,  // over the management network alone
  };
  struct Wish {
    Visitor visitor;
    auth::Grant grant;  // Action::snapshot on the device
    std::string device;
    Way way = Way::any;
    base::milliseconds wait{};   // for the keyboard
    base::milliseconds limit{};  // from login to the last byte
    recipe::ToldProgress told;
    std::function<void(const std::string&)> remark;
  };
  struct Brought {
    // Fault::busy: somebody types; Fault::unavailable: it does not answer; Fault::denied: it refused user or
    // password; Fault::missing: it asked for what is not configured; Fault::failed: not to be proved.
    base::Result<recipe::Pulled> pulled;
    std::string left_open;  // as in Dialogues::Ended
    std::string recording;  // its ID; empty: not recorded
    base::milliseconds took{};
  };
  using Done = std::function<void(Brought)>;

  virtual ~Puller() = default;
  // `done` is called once, from the loop. REQUIRES: with Way::network the device has Device::in_band.
  virtual std::uint64_t begin(Core& core, Wish wish, Done done) = 0;
  // It leaves the device, and `done` has this reason. Nothing when it has ended.
  virtual void interrupt(Core& core, std::uint64_t number, const base::Error& why) = 0;
};

// By Core::dialogues: a recorded visit of its own to the console, or a line over the management network.
class DialoguePuller : public Puller {
 public:
  DialoguePuller();
  ~DialoguePuller() override;
  std::uint64_t begin(Core& core, Wish wish, Done done) override;
  void interrupt(Core& core, std::uint64_t number, const base::Error& why) override;

 private:
  struct Pull;
  void visit(Core& core, Pull& pull, bool in_band);
  void end(Pull& pull, Brought brought);

  std::list<std::unique_ptr<Pull>> pulls_;
  std::uint64_t next_ = 1;
  base::Life life_;
};

}  // namespace oob::console

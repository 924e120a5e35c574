#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"
#include "console/core.h"
#include "console/history.h"
#include "console/puller.h"

namespace oob::console {

struct Device;

// Snapshots of configurations that were ordered and have not ended: each is in the journal before anything is
// typed, is pulled by a Puller, goes through the gates of the History, and its result is in the journal
// again. One of a device at a time. Whoever ordered it may leave; then interrupt() it. Owned by the Core.
class Snapshots {
 public:
  static constexpr std::size_t kMost = 64;  // ordered; Fault::busy beyond
  // From login to the last byte: 15 minutes are 10 MB at 115200 baud and 860 kB at 9600, packed as they come
  // 40 times the largest configuration that is usual; and nobody's keyboard is kept away for longer.
  static constexpr std::chrono::minutes kLimit{15};

  struct Order {
    Visitor visitor;
    std::string device;
    Puller::Way way = Puller::Way::any;
    base::milliseconds wait{};  // for the keyboard, or for another snapshot of the device
    bool accept = false;        // although a gate (its size) says no
    recipe::ToldProgress told = [](const recipe::Progress&) {};
    std::function<void(const std::string&)> remark = [](const std::string&) {};
  };
  struct Outcome {
    // Fault::unavailable: the device does not answer, or does not let us in; Fault::failed: what it has could
    // not be proved or not be stored; Fault::busy, usage, denied, missing, journal: nothing was typed.
    base::Result<History::Stored> stored = History::Stored{};
    // Of what was pulled, empty where nothing was.
    std::string grade, method;
    std::vector<History::File> files;
    unsigned retries = 0;
    std::uint64_t wire_bytes = 0;
    std::string recording, left_open;  // as in Puller::Brought
    base::milliseconds took{};
  };
  using Told = std::function<void(const Outcome&)>;
  // Since the start.
  struct Figures {
    std::uint64_t stored = 0, unchanged = 0, quarantined = 0, failed = 0;
  };

  explicit Snapshots(std::unique_ptr<Puller> puller = std::make_unique<DialoguePuller>());
  // What has not ended is noted so in the journal.
  ~Snapshots();
  Snapshots(const Snapshots&) = delete;
  Snapshots& operator=(const Snapshots&) = delete;

  // `told` is called once, from the loop. Asks the policy for Action::snapshot itself.
  std::uint64_t begin(Core& core, Order order, Told told);
  // Nobody wants it any more, or may: the device is left properly and nothing is stored, unless it is being
  // stored already.
  void interrupt(Core& core, std::uint64_t number, const base::Error& why);
  bool has(const std::string& device) const;
  std::size_t under_way() const { return pulls_.size(); }
  const Figures& figures() const { return figures_; }

 private:
  struct Pull;
  Pull* find(std::uint64_t number);
  base::Result<auth::Grant> allowed(Core& core, const Order& order) const;
  void write_down(Core& core, Pull& pull);
  void fetch(Core& core, Pull& pull);
  void brought(Core& core, Pull& pull, Puller::Brought what);
  void store(Core& core, Pull& pull, History::Snapshot snapshot);
  void finish(Core& core, Pull& pull);

  std::unique_ptr<Puller> puller_;
  std::list<std::unique_ptr<Pull>> pulls_;
  std::uint64_t next_ = 1;
  Figures figures_;
  base::Life life_;
};

// Whether there is a way to pull it at all: an Error of recipe_of(), with the cure; Fault::unavailable when
// nothing is kept here.
base::Result<> can_be_pulled(const Core& core, const Device& device);

}  // namespace oob::console

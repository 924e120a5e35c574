#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.h"
#include "base/result.h"
#include "base/task.h"
#include "console/core.h"
#include "console/line.h"
#include "recipe/visit.h"

namespace oob::console {

// How the device is handled. Fault::usage with the cure: it has no model; Fault::config: there is no recipe
// for it.
base::Result<std::shared_ptr<const recipe::Recipe>> recipe_of(const Core& core, const Device& device);

// Send/expect over a console: takes the keyboard, logs in by the device's recipe, does some work, and leaves
// as it found. Each is a recorded visit of its own that others can watch. It outlives the command that began
// it, so that a visitor who goes away leaves nobody logged in; it ends by itself. A person who takes the
// keyboard gets it at once, with the terminal put right (Talk::last_words). Owned by the Core.
class Dialogues {
 public:
  static constexpr std::size_t kMost = 64;               // under way; Fault::busy beyond
  static constexpr base::milliseconds kLeaving{30'000};  // for going back, after work or interruption

  using Work =
      std::function<base::Task<base::Result<>>(recipe::Visit&, recipe::Talk&, const recipe::Recipe&)>;
  struct Order {
    Visitor visitor;
    auth::Grant grant;  // Action::write or Action::snapshot on the device
    std::string device;
    std::string doing;           // "snapshot", "run": of the recording, and of the remark on the console
    base::milliseconds wait{};   // for the keyboard, when somebody types; 0: Fault::busy at once
    base::milliseconds limit{};  // from login to the end of the work
    bool force = false;          // takes the keyboard from whoever has it
    // The daemon's own, every minute the same: not recorded (the transcript has it), and what is said
    // meanwhile is looked through for alarms like what comes unasked.
    bool is_look = false;
    // In-band: talks over this line instead of the console; nobody else is on it, and it ends with the
    // dialogue.
    std::unique_ptr<Line> line{};
    bool line_is_shell = false;  // it is a /bin/sh without a terminal: the Visit has nothing to arrive at
    // Makes the conversation once the device is at a work state. What it captures outlives it (shared state).
    Work work;
    std::function<void(const std::string&)> remark = [](const std::string&) {
    };  // "waiting for bob, who types"
  };
  struct Ended {
    base::Result<> result;  // of the way in and the work
    std::string left_open;  // empty: it was left as found, proved
    std::string recording;  // its ID; empty: not recorded
    base::milliseconds took{};
    bool silent = false;  // nothing at all came to carriage returns (Visit::is_silent)
  };
  using Done = std::function<void(const Ended&)>;

  Dialogues();
  // What is under way is cut short, and its `done` never called.
  ~Dialogues();
  Dialogues(const Dialogues&) = delete;
  Dialogues& operator=(const Dialogues&) = delete;

  // `done` is called once, from the loop. The number is for interrupt(). A console that could not be left as
  // it was found is told to everybody on it, in `list`, and in the journal (console.open); by looks once.
  std::uint64_t begin(Core& core, Order order, Done done);
  // Whoever wanted it has gone, or may no longer: it leaves, and `done` has this reason. Nothing when it has
  // ended.
  void interrupt(std::uint64_t number, const base::Error& why);
  // For a stop: all of them leave, with this reason, and no other begins. `gone` is called when nobody is
  // left, perhaps at once.
  void leave_all(const base::Error& why, std::function<void()> gone);
  std::size_t under_way() const { return dialogues_.size(); }

 private:
  class Dialogue;
  std::list<std::unique_ptr<Dialogue>> dialogues_;
  std::uint64_t next_ = 1;
  std::optional<base::Error> stopping_;
  std::function<void()> gone_;
};

}  // namespace oob::console

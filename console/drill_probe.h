#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "auth/policy.h"
#include "base/life.h"
#include "base/loop.h"
#include "console/core.h"
#include "console/recall.h"
#include "console/watcher.h"
#include "recipe/screen.h"

namespace oob::console {

class Attachment;
class Writer;

// One thing that a drill has tried.
struct DrillCheck {
  enum class Outcome { passed, failed, skipped };
  std::string name;    // "edge1 console", "uplink lte"
  std::string device;  // empty: it is about the board
  Outcome outcome = Outcome::passed;
  std::string text;       // "login prompt after 0.2 s"; of a failure why, and the cure; printable
  base::Micros took = 0;  // 0: it was known already
};

// Whether a console answers: types a carriage return, at most kMostEnters, and nothing else, where the
// keyboard is free, the line has been quiet for a moment and an empty line does no harm, by what the console
// has said last, also before the daemon's start (Recall); and looks whether what comes back is a state that
// the device's recipe knows (anything but empty lines, where it has no model). The Core outlives it; its end
// gives the keyboard back.
class DrillProbe final : private Watcher {
 public:
  static constexpr unsigned kMostEnters = 2;
  // How long it waits. Together below 30 s.
  struct Patience {
    base::milliseconds quiet{2000};      // the line was silent for so long before anything is typed
    base::milliseconds silence{10'000};  // that is waited for
    base::milliseconds answer{5000};     // after each carriage return
    base::milliseconds settle{300};      // no more bytes come: the answer is whole
    base::milliseconds disk{5000};       // for what was said before the daemon's start
  };
  using Done = std::function<void(DrillCheck)>;

  // The Grant is one to type on the device (Attachment::claim()), which exists. `user` is shown to those who
  // are there. `done` is called once, from the loop.
  DrillProbe(Core& core, auth::Grant grant, std::string user, const Patience& patience, Done done);
  ~DrillProbe() override;
  DrillProbe(const DrillProbe&) = delete;
  DrillProbe& operator=(const DrillProbe&) = delete;

 private:
  using Time = base::Clock::time_point;
  void more() override;
  void told(const std::string&) override {}
  void displaced(const std::string& by) override;
  void gone(const std::string& why) override;

  void begin();
  std::string harm_of_an_enter(const recipe::Screen& screen) const;
  void wait_for_quiet();
  void type();
  void hear();
  void look();
  void unanswered();
  void finish(DrillCheck::Outcome outcome, std::string text);
  base::Micros waited() const;

  Core& core_;
  auth::Grant grant_;
  std::string user_;
  Patience patience_;
  Done done_;
  std::shared_ptr<const recipe::Recipe> recipe_;  // null: it has no model
  std::optional<recipe::Recognition> recognition_;
  recipe::Screen screen_;  // since the last carriage return
  Recall recall_;
  std::unique_ptr<Attachment> attachment_;
  std::unique_ptr<Writer> writer_;
  Time began_, heard_, typed_;
  bool answered_ = false, over_ = false;
  unsigned enters_ = 0;
  base::Timer quiet_, limit_, settle_;
  base::Life life_;
};

// "0.2 s"
std::string drill_seconds(base::Micros took);

}  // namespace oob::console

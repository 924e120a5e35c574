#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "auth/journal.h"
#include "base/disk.h"
#include "base/life.h"
#include "base/loop.h"
#include "notice/figures.h"
#include "notice/follower.h"
#include "notice/post.h"
#include "oobd/config.h"
#include "oobd/errands.h"

namespace oob {

// All [notify.NAME]: each follows the journal, and what it is to tell goes to its program or its address.
class Notices {
 public:
  struct Surroundings {
    base::Loop& loop;
    base::Blocking& blocking;
    auth::Journal& journal;
    std::string state, board;  // the state folder; the host's name
    Errands* errands;          // null: none was started
    // By which ways a post is tried, as the uplinks are now.
    std::function<notice::WaysTo()> ways = [] { return notice::WaysTo(); };
    // The interface that leads out now, for a program; empty: none is known to.
    std::function<std::string()> way_out = [] { return std::string(); };
  };
  static constexpr base::milliseconds kProgramLimit{30'000};

  // What `around` refers to outlives it.
  explicit Notices(Surroundings around);
  ~Notices();
  Notices(const Notices&) = delete;
  Notices& operator=(const Notices&) = delete;

  // Those that stay go on where they are; what a name that is gone had not told is told to nobody.
  void adopt(const std::map<std::string, NotifyConfig>& config);
  void way_out_changed();  // what failed is tried again at once
  // Has NAME told that this is a test, beside its rate and what else it is told: what became of that. `done`
  // comes once, later. The one before it must be done.
  void try_out(const std::string& name, std::function<void(notice::Outcome)> done);
  std::vector<notice::Figures> figures() const;  // by name

 private:
  void forget(const std::string& name);
  void end_program(const std::string& who);
  // `who`: of what is under way for one, a new one replaces that before it.
  void deliver(const std::string& name, const std::string& who, const notice::Notice& told,
               std::function<void(notice::Outcome)> done);

  Surroundings around_;
  std::map<std::string, NotifyConfig> config_;
  notice::Posts posts_;
  std::map<std::string, std::unique_ptr<notice::Follower>> followers_;
  std::map<std::string, std::shared_ptr<notice::Position>> forgotten_;  // whose file is being removed
  struct Running {
    std::uint64_t turn = 0, errand = 0;
  };
  std::map<std::string, Running> programs_;      // by whom they are for
  std::map<std::string, base::Micros> arrived_;  // by name: wall time of the last test that did
  std::uint64_t turns_ = 0;
  base::Life life_;
};

// Whether any of this needs `oobd errands`.
bool needs_errands(const Config& config);

}  // namespace oob

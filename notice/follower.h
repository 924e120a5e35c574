#pragma once

#include <functional>
#include <memory>
#include <string>

#include "auth/journal.h"
#include "base/disk.h"
#include "base/loop.h"
#include "notice/choice.h"
#include "notice/figures.h"
#include "notice/notice.h"
#include "notice/outcome.h"
#include "notice/position.h"

namespace oob::notice {

// One [notify.NAME]: follows the journal from where it was left, and has what its Choice takes delivered, one
// by one and in order, at least once. The journal's files are the spool: what can't be told waits there. What
// is urgent goes before what waits for its rate.
class Follower {
 public:
  struct Settings {
    Choice choice;
    std::uint32_t most = 30;  // notices an hour
    bool operator==(const Settings&) const = default;
  };
  struct Limits {
    base::milliseconds again_least{1000}, again_most{60'000};  // after a try that failed, and some more
    unsigned told_after = 3;      // tries that failed one after another: then the journal hears of it
    unsigned refused_after = 10;  // tries of one that is refused: then it is given up
    std::size_t most_waiting = 100, newest = 50;  // of more than so many only the newest are told one by one
    std::size_t most_bytes = 1 << 20;             // of those that wait in memory
    base::milliseconds position_every{60'000};    // where nothing was told
    base::milliseconds read_again{5000};          // after the journal's files could not be read
    base::milliseconds unread{300'000};           // then: what can't be read is passed over
  };
  // Delivers one notice; `done` is called once, later. None is begun before the one before it is done.
  using Deliver = std::function<void(const Notice& notice, std::function<void(Outcome)> done)>;

  // Everything given by reference outlives it. `board`: the host's name in notices. A follower without a
  // position file begins at the end of the journal as it is now. `before`: of forget() of the last one of
  // this name; null where its file has gone.
  Follower(base::Loop& loop, base::Blocking& blocking, auth::Journal& journal, const std::string& state,
           std::string name, std::string board, Deliver deliver, Limits limits,
           std::shared_ptr<Position> before = nullptr);
  ~Follower();  // writes the position down
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  void adopt(const Settings& settings);  // before anything else happens. What has failed or was
                                         // refused is tried again at once, and refusals are counted anew
  // The way out has changed: what has failed is tried again at once. What was refused had found its way.
  void hurry();
  // To be asked of one that is not configured any more, before it is destroyed: writes its place down no
  // more. What is returned is to be removed, off the loop: it may be written just now, by a disk that is
  // slow.
  [[nodiscard]] std::shared_ptr<Position> forget();
  Figures figures() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace oob::notice

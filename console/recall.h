#pragma once

#include <functional>
#include <string>

#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"
#include "console/core.h"
#include "console/scrollback.h"

namespace oob::console {

class Console;

// What a console has said last, for whoever shows it or is about to type there: what memory holds and, where
// that is little, before it what the transcript's files have, also of earlier runs of the daemon. What a
// device said while no daemon ran is in neither.
class Recall {
 public:
  // `most`: bytes that are wanted; where memory holds half of them, no file is read. `patience`: for the
  // disk. The Core outlives it.
  Recall(Core& core, std::size_t most, base::milliseconds patience);
  Recall(const Recall&) = delete;
  Recall& operator=(const Recall&) = delete;

  // Reads what there is before what memory holds. `done` is called once, from the loop or at once; not when
  // this has gone before, was dropped or has begun again. A disk that has kept somebody waiting for this
  // console longer than they would is not asked again until it answers.
  void begin(const Console& console, std::function<void()> done);
  void drop();

  // What was read. Empty: nothing, or it was not needed.
  const std::string& older() const { return older_; }
  // The last bytes, `most` or fewer, as of now, after `done`. Fault::unavailable: neither memory nor, because
  // it can't be read, the transcript tells how its last line begins. REQUIRES: the console of begin().
  base::Result<std::string> said(const Console& console) const;

 private:
  void came(const base::Result<std::string>& bytes);

  Core& core_;
  const std::size_t most_;
  const base::milliseconds patience_;
  std::string older_, trouble_;
  bool joins_ = false;     // it is known where in the files memory goes on
  Offset reaches_to_ = 0;  // what was read ends before this byte of the console
  std::function<void()> done_;
  base::Timer limit_;
  base::Life life_;
};

}  // namespace oob::console

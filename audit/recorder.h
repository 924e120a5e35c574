#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "audit/cast.h"
#include "auth/journal.h"
#include "base/disk.h"
#include "base/loop.h"
#include "base/result.h"

namespace oob::audit {

class Recorder;

// All recordings below STATE/recordings, and the marks that bind them to the journal. Lines are gathered and
// written by the disk thread in batches, and synced by a thread of their own; a disk that is slow or full
// never holds a session up: what it does not take is a gap, in the recording and in the journal.
class Recordings {
 public:
  static constexpr std::size_t kMostHeld = 4 << 20;       // bytes, of all recordings, not yet in a file
  static constexpr std::uint64_t kMarkBytes = 64 * 1024;  // of one recording, since its last mark
  static constexpr std::chrono::seconds kMarkAfter{60};
  static constexpr base::milliseconds kMarksWait{1000};  // for a sync, after the one before
  static constexpr base::milliseconds kFlushAfter{100};
  static constexpr std::size_t kFlushBytes = 64 * 1024;  // of one recording: handed over at once
  static constexpr base::milliseconds kSyncEvery{5000};
  static constexpr base::milliseconds kRetryAfter{1000};  // a write that failed, or a file that can't be made
  static constexpr std::size_t kMostCreating = 200;       // files at once that the disk has not made yet
  static constexpr std::chrono::seconds kLastTry{10};     // for what is left of one that has ended

  // First ends what a crash left open (audit/recovery.h); blocks, for start-up. Journal, Disk and Loop
  // outlive it and its Recorders.
  Recordings(base::Loop& loop, base::Disk& disk, auth::Journal& journal, std::string directory);
  // Closes all that are live; blocks until they are on the disk. No Recorder may be left.
  ~Recordings();
  Recordings(const Recordings&) = delete;
  Recordings& operator=(const Recordings&) = delete;

  // Begins one. The header's id and started are filled in. What comes from the console may be given to it at
  // once; `opened` tells, never from inside begin() and within Journal::kPatience, when `recording.open` is
  // on the disk, or why it can't be (Fault::journal). Then it is still recorded what can be: a file that
  // can't be made is tried again as long as the visit lasts.
  std::unique_ptr<Recorder> begin(CastHeader header, std::function<void(base::Result<>)> opened);

  const std::string& directory() const;
  std::string trouble() const;  // empty while all is well
  std::uint64_t lost() const;   // bytes, since the start
  std::size_t live() const;
  // While set (the disk is nearly full), output is not recorded: gaps, and all events.
  void pause(bool paused);

 private:
  friend class Recorder;
  struct State;
  std::shared_ptr<State> state_;
};

// One visit to one console. Plain calls on the loop, which never block or fail. Its end closes the recording.
class Recorder {
 public:
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // Empty until its file is there: which names are free only the disk knows.
  const std::string& id() const;
  void device(base::Bytes bytes);  // output of the device, as it sent it
  void own(base::Bytes bytes);     // what oobd itself showed
  void typed(base::Bytes bytes);   // see InputRecord (masking); only where typing is recorded
  void resized(unsigned columns, unsigned rows);
  // {"ev":EV} with more, as of auth::Entry: Recorder::event(auth::Entry("writer").with("how", "take")).
  void event(const auth::Entry& entry);
  void closing(int status);  // for the `close` event; 0 where nobody says

 private:
  friend class Recordings;
  struct State;
  explicit Recorder(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace oob::audit

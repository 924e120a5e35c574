#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/disk.h"
#include "base/loop.h"
#include "base/result.h"
#include "base/time.h"
#include "console/transcript_seal.h"

namespace oob::console {

class Transcript;

// All transcripts below DIR ("STATE/transcripts"). What was appended since the last hand-over goes to the
// disk thread as one batch; while a batch is under way the next one gathers, so that many consoles share few
// hand-overs.
class Archive {
 public:
  static constexpr std::size_t kMostHeld = 4 << 20;        // bytes, of all transcripts, not yet in a file
  static constexpr base::milliseconds kBehindAfter{1000};  // a longer batch: people no longer wait for it
  static constexpr base::milliseconds kFlushAfter{100};    // where nobody calls flush()
  static constexpr base::milliseconds kSyncEvery{5000};    // fdatasync, on a thread of its own
  static constexpr base::milliseconds kSealEvery{60'000};  // quiet transcripts are looked at
  static constexpr std::uint64_t kMostResumed = 4 << 20;
  static constexpr std::uint64_t kSegmentSize = 64 << 20;

  Archive(base::Loop& loop, base::Disk& disk, std::string directory,
          std::uint64_t segment_size = kSegmentSize);
  // Hands over what is left and has it synced by the disk thread; base::Disk's end waits for that.
  ~Archive();
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  // The transcript of a device, going on after what its files hold. Never blocks and never fails: files are
  // made and opened on the disk thread, and what can't be written becomes a gap that is told by trouble().
  // One at a time for each device; the Archive outlives it.
  std::unique_ptr<Transcript> open(const std::string& device);

  // Hands over all that was appended and marked. Cheap when there is nothing.
  void flush();

  // The bound is near: whoever reads lines should wait a little; append() beyond it leaves a gap.
  bool crowded() const;
  // The disk is slow: what is appended is shown to people before it is in the file. (A disk that fails at
  // once holds nobody up: what it did not take is a gap, and counts as written.)
  bool behind() const;
  // Empty while all is well, else why the last write failed ("transcripts/edge1/…: No space left on device").
  const std::string& trouble() const;
  // Bytes that were dropped or could not be written since the start, of all transcripts.
  std::uint64_t lost() const;
  // `what` runs on the loop whenever trouble() has changed. One only.
  void on_trouble(std::function<void()> what);
  // `what` runs with the name of each device whose transcript is opened from now on. One only.
  void on_open(std::function<void(const std::string& device)> what);
  // `what` runs on the loop for each range of a device's transcript that has been synced, so that the journal
  // can bind it. One only.
  void on_sealed(std::function<void(const std::string& device, const SealedRange&)> what);
  // Up to where transcripts were sealed by earlier runs: of those that open() finds longer the rest is sealed
  // too, up to kMostResumed bytes of it. REQUIRES: before the first open().
  void resume_seals(std::map<std::string, std::uint64_t> marked);
  // All that was appended so far is written, synced and sealed when this returns. Blocks: for a clean stop.
  void seal();

 private:
  friend class Transcript;
  struct State;
  std::shared_ptr<State> state_;
};

// What one console said: every byte as received, in segments with a time index (docs/formats.md). Owned by
// its Console; destroying it hands over what is left.
class Transcript {
 public:
  using Offset = std::uint64_t;  // bytes appended since this object was made

  ~Transcript();
  Transcript(const Transcript&) = delete;
  Transcript& operator=(const Transcript&) = delete;

  // Takes bytes; they are in the file after the next flush() is done. Beyond Archive::kMostHeld they are
  // dropped and the index gets a gap mark with their number.
  void append(base::Bytes bytes);

  // A mark at this place and time, in the index only: `kind` is one lower-case word ("up", "down", "attach",
  // "detach", "writer", "break", "note"), `text` is made printable.
  void mark(std::string_view kind, std::string_view text);

  Offset end() const;       // all that was appended
  Offset written() const;   // up to here it is in the file (page cache), or in a marked gap
  Offset showable() const;  // what people may see: written(), or end() while the Archive is behind()

  // Where in the transcript's files this object's offset 0 is, as long as nothing was lost since: what
  // earlier runs of the daemon wrote is before it. Empty until the first batch is written.
  std::optional<std::uint64_t> origin() const;

  // `what` runs on the loop whenever showable() has grown, never from inside append() or mark(). One only.
  void on_showable(std::function<void()> what);

 private:
  friend class Archive;
  struct State;
  explicit Transcript(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace oob::console

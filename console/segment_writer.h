#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/loop.h"
#include "base/result.h"
#include "base/time.h"
#include "console/transcript_seal.h"

namespace oob::console {

// A line of the index that waits to be written: `at` counts the bytes of the batch before it.
struct Mark {
  std::size_t at = 0;
  base::Micros time = 0;
  std::string kind, text;
};

// One segment's open files. Shared with the thread that syncs, which may still be at it when the next segment
// begins.
struct SegmentFiles {
  base::Fd log;
  std::mutex mutex;  // of `index`, which may be closed and opened again
  base::Fd index;    // empty until there is a line to write
  base::Fd folder;   // until the first sync, where the files are new: their names have to last as well
  std::string path;
  bool unsynced = false;  // is in the list of Unsynced, whose mutex it has
};

// The files that were written since they were last synced.
class Unsynced {
 public:
  void add(const std::shared_ptr<SegmentFiles>& files);
  // Brings them to the disk. Blocks, for seconds on a slow card.
  base::Result<> sync();

 private:
  std::mutex mutex_;  // the disk thread adds, the syncing thread takes
  std::vector<std::shared_ptr<SegmentFiles>> files_;
};

// Writes one transcript's segments and index (docs/formats.md, "Transcripts"). Lives on the disk thread:
// every call blocks as long as the disk does.
class SegmentWriter {
 public:
  SegmentWriter(std::string folder, std::uint64_t segment_size, std::shared_ptr<Unsynced> unsynced)
      : folder_(std::move(folder)), segment_size_(segment_size), unsynced_(std::move(unsynced)) {}
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  // Appends a batch that began to come at `began`: afterwards every byte of it is in a file, or will be part
  // of a gap that is marked when writing works again. An error says why; it is repeated, and nothing tried,
  // until a second has passed.
  base::Result<> write(base::Bytes bytes, const std::vector<Mark>& marks, base::Micros began);
  // How many bytes the last write() had to give up.
  std::uint64_t lost_now() const { return lost_now_; }
  // The absolute offset behind the last byte written.
  std::uint64_t end() const { return end_; }
  // Of what was written: hashes of ranges, for the journal.
  TranscriptSeal& seal() { return seal_; }
  // An earlier run sealed up to `marked`: what the first segment that is opened has behind that is sealed
  // too, the last `most` bytes of it.
  void resume_seal(std::uint64_t marked, std::uint64_t most) {
    marked_ = marked;
    most_resumed_ = most;
  }

 private:
  struct Waiting {
    std::uint64_t offset;
    base::Micros time;
    std::string kind, text;
  };

  base::Result<> ready();  // there is an open segment
  base::Result<> open_segment(std::uint64_t start, bool fresh);
  void seal_what_a_crash_left();
  base::Result<> write_piece(base::Bytes piece);  // within the open segment
  base::Result<> open_index();
  void write_index();  // what waits
  void cut_index(std::uint64_t size);
  void wait(Waiting line);
  void lose(std::size_t bytes, base::Micros when);
  base::Result<> failed(base::Error error);
  std::string path(const char* ending) const;

  std::string folder_;
  std::uint64_t segment_size_;
  std::shared_ptr<Unsynced> unsynced_;
  std::shared_ptr<SegmentFiles> files_;  // empty: nothing is open
  std::uint64_t start_ = 0;              // of the open segment
  std::uint64_t end_ = 0;                // of all that was written
  std::uint64_t index_size_ = 0;         // up to here the index is whole
  std::vector<Waiting> waiting_;         // index lines not yet written, bounded
  TranscriptSeal seal_;
  std::optional<std::uint64_t> marked_;  // until a segment was opened
  std::uint64_t most_resumed_ = 0;
  std::uint64_t lost_now_ = 0;
  std::uint64_t lost_ = 0;  // bytes not written and not yet marked
  base::Micros lost_since_ = 0;
  std::string trouble_, index_trouble_;  // why the last try failed
  base::Clock::time_point retry_at_{}, index_retry_at_{};
};

}  // namespace oob::console

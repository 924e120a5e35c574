#pragma once

#include <memory>
#include <string>
#include <vector>

#include "auth/journal_reader.h"
#include "base/result.h"
#include "notice/choice.h"
#include "notice/notice.h"
#include "notice/position.h"

namespace oob::notice {

// The records that a Choice takes, read from the journal's own files. Blocks, and belongs to one thread at a
// time.
class Reading {
 public:
  static constexpr std::size_t kPiece = 256 * 1024;    // bytes of notices; one more at the most
  static constexpr std::uint64_t kMostRecords = 8192;  // looked at for one piece

  struct Found {
    Notice notice;
    Place after;  // its record
  };
  struct Piece {
    std::vector<Found> found;
    Place next;        // where to go on
    std::string lost;  // why some will never be read; empty: all was there
  };

  Reading(std::string state, std::string board, Choice choice);

  // From there on. `current` is the origin of the journal as it is written now, of which records below `end`
  // may be read. Where `from` is of another life, what is left of that is passed over. An error: the files
  // can't be read. `beyond`: they have not been for long; where the next file can be, it goes on there.
  base::Result<Piece> read(Place from, const std::string& current, std::uint64_t end, bool beyond = false);

 private:
  base::Result<> open(Piece& piece);
  base::Result<Piece> pass_over(Piece piece, const base::Error& error, std::uint64_t end) const;

  const std::string directory_, board_;
  const Choice choice_;
  std::unique_ptr<auth::JournalReader> reader_;
  Place at_;  // what `reader_` gives next
};

}  // namespace oob::notice

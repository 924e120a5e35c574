#include "notice/reading.h"

#include "base/bytes.h"

namespace oob::notice {

using auth::JournalReader;
using auth::Record;
using base::Result;
using base::str;

Reading::Reading(std::string state, std::string board, Choice choice)
    : directory_(std::move(state) + "/journal"), board_(std::move(board)), choice_(std::move(choice)) {}

Result<> Reading::open(Piece& piece) {
  reader_.reset();
  Result<std::unique_ptr<JournalReader>> opened = JournalReader::open(directory_);
  if (!opened) return opened.error();
  if ((*opened)->first() > piece.next.n) {
    piece.lost =
        str("records ", piece.next.n, " to ", (*opened)->first(), " were removed before they were told");
    piece.next.n = (*opened)->first();
  }
  at_ = piece.next;
  if (Result<> sought = (*opened)->seek(at_.n); !sought) return sought;
  reader_ = std::move(*opened);
  return {};
}

Result<Reading::Piece> Reading::pass_over(Piece piece, const base::Error& error, std::uint64_t end) const {
  Result<std::uint64_t> next = JournalReader::readable_after(directory_, piece.next.n);
  if (!next || *next >= end) return error;
  piece.lost = str(piece.lost.empty() ? "" : piece.lost + "; ", "records ", piece.next.n, " to ", *next,
                   " can't be read, and are told to nobody: ", error.what);
  piece.next.n = *next;
  return piece;
}

Result<Reading::Piece> Reading::read(Place from, const std::string& current, std::uint64_t end, bool beyond) {
  Piece piece;
  piece.next = std::move(from);
  if (piece.next.origin != current) {
    piece.lost = str("the journal began anew; what ", piece.next.origin, " had from record ", piece.next.n,
                     " on is told to nobody");
    piece.next = {current, 0};
  }
  // A position beyond the end is one of another copy of this journal.
  piece.next.n = std::min(piece.next.n, end);
  if (piece.next.n == end) return piece;
  bool going_on = reader_ && at_ == piece.next;
  if (!going_on) {
    if (Result<> opened = open(piece); !opened) {
      if (beyond) return pass_over(std::move(piece), opened.error(), end);
      return opened.error();
    }
  }
  std::uint64_t most = std::min(end, piece.next.n + kMostRecords);
  std::size_t bytes = 0;
  std::string line;
  JournalReader::Place place;
  while (bytes < kPiece && at_.n < most) {
    Result<bool> got = reader_->next(line, place);
    if (!got || !*got) {
      reader_.reset();
      // Files have come or gone meanwhile: looked at anew, once.
      if (going_on && piece.next.n == at_.n && piece.found.empty())
        return read(piece.next, current, end, beyond);
      if (got || !piece.found.empty()) return piece;
      if (beyond) return pass_over(std::move(piece), got.error(), end);
      return got.error();
    }
    at_.n = piece.next.n = place.n + 1;
    // A line that is no record tells nobody anything: `verify` finds it.
    Result<Record> record = Record::parse(line);
    if (!record) continue;
    const std::string* device = record->text("device");
    if (!choice_.takes(record->ev, device ? std::string_view(*device) : std::string_view())) continue;
    piece.found.push_back({notice_of(*record, board_), piece.next});
    bytes += piece.found.back().notice.json.size();
  }
  reader_->forget_ahead();
  return piece;
}

}  // namespace oob::notice

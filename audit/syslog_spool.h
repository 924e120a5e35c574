#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/journal_reader.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::audit {

// A place in the journal: before record `n` of the life with this origin.
struct SyslogPlace {
  std::string origin;
  std::uint64_t n = 0;
  bool operator==(const SyslogPlace&) const = default;
};

// STATE/syslog/position (docs/formats.md, "Syslog export"). Nothing where there is no file. Blocks.
base::Result<std::optional<SyslogPlace>> read_position(const std::string& state);
base::Result<> write_position(const std::string& state, const SyslogPlace& place);

// What the collector has not got yet, read from the journal's own files: those of STATE/journal, and of the
// lives before it that were set aside (STATE/journal.lost-N). Blocks, and belongs to one thread at a time.
class SyslogSpool {
 public:
  static constexpr std::size_t kPiece = 64 * 1024;  // bytes of frames; one record more at the most

  struct Message {
    SyslogPlace after;      // its record
    std::size_t end = 0;    // its last byte in `frames`
    base::Micros wall = 0;  // of its record; 0: it is none
  };
  struct Piece {
    std::string frames;  // as they go on the connection
    std::vector<Message> messages;
    SyslogPlace next;  // where to go on; may lie in another life, with no message
    // What is in no file any more, before the first message.
    struct Lost {
      std::string origin;
      std::uint64_t from = 0, to = 0;
      std::string why;
    };
    std::optional<Lost> lost;
  };

  SyslogSpool(std::string state, std::string hostname);

  // From there on. `current` is the origin of the journal as it is written now, of which records below `end`
  // may be read. Without a message and with `next` as `from`: all is read. An error: the files can't be read.
  // `beyond`: they have not been for long; where the next file can be, it goes on there. So it does at once
  // where it has before.
  base::Result<Piece> read(SyslogPlace from, const std::string& current, std::uint64_t end,
                           bool beyond = false);

 private:
  struct Life {
    std::uint64_t number = 0;
    std::string directory, origin;
  };
  std::vector<Life> lives() const;
  base::Result<> open(const std::string& directory, const SyslogPlace& from, Piece& piece);
  void add(Piece& piece, const std::string& line, std::uint64_t n) const;
  base::Result<bool> fill(Piece& piece, std::uint64_t end);
  base::Result<Piece> unread(Piece piece, const base::Error& error, std::uint64_t end, bool beyond);
  SyslogPlace life_after(const std::string& origin, const std::string& current) const;

  const std::string state_, hostname_;
  std::unique_ptr<auth::JournalReader> reader_;
  SyslogPlace at_;                     // what `reader_` gives next
  std::optional<Piece::Lost> passed_;  // the last that could not be read: nobody waits for it twice
};

}  // namespace oob::audit

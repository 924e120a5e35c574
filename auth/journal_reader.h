#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"

namespace oob::auth {

// Reads the records of one life of a journal from its files alone (docs/formats.md, "Journal"), in order,
// beside the daemon that writes them or without it. Blocks.
class JournalReader {
 public:
  struct Place {
    std::string file;        // "000000000000.jsonl"
    std::uint64_t line = 0;  // from 1
    std::uint64_t n = 0;     // what the record's number has to be, by its place
  };

  // `directory` is STATE/journal. An empty or missing folder is an error.
  static base::Result<std::unique_ptr<JournalReader>> open(const std::string& directory);
  ~JournalReader();
  JournalReader(const JournalReader&) = delete;
  JournalReader& operator=(const JournalReader&) = delete;

  std::uint64_t first() const;  // the oldest record that is there: 0 unless retention removed files
  // The next one next() gives; skips whole files, so this is cheap.
  base::Result<> seek(std::uint64_t n);
  // The next line without its LF, exactly as it stands (it may be no record). False at the end, also before a
  // last line without LF: may be asked again when more was written. An error: files that do not follow each
  // other, or can't be read.
  base::Result<bool> next(std::string& line, Place& place);
  // Lets go of what it has read ahead of next(). For who asks the daemon how far the records are on the disk:
  // behind that others may stand in their place when a sync has failed.
  void forget_ahead();
  // For who can't read on at record n: the first record of the next file from which one can be read at all.
  // Fault::missing: there is none.
  static base::Result<std::uint64_t> readable_after(const std::string& directory, std::uint64_t n);
  // Bytes behind the last LF of the last file, once next() was false.
  std::uint64_t torn() const;
  // Bytes of all files and bytes read so far, for showing progress.
  std::uint64_t bytes() const;
  std::uint64_t bytes_read() const;

 private:
  struct State;
  explicit JournalReader(std::unique_ptr<State> state);
  std::uint64_t first_ = 0;
  std::unique_ptr<State> state_;
};

// A record taken apart. parse() takes only the one canonical form of docs/formats.md ("Journal"): anything
// journal_line() would have written otherwise is Fault::failed with the reason.
struct Record {
  using Value = std::variant<std::string, std::int64_t>;
  std::map<std::string, Value> fields;  // all of them, n, t, mono, boot and ev among them
  std::uint64_t n = 0;
  std::int64_t mono = 0, wall = 0;  // microseconds
  std::string boot, ev;

  static base::Result<Record> parse(std::string_view line);
  const std::string* text(const std::string& key) const;  // null: not there, or a number
  std::optional<std::int64_t> number(const std::string& key) const;
};

}  // namespace oob::auth

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/signed_note.h"
#include "base/result.h"

namespace oob::audit {

// What is kept of configurations (docs/formats.md, Snapshots), as far as it is to be verified.
struct KeptSnapshots {
  struct Device {
    std::map<std::string, std::string> sums;  // SHA-256 of the bytes of each file, 64 hex digits, by its name
    std::string fault;                        // why they can't be read; empty: they were
  };
  struct Revision {
    std::string commit, device;  // and what it changed; empty: no device
  };
  std::map<std::string, Device> devices;  // in the newest commit
  std::vector<Revision> revisions;        // all there are, newest first
};
// Reads those of a state folder, on the calling thread. Fault::missing: there are none; unavailable: the
// system refuses; else they are damaged.
using ReadSnapshots = std::function<base::Result<KeptSnapshots>(const std::string& state)>;

struct VerifyOptions {
  std::string state;                // the state directory, or a copy of it
  std::vector<auth::NoteKey> keys;  // trusted; none: what the directory says of itself has to do
  std::string anchor_text;          // checkpoints that somebody remembers, in any text
  ReadSnapshots snapshots;          // by somebody who knows git; empty: they are not looked at
  // Bytes of a phase; false: stop.
  std::function<bool(std::uint64_t done, std::uint64_t all, const char* phase)> progress;
  bool daemon = false;  // the running daemon's own: what is written just now has no checkpoint yet
};

struct Finding {
  enum class Kind { altered, missing, unsealed, redacted, note };
  Kind kind = Kind::note;
  std::string place;  // "journal/000000000000.jsonl:17", a recording's id, a device
  std::optional<std::uint64_t> n;
  std::string text;
  bool fault() const { return kind < Kind::redacted; }
};
const char* name_of(Finding::Kind kind);

// What the audit trail of one state directory proves, and what is wrong with it.
struct VerifyReport {
  static constexpr std::size_t kMostShown = 100;  // findings of each kind that is wrong, and as many notes

  std::string origin, vkey;  // of the newest life; the key that signs now
  std::uint64_t lives = 0, records = 0, checkpoints = 0, unsealed = 0;
  std::optional<auth::Checkpoint> newest;
  std::uint64_t recordings = 0, redacted = 0, retired = 0, live = 0, missing = 0;
  std::uint64_t recording_bytes = 0, transcript_bytes = 0;  // that a mark covers
  std::uint64_t snapshots = 0, revisions = 0;               // devices whose configuration is kept; of all
  std::uint64_t anchors = 0, anchors_matched = 0;
  bool keys_given = false, trusted = false;  // each life was signed by a key that was given

  std::vector<Finding> findings;  // what is wrong, in the order of the journal, and then what is only said
  std::uint64_t faults = 0;       // all that is wrong
  std::uint64_t more = 0;         // findings and notes beyond those kept
  bool whole() const { return faults == 0; }

  void add(Finding finding);
  std::string text() const;  // lines for people
  std::string json() const;  // one object, with its LF
};

// Checks all of docs/formats.md ("Journal", "Seal of the journal", "Recordings", "Snapshots") that files
// alone can show.
// Blocks, for minutes where there is much. Fault::missing and others: there is no journal, or it can't be
// read; what is wrong in what was read is in the report.
base::Result<VerifyReport> verify(const VerifyOptions& options);

// Keys of a file, one a line; '#' begins a comment.
base::Result<std::vector<auth::NoteKey>> parse_note_keys(std::string_view text);

}  // namespace oob::audit

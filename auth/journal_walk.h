#pragma once

#include <optional>
#include <string>

#include "auth/journal_reader.h"
#include "auth/merkle.h"
#include "auth/signed_note.h"

namespace oob::auth {

// How far a journal has come: the tree over its records, and the key that signs what follows them.
struct JournalPlace {
  MerkleTree tree;
  std::optional<NoteKey> key;
};

// The place before the file whose first record is `first`, from the file "FIRST.tree" beside it, or from the
// record of the retention that removed what was before. An error: there is none, or it is no such thing. That
// it is right shows only when a signed root comes out.
std::string tree_name(std::uint64_t first);
std::string tree_text(const JournalPlace& place);
base::Result<JournalPlace> read_tree(const std::string& directory, std::uint64_t first);
base::Result<JournalPlace> find_retained(const std::string& directory, std::uint64_t first);

// Everything from a place to the end of the journal.
struct JournalWalk {
  JournalPlace place;
  std::optional<Record> begin;         // record 0, if it was passed
  std::optional<Record> last;          // the last one
  std::string root;                    // over the first `signed_size` records, if they were passed
  std::optional<NoteKey> root_key;     // that has to have signed it
  std::optional<Checkpoint> rotation;  // after the last key.rotate; without origin
  std::optional<NoteKey> old_key;      // before that
  std::string file;                    // the last file
  std::uint64_t whole = 0;             // bytes of it that are whole records
};

// Ends before the first line of the last file that is no record with its number; elsewhere
// that is an error. Fault::failed.
base::Result<JournalWalk> walk_journal(const std::string& directory, JournalPlace from,
                                       std::uint64_t signed_size);

}  // namespace oob::auth

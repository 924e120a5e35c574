#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "auth/journal.h"
#include "auth/journal_disk.h"
#include "auth/merkle.h"
#include "auth/signed_note.h"

namespace oob::auth {

// A crash tears at most what was written together. More than this at the end that is no record is no torn
// tail, and nothing is cut off.
constexpr std::uint64_t kMostJournalTorn = 4 << 20;

// A journal that can be gone on with. All of it is on the disk.
struct JournalLife {
  std::string origin;
  MerkleTree tree;
  JournalDisk::File records;  // the newest file; none after the birth of a life only if there is none
  std::uint64_t records_size = 0;
  JournalDisk::File checkpoints;
  std::uint64_t checkpoints_size = 0;
  SignedNote checkpoint;  // the newest
  std::optional<NoteSigner> signer, next;
  std::optional<NoteKey> key;          // of `signer`
  std::optional<Checkpoint> rotation;  // `signer` has to sign it; what is larger is for `next`
  std::string boot;                    // of the last record
  JournalStamp last;
  std::int64_t dropped = 0;
  std::string loss;
  bool born = false;  // by this start
};

// Goes on with the journal below STATE, or begins a new life of it. Fault::journal: neither can be done, and
// nothing was changed that matters.
base::Result<JournalLife> start_journal(JournalDisk& disk, const std::string& state, const std::string& boot,
                                        const JournalStamp& now);

// Puts a key into STATE/journal_key.next; it is on the disk afterwards.
int write_next_key(JournalDisk& disk, const std::string& state, const NoteSigner& key);
// STATE/journal_key.next becomes STATE/journal_key.
int promote_next_key(JournalDisk& disk, const std::string& state);

}  // namespace oob::auth

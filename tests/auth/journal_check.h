#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

#include "auth/journal_reader.h"
#include "auth/merkle.h"
#include "auth/signed_note.h"
#include "tests/support/support.h"

namespace oob::auth {

// Reads a journal as docs/formats.md has it and fails on anything that is not so. The events in order.
inline std::vector<std::string> check_journal(const std::string& directory) {
  std::vector<std::string> events;
  auto reader = JournalReader::open(directory);
  if (!reader) {
    ADD_FAILURE() << reader.error().what;
    return events;
  }
  std::string notes = test::read_file(directory + "/checkpoints");
  std::size_t at = 0, size = 0;
  std::optional<SignedNote> note;
  auto next_note = [&] {
    note.reset();
    if (at == notes.size()) return;
    auto parsed = SignedNote::parse(base::Bytes(notes).substr(at), size);
    EXPECT_TRUE(parsed) << parsed.error().what << " at " << at;
    at = parsed ? at + size : notes.size();
    if (parsed) note = *parsed;
  };
  next_note();
  MerkleTree tree;
  std::optional<NoteKey> key;
  std::optional<Record> before;
  std::string line;
  JournalReader::Place place;
  while (true) {
    auto more = (*reader)->next(line, place);
    EXPECT_TRUE(more) << more.error().what;
    if (!more || !*more) break;
    auto record = Record::parse(line);
    EXPECT_TRUE(record) << record.error().what << ": " << line;
    if (!record) break;
    EXPECT_EQ(record->n, place.n);
    EXPECT_EQ(record->n == 0, record->ev == "journal.begin");
    if (record->n == 0) key = *NoteKey::parse(*record->text("vkey"));
    if (before && before->boot == record->boot) {
      EXPECT_GE(record->mono, before->mono) << line;
      std::int64_t by = record->wall - before->wall - (record->mono - before->mono);
      EXPECT_EQ(std::abs(by) > 500'000, record->ev == "clock.step") << line;
      if (record->ev == "clock.step") {
        EXPECT_EQ(record->number("by"), by);
      }
    }
    tree.add(line);
    while (note && note->checkpoint.size == tree.size()) {
      EXPECT_EQ(base::hex(note->checkpoint.root), base::hex(tree.root())) << tree.size();
      EXPECT_TRUE(key && note->verify(*key)) << tree.size();
      next_note();
    }
    EXPECT_TRUE(!note || note->checkpoint.size > tree.size()) << "the checkpoints are not in order";
    if (record->ev == "key.rotate") key = *NoteKey::parse(*record->text("next"));
    events.push_back(record->ev);
    before = std::move(*record);
  }
  EXPECT_EQ((*reader)->torn(), 0u);
  EXPECT_FALSE(note) << "there are more checkpoints than records";
  return events;
}

}  // namespace oob::auth

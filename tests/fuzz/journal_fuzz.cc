#include <cstdint>
#include <cstdlib>
#include <string>

#include "audit/verify_checkpoints.h"
#include "auth/journal_line.h"
#include "auth/journal_reader.h"
#include "auth/signed_note.h"

namespace {

void demand(bool right) {
  if (!right) std::abort();
}

void demand_words(const oob::base::Error& error) {
  demand(!error.what.empty() && error.what.size() < 2000);
  for (char c : error.what) demand(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

}  // namespace

// What whoever can write a copy of a state directory can have `oobd verify` read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oob;
  std::string_view text(reinterpret_cast<const char*>(data), size);

  auto record = auth::Record::parse(text);
  if (record) {
    // The one form: whatever parses is made of its values again, byte by byte.
    auth::Entry entry(record->ev);
    for (const auto& [key, value] : record->fields)
      if (key != "boot" && key != "ev" && key != "mono" && key != "n" && key != "t")
        entry.fields[key] = value;
    demand(auth::journal_line(entry, {record->wall, record->mono}, record->n, record->boot) ==
           std::string(text) + "\n");
  } else {
    demand_words(record.error());
  }

  std::size_t taken = 0;
  auto note = auth::SignedNote::parse(text, taken);
  if (note) {
    demand(taken <= size && note->text() == text.substr(0, taken));
    demand(!note->verify(auth::NoteKey::of(note->key_name, std::string(32, '\1'))));
  } else {
    demand_words(note.error());
  }

  auto key = auth::NoteKey::parse(text);
  if (key) demand(key->text() == text);
  for (const audit::Anchor& anchor : audit::find_anchors(text)) demand(anchor.root.size() == 32);
  return 0;
}

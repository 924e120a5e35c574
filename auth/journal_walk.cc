#include "auth/journal_walk.h"

#include <bit>

#include "auth/journal_disk.h"
#include "auth/journal_names.h"

namespace oob::auth {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kHash = 32;
constexpr std::size_t kMostTree = 8192;

bool from_hex(std::string_view text, std::string& bytes) {
  bytes.clear();
  if (text.size() != 2 * kHash) return false;
  for (std::size_t at = 0; at < text.size(); at += 2) {
    unsigned byte = 0;
    auto [end, error] = std::from_chars(text.data() + at, text.data() + at + 2, byte, 16);
    if (error != std::errc{} || end != text.data() + at + 2) return false;
    bytes += static_cast<char>(byte);
  }
  return true;
}

Result<JournalPlace> place_of(std::uint64_t size, std::string_view vkey, std::string_view subtrees) {
  std::vector<std::string> hashes;
  bool right = true;
  base::split(subtrees, ' ',
              [&](std::string_view piece) { right &= from_hex(piece, hashes.emplace_back()); });
  if (!right) return fail(Fault::failed, "the tree is not in hex");
  Result<MerkleTree> tree = MerkleTree::resume(size, std::move(hashes));
  if (!tree) return tree.error();
  Result<NoteKey> key = NoteKey::parse(vkey);
  if (!key) return key.error();
  return JournalPlace{std::move(*tree), std::move(*key)};
}

// Inside a text the quotes would be escaped.
bool is_event(std::string_view line, std::string_view event) {
  return line.find(str("\"ev\":\"", event, "\"")) != line.npos;
}

}  // namespace

std::string tree_name(std::uint64_t first) {
  std::string name = journal_name(first);
  return name.substr(0, name.find('.')) + ".tree";
}

std::string tree_text(const JournalPlace& place) {
  std::string text = str(place.tree.size(), "\n", place.key->text(), "\n");
  for (const std::string& subtree : place.tree.subtrees())
    text += str(text.back() == '\n' ? "" : " ", base::hex(subtree));
  return text + "\n";
}

Result<JournalPlace> read_tree(const std::string& directory, std::uint64_t first) {
  Result<std::string> text = read_small_file(str(directory, "/", tree_name(first)), kMostTree);
  if (!text) return text.error();
  std::vector<std::string_view> lines;
  base::split(std::string_view(*text), '\n', [&](std::string_view line) { lines.push_back(line); });
  std::uint64_t size = 0;
  if (lines.size() != 4 || !lines[3].empty() || !base::parse_number(lines[0], size) || size != first)
    return fail(Fault::failed, str(tree_name(first), ": not the tree before this file"));
  return place_of(size, lines[1], lines[2]);
}

Result<JournalPlace> find_retained(const std::string& directory, std::uint64_t first) {
  Result<std::unique_ptr<JournalReader>> reader = JournalReader::open(directory);
  if (!reader) return reader.error();
  std::string line;
  JournalReader::Place at;
  Result<JournalPlace> found =
      fail(Fault::failed, str("no record tells of the retention of what is before ", first));
  while (true) {
    Result<bool> more = (*reader)->next(line, at);
    if (!more) return more.error();
    if (!*more) return found;
    if (!is_event(line, "retention")) continue;
    Result<Record> record = Record::parse(line);
    if (!record || record->ev != "retention") continue;
    const std::string *kind = record->text("kind"), *vkey = record->text("vkey"),
                      *tree = record->text("tree");
    if (kind && *kind == "journal" && vkey && tree &&
        record->number("to") == static_cast<std::int64_t>(first))
      found = place_of(first, *vkey, *tree);
  }
}

Result<JournalWalk> walk_journal(const std::string& directory, JournalPlace from, std::uint64_t signed_size) {
  Result<std::vector<std::uint64_t>> files = journal_numbers(directory);
  if (!files) return files.error();
  Result<std::unique_ptr<JournalReader>> reader = JournalReader::open(directory);
  if (!reader) return reader.error();
  if (Result<> sought = (*reader)->seek(from.tree.size()); !sought) return sought.error();
  JournalWalk walk{std::move(from), {}, {}, {}, {}, {}, {}, journal_name(files->back()), 0};
  MerkleTree& tree = walk.place.tree;
  std::string line, last;
  JournalReader::Place at;
  while (true) {
    Result<bool> more = (*reader)->next(line, at);
    if (!more) return more.error();
    if (!*more) break;
    bool newest = at.file == walk.file;
    bool rotates = is_event(line, "key.rotate");
    if (newest || rotates || at.n == 0) {
      Result<Record> record = Record::parse(line);
      if (record && record->n != at.n) record = fail(Fault::failed, str("its number is ", record->n));
      if (!record && newest) break;
      if (!record) return base::wrap(str(at.file, ":", at.line), record.error());
      const std::string* vkey = record->text(rotates ? "next" : "vkey");
      bool begins = at.n == 0 && record->ev == "journal.begin";
      if (at.n == 0 && !begins) return fail(Fault::failed, "record 0 is no journal.begin");
      if (begins || (rotates && record->ev == "key.rotate")) {
        Result<NoteKey> key = NoteKey::parse(vkey ? *vkey : "");
        if (!key) return base::wrap(str(at.file, ":", at.line), key.error());
        if (begins) walk.place.key = *key;
        if (at.n + 1 == signed_size) walk.root_key = walk.place.key;
        walk.old_key = std::exchange(walk.place.key, *key);
        if (begins) walk.begin = *record;
      } else {
        rotates = false;
      }
    }
    if (at.n + 1 == signed_size && !walk.root_key) walk.root_key = walk.place.key;
    tree.add(line);
    if (rotates) walk.rotation = Checkpoint{"", tree.size(), tree.root()};
    if (tree.size() == signed_size) walk.root = tree.root();
    if (newest) walk.whole += line.size() + 1;
    last.swap(line);
  }
  if (Result<Record> record = Record::parse(last)) walk.last = *record;
  return walk;
}

}  // namespace oob::auth

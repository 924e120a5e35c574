#include "snapshot/depot.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/sha256.h"
#include "snapshot/difference.h"
#include "snapshot/message.h"

namespace oob::snapshot {

using base::fail;
using base::Fault;
using base::Micros;
using base::Result;
using base::str;
using Blobs = std::map<std::string, git_oid>;
using Change = console::History::Change;

namespace {

// What git takes in a name or an address.
std::string word(const std::string& text, const char* otherwise) {
  std::string made;
  for (char c : text) {
    bool right = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                 c == '_' || c == '.' || c == '@' || c == '+';
    made += right ? c : '_';
  }
  return made.find_first_not_of(".") == std::string::npos ? otherwise : made;
}

std::string stamp(Micros at) {
  std::string text;
  for (char c : base::rfc3339(at))
    if (c != '-' && c != ':') text += c;
  return text;
}

git_oid blob_id(base::Bytes bytes) {
  git_oid id;
  git_odb_hash(&id, bytes.data(), bytes.size(), GIT_OBJECT_BLOB);
  return id;
}

bool same(const Blobs& one, const Blobs& other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(), [](const auto& a, const auto& b) {
    return a.first == b.first && git_oid_equal(&a.second, &b.second);
  });
}

// How to look at what is in quarantine; `beside`: there is a revision to hold it against.
std::string how_to_look(const std::string& device, const std::string& revision, bool beside) {
  std::string at = revision.substr(0, 8);
  return str("; it is kept: show ", device, " --at ", at, beside ? str(", diff ", device, " @0 ", at) : "");
}

base::Error missing(const std::string& device) {
  std::string name = base::printable(device);
  return fail(Fault::missing, str(name, " has no snapshot yet: 'snapshot ", name, "' pulls one"));
}

}  // namespace

// git allows no part of a reference to end in these.
std::string Depot::quarantine_of(const std::string& device) {
  std::string part;
  bool refused = device.ends_with(".lock") || device.ends_with(".");
  for (char c : device) part += refused && c == '.' ? std::string("%2E") : std::string(1, c);
  return str("refs/quarantine/", part, "/");
}

Depot::Depot(const std::string& state, const std::string& host, Step step, std::size_t remembered,
             Views::Space space)
    : path_(state + "/snapshots.git"),
      host_(word(host, "oobd")),
      step_(std::move(step)),
      remembered_(remembered),
      views_(state + "/snapshots.views", step_, std::move(space)) {}

Result<> Depot::ready(bool make) {
  leave_what_went();
  if (!repository_) {
    struct stat found {};
    if (!make && ::lstat(path_.c_str(), &found) < 0 && errno == ENOENT)
      return fail(Fault::missing, "no snapshot is kept yet");
    step_("open");
    Result<Repository> opened = Repository::open(path_);
    if (!opened) return opened.error();
    loose_ = count_loose(*opened);
    if (::lstat(path_.c_str(), &opened_) < 0) return base::system_error(path_);
    repository_.emplace(std::move(*opened));
  }
  Result<> looked = look();
  if (!looked && !ledger_) repository_.reset();
  return looked;
}

// Whoever moves the folder away, or puts a copy in its place, does so while it is open here; git would go on
// with what it knows of the other one.
void Depot::leave_what_went() {
  if (!repository_) return;
  struct stat now {};
  bool there = ::lstat(path_.c_str(), &now) == 0;
  if (there ? now.st_dev == opened_.st_dev && now.st_ino == opened_.st_ino : errno != ENOENT) return;
  std::string was = ledger_ && ledger_->tip() ? hex_of(*ledger_->tip()) : "nothing";
  moved_ =
      str(path_, there ? ": somebody has put another folder in its place" : ": somebody has moved it away",
          "; its main was ", was, ": 'verify' tells what is not as it was stored",
          there ? "" : "; the next snapshot begins a new one");
  repository_.reset();
  ledger_.reset();
}

// Whoever can write the folder may have moved `main` meanwhile; what is told, and built on, is what is there.
Result<> Depot::look() {
  Result<std::optional<git_oid>> tip = repository_->tip(kMain);
  if (!tip) return tip.error();
  auto text = [](const std::optional<git_oid>& id) { return id ? hex_of(*id) : std::string("nothing"); };
  std::string now = text(*tip), was = ledger_ ? text(ledger_->tip()) : now;
  if (ledger_ && now == was) return {};
  Result<Ledger> read = Ledger::read(*repository_, remembered_);
  if (!read) return read.error();
  ledger_.emplace(std::move(*read));
  if (now != was)
    moved_ = str(path_, ": somebody else has moved main from ", was, " to ", now,
                 ": 'verify' tells what is not as it was stored; to undo it: git --git-dir=", path_,
                 " update-ref refs/heads/main ", was);
  return {};
}

Result<std::vector<Depot::Found>> Depot::quarantined(const std::string& device) const {
  auto references = repository_->references(quarantine_of(device) + "*");
  if (!references) return references.error();
  std::vector<Found> found;
  for (const Repository::Reference& reference : *references) {
    Result<Repository::Commit> commit = repository_->commit(reference.to);
    if (!commit) return commit.error();
    auto entries = repository_->entries(commit->tree);
    if (!entries) return entries.error();
    auto folder = entries->find(device);
    if (folder != entries->end()) found.push_back({reference.to, folder->second.id, commit->at, true});
  }
  return found;
}

Result<Depot::Found> Depot::resolve(const std::string& device, const std::string& revision) {
  Result<> opened = ready(false);
  if (!opened && opened.error().fault == Fault::missing) return missing(device);
  if (!opened) return opened.error();
  std::vector<Found> found;
  for (std::uint32_t place : ledger_->of(device)) {
    const Ledger::Entry& entry = ledger_->entries()[place];
    if (entry.there) found.push_back({entry.commit, entry.subtree, entry.at, false});
  }
  auto none = [&] {
    return fail(Fault::missing, str(device, ": no revision ", base::printable(revision, 60)));
  };
  if (revision.empty() || revision[0] == '@') {
    if (found.empty()) return missing(device);
    std::size_t back = 0;
    if (!revision.empty() && !base::parse_number(std::string_view(revision).substr(1), back)) return none();
    if (back >= found.size()) return none();
    return found[found.size() - 1 - back];
  }
  Result<std::vector<Found>> aside = quarantined(device);
  if (!aside) return aside.error();
  found.insert(found.end(), aside->begin(), aside->end());
  if (found.empty()) return missing(device);
  if (revision.size() < 4 || revision.size() > GIT_OID_HEXSZ) return none();
  std::optional<Found> only;
  bool several = false;
  auto seek = [&](const std::string& name) {
    for (const Found& each : found) {
      if (!hex_of(each.commit).starts_with(name)) continue;
      several = several || (only && !git_oid_equal(&only->commit, &each.commit));
      only = each;
    }
  };
  seek(revision);
  // In a clone of those who may not see all devices it has another name.
  if (!only)
    for (const std::string& name : views_.made_from(revision)) seek(name);
  if (several) return fail(Fault::missing, str(device, ": several revisions begin with ", revision));
  if (!only) return none();
  return *only;
}

Result<std::optional<git_oid>> Depot::before(const std::string& device, const Found& found) const {
  Result<Repository::Commit> commit = repository_->commit(found.commit);
  if (!commit) return commit.error();
  if (!commit->parent) return std::optional<git_oid>();
  Result<Repository::Commit> parent = repository_->commit(*commit->parent);
  if (!parent) return parent.error();
  auto entries = repository_->entries(parent->tree);
  if (!entries) return entries.error();
  auto folder = entries->find(device);
  if (folder == entries->end()) return std::optional<git_oid>();
  return std::optional<git_oid>(folder->second.id);
}

Result<Meta> Depot::meta(const git_oid& subtree) const {
  auto entries = repository_->entries(subtree);
  if (!entries) return entries.error();
  auto found = entries->find(kMetaFile);
  if (found == entries->end()) return fail(Fault::failed, str(path_, ": a revision has no ", kMetaFile));
  Result<std::string> text = repository_->blob(found->second.id);
  if (!text) return text.error();
  Result<Meta> read = read_meta(*text);
  if (!read) return base::wrap(str(path_, ": ", kMetaFile, " ", hex_of(found->second.id)), read.error());
  return read;
}

Result<std::optional<std::string>> Depot::bytes(const git_oid& subtree, const Meta& meta,
                                                const std::string& name) const {
  GitTree tree;
  GitTreeEntry entry;
  if (git_tree_lookup(Out(tree), repository_->get(), &subtree) < 0) return repository_->failure("read");
  int code = name.empty() ? GIT_ENOTFOUND : git_tree_entry_bypath(Out(entry), tree.get(), name.c_str());
  if (code == GIT_ENOTFOUND || (code == 0 && git_tree_entry_type(entry.get()) != GIT_OBJECT_BLOB))
    return std::optional<std::string>();
  if (code < 0) return repository_->failure(str("read ", name));
  Result<std::string> read = repository_->blob(*git_tree_entry_id(entry.get()));
  if (!read) return read.error();
  auto known = meta.files.find(name);
  if (known != meta.files.end() && base::hex(base::sha256(*read)) != known->second.sha256)
    return fail(Fault::failed, str(path_, ": ", name, " is not what was stored: its SHA-256 differs"));
  return std::optional<std::string>(std::move(*read));
}

// --- storing
// -------------------------------------------------------------------------------------------------------

Result<bool> Depot::unchanged(const History::Snapshot& snapshot, const Blobs& old,
                              const git_oid& subtree) const {
  Result<Meta> known = meta(subtree);
  for (const recipe::PulledFile& file : snapshot.pulled.files) {
    if (known) {
      auto told = known->files.find(file.name);
      if (told != known->files.end() && told->second.sha256 == file.sha256) continue;
    }
    // Either meta.json is damaged, and is written anew, or two files have one SHA-1.
    auto was = old.find(file.name);
    if (was == old.end()) return false;
    Result<std::string> kept = repository_->blob(was->second);
    if (!kept) return kept.error();
    if (*kept == file.bytes) return false;
    return fail(Fault::failed,
                str(path_, ": ", file.name, " has the SHA-1 of what is kept and another SHA-256 (",
                    file.sha256, "): git would lose it"));
  }
  return true;
}

Result<std::vector<Change>> Depot::changes(const History::Snapshot& snapshot, const Blobs& old) const {
  std::vector<Change> changes;
  Blobs gone = old;
  auto note = [&](Change change, std::optional<base::Bytes> from, std::optional<base::Bytes> to) -> Result<> {
    Result<Lines> lines = count_lines(from, to);
    if (!lines) return lines.error();
    change.lines_added = lines->added;
    change.lines_removed = lines->removed;
    changes.push_back(std::move(change));
    return {};
  };
  for (const recipe::PulledFile& file : snapshot.pulled.files) {
    auto was = old.find(file.name);
    gone.erase(file.name);
    git_oid id = blob_id(file.bytes);
    if (was != old.end() && git_oid_equal(&was->second, &id)) continue;
    std::optional<std::string> from;
    if (was != old.end()) {
      Result<std::string> read = repository_->blob(was->second);
      if (!read) return read.error();
      from = std::move(*read);
    }
    Change::Kind kind = from ? Change::Kind::changed : Change::Kind::added;
    std::optional<base::Bytes> before;
    if (from) before = *from;
    Result<> noted = note({file.name, kind, 0, 0, file.bytes.size(), file.sha256}, before, file.bytes);
    if (!noted) return noted.error();
  }
  for (const auto& [name, id] : gone) {
    Result<std::string> read = repository_->blob(id);
    if (!read) return read.error();
    Result<> noted = note({name, Change::Kind::removed, 0, 0, 0, ""}, base::Bytes(*read), std::nullopt);
    if (!noted) return noted.error();
  }
  std::sort(changes.begin(), changes.end(), [](auto& a, auto& b) { return a.file < b.file; });
  return changes;
}

Result<git_oid> Depot::commit(const History::Snapshot& snapshot, std::vector<Change> changes,
                              const std::string& why, bool accepted, Micros at, git_oid& subtree) {
  Meta meta = meta_of(snapshot);
  Blobs blobs;
  for (const recipe::PulledFile& file : snapshot.pulled.files) {
    step_("blob");
    Result<git_oid> id = repository_->write_blob(file.bytes);
    if (!id) return id.error();
    blobs[file.name] = *id;
  }
  step_("meta");
  Result<git_oid> told = repository_->write_blob(write_meta(meta));
  Result<git_oid> attributes = repository_->write_blob("* -text\n");
  if (!told || !attributes) return !told ? told.error() : attributes.error();
  blobs[kMetaFile] = *told;
  step_("folder");
  Result<git_oid> folder = repository_->write_folder(blobs);
  if (!folder) return folder.error();
  subtree = *folder;
  Repository::Commit commit;
  commit.parent = ledger_->tip();
  std::optional<git_oid> base;
  if (commit.parent) {
    Result<Repository::Commit> parent = repository_->commit(*commit.parent);
    if (!parent) return parent.error();
    base = parent->tree;
  }
  step_("root");
  Result<git_oid> root =
      repository_->write_root(base, {{".gitattributes", Repository::Entry{*attributes, false}},
                                     {snapshot.device, Repository::Entry{*folder, true}}});
  if (!root) return root.error();
  commit.tree = *root;
  commit.user = word(snapshot.user, "oobd");
  commit.mail = str(commit.user, "@", host_);
  commit.at = at;
  commit.message =
      write_message({snapshot.device, std::move(changes), why, base::printable(snapshot.checkpoint),
                     meta.recording, meta.grade, meta.method, accepted});
  step_("commit");
  loose_ += blobs.size() + 4;
  return repository_->write_commit(commit);
}

// Puts a commit into quarantine, under a name of its own, and lets the oldest there go.
Result<> Depot::confine(const std::string& device, const git_oid& id, Micros at) {
  std::string folder = quarantine_of(device);
  while (true) {
    Result<std::optional<git_oid>> taken = repository_->tip(folder + stamp(at));
    if (!taken) return taken.error();
    if (!*taken) break;
    ++at;
  }
  step_("quarantine");
  Result<> moved = repository_->move(folder + stamp(at), id, std::nullopt);
  if (!moved) return moved.error();
  auto all = repository_->references(folder + "*");
  if (!all) return all.error();
  for (std::size_t i = 0; i + kMostQuarantined < all->size(); ++i) {
    Result<> removed = repository_->remove((*all)[i].name);
    if (!removed) return removed.error();
  }
  return {};
}

Result<console::History::Stored> Depot::store(const History::Snapshot& snapshot, const recipe::Book& book) {
  Result<> named = check_names(snapshot);
  if (!named) return named.error();
  Result<> opened = ready(true);
  if (!opened) return opened.error();
  History::Stored stored;
  Blobs now, old;
  for (const recipe::PulledFile& file : snapshot.pulled.files) {
    now[file.name] = blob_id(file.bytes);
    stored.files.push_back({file.name, file.sha256, file.bytes.size()});
  }
  const Ledger::Entry* newest = ledger_->newest(snapshot.device);
  Sizes sizes;
  if (newest) {
    Result<Blobs> had = repository_->blobs(newest->subtree);
    if (!had) return had.error();
    old = std::move(*had);
    old.erase(kMetaFile);
    for (const auto& [name, id] : old) {
      std::size_t size = 0;
      git_object_t type{};
      if (git_odb_read_header(&size, &type, repository_->odb(), &id) < 0)
        return repository_->failure(str("read ", hex_of(id)));
      sizes[name] = size;
    }
  }
  std::string recipe_name = snapshot.recipe.substr(0, snapshot.recipe.find(' '));
  std::shared_ptr<const recipe::Recipe> recipe = book.find(recipe_name);
  Objection found = objection(snapshot, recipe.get(), sizes);
  bool accepted = found.kind == Objection::Kind::loss && snapshot.accept;
  bool good = found.kind == Objection::Kind::none || accepted;
  if (good && newest && same(now, old)) {
    Result<bool> the_same = unchanged(snapshot, old, newest->subtree);
    if (!the_same) return the_same.error();
    if (*the_same) {
      stored.kind = History::Stored::Kind::unchanged;
      stored.revision = hex_of(newest->commit);
      return stored;
    }
  }
  Result<std::vector<Change>> changed = changes(snapshot, old);
  if (!changed) return changed.error();
  stored.changes = *changed;
  Micros at = base::wall_now();
  git_oid subtree;
  if (!good) {
    stored.kind = History::Stored::Kind::quarantined;
    stored.why = found.why;
    Result<std::vector<Found>> aside = quarantined(snapshot.device);
    if (!aside) return aside.error();
    if (!aside->empty()) {
      Result<Blobs> there = repository_->blobs(aside->back().subtree);
      if (!there) return there.error();
      there->erase(kMetaFile);
      if (same(now, *there)) {
        stored.revision = hex_of(aside->back().commit);
        stored.why += how_to_look(snapshot.device, stored.revision, newest);
        return stored;
      }
    }
    Result<git_oid> id = commit(snapshot, std::move(*changed), found.why, false, at, subtree);
    if (!id) return id.error();
    Result<> confined = confine(snapshot.device, *id, at);
    if (!confined) return confined.error();
    stored.revision = hex_of(*id);
    stored.why += how_to_look(snapshot.device, stored.revision, newest);
    return stored;
  }
  Result<git_oid> id = commit(snapshot, std::move(*changed), "", accepted, at, subtree);
  if (!id) return id.error();
  step_("ref");
  Result<> moved = repository_->move(kMain, *id, ledger_->tip());
  if (!moved) return moved.error();
  ledger_->add(snapshot.device, *id, subtree, at / 1'000'000 * 1'000'000);
  step_("stored");
  stored.revision = hex_of(*id);
  return stored;
}

Result<> Depot::tidy() {
  if (!repository_ || loose_ <= kLooseAtMost) return {};
  loose_ = count_loose(*repository_);
  if (loose_ <= kLooseAtMost) return {};
  Result<> packed = pack(*repository_, step_);
  // After a failure it is not tried at each snapshot.
  loose_ = packed ? count_loose(*repository_) : 0;
  return packed;
}

}  // namespace oob::snapshot

#include "snapshot/ledger.h"

#include <algorithm>

namespace oob::snapshot {

using base::Result;

namespace {

using Folders = std::map<std::string, git_oid>;

Result<Folders> folders_of(const Repository& repository, const git_oid& tree) {
  Result<std::map<std::string, Repository::Entry>> entries = repository.entries(tree);
  if (!entries) return entries.error();
  Folders folders;
  for (const auto& [name, entry] : *entries)
    if (entry.folder) folders.emplace(name, entry.id);
  return folders;
}

}  // namespace

std::uint32_t Ledger::number_of(const std::string& device) {
  auto [at, fresh] = numbers_.emplace(device, static_cast<std::uint32_t>(names_.size()));
  if (fresh) {
    names_.push_back(device);
    places_.emplace_back();
  }
  return at->second;
}

void Ledger::put(const Entry& entry) {
  places_[entry.device].push_back(static_cast<std::uint32_t>(entries_.size()));
  entries_.push_back(entry);
}

void Ledger::add(const std::string& device, const git_oid& commit, const git_oid& subtree, base::Micros at) {
  put({commit, subtree, at, number_of(device), true});
  tip_ = commit;
}

const std::vector<std::uint32_t>& Ledger::of(const std::string& device) const {
  static const std::vector<std::uint32_t> kNone;
  auto found = numbers_.find(device);
  return found == numbers_.end() ? kNone : places_[found->second];
}

const Ledger::Entry* Ledger::newest(const std::string& device) const {
  const std::vector<std::uint32_t>& places = of(device);
  return places.empty() || !entries_[places.back()].there ? nullptr : &entries_[places.back()];
}

Result<Ledger> Ledger::read(const Repository& repository, std::size_t most) {
  Ledger ledger;
  Result<std::optional<git_oid>> tip = repository.tip(kMain);
  if (!tip) return tip.error();
  ledger.tip_ = *tip;
  if (!*tip) return ledger;
  std::vector<Entry> newest_first;
  git_oid id = **tip;
  Result<Repository::Commit> commit = repository.commit(id);
  if (!commit) return commit.error();
  Result<Folders> folders = folders_of(repository, commit->tree);
  if (!folders) return folders.error();
  while (true) {
    std::optional<Repository::Commit> parent;
    Folders before;
    if (commit->parent) {
      Result<Repository::Commit> found = repository.commit(*commit->parent);
      if (!found) return found.error();
      Result<Folders> had = folders_of(repository, found->tree);
      if (!had) return had.error();
      parent = std::move(*found);
      before = std::move(*had);
    }
    for (const auto& [name, subtree] : *folders) {
      auto had = before.find(name);
      if (had == before.end() || !git_oid_equal(&had->second, &subtree))
        newest_first.push_back({id, subtree, commit->at, ledger.number_of(name), true});
    }
    for (const auto& [name, subtree] : before)
      if (!folders->count(name))
        newest_first.push_back({id, subtree, commit->at, ledger.number_of(name), false});
    if (!parent) break;
    ledger.complete_ = newest_first.size() < most;
    if (!ledger.complete_) break;
    id = *commit->parent;
    commit = std::move(*parent);
    folders = std::move(before);
  }
  std::reverse(newest_first.begin(), newest_first.end());
  for (const Entry& entry : newest_first) ledger.put(entry);
  return ledger;
}

}  // namespace oob::snapshot

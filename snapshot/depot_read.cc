#include <algorithm>

#include "snapshot/depot.h"
#include "snapshot/difference.h"
#include "snapshot/message.h"

// What a Depot is asked; what it is given is in depot.cc.
namespace oob::snapshot {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

Result<std::shared_ptr<const recipe::Recipe>> recipe_of(const Meta& meta, const recipe::Book& book) {
  std::shared_ptr<const recipe::Recipe> found = book.find(meta.recipe_name());
  if (found) return found;
  return fail(Fault::config, str("it was pulled with the recipe ", base::printable(meta.recipe_name()),
                                 ", which is not there any more: nobody knows what is secret in it"));
}

}  // namespace

Result<std::vector<console::History::Revision>> Depot::revisions(const std::string& device,
                                                                 std::size_t most) {
  std::vector<Found> found;
  Result<> opened = ready(false);
  if (opened) {
    Result<std::vector<Found>> aside = quarantined(device);
    if (!aside) return aside.error();
    found.insert(found.end(), aside->rbegin(), aside->rend());
    const auto& places = ledger_->of(device);
    for (auto place = places.rbegin(); place != places.rend() && found.size() < most + aside->size();
         ++place) {
      const Ledger::Entry& entry = ledger_->entries()[*place];
      if (entry.there) found.push_back({entry.commit, entry.subtree, entry.at, false});
    }
    // Revisions stay in their order even where the clock was set back.
    std::inplace_merge(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(aside->size()), found.end(),
                       [](const Found& a, const Found& b) { return a.at > b.at; });
  } else if (opened.error().fault != Fault::missing) {
    return opened.error();
  }
  if (found.empty()) return fail(Fault::missing, str(base::printable(device), " has no snapshot yet"));
  std::vector<History::Revision> revisions;
  for (const Found& each : found) {
    if (revisions.size() == most) break;
    Result<Repository::Commit> commit = repository_->commit(each.commit);
    if (!commit) return commit.error();
    Message message = read_message(commit->message);
    revisions.push_back({hex_of(each.commit), each.at, base::printable(commit->user), message.grade,
                         message.method, std::move(message.changes), each.quarantined});
  }
  return revisions;
}

Result<std::vector<console::History::File>> Depot::files(const std::string& device,
                                                         const std::string& revision) {
  Result<Found> found = resolve(device, revision);
  if (!found) return found.error();
  Result<Meta> known = meta(found->subtree);
  if (!known) return known.error();
  std::vector<History::File> files;
  for (const auto& [name, file] : known->files) files.push_back({name, file.sha256, file.size});
  return files;
}

Result<std::string> Depot::file(const std::string& device, const std::string& revision,
                                const std::string& name) {
  Result<Found> found = resolve(device, revision);
  if (!found) return found.error();
  Result<Meta> known = meta(found->subtree);
  if (!known) return known.error();
  Result<std::optional<std::string>> read = bytes(found->subtree, *known, name);
  if (!read) return read.error();
  if (!*read) return fail(Fault::missing, str(device, ": no file ", base::printable(name)));
  return std::move(**read);
}

Result<std::string> Depot::diff(const History::Diff& wish, const recipe::Book& book) {
  Result<Found> to = resolve(wish.device, wish.to);
  if (!to) return to.error();
  std::optional<git_oid> from;
  if (wish.from.empty()) {
    Result<std::optional<git_oid>> had = before(wish.device, *to);
    if (!had) return had.error();
    if (!*had)
      return fail(Fault::missing, str(wish.device, ": ", hex_of(to->commit).substr(0, 8),
                                      " is its first revision: there is none to compare it with"));
    from = *had;
  } else {
    Result<Found> found = resolve(wish.device, wish.from);
    if (!found) return found.error();
    from = found->subtree;
  }
  struct Half {
    git_oid subtree;
    Meta meta;
    std::map<std::string, git_oid> blobs;
    std::shared_ptr<const recipe::Recipe> recipe;
  };
  Half halves[] = {{*from, {}, {}, {}}, {to->subtree, {}, {}, {}}};
  std::set<std::string> names;
  for (Half& half : halves) {
    Result<Meta> known = meta(half.subtree);
    if (!known) return known.error();
    half.meta = std::move(*known);
    auto blobs = repository_->blobs(half.subtree);
    if (!blobs) return blobs.error();
    half.blobs = std::move(*blobs);
    half.blobs.erase(kMetaFile);
    for (const auto& [name, id] : half.blobs) names.insert(name);
    if (wish.bytes) continue;
    auto recipe = recipe_of(half.meta, book);
    if (!recipe) return base::wrap(wish.device, recipe.error());
    half.recipe = *recipe;
  }
  std::string text;
  for (const std::string& name : names) {
    auto a = halves[0].blobs.find(name), b = halves[1].blobs.find(name);
    if (a != halves[0].blobs.end() && b != halves[1].blobs.end() && git_oid_equal(&a->second, &b->second))
      continue;
    std::string shown[2];
    std::optional<Side> sides[2];
    for (int i : {0, 1}) {
      const Half& half = halves[i];
      Result<std::optional<std::string>> read = bytes(half.subtree, half.meta, name);
      if (!read) return read.error();
      if (!*read) continue;
      auto known = half.meta.files.find(name);
      std::string sha256 = known == half.meta.files.end() ? "unknown" : known->second.sha256;
      std::uint64_t size = (*read)->size();
      shown[i] = wish.bytes ? std::move(**read) : veil_.quiet(*half.recipe, name, std::move(**read));
      sides[i] = Side{shown[i], std::move(sha256), size};
    }
    Result<bool> more = add_difference(text, str(wish.device, "/", name), sides[0], sides[1], kMostDiff);
    if (!more) return more.error();
    if (!*more) break;
  }
  return text;
}

Result<std::string> Depot::masked(const std::string& device, const std::string& revision,
                                  const std::string& name, std::string bytes, const recipe::Book& book) {
  Result<Found> found = resolve(device, revision);
  if (!found) return found.error();
  Result<Meta> known = meta(found->subtree);
  if (!known) return known.error();
  auto recipe = recipe_of(*known, book);
  if (!recipe) return base::wrap(device, recipe.error());
  return veil_.masked(**recipe, name, std::move(bytes));
}

Result<console::History::View> Depot::view(const std::set<std::string>& devices) {
  Result<> opened = ready(true);
  if (!opened) return opened.error();
  const std::vector<std::string>& all = ledger_->devices();
  auto references = repository_->references("refs/quarantine/*");
  if (!references) return references.error();
  // Whoever may see all may have the history itself: all that is in it, or ever was, so that must be known to
  // its beginning. Its references in quarantine are left out of what is offered (uploadpack.hideRefs, see
  // console/upload_pack.cc), but who knows one may ask for it.
  bool everything = ledger_->complete() &&
                    std::all_of(all.begin(), all.end(), [&](auto& name) { return devices.count(name); });
  for (const Repository::Reference& reference : *references) {
    bool named = false;
    for (const std::string& device : devices)
      named = named || reference.name.starts_with(quarantine_of(device));
    everything = everything && named;
  }
  if (everything && !all.empty()) return History::View{path_, nullptr};
  std::set<std::string> there;
  for (const std::string& name : all)
    if (devices.count(name)) there.insert(name);
  return views_.bring(*repository_, *ledger_, there);
}

Result<LatestOfAll> Depot::known() {
  Result<> opened = ready(false);
  if (!opened && opened.error().fault == Fault::missing) return LatestOfAll{};
  if (!opened) return opened.error();
  LatestOfAll latest;
  for (const std::string& device : ledger_->devices()) {
    const Ledger::Entry* newest = ledger_->newest(device);
    if (!newest) continue;
    History::Latest known;
    known.revision = hex_of(newest->commit);
    known.stored = known.checked = newest->at;
    // A damaged one is told when it is asked for.
    if (Result<Meta> read = meta(newest->subtree)) {
      known.grade = read->grade;
      for (const auto& [name, file] : read->files) known.size += file.size;
    }
    latest[device] = std::move(known);
  }
  return latest;
}

}  // namespace oob::snapshot

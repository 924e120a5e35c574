#include "audit/verify_snapshots.h"

#include "audit/verify_checkpoints.h"
#include "base/sha256.h"

namespace oob::audit {

using auth::Record;
using base::fail;
using base::Fault;
using base::Result;
using base::str;
using Kind = Finding::Kind;

namespace {

constexpr const char* kHistory = "snapshots.git";
constexpr std::size_t kShownDigits = 8;  // of a revision
constexpr std::size_t kMostNamedFiles = 3;

std::string brief(const std::string& revision) {
  return base::printable(revision.substr(0, kShownDigits), kShownDigits);
}

// docs/formats.md, "Journal": the SHA-256 of what sha256sum prints of the files in the order of their names.
std::string sums_of(const KeptSnapshots::Device& device) {
  std::string text;
  for (const auto& [name, sha256] : device.sums) text += str(sha256, "  ", name, "\n");
  return base::hex(base::sha256(text));
}

// Whether the list of a record, "NAME SHA256 SIZE, …", has this one.
bool lists(const std::string& files, const std::string& name, const std::string& sha256) {
  std::string item = str(base::printable(name, 255), " ", sha256, " ");
  return files.starts_with(item) || files.find(", " + item) != std::string::npos;
}

}  // namespace

bool BoundSnapshots::concerns(const Record& record) {
  const std::string& ev = record.ev;
  return ev == "snapshot.pull" || ev == "snapshot.stored" || ev == "snapshot.unchanged" ||
         ev == "snapshot.quarantined" || ev == "snapshot.failed";
}

void BoundSnapshots::add(const Record& record, const std::string& place, bool sealed) {
  const std::string* device = record.text("device");
  auto lacks = [&](const char* key) {
    report_.add({Kind::altered, place, record.n, str(record.ev, " has no '", key, "' that can be so")});
  };
  if (!device) return lacks("device");
  Said& said = devices_[*device];
  if (record.ev == "snapshot.pull") {
    // What no checkpoint holds anybody may have appended: it excuses nothing.
    if (sealed) ++said.open;
    return;
  }
  if (record.ev == "snapshot.quarantined" || record.ev == "snapshot.failed") {
    if (said.open > 0) --said.open;
    return;
  }
  const std::string *revision = record.text("revision"), *sums = record.text("sums"),
                    *files = record.text("files");
  std::string raw;
  constexpr std::size_t kDigest = 32;
  if (!revision || revision->empty()) return lacks("revision");
  if (!sums || !unhex(*sums, raw) || raw.size() != kDigest) return lacks("sums");
  if (said.last && said.last->sums != *sums) said.before[said.last->sums] = said.last->revision;
  said.contradicts = !sealed && said.open == 0 && !said.sealed_sums.empty() && said.sealed_sums != *sums;
  if (sealed) said.sealed_sums = *sums;
  said.last = Proof{*revision, files ? *files : "", *sums, record.n};
  revisions_[*revision] = {*device, record.n};
  // One of the pulls was this one.
  if (said.open > 1) said.lost += said.open - 1;
  said.open = 0;
}

Result<> BoundSnapshots::check() {
  if (!options_.snapshots) return {};
  Result<KeptSnapshots> kept = options_.snapshots(options_.state);
  if (!kept && kept.error().fault == Fault::unavailable) return kept.error();
  std::uint64_t stored = 0;
  for (const auto& [name, said] : devices_) stored += said.last ? 1 : 0;
  if (!kept) {
    bool gone = kept.error().fault == Fault::missing;
    if (gone && stored > 0)
      report_.add({Kind::missing, kHistory, std::nullopt,
                   str("is missing, and configurations of ", stored, stored == 1 ? " device" : " devices",
                       " were stored in it")});
    if (!gone) report_.add({Kind::altered, kHistory, std::nullopt, kept.error().what});
    return {};
  }
  report_.snapshots = kept->devices.size();
  report_.revisions = kept->revisions.size();
  for (const auto& [name, said] : devices_) {
    auto at = kept->devices.find(name);
    check_device(name, &said, at == kept->devices.end() ? nullptr : &at->second);
  }
  for (const auto& [name, device] : kept->devices)
    if (!devices_.contains(name)) check_device(name, nullptr, &device);
  if (untold_ > 0)
    report_.add({Kind::note, kHistory, std::nullopt,
                 str(untold_, untold_ == 1 ? " device is" : " devices are",
                     " older in it than what is left of the journal: nothing tells whether that is whole")});
  check_history(*kept);
  return {};
}

void BoundSnapshots::check_device(const std::string& name, const Said* said,
                                  const KeptSnapshots::Device* kept) {
  std::string place = str(kHistory, "/", base::printable(name, 100));
  bool told = said && said->last;
  if (!kept) {
    if (told)
      report_.add({Kind::missing, place, said->last->n,
                   str("the configuration that was stored, ", brief(said->last->revision),
                       ", is not in the newest commit")});
    return;
  }
  if (!kept->fault.empty())
    return report_.add({Kind::altered, place, std::nullopt, str("can't be read: ", kept->fault)});
  if (told) return check_sums(place, *said, *kept);
  if (said && said->open > 0)
    return report_.add(
        {Kind::note, place, std::nullopt,
         "was pulled, and no record tells yet what was stored: it is under way, or a crash came"});
  if (pruned_) {
    ++untold_;
    return;
  }
  report_.add({Kind::altered, place, std::nullopt, "no record of the journal tells that it was stored"});
}

void BoundSnapshots::check_sums(const std::string& place, const Said& said,
                                const KeptSnapshots::Device& kept) {
  const Proof& last = *said.last;
  std::string now = sums_of(kept);
  if (now == last.sums) {
    if (said.contradicts)
      report_.add({Kind::unsealed, place, last.n,
                   "is not what a checkpoint holds, and the record that tells of it has none"});
    return;
  }
  if (said.open > 0)
    return report_.add({Kind::note, place, last.n,
                        "was pulled again, and no record tells yet what was stored: it is under way, or a "
                        "crash came"});
  if (auto old = said.before.find(now); old != said.before.end())
    return report_.add({Kind::altered, place, last.n,
                        str("was set back: it has what was stored as ", brief(old->second), ", and ",
                            brief(last.revision), " was stored last")});
  std::string wrong;
  std::size_t count = 0;
  for (const auto& [name, sha256] : kept.sums) {
    if (lists(last.files, name, sha256) || ++count > kMostNamedFiles) continue;
    wrong += str(wrong.empty() ? "" : ", ", base::printable(name, 200));
  }
  // The list of a record has not all of many files.
  bool cut = last.files.ends_with(" more");
  if (count > kMostNamedFiles) wrong += str(" and ", count - kMostNamedFiles, " more");
  report_.add({Kind::altered, place, last.n,
               str(cut             ? "its files are"
                   : wrong.empty() ? "files are missing: it is"
                                   : str(wrong, count == 1 ? " is" : " are"),
                   " not what was stored as ", brief(last.revision))});
}

// Each commit is one that was stored, and each that was stored is there: so no older revision was changed
// either, as each has the SHA-1 of the one before.
void BoundSnapshots::check_history(const KeptSnapshots& kept) {
  std::map<std::string, Told> gone = revisions_;
  std::size_t known = 0;  // as far back as records go
  for (std::size_t i = 0; i < kept.revisions.size(); ++i) {
    gone.erase(kept.revisions[i].commit);
    if (revisions_.contains(kept.revisions[i].commit)) known = i + 1;
  }
  if (!pruned_) known = kept.revisions.size();
  std::string newest;
  std::uint64_t strange = 0;
  for (std::size_t i = 0; i < known; ++i) {
    const KeptSnapshots::Revision& each = kept.revisions[i];
    if (revisions_.contains(each.commit)) continue;
    if (Said& said = devices_[each.device]; said.open + said.lost > 0) {
      --(said.open > 0 ? said.open : said.lost);
      continue;
    }
    if (strange++ == 0)
      newest =
          str(brief(each.commit), each.device.empty() ? "" : str(" of ", base::printable(each.device, 100)));
  }
  if (strange > 0)
    report_.add({Kind::altered, kHistory, std::nullopt,
                 str(strange == 1 ? "a revision is none that was stored: "
                                  : str(strange, " revisions are none that were stored, the newest "),
                     newest)});
  if (gone.empty()) return;
  auto last = gone.begin();
  for (auto at = gone.begin(); at != gone.end(); ++at)
    if (at->second.n > last->second.n) last = at;
  report_.add({Kind::missing, kHistory, last->second.n,
               str(gone.size() == 1 ? "a revision that was stored is not in it any more: "
                                    : str(gone.size(),
                                          " revisions that were stored are not in it any more, "
                                          "the newest "),
                   brief(last->first), " of ", base::printable(last->second.device, 100))});
}

}  // namespace oob::audit

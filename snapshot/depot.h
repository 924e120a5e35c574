#pragma once

#include <sys/stat.h>

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "console/history.h"
#include "snapshot/gates.h"
#include "snapshot/latest_file.h"
#include "snapshot/ledger.h"
#include "snapshot/meta.h"
#include "snapshot/packing.h"
#include "snapshot/repository.h"
#include "snapshot/veil.h"
#include "snapshot/views.h"

namespace oob::snapshot {

// The history of configurations on the disk: what console::History promises, as calls that block, all from
// one thread. Opened at the first use; what can't be opened is tried again at the next.
class Depot {
 public:
  using History = console::History;
  static constexpr std::size_t kMostQuarantined = 16;  // of one device; the oldest goes
  static constexpr std::size_t kMostDiff = 8 << 20;    // bytes

  // `state`: the folder with snapshots.git; `host`: of the mail addresses in commits; `step`: see packing.h;
  // `remembered`: revisions, see Ledger::kMost; `space`: see Views.
  Depot(const std::string& state, const std::string& host, Step step, std::size_t remembered = Ledger::kMost,
        Views::Space space = audit::disk_space);

  base::Result<History::Stored> store(const History::Snapshot& snapshot, const recipe::Book& book);
  base::Result<std::vector<History::Revision>> revisions(const std::string& device, std::size_t most);
  base::Result<std::vector<History::File>> files(const std::string& device, const std::string& revision);
  base::Result<std::string> file(const std::string& device, const std::string& revision,
                                 const std::string& name);
  base::Result<std::string> diff(const History::Diff& wish, const recipe::Book& book);
  base::Result<std::string> masked(const std::string& device, const std::string& revision,
                                   const std::string& name, std::string bytes, const recipe::Book& book);
  base::Result<History::View> view(const std::set<std::string>& devices);
  // The newest revision of all devices, as far as git knows.
  base::Result<LatestOfAll> known();
  base::Result<> tidy();  // packs what is loose, when there is much of it
  // Told once: what to say where somebody else has moved `main`, or the folder, since it was looked at last,
  // which each of these calls does.
  std::optional<std::string> moved() { return std::exchange(moved_, std::nullopt); }

 private:
  // A revision of a device.
  struct Found {
    git_oid commit, subtree;
    base::Micros at = 0;
    bool quarantined = false;
  };
  static std::string quarantine_of(const std::string& device);  // where its references are
  base::Result<> ready(bool make);
  void leave_what_went();
  base::Result<> look();
  base::Result<std::vector<Found>> quarantined(const std::string& device) const;  // oldest first
  base::Result<Found> resolve(const std::string& device, const std::string& revision);
  // The subtree that `found` took the place of; nullopt: it is the first.
  base::Result<std::optional<git_oid>> before(const std::string& device, const Found& found) const;
  base::Result<Meta> meta(const git_oid& subtree) const;
  // nullopt: there is none under this name. What is not what was pulled is Fault::failed.
  base::Result<std::optional<std::string>> bytes(const git_oid& subtree, const Meta& meta,
                                                 const std::string& name) const;
  // Whether the newest revision is these bytes, by the SHA-256 that its meta.json has: git's SHA-1, by which
  // `now` and `old` are compared, is not relied on. Fault::failed: git can't tell the two apart.
  base::Result<bool> unchanged(const History::Snapshot& snapshot, const std::map<std::string, git_oid>& old,
                               const git_oid& subtree) const;
  base::Result<std::vector<History::Change>> changes(const History::Snapshot& snapshot,
                                                     const std::map<std::string, git_oid>& old) const;
  base::Result<git_oid> commit(const History::Snapshot& snapshot, std::vector<History::Change> changes,
                               const std::string& why, bool accepted, base::Micros at, git_oid& subtree);
  base::Result<> confine(const std::string& device, const git_oid& id, base::Micros at);

  std::string path_, host_;
  Step step_;
  std::size_t remembered_;
  Git git_;  // goes after all that is of it
  std::optional<Repository> repository_;
  struct stat opened_ {};         // the folder of repository_, when it was opened
  std::optional<Ledger> ledger_;  // of `main` as it is, after look()
  std::optional<std::string> moved_;
  Views views_;
  Veil veil_;
  std::size_t loose_ = 0;
};

}  // namespace oob::snapshot

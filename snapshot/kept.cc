#include "snapshot/kept.h"

#include <sys/stat.h>

#include <cerrno>
#include <limits>

#include "base/sha256.h"
#include "snapshot/ledger.h"
#include "snapshot/meta.h"
#include "snapshot/repository.h"

namespace oob::snapshot {

using base::fail;
using base::Fault;
using base::Result;

namespace {

audit::KeptSnapshots::Device device_of(const Repository& repository, const git_oid& subtree) {
  audit::KeptSnapshots::Device device;
  Result<std::map<std::string, git_oid>> blobs = repository.blobs(subtree);
  if (!blobs) return {{}, blobs.error().what};
  for (const auto& [name, id] : *blobs) {
    if (name == kMetaFile) continue;
    Result<std::string> bytes = repository.blob(id);
    if (!bytes) return {{}, bytes.error().what};
    device.sums[name] = base::hex(base::sha256(*bytes));
  }
  return device;
}

}  // namespace

Result<audit::KeptSnapshots> read_kept(const std::string& state) {
  std::string path = state + "/snapshots.git";
  struct stat found {};
  if (::lstat(path.c_str(), &found) < 0 && errno == ENOENT)
    return fail(Fault::missing, "no snapshot is kept");
  Git git;
  Result<Repository> repository = Repository::look(path);
  if (!repository) return repository.error();
  Result<Ledger> ledger = Ledger::read(*repository, std::numeric_limits<std::size_t>::max());
  if (!ledger) return ledger.error();
  audit::KeptSnapshots kept;
  const std::vector<Ledger::Entry>& entries = ledger->entries();
  // None of ours changes no device.
  std::optional<git_oid> tip = ledger->tip();
  if (tip && (entries.empty() || !git_oid_equal(&entries.back().commit, &*tip)))
    kept.revisions.push_back({hex_of(*tip), ""});
  for (auto at = entries.rbegin(); at != entries.rend(); ++at)
    kept.revisions.push_back({hex_of(at->commit), ledger->device(at->device)});
  for (const std::string& name : ledger->devices())
    if (const Ledger::Entry* newest = ledger->newest(name))
      kept.devices[name] = device_of(*repository, newest->subtree);
  return kept;
}

}  // namespace oob::snapshot

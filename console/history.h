#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "audit/verify.h"
#include "base/result.h"
#include "base/time.h"
#include "recipe/pull.h"

namespace oob::console {

// What is kept of the configurations of devices: revisions, each with its files. Nothing here blocks; every
// `done` is called once, later, from the loop. Owned by the Server; the real one is snapshot::Store.
class History {
 public:
  template <class T>
  using Done = std::function<void(base::Result<T>)>;
  virtual ~History() = default;

  struct Snapshot {
    std::string device;
    recipe::Pulled pulled;
    std::string recipe;                 // "pfsense 3"
    std::string user;                   // the author
    std::string recording, checkpoint;  // its ID; Checkpoint::brief() of the journal, may be empty
    base::Micros began = 0, ended = 0;  // wall clock
    bool accept = false;                // although a gate (its size) says no
    std::vector<std::string> fetch;     // of the configuration, see Device::fetch: such files come and go
  };
  struct File {
    std::string name, sha256;
    std::uint64_t size = 0;
  };
  struct Change {
    std::string file;
    enum class Kind { added, changed, removed } kind = Kind::changed;
    std::uint64_t lines_added = 0, lines_removed = 0;  // 0 and 0: binary, or one of another kind
    std::uint64_t size = 0;
    std::string sha256;  // of the new bytes
  };
  struct Stored {
    enum class Kind { stored, unchanged, quarantined } kind = Kind::stored;
    std::string revision;  // commit, 40 hex digits: the new one, the unchanged one, the one in quarantine
    std::vector<Change> changes;  // against the revision before
    std::vector<File> files;      // all of them, changed or not
    std::string why;              // of quarantine, with what to do
  };
  // Passes the gates, or goes into quarantine; unchanged bytes make no commit. Fault::failed with the reason
  // when the disk does not take it; nothing is half stored.
  virtual void store(Snapshot snapshot, Done<Stored> done) = 0;

  struct Revision {
    std::string revision;
    base::Micros at = 0;
    std::string user, grade, method;
    std::vector<Change> changes;
    bool quarantined = false;
  };
  // Newest first, at most `most`. Fault::missing: there is none.
  virtual void revisions(const std::string& device, std::size_t most, Done<std::vector<Revision>> done) = 0;

  // Besides the files of a revision, given by file() and not listed by files(): what is known of them, their
  // SHA-256 and how they came (docs/formats.md, Snapshots).
  static constexpr const char* kMeta = "meta.json";

  // `revision`: empty for the newest, a commit (at least 4 hex digits, unambiguous), or "@N": the Nth before
  // the newest. Fault::missing: no such revision or file of this device.
  virtual void files(const std::string& device, const std::string& revision,
                     Done<std::vector<File>> done) = 0;
  virtual void file(const std::string& device, const std::string& revision, const std::string& name,
                    Done<std::string> done) = 0;

  struct Diff {
    std::string device, from, to;  // revisions; both empty: the newest against the one before
    bool bytes = false;            // all of it; else without what oscillates, and secrets masked
  };
  // A unified diff, empty when there is no difference.
  virtual void diff(Diff wish, Done<std::string> done) = 0;
  // What a person may look at of a file of this revision: secrets masked by the recipe it was pulled with, or
  // the one of that name now.
  virtual void masked(const std::string& device, const std::string& revision, const std::string& name,
                      std::string bytes, Done<std::string> done) = 0;

  struct Latest {
    std::string revision;
    base::Micros stored = 0;   // wall clock of the newest revision
    base::Micros checked = 0;  // of the last pull that proved it, changed or not
    std::string grade;
    std::uint64_t size = 0;
    std::string trouble;  // of the last try, empty after a good one
  };
  // Of all devices ever pulled; what is known in memory.
  virtual const std::map<std::string, Latest>& latest() const = 0;
  // A pull that came to nothing, for latest(). Kept over restarts.
  virtual void failed(const std::string& device, const std::string& why) = 0;

  // A bare repository with these devices alone in it, of all revisions, to be read by git-upload-pack.
  struct View {
    std::string path;
    std::shared_ptr<const void> kept;  // it stays where it is while this is held
  };
  // Fault::unavailable: the disk has no room for it.
  virtual void view(std::set<std::string> devices, Done<View> done) = 0;

  // How `verify` reads what is kept, from the disk alone. Empty: nothing can be verified.
  virtual audit::ReadSnapshots to_verify() const { return {}; }

  // Bytes of files that are held in memory for readers, of all of them together. Whoever holds some adds
  // them, and takes them off again.
  const std::shared_ptr<std::uint64_t> lent = std::make_shared<std::uint64_t>(0);
};

}  // namespace oob::console

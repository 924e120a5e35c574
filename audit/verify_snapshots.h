#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "audit/verify.h"
#include "auth/journal_reader.h"

namespace oob::audit {

// What the journal says of configurations that were stored, gathered record by record, and then held against
// what is kept of them.
class BoundSnapshots {
 public:
  BoundSnapshots(const VerifyOptions& options, VerifyReport& report) : options_(options), report_(report) {}

  // Whether add() wants it.
  static bool concerns(const auth::Record& record);
  // The next record, with its place. `sealed`: a checkpoint that fits holds it.
  void add(const auth::Record& record, const std::string& place, bool sealed);
  // Older records were removed: what they told of is unknown.
  void pruned() { pruned_ = true; }
  // To be called at once after the last record was read: what is stored meanwhile has its snapshot.pull in
  // them then. Fault::unavailable: the system refuses.
  base::Result<> check();

 private:
  // That these files were what the device had, and this commit what has them.
  struct Proof {
    std::string revision, files, sums;
    std::uint64_t n = 0;
  };
  struct Said {                 // of one device
    std::optional<Proof> last;  // of all records
    std::string sealed_sums;    // of the last that a checkpoint holds; empty: there is none
    bool contradicts =
        false;  // `last` has no checkpoint, no sealed pull before it, and other sums than these
    std::map<std::string, std::string> before;  // revisions that had other sums, by these
    unsigned open = 0;  // pulls that a checkpoint holds and of whose end nothing tells, after `last`
    unsigned lost = 0;  // and before it
  };
  struct Told {
    std::string device;
    std::uint64_t n = 0;
  };

  void check_device(const std::string& name, const Said* said, const KeptSnapshots::Device* kept);
  void check_sums(const std::string& place, const Said& said, const KeptSnapshots::Device& kept);
  void check_history(const KeptSnapshots& kept);

  const VerifyOptions& options_;
  VerifyReport& report_;
  std::map<std::string, Said> devices_;
  std::map<std::string, Told> revisions_;  // that records tell of
  bool pruned_ = false;
  std::uint64_t untold_ = 0;  // devices of which no record is left
};

}  // namespace oob::audit

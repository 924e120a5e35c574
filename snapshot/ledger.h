#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "snapshot/repository.h"

namespace oob::snapshot {

// Which commits of `main` changed which device, so that one device's history does not cost a walk through all
// others'. Read once from the repository, then told of each new commit. In memory, 56 bytes a revision.
class Ledger {
 public:
  // Of more, the oldest are left to git alone.
  static constexpr std::size_t kMost = 200'000;

  struct Entry {
    git_oid commit;
    git_oid subtree;  // REQUIRES: there
    base::Micros at = 0;
    std::uint32_t device = 0;
    bool there = true;  // false: the commit took the device out
  };

  static base::Result<Ledger> read(const Repository& repository, std::size_t most = kMost);
  void add(const std::string& device, const git_oid& commit, const git_oid& subtree, base::Micros at);

  const std::vector<Entry>& entries() const { return entries_; }  // oldest first
  const std::string& device(std::uint32_t number) const { return names_[number]; }
  const std::vector<std::string>& devices() const { return names_; }
  // Places in entries() of what a device ever had, oldest first.
  const std::vector<std::uint32_t>& of(const std::string& device) const;
  const Entry* newest(const std::string& device) const;  // null: there is none
  std::optional<git_oid> tip() const { return tip_; }
  // Whether it goes back to the first commit: then no device is in `main`, or was, that devices() lacks.
  bool complete() const { return complete_; }

 private:
  std::uint32_t number_of(const std::string& device);
  void put(const Entry& entry);

  std::vector<Entry> entries_;
  std::vector<std::string> names_;
  std::map<std::string, std::uint32_t> numbers_;
  std::vector<std::vector<std::uint32_t>> places_;
  std::optional<git_oid> tip_;
  bool complete_ = true;
};

}  // namespace oob::snapshot

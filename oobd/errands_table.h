#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "oobd/config.h"

namespace oob::errands {

// What of a configuration the process that runs programs goes by.
struct Table {
  std::string state;                                         // the state folder
  std::map<std::string, std::vector<std::string>> programs;  // of [notify.NAME], their words
  std::map<std::string, CallHomeConfig> bastions;            // of [callhome.NAME]
  std::set<std::string> interfaces;                          // of all uplinks

  static Table of(const Config& config);
  std::string encode() const;
  static base::Result<Table> decode(base::Bytes bytes);
  bool operator==(const Table&) const = default;
};

// Bytes that outlive whoever put them there: in memory, shared with all that is forked from now on. One that
// is ended while it puts leaves nothing.
class Kept {
 public:
  static base::Result<Kept> make();
  void put(base::Bytes bytes);  // in place of what was there; nothing, where there is no memory
  std::string get() const;      // empty: nothing was put there

 private:
  explicit Kept(base::Fd memory) : memory_(std::move(memory)) {}
  base::Fd memory_;
};

}  // namespace oob::errands

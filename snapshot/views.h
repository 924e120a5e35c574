#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "audit/disk_space.h"
#include "base/result.h"
#include "console/history.h"
#include "snapshot/ledger.h"
#include "snapshot/packing.h"
#include "snapshot/repository.h"

namespace oob::snapshot {

// Repositories with some devices alone, for those who may see no others: each commit of `main` has the
// folders of all devices, and git-upload-pack gives all that a commit has (gitprotocol-pack(5)), so what they
// may not have must not be in it. Each is a copy of its own, without alternates, made from `main` and brought
// up to date when it is asked for; its commits have the authors, times and messages of those they are made
// from, so they are the same each time it is made. Their names are others; the messages end with the name in
// `main`.
class Views {
 public:
  static constexpr std::size_t kMost = 32;

  static constexpr unsigned kSpare = 5;  // percent of the disk that a new view leaves free
  // How full the disk with a folder is.
  using Space = std::function<base::Result<audit::DiskSpace>(const std::string&)>;

  Views(std::string folder, Step step, Space space)
      : folder_(std::move(folder)), step_(std::move(step)), space_(std::move(space)) {}
  // The one with these devices. The view that was not asked for longest goes, once there are more than kMost;
  // those that somebody holds stay. Fault::unavailable: there is no room for a new one.
  base::Result<console::History::View> bring(const Repository& main, const Ledger& ledger,
                                             const std::set<std::string>& devices);

  // The revisions of `main` that commits of views, the names of which begin so, are made from.
  // REQUIRES: hex digits, at least 4 and at most 40.
  std::set<std::string> made_from(const std::string& name) const;

 private:
  // `strange`: it is not what was made here, or of another history; it is to be made anew.
  base::Result<> update(Repository& view, const Repository& main, const Ledger& ledger,
                        const std::set<std::string>& devices, bool& strange);
  base::Result<> has_room(const Repository& main) const;
  bool held(const std::string& path) const;
  void drop_oldest(const std::string& but);

  std::string folder_;
  Step step_;
  Space space_;
  std::map<std::string, std::weak_ptr<const void>> held_;  // by path
};

}  // namespace oob::snapshot

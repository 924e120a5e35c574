#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/loop.h"
#include "console/history.h"

namespace oob::snapshot {

class Depot;

// The history of configurations, in a git repository of its own (docs/formats.md, Snapshots), kept by a
// thread of its own: a slow card delays snapshots, and nothing else. Destroying it does what was asked for
// and calls nobody back.
class Store : public console::History {
 public:
  struct Options {
    std::string state;                      // the folder with snapshots.git, snapshots.json, snapshots.views
    std::string host = "oobd";              // of the mail addresses in commits: alice@oobd
    std::function<recipe::Book()> recipes;  // those of now; asked on the loop
    // Somebody else has changed the history, or it is not as it was noted last; on the loop.
    std::function<void(const std::string& text)> changed = [](const std::string&) {};
    // For tests: called on the thread before each step that changes the disk.
    std::function<void(std::string_view)> step = [](std::string_view) {};
  };
  // More questions than this under way, and the next is told Fault::busy. What is to be stored is never
  // turned away: whoever pulls bounds how much that is, and it was proved at some cost.
  static constexpr int kMostAtOnce = 256;

  // Reads snapshots.json; what git knows better is in latest() a little later.
  Store(base::Loop& loop, Options options);
  ~Store() override;

  void store(Snapshot snapshot, Done<Stored> done) override;
  void revisions(const std::string& device, std::size_t most, Done<std::vector<Revision>> done) override;
  void files(const std::string& device, const std::string& revision, Done<std::vector<File>> done) override;
  void file(const std::string& device, const std::string& revision, const std::string& name,
            Done<std::string> done) override;
  void diff(Diff wish, Done<std::string> done) override;
  void masked(const std::string& device, const std::string& revision, const std::string& name,
              std::string bytes, Done<std::string> done) override;
  const std::map<std::string, Latest>& latest() const override { return latest_; }
  void failed(const std::string& device, const std::string& why) override;
  void view(std::set<std::string> devices, Done<View> done) override;
  audit::ReadSnapshots to_verify() const override;

 private:
  // `call` on the thread, then `done` with what it says.
  template <class T>
  void run(std::function<base::Result<T>(Depot&)> call, Done<T> done);
  // The same of a question, unless too many are under way.
  template <class T>
  void ask(std::function<base::Result<T>(Depot&)> question, Done<T> done);
  void note(const std::string& device, const Snapshot& snapshot, const base::Result<Stored>& stored);
  // Takes over what git knows; the devices that were noted otherwise.
  std::string learn(const std::map<std::string, Latest>& known);
  void moved(const std::string& text);
  void save();
  void tidy();

  base::Loop& loop_;
  Options options_;
  std::map<std::string, Latest> latest_;
  int questions_ = 0;             // under way
  std::shared_ptr<Depot> depot_;  // the thread's
  base::Disk disk_;               // goes first: what it does is with all the others
};

}  // namespace oob::snapshot

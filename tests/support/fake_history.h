#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "base/sha256.h"
#include "console/history.h"
#include "console/puller.h"

namespace oob::test {

// A history in memory, with one gate: less than half of the size before goes into quarantine. Its revisions
// are 40 times one digit: 1 for the first.
class FakeHistory : public console::History {
 public:
  explicit FakeHistory(base::Loop& loop) : loop_(loop) {}

  struct Kept {
    Revision revision;
    std::map<std::string, std::string> files;
  };
  std::map<std::string, std::vector<Kept>> kept;  // oldest first, those in quarantine too
  std::vector<Snapshot> stored;                   // as they were given
  std::vector<std::string> masked_at;             // the revisions that were asked for
  std::string refuses;                            // not empty: the disk takes nothing
  std::string hidden;                             // a file that changes all the time

  void store(Snapshot snapshot, Done<Stored> done) override {
    stored.push_back(snapshot);
    if (!refuses.empty()) return answer<Stored>(std::move(done), base::fail(base::Fault::failed, refuses));
    std::map<std::string, std::string> files;
    std::uint64_t size = 0;
    for (const auto& file : snapshot.pulled.files) {
      files[file.name] = file.bytes;
      size += file.bytes.size();
    }
    auto& all = kept[snapshot.device];
    const Kept* before = newest(snapshot.device);
    Latest& latest = latest_[snapshot.device];
    Stored result;
    latest.trouble.clear();
    if (before && before->files == files) {
      latest.checked = snapshot.ended;
      result.kind = Stored::Kind::unchanged;
      result.revision = before->revision.revision;
      return answer<Stored>(std::move(done), result);
    }
    for (const auto& [name, bytes] : files) {
      auto old = before ? before->files.find(name) : files.end();
      bool fresh = !before || old == before->files.end();
      if (!fresh && old->second == bytes) continue;
      auto lines = static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
      result.changes.push_back({name, fresh ? Change::Kind::added : Change::Kind::changed, lines,
                                fresh ? 0u : 1u, bytes.size(), base::hex(base::sha256(bytes))});
    }
    bool shrunk = before && size * 2 < latest.size && !snapshot.accept;
    result.kind = shrunk ? Stored::Kind::quarantined : Stored::Kind::stored;
    result.revision = std::string(40, static_cast<char>('1' + all.size()));
    if (shrunk) result.why = "it is less than half of what it was; --accept stores it all the same";
    all.push_back({{result.revision, snapshot.ended, snapshot.user, "device", snapshot.pulled.method,
                    result.changes, shrunk},
                   files});
    if (shrunk) {
      latest.trouble = result.why;
    } else {
      latest = {result.revision, snapshot.ended, snapshot.ended, "device", size, ""};
    }
    answer<Stored>(std::move(done), result);
  }

  void revisions(const std::string& device, std::size_t most, Done<std::vector<Revision>> done) override {
    std::vector<Revision> found;
    for (const Kept& one : kept[device]) found.insert(found.begin(), one.revision);
    if (found.size() > most) found.resize(most);
    if (found.empty()) return answer<std::vector<Revision>>(std::move(done), missing());
    answer<std::vector<Revision>>(std::move(done), found);
  }
  void files(const std::string& device, const std::string& revision, Done<std::vector<File>> done) override {
    const Kept* one = at(device, revision);
    if (!one)
      return answer<std::vector<File>>(std::move(done),
                                       missing(base::str(device, ": no revision ", revision)));
    std::vector<File> found;
    for (const auto& [name, bytes] : one->files)
      found.push_back({name, base::hex(base::sha256(bytes)), bytes.size()});
    answer<std::vector<File>>(std::move(done), found);
  }
  void file(const std::string& device, const std::string& revision, const std::string& name,
            Done<std::string> done) override {
    const Kept* one = at(device, revision);
    if (one && name == "meta.json")
      return answer<std::string>(std::move(done), std::string("{\"files\": {}}\n"));
    if (!one || !one->files.count(name)) return answer<std::string>(std::move(done), missing());
    answer<std::string>(std::move(done), one->files.at(name));
  }
  void diff(Diff wish, Done<std::string> done) override {
    const Kept *from = at(wish.device, wish.from.empty() ? "@1" : wish.from),
               *to = at(wish.device, wish.to.empty() ? "@0" : wish.to);
    if (!from || !to)
      return answer<std::string>(
          std::move(done), missing(base::str(wish.device, ": no revision ", from ? wish.to : wish.from)));
    auto files_from = from->files, files_to = to->files;
    if (!wish.bytes) files_from.erase(hidden);
    if (!wish.bytes) files_to.erase(hidden);
    bool same = files_from == files_to;
    answer<std::string>(std::move(done), same ? std::string()
                                              : base::str(from->revision.revision.substr(0, 1), "..",
                                                          to->revision.revision.substr(0, 1),
                                                          wish.bytes ? " bytes" : "", "\n"));
  }
  void masked(const std::string&, const std::string& revision, const std::string&, std::string bytes,
              Done<std::string> done) override {
    masked_at.push_back(revision);
    for (std::size_t at = bytes.find("hunter2"); at != std::string::npos; at = bytes.find("hunter2"))
      bytes.replace(at, 7, "****");
    answer<std::string>(std::move(done), bytes);
  }
  const std::map<std::string, Latest>& latest() const override { return latest_; }
  void failed(const std::string& device, const std::string& why) override { latest_[device].trouble = why; }
  void view(std::set<std::string>, Done<View> done) override { answer<View>(std::move(done), missing()); }

  void set_checked(const std::string& device, base::Micros checked) { latest_[device].checked = checked; }
  // As if an earlier run had stored one then.
  void set_stored(const std::string& device, base::Micros at) {
    latest_[device] = {std::string(40, 'e'), at, at, "device", 1, ""};
  }

 private:
  template <class T>
  void answer(Done<T> done, base::Result<T> result) {
    loop_.post([done = std::move(done), result = std::move(result)] { done(result); });
  }
  static base::Error missing(const std::string& what = "there is none") {
    return base::fail(base::Fault::missing, what);
  }
  const Kept* newest(const std::string& device) {
    for (auto one = kept[device].rbegin(); one != kept[device].rend(); ++one)
      if (!one->revision.quarantined) return &*one;
    return nullptr;
  }
  const Kept* at(const std::string& device, const std::string& revision) {
    auto& all = kept[device];
    if (revision.empty()) return newest(device);
    std::size_t back = 0;
    if (revision[0] == '@' && base::parse_number(std::string_view(revision).substr(1), back))
      return back < all.size() ? &all[all.size() - 1 - back] : nullptr;
    for (const Kept& one : all)
      if (revision.size() >= 4 && one.revision.revision.starts_with(revision)) return &one;
    return nullptr;
  }

  base::Loop& loop_;
  std::map<std::string, Latest> latest_;
};

// Devices that have what `has` says, once they are let go on.
class FakePuller : public console::Puller {
 public:
  explicit FakePuller(base::Loop& loop) : loop_(loop) {}

  std::map<std::string, std::map<std::string, std::string>> has;  // device -> file -> bytes
  std::map<std::string, base::Error> fails;                       // device -> how
  std::string left_open;
  bool holds = false;  // until let_go()
  std::vector<Wish> asked;
  std::vector<std::string> interrupted;

  std::uint64_t begin(console::Core&, Wish wish, Done done) override {
    asked.push_back(wish);
    std::uint64_t number = next_++;
    pulls_.push_back({number, std::move(wish), std::move(done)});
    if (!holds) let_go(pulls_.back().wish.device);
    return number;
  }
  void interrupt(console::Core&, std::uint64_t number, const base::Error& why) override {
    for (Pull& pull : pulls_)
      if (pull.number == number) {
        interrupted.push_back(pull.wish.device);
        fails[pull.wish.device] = why;
        let_go(pull.wish.device);
        return;
      }
  }
  void let_go(const std::string& device) {
    auto at = std::find_if(pulls_.begin(), pulls_.end(),
                           [&](const Pull& pull) { return pull.wish.device == device; });
    if (at == pulls_.end()) return;
    Done done = std::move(at->done);
    pulls_.erase(at);
    Brought brought{base::Result<recipe::Pulled>(recipe::Pulled{}), left_open, "20261122-160311-7",
                    base::milliseconds(8200)};
    if (auto error = fails.find(device); error != fails.end()) {
      brought.pulled = error->second;
    } else {
      brought.pulled->method = "posix-block";
      brought.pulled->retries = 2;
      brought.pulled->wire_bytes = 4711;
      for (const auto& [name, bytes] : has[device])
        brought.pulled->files.push_back(
            {name, bytes, base::hex(base::sha256(bytes)), recipe::Grade::device, ""});
    }
    loop_.post([done = std::move(done), brought = std::move(brought)] { done(brought); });
  }
  std::size_t held() const { return pulls_.size(); }
  // Of the pull of the device that is held.
  const Wish& wish(const std::string& device) const {
    return std::find_if(pulls_.begin(), pulls_.end(),
                        [&](const Pull& pull) { return pull.wish.device == device; })
        ->wish;
  }

 private:
  struct Pull {
    std::uint64_t number;
    Wish wish;
    Done done;
  };
  base::Loop& loop_;
  std::vector<Pull> pulls_;
  std::uint64_t next_ = 1;
};

}  // namespace oob::test

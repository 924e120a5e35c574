#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/loop.h"
#include "console/history.h"

namespace oob::test {

// A history of one revision a device, in memory; whatever is asked is answered later, from the loop.
class OneRevision : public console::History {
 public:
  explicit OneRevision(base::Loop& loop) : loop_(loop) {}

  void add(const std::string& device, const std::string& name, const std::string& bytes) {
    files_of[device][name] = bytes;
    latest_[device].revision = std::string(40, '1');
    latest_[device].stored = 1'795'363'200'000'000;
  }

  void store(Snapshot, Done<Stored> done) override { refuse(std::move(done)); }
  void revisions(const std::string&, std::size_t, Done<std::vector<Revision>> done) override {
    refuse(std::move(done));
  }
  void files(const std::string& device, const std::string&, Done<std::vector<File>> done) override {
    std::vector<File> all;
    for (const auto& [name, bytes] : files_of[device]) {
      File file;
      file.name = name;
      file.size = bytes.size();
      all.push_back(file);
    }
    loop_.post([all, done] { done(all); });
  }
  void file(const std::string& device, const std::string&, const std::string& name,
            Done<std::string> done) override {
    if (name == kMeta) return loop_.post([done] { done(std::string("{\"format\": 1}\n")); });
    ++read;
    loop_.post([bytes = files_of[device][name], done] { done(bytes); });
  }
  void diff(Diff, Done<std::string> done) override { refuse(std::move(done)); }
  void masked(const std::string&, const std::string&, const std::string&, std::string,
              Done<std::string> done) override {
    refuse(std::move(done));
  }
  const std::map<std::string, Latest>& latest() const override { return latest_; }
  void failed(const std::string& device, const std::string& why) override { latest_[device].trouble = why; }
  void view(std::set<std::string> devices, Done<View> done) override {
    viewed = devices;
    auto lease = std::make_shared<int>();
    held = lease;
    loop_.post([this, done, lease] { done(View{repository, lease}); });
  }

  std::map<std::string, std::map<std::string, std::string>> files_of;
  int read = 0;  // files
  std::set<std::string> viewed;
  std::string repository;   // what view() answers
  std::weak_ptr<int> held;  // whether the last view is

 private:
  template <class T>
  void refuse(Done<T> done) {
    loop_.post([done] { done(base::fail(base::Fault::internal, "not here")); });
  }
  base::Loop& loop_;
  std::map<std::string, Latest> latest_;
};

}  // namespace oob::test

#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/life.h"
#include "console/line.h"

namespace oob::test {

// A line whose far end is the test: what the gear says is put into `say`, what was typed gathers in `typed`.
class FakeLine : public console::Line {
 public:
  explicit FakeLine(base::Loop& loop) : loop_(loop) {}

  // The gear's side. These take effect on the next turn of the loop, as with real lines.
  void say(const std::string& bytes) {
    said_ += bytes;
    loop_.post(life_.wrap([this] { wake(readable_); }));
  }
  // Stands after all that was said so far.
  void mark(console::LineMark what) {
    marks_.emplace_back(said_.size(), std::move(what));
    loop_.post(life_.wrap([this] { wake(readable_); }));
  }
  void unplug(const std::string& why = "unplugged") {
    broken_ = why;
    loop_.post(life_.wrap([this] { wake(readable_); }));
  }
  void allow(std::size_t bytes) {
    room_ = bytes;
    loop_.post(life_.wrap([this] { wake(writable_); }));
  }
  void come_back() {
    broken_.clear();
    loop_.post(life_.wrap([this] { wake(returns_); }));
  }

  std::string typed;
  std::vector<unsigned> breaks;
  std::string refuse_open;  // not empty: open() fails so
  int opens = 0, reads = 0;
  bool is_open = false;

  void open(std::function<void(base::Result<>)> done) override {
    ++opens;
    loop_.post(life_.wrap([this, done = std::move(done)] {
      if (!refuse_open.empty()) return done(base::fail(base::Fault::unavailable, refuse_open));
      is_open = true;
      done({});
    }));
  }
  base::Result<std::size_t> read(char* to, std::size_t most) override {
    ++reads;
    most = std::min<std::size_t>(most, 4095);
    if (!marks_.empty()) {
      most = std::min(most, marks_.front().first);
      if (most == 0) return base::fail(base::Fault::again, "");
    }
    if (!said_.empty()) {
      std::size_t size = said_.copy(to, most);
      said_.erase(0, size);
      for (auto& [before, what] : marks_) before -= size;
      return size;
    }
    if (!broken_.empty()) return base::fail(base::Fault::unavailable, broken_);
    return base::fail(base::Fault::again, "");
  }
  std::optional<console::LineMark> next_mark() override {
    if (marks_.empty() || marks_.front().first != 0) return std::nullopt;
    console::LineMark what = std::move(marks_.front().second);
    marks_.pop_front();
    return what;
  }
  base::Result<std::size_t> write(base::Bytes bytes) override {
    std::size_t size = std::min(bytes.size(), room_);
    if (size == 0) return base::fail(base::Fault::again, "");
    typed += bytes.substr(0, size);
    if (room_ != kNoLimit) room_ -= size;
    return size;
  }
  void wait_readable(std::function<void()> what) override {
    readable_ = std::move(what);
    if (!said_.empty() || !marks_.empty() || !broken_.empty())
      loop_.post(life_.wrap([this] { wake(readable_); }));
  }
  void wait_writable(std::function<void()> what) override { writable_ = std::move(what); }
  base::Result<> send_break(unsigned milliseconds) override {
    breaks.push_back(milliseconds);
    return {};
  }
  void close() override {
    is_open = false;
    readable_ = writable_ = returns_ = nullptr;
  }
  void wait_return(std::function<void()> what) override { returns_ = std::move(what); }
  std::string describe() const override { return "fake"; }

 private:
  static constexpr std::size_t kNoLimit = ~std::size_t{0};
  static void wake(std::function<void()>& what) {
    if (!what) return;
    auto now = std::move(what);
    what = nullptr;
    now();
  }
  base::Loop& loop_;
  std::string said_, broken_;
  std::deque<std::pair<std::size_t, console::LineMark>> marks_;  // each stands before that byte of said_
  std::size_t room_ = kNoLimit;
  std::function<void()> readable_, writable_, returns_;
  base::Life life_;
};

}  // namespace oob::test

#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/disk.h"
#include "ipmi/bmc.h"
#include "ipmi/sol.h"
#include "tests/bmc/bmc.h"
#include "tests/bmc/udp_proxy.h"
#include "tests/support/support.h"

namespace oob::ipmi {

using base::milliseconds;

// A BMC of the tests and the wire to it.
struct FarEnd {
  FarEnd(base::Loop& loop, test::BmcOptions options, std::uint64_t seed)
      : bmc(loop, std::move(options)), wire(loop, seed) {
    EXPECT_TRUE(bmc.open());
    EXPECT_TRUE(wire.open("127.0.0.1", 0, bmc.address(), bmc.port()));
  }
  test::Bmc bmc;
  test::UdpProxy wire;
};

// Our end of it.
struct NearEnd {
  NearEnd(base::Loop& loop, base::Blocking& blocking, HandshakeGate& gate, BmcSettings settings)
      : address(settings.host), bmc(loop, blocking, gate, settings, [this](const char* event, auto& text) {
          events.push_back(base::str(event, " ", plain(text)));
        }) {}
  // With ADDR for the address, which is another one each time.
  std::string plain(std::string text) const {
    for (std::size_t at; (at = text.find(address)) != std::string::npos;)
      text.replace(at, address.size(), "ADDR");
    return text;
  }
  std::string last() const { return events.empty() ? "" : events.back(); }

  std::string address;
  std::vector<std::string> events;  // "bmc.up suite 17, operator", "bmc.failed ADDR: no answer"
  Bmc bmc;
};

// A request that was made: what came of it, and after how long.
struct Asked {
  std::string text;  // "00 2001" (completion and data in hex) or "Fault 69: why"; empty: nothing yet
  milliseconds took{0};
};

// An address of this process's own: nobody else takes a port of it that is free for a while.
inline std::string own_address() {
  const auto own = static_cast<unsigned>(::getpid());
  return base::str("127.", 128 + (own >> 14 & 127), ".", own >> 7 & 127, ".", 1 + (own & 127));
}

// How long the loop stood still because the machine had no time for us. look() is called every few
// milliseconds.
class Standstill {
 public:
  void look() {
    auto now = base::Clock::now();
    if (now - last_ > milliseconds(20)) sum_ += now - last_;
    last_ = now;
  }
  base::Clock::duration sum() const { return sum_; }

 private:
  base::Clock::time_point last_ = base::Clock::now();
  base::Clock::duration sum_{0};
};

// A console on a BMC's Serial over LAN: reads all that comes, and writes what it was given as room comes.
class Reader {
 public:
  Reader(base::Loop& loop, Link& link, SolSettings settings = {}, Sol::Times times = short_times())
      : sol(
            loop, link, settings, [this](const std::string& what) { remarks.push_back(what); }, times),
        loop_(loop) {}

  static Sol::Times short_times() {
    Sol::Times times;
    times.takeover_pause = times.takeover_jitter = milliseconds(20);
    times.ask_every = times.first_hold_off = milliseconds(200);
    return times;
  }

  void open() {
    outcome.reset();
    error.clear();
    sol.open([this](const base::Result<>& result) {
      EXPECT_FALSE(outcome);
      outcome = result ? "" : result.error().what;
      if (result) pump();
    });
  }
  // What came of open(); empty when well.
  std::string opened() {
    open();
    return test::run_until(loop_, [this] { return outcome.has_value(); }) ? *outcome : "hangs";
  }
  void type(base::Bytes bytes) {
    to_write_ += bytes;
    write();
  }
  bool typed() const { return to_write_.empty(); }
  // "KIND@OFFSET TEXT", in the order of the bytes.
  std::string marks;
  std::string text;   // all that was read
  std::string error;  // why the line went down
  std::vector<std::string> remarks;
  std::optional<std::string> outcome;
  Sol sol;

 private:
  void pump() {
    char buffer[4096];
    for (;;) {
      while (std::optional<console::LineMark> mark = sol.next_mark())
        marks += base::str(marks.empty() ? "" : "; ", mark->kind, "@", text.size(), " ", mark->text);
      base::Result<std::size_t> size = sol.read(buffer, sizeof buffer);
      if (size) {
        text.append(buffer, *size);
      } else if (size.error().fault != base::Fault::again) {
        error = size.error().what;
        return sol.close();
      } else if (std::optional<console::LineMark> mark = sol.next_mark()) {
        marks += base::str(marks.empty() ? "" : "; ", mark->kind, "@", text.size(), " ", mark->text);
      } else {
        break;
      }
    }
    sol.wait_readable([this] { pump(); });
  }
  void write() {
    while (!to_write_.empty()) {
      base::Result<std::size_t> size = sol.write(to_write_);
      if (!size) {
        if (size.error().fault == base::Fault::again) sol.wait_writable([this] { write(); });
        return;
      }
      to_write_.erase(0, *size);
    }
  }
  base::Loop& loop_;
  std::string to_write_;
};

// BMCs, their wires, and our ends of them, all on one loop.
class Rack : public testing::Test {
 protected:
  FarEnd& far_end(test::BmcOptions options = {}, std::uint64_t seed = 1) {
    return *fars_.emplace_back(std::make_unique<FarEnd>(loop_, std::move(options), seed));
  }

  // Through the wire; user "oob" with its right password, everything else left open.
  BmcSettings settings(const FarEnd& far) {
    BmcSettings settings;
    settings.name = base::str("relay", ++count_);
    settings.host = base::str("127.0.0.1:", far.wire.port());
    settings.user = "oob";
    settings.password_file = key_file("secret");
    settings.memory = folder_ / base::str(settings.name, ".suite");
    return settings;
  }
  std::string key_file(const std::string& key) {
    std::string path = folder_ / base::str("key.", key);
    if (test::read_file(path).empty()) test::write_file(path, key + "\n");
    return path;
  }

  NearEnd& near_end(BmcSettings settings) {
    return *nears_.emplace_back(std::make_unique<NearEnd>(loop_, blocking_, gate_, std::move(settings)));
  }
  NearEnd& near_end(const FarEnd& far) { return near_end(settings(far)); }
  void destroy(NearEnd& near) {
    std::erase_if(nears_, [&](auto& each) { return each.get() == &near; });
  }
  void destroy(FarEnd& far) {
    std::erase_if(fars_, [&](auto& each) { return each.get() == &far; });
  }

  // Less than a session may be idle: one that must end does not end for that.
  bool until(std::function<bool()> condition, milliseconds limit = milliseconds(40'000)) {
    return test::run_until(loop_, std::move(condition), limit);
  }
  // Goes on for so long, to see that nothing happens.
  void watch(milliseconds time) {
    auto end = base::Clock::now() + time;
    until([&] { return base::Clock::now() >= end; }, time + milliseconds(1000));
  }

  // Starts it and says what happened first.
  std::string opened(NearEnd& near) {
    near.bmc.start();
    until([&] { return !near.events.empty(); });
    return near.last();
  }

  std::shared_ptr<Asked> ask(NearEnd& near, Request request, Link::Send how = Link::Send::again) {
    auto asked = std::make_shared<Asked>();
    auto begun = base::Clock::now();
    near.bmc.ask(std::move(request), how, [asked, begun, &near](const Result<Response>& answer) {
      EXPECT_EQ(asked->text, "");
      asked->took = std::chrono::duration_cast<milliseconds>(base::Clock::now() - begun);
      asked->text = answer ? base::str(base::hex(std::string(1, static_cast<char>(answer->completion))), " ",
                                       base::hex(answer->data))
                           : base::str("Fault ", static_cast<int>(answer.error().fault), ": ",
                                       near.plain(answer.error().what));
    });
    return asked;
  }
  std::string answer(NearEnd& near, Request request) {
    auto asked = ask(near, std::move(request));
    until([&] { return !asked->text.empty(); });
    return asked->text;
  }

  static Request device_id() { return {NetFn::app, 0x01, ""}; }
  static constexpr const char* kDeviceId = "00 2001017302bff21b00420000000000";
  static Request chassis_status() { return {NetFn::chassis, 0x01, ""}; }

  test::TempDir folder_;
  base::Loop loop_;
  base::Blocking blocking_{loop_};
  HandshakeGate gate_{loop_, 1000};

 private:
  unsigned count_ = 0;
  std::vector<std::unique_ptr<FarEnd>> fars_;

 protected:
  std::vector<std::unique_ptr<NearEnd>> nears_;
};

}  // namespace oob::ipmi

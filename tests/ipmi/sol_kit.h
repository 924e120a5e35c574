#pragma once

#include "ipmi/sol.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/ipmi/fake_link.h"
#include "tests/support/support.h"

// A Sol over a link that the test plays.
namespace oob::ipmi {

using base::Fault;
using base::milliseconds;
using test::FakeLink;
using test::run_until;

constexpr std::uint8_t kActivate = 0x48, kDeactivate = 0x49, kStatus = 0x4a, kInfo = 0x4b, kSet = 0x21,
                       kGet = 0x22;

inline std::string bytes(std::initializer_list<int> values) {
  std::string all;
  for (int value : values) all += static_cast<char>(value);
  return all;
}

// Some of its requests fail before they go out.
struct CrowdedLink : FakeLink {
  explicit CrowdedLink(base::Loop& loop) : FakeLink(loop), loop(loop) {}
  void ask(Request request, Send how, std::function<void(base::Result<Response>)> done) override {
    if (request.command != kActivate || unsent == 0)
      return FakeLink::ask(std::move(request), how, std::move(done));
    --unsent;
    loop.post([done = std::move(done)] { done(base::fail(Fault::again, "fake: was not sent")); });
  }
  base::Loop& loop;
  unsigned unsent = 0;  // activations
};

struct SolTest : testing::Test {
  SolTest() {
    // A BMC where all is well; its port is byte-swapped.
    bmc[kActivate] = {0, bytes({0, 0, 0, 0, 32, 0, 32, 0, 0x02, 0x6f, 0xff, 0xff})};
    bmc[kDeactivate] = {};
    bmc[kStatus] = {0, bytes({1, 1, 0})};
    bmc[kInfo] = {0, bytes({0x44, 0x33, 0x22, 0x11, 1, 0, 0, 0, 0, 0, 0, 0})};
    link.answer = [this](const Request& request) -> std::optional<FakeLink::Reply> {
      if (auto& queue = first[request.command]; !queue.empty()) {
        auto reply = queue.front();
        queue.erase(queue.begin());
        return reply;
      }
      if (request.command == kGet) return FakeLink::Reply{0, bytes({0x11}) + parameters[request.data[1]]};
      if (request.command == kSet) {
        parameters[request.data[1]] = request.data.substr(2);
        return FakeLink::Reply{refuse_set, ""};
      }
      return bmc[request.command];
    };
    times.takeover_pause = milliseconds(1);
    times.takeover_jitter = milliseconds(1);
    times.ask_every = milliseconds(5);
    make();
  }
  void make() {
    sol.reset();
    sol = std::make_unique<Sol>(
        loop, link, settings, [this](const std::string& what) { remarks.push_back(what); }, times);
  }
  // Opens it and answers how that went: empty when well.
  std::string open() {
    std::optional<std::string> outcome;
    sol->open([&](const base::Result<>& result) {
      outcome = result ? "" : result.error().what;
      if (!result) {
        EXPECT_EQ(result.error().fault, Fault::unavailable);
      }
    });
    EXPECT_FALSE(outcome) << "called back from inside";
    EXPECT_TRUE(run_until(loop, [&] { return outcome.has_value(); }));
    return outcome.value_or("never");
  }
  void open_well() {
    link.come_up();
    ASSERT_EQ(open(), "");
  }
  void turns(int count) {
    std::function<void()> next = [&] {
      if (--count <= 0) return loop.stop();
      loop.post(next);
    };
    loop.post(next);
    loop.run();
  }
  // How often it was asked so far.
  int asked(std::uint8_t command) const {
    int count = 0;
    for (const auto& ask : link.asked) count += ask.request.command == command;
    return count;
  }
  std::string read() {
    char to[1000];
    auto size = sol->read(to, sizeof to);
    if (!size) return size.error().fault == Fault::again ? "again" : "error: " + size.error().what;
    return std::string(to, *size);
  }
  // What read() says once there is something.
  std::string wait_and_read() {
    bool ready = false;
    sol->wait_readable([&] { ready = true; });
    EXPECT_FALSE(ready) << "called back from inside";
    return run_until(loop, [&] { return ready; }) ? read() : "nothing came";
  }
  std::string lost() {
    while (sol->next_mark()) {
    }
    return wait_and_read();
  }

  // Who has the SOL, as the BMC says; 0: it does not say.
  void set_owner(std::uint32_t owner) {
    bmc[kInfo] = FakeLink::Reply{0, ""};
    put32(bmc[kInfo]->data, owner);
    bmc[kInfo]->data.append(8, '\0');
  }
  // Opens it, then the BMC answers to no input any more.
  void open_and_get_no_answer() {
    times.most_tries = 1;
    times.ask_every = milliseconds(60'000);
    make();
    open_well();
    turns(10);  // it was told whose it is
    ASSERT_EQ(asked(kInfo), 1);
    sol->write("x");
    ASSERT_EQ(lost(), kNoAnswer);
    sol->close();
  }
  static constexpr const char* kNoAnswer =
      "error: fake: the BMC takes no input, it answers no packet (another session may have Serial over LAN)";
  static constexpr const char* kTakenOver =
      "Serial over LAN was in use by another session; it was taken over";
  static constexpr const char* kStillActive =
      "Serial over LAN was still active, perhaps since this line had it before; it was activated anew";

  base::Loop loop;
  CrowdedLink link{loop};
  std::map<std::uint8_t, std::optional<FakeLink::Reply>> bmc;
  std::map<std::uint8_t, std::vector<std::optional<FakeLink::Reply>>> first;  // answered before those
  std::map<char, std::string> parameters{{3, bytes({12, 96})}, {4, bytes({7, 20})}, {6, bytes({10})}};
  std::uint8_t refuse_set = 0;
  SolSettings settings;
  Sol::Times times;
  std::vector<std::string> remarks;
  std::unique_ptr<Sol> sol;
};

}  // namespace oob::ipmi

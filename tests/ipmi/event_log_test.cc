#include "ipmi/event_log.h"

#include <gtest/gtest.h>

#include "tests/ipmi/fake_records.h"
#include "tests/support/support.h"

namespace oob {
namespace {

using base::Fault;
using base::Result;
using ipmi::EventLog;
using Events = EventLog::Events;
using Reply = test::FakeLink::Reply;

// A BMC's log as the standard has it.
struct FakeLog {
  std::vector<std::string> records;
  std::uint32_t addition = 1, erase = 1;
  std::uint16_t reservation = 0;
  bool reserved = false;
  bool wants_reservation = false;
  bool knows_all = true;  // FFh bytes are the whole record
  int erase_turns = 0;    // so many questions find it still erasing
  std::map<int, int> next;
  std::function<void(const ipmi::Request&)> before;

  void add(std::uint16_t id, char offset = 1) {
    std::string record;
    ipmi::put16(record, id);
    record += test::unhex("020000005f2000040101015962") + offset;
    records.push_back(record);
    ++addition;
    reserved = false;
  }
  void clear() {
    records.clear();
    ++erase;
    reserved = false;
  }
  std::optional<Reply> operator()(const ipmi::Request& request) {
    if (before) before(request);
    base::Bytes data = request.data;
    std::string answer;
    switch (request.command) {
      case 0x40:
        answer = "\x51";
        ipmi::put16(answer, static_cast<std::uint16_t>(records.size()));
        ipmi::put16(answer, 0x1000);
        ipmi::put32(answer, addition);
        ipmi::put32(answer, erase);
        return Reply{0, answer + "\x02"};
      case 0x42:
        reserved = true;
        ipmi::put16(answer, ++reservation);
        return Reply{0, answer};
      case 0x43:
        return entry(data);
      case 0x47:
        if (!reserved || ipmi::get16(data, 0) != reservation) return Reply{0xc5, {}};
        if (data.substr(2, 3) != "CLR") return Reply{0xcc, {}};
        if (ipmi::get8(data, 5) == 0xaa) {
          records.clear();
          ++erase;
        }
        return Reply{0, std::string(1, erase_turns-- > 0 ? 0 : 1)};
      default:
        return Reply{0xc1, {}};
    }
  }
  Reply entry(base::Bytes data) {
    if (wants_reservation && (!reserved || ipmi::get16(data, 0) != reservation)) return {0xc5, {}};
    if (!knows_all && ipmi::get8(data, 5) == 0xff) return {0xca, {}};
    std::uint16_t id = ipmi::get16(data, 2);
    for (std::size_t i = 0; i < records.size(); ++i) {
      bool here = ipmi::get16(records[i], 0) == id || (id == 0 && i == 0) ||
                  (id == 0xffff && i + 1 == records.size());
      if (!here) continue;
      std::string answer;
      int follows = i + 1 < records.size() ? ipmi::get16(records[i + 1], 0) : 0xffff;
      if (next.count(static_cast<int>(i)) != 0) follows = next[static_cast<int>(i)];
      ipmi::put16(answer, static_cast<std::uint16_t>(follows));
      return {0, answer + records[i]};
    }
    return {0xcb, {}};
  }
};

struct LogWorld {
  base::Loop loop;
  base::Blocking blocking{loop};
  test::FakeLink link{loop};
  test::FakeRecords sdrs;
  FakeLog bmc;
  ipmi::Sensors sensors{loop, blocking, link, ""};
  std::unique_ptr<EventLog> log = std::make_unique<EventLog>(loop, link, sensors);

  LogWorld() {
    link.answer = [this](const ipmi::Request& request) {
      bool sel = request.netfn == ipmi::NetFn::storage && request.command >= 0x40;
      return sel ? bmc(request) : sdrs(request);
    };
    link.come_up();
  }
  template <class T>
  T wait(std::optional<T>& got) {
    EXPECT_TRUE(test::run_until(loop, [&] { return got.has_value(); }));
    return got ? *got : T{};
  }
  Result<Events> read() {
    std::optional<Result<Events>> got;
    log->read([&](Result<Events> events) { got = std::move(events); });
    EXPECT_TRUE(test::run_until(loop, [&] { return got.has_value(); }));
    return got ? *got : base::fail(Fault::internal, "no answer");
  }
  std::string read_ids() {
    auto got = read();
    return got ? ids(*got) : got.error().what;
  }
  std::string clear(unsigned last) {
    std::optional<std::string> got;
    log->clear(last, [&](Result<> done) { got = done ? "cleared" : done.error().what; });
    return wait(got);
  }
  std::string poll() {
    std::optional<Events> got;
    log->poll([&](Events events) { got = std::move(events); });
    return ids(wait(got));
  }
  static std::string ids(const Events& events) {
    std::string text;
    for (const auto& event : events) text += base::str(text.empty() ? "" : " ", event.id);
    return text;
  }
};

const std::string kChanged =
    "fake: event log: another event came meanwhile; nothing was cleared: read it first";

TEST(EventLog, ReadsTheWholeLogWithNames) {
  LogWorld world;
  EXPECT_EQ(world.read_ids(), "");
  world.bmc.add(5);
  world.bmc.add(9);
  world.bmc.add(7);
  auto got = world.read();
  ASSERT_TRUE(got);
  EXPECT_EQ(LogWorld::ids(*got), "5 9 7");
  EXPECT_EQ((*got)[0].sensor, "CPU Temp");
  EXPECT_EQ((*got)[0].text, "Upper Critical going high: reading 98 > threshold 1 degrees C");
}

TEST(EventLog, ReadsWithoutNamesWhereThereAreNone) {
  LogWorld world;
  world.sdrs.next[1] = 1;  // the chain of sensor records loops
  world.bmc.add(5);
  auto got = world.read();
  ASSERT_TRUE(got && got->size() == 1);
  EXPECT_EQ((*got)[0].sensor, "Temperature #0x01");
}

TEST(EventLog, ReadsFromFirmwareWithWishes) {
  LogWorld world;
  world.bmc.wants_reservation = true;
  world.bmc.knows_all = false;
  world.bmc.add(1);
  world.bmc.add(2);
  EXPECT_EQ(world.read_ids(), "1 2");
  EXPECT_EQ(world.poll(), "");
  world.bmc.add(3);
  EXPECT_EQ(world.poll(), "3");
}

TEST(EventLog, EndsChainsThatDoNotEnd) {
  LogWorld world;
  for (std::uint16_t id = 1; id <= 4; ++id) world.bmc.add(id);
  world.bmc.next[3] = 2;
  EXPECT_EQ(world.read_ids(), "fake: event log: record chain loops at 0002h");
  world.bmc.next[3] = 0;
  EXPECT_EQ(world.read_ids(), "fake: event log: record chain loops at 0000h");
  LogWorld endless;
  endless.link.answer = [](const ipmi::Request& request) -> std::optional<Reply> {
    std::uint16_t id = ipmi::get16(request.data + std::string(4, '\0'), 2);
    std::string answer;
    if (request.command == 0x40) return Reply{0, std::string(14, '\x02')};
    ipmi::put16(answer, static_cast<std::uint16_t>(id + 1));
    ipmi::put16(answer, id);
    return Reply{0, answer + std::string(14, '\x02')};
  };
  EXPECT_EQ(endless.read_ids(), "fake: event log: more than 16384 records");
}

TEST(EventLog, BeginsAgainWhenSomebodyClearsTheLogMeanwhile) {
  LogWorld world;
  for (std::uint16_t id = 1; id <= 4; ++id) world.bmc.add(id);
  bool cleared = false;
  world.bmc.before = [&](const ipmi::Request& request) {
    if (cleared || request.command != 0x43 || request.data[2] != 3) return;
    cleared = true;
    world.bmc.clear();
    world.bmc.add(9);
  };
  EXPECT_EQ(world.read_ids(), "9");
}

TEST(EventLog, SaysWhyARecordCannotBeRead) {
  LogWorld world;
  world.bmc.add(1);
  world.link.answer = [&](const ipmi::Request& request) -> std::optional<Reply> {
    if (request.command == 0x43) return Reply{0, std::string("\xff\xff\x01\x00\x02", 5)};
    return world.bmc(request);
  };
  EXPECT_EQ(world.read_ids(), "fake: event log: 0000h: event record of 3 bytes, not 16");
  world.link.answer = nullptr;
  EXPECT_EQ(world.read_ids(), "event log: fake: no answer");
}

TEST(EventLog, ClearsWhatWasReadToTheEnd) {
  LogWorld world;
  world.bmc.add(1);
  world.bmc.add(2);
  world.bmc.erase_turns = 3;
  EXPECT_EQ(world.clear(2), "cleared");
  EXPECT_TRUE(world.bmc.records.empty());
  int clears = 0;
  for (const auto& asked : world.link.asked)
    if (asked.request.command == 0x47 && asked.request.data.back() == '\xaa') {
      ++clears;
      EXPECT_EQ(asked.how, ipmi::Link::Send::once);
    }
  EXPECT_EQ(clears, 1);
  EXPECT_EQ(world.clear(2), "cleared");  // empty already
}

TEST(EventLog, DoesNotClearWhatNobodyHasRead) {
  LogWorld world;
  world.bmc.add(1);
  world.bmc.add(2);
  EXPECT_EQ(world.clear(1), kChanged);
  // It comes after the last record was looked at.
  world.bmc.before = [&](const ipmi::Request& request) {
    if (request.command == 0x47 && world.bmc.records.size() == 2) world.bmc.add(3);
  };
  EXPECT_EQ(world.clear(2), kChanged);
  EXPECT_EQ(world.bmc.records.size(), 3u);
}

TEST(EventLog, TellsWhenNobodyKnowsWhetherItWasCleared) {
  LogWorld world;
  world.bmc.add(1);
  world.link.answer = [&](const ipmi::Request& request) -> std::optional<Reply> {
    if (request.command == 0x47) return std::nullopt;
    return world.bmc(request);
  };
  EXPECT_EQ(world.clear(1), "event log: fake: no answer; whether it was cleared is not known");
  world.link.unsent = true;
  EXPECT_EQ(world.clear(1), "fake: event log: clear: was not sent: nothing was done: fake: not sent");
}

TEST(EventLog, LooksForItselfWhenTheBmcCannotTellHowFarItIs) {
  LogWorld world;
  world.bmc.add(1);
  world.bmc.add(2);
  world.link.answer = [&](const ipmi::Request& request) -> std::optional<Reply> {
    auto reply = world.bmc(request);
    if (request.command == 0x47) reply->data.clear();
    return reply;
  };
  EXPECT_EQ(world.clear(2), "cleared");
}

TEST(EventLog, SaysThatTheUserHasTooFewRights) {
  LogWorld world;
  world.bmc.add(1);
  world.link.answer = [&](const ipmi::Request& request) -> std::optional<Reply> {
    if (request.command == 0x47) return Reply{0xd4, {}};
    return world.bmc(request);
  };
  std::optional<Fault> fault;
  world.log->clear(1, [&](Result<> done) { fault = done ? Fault::end : done.error().fault; });
  EXPECT_TRUE(test::run_until(world.loop, [&] { return fault.has_value(); }));
  EXPECT_EQ(fault, Fault::denied);
}

TEST(EventLog, PollsOnlyWhatIsNew) {
  LogWorld world;
  world.bmc.add(1);
  world.bmc.add(2);
  EXPECT_EQ(world.poll(), "");
  EXPECT_EQ(world.poll(), "");
  world.bmc.add(3);
  world.bmc.add(4);
  EXPECT_EQ(world.poll(), "3 4");
  std::size_t before = world.link.asked.size();
  EXPECT_EQ(world.poll(), "");
  EXPECT_EQ(world.link.asked.size(), before + 1);
}

TEST(EventLog, PollsALogThatOthersClear) {
  LogWorld world;
  world.bmc.add(1);
  EXPECT_EQ(world.poll(), "");
  world.bmc.clear();
  EXPECT_EQ(world.poll(), "");
  world.bmc.add(1, 2);
  EXPECT_EQ(world.poll(), "1");
  world.bmc.clear();
  world.bmc.add(1, 3);  // the same id, another event
  world.bmc.add(2, 3);
  EXPECT_EQ(world.poll(), "1 2");
}

TEST(EventLog, MissesNothingWhileTheBmcIsAway) {
  LogWorld world;
  EXPECT_EQ(world.poll(), "");
  world.link.go_down("gone");
  world.bmc.add(1);
  EXPECT_EQ(world.poll(), "");
  world.link.come_up();
  EXPECT_EQ(world.poll(), "1");
}

TEST(EventLog, DoesOneThingAtATime) {
  LogWorld world;
  world.bmc.add(1);
  int done = 0, busy = 0;
  for (std::size_t i = 0; i < EventLog::kMostWaiting + 2; ++i)
    world.log->read([&](Result<Events> got) {
      got ? ++done : ++busy;
      EXPECT_TRUE(got || got.error().fault == Fault::busy);
    });
  EXPECT_TRUE(test::run_until(world.loop, [&] { return done + busy == EventLog::kMostWaiting + 2; }));
  EXPECT_EQ(busy, 2);
}

TEST(EventLog, CallsNobodyWhenItIsGone) {
  LogWorld world;
  bool called = false;
  world.log->read([&](Result<Events>) { called = true; });
  world.log.reset();
  EXPECT_FALSE(test::run_until(
      world.loop, [&] { return called; }, base::milliseconds(50)));
}

}  // namespace
}  // namespace oob

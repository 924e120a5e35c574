#include "console/forwards.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/unix_socket.h"
#include "console/core.h"
#include "console/rights_clock.h"
#include "console/session.h"
#include "tests/support/support.h"

namespace oob::test {
namespace {

using auth::Action;
using base::Fd;
using base::str;
using console::Forwards;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kAddress = "127.77.9.1";

// A listener that plays a BMC's page, or the port of one, which nobody else gets but which refuses calls.
struct Page {
  explicit Page(const char* address = kAddress, bool listens = true) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    ::inet_pton(AF_INET, address, &at.sin_addr);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&at), size), 0);
    if (listens) {
      EXPECT_EQ(::listen(listener.get(), 16), 0);
    }
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&at), &size);
    port = ntohs(at.sin_port);
  }
  Fd accept() { return Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)); }

  Fd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  std::uint16_t port = 0;
};

// The front's end of one forward.
struct Client {
  Fd socket;
  std::optional<bool> open;
};

// alice may forward on edge*, and watch shown; she can't see hidden. edge1 has the page, and edge2 none.
class Yard : public testing::Test {
 protected:
  Yard() {
    for (const char* name : {"edge1", "edge2", "shown", "hidden"}) inventory.add(name, nullptr);
    for (const char* name : {"edge1", "shown", "hidden"}) place(name, kAddress);
    place("shown", "127.77.9.2");
    place("hidden", "127.77.9.3");
    may({Action::forward});
  }

  void place(const char* name, const char* address) {
    inventory.find(name)->forward = console::ForwardTarget{str("bmc-", name), address, {page.port}};
  }
  void may(std::set<Action> actions) {
    auth::Role pages{{"edge*"}, std::move(actions)}, sees{{"shown"}, {Action::watch}};
    core.policy = std::make_unique<auth::Policy>(
        std::map<std::string, std::vector<std::string>>{{"alice", {"pages", "sees"}}},
        std::map<std::string, auth::Role>{{"pages", pages}, {"sees", sees}});
  }

  std::shared_ptr<Client> ask(const std::string& host, std::uint32_t port, Forwards::Terms terms = {},
                              std::uint64_t connection = 7) {
    auto pair = base::socket_pair(SOCK_STREAM);
    auto client = std::make_shared<Client>();
    client->socket = std::move(pair->first);
    console::Visitor visitor;
    visitor.who = {"alice", "SHA256:test", "192.0.2.9"};
    visitor.session = core.next_session++;
    visitor.connection = connection;
    core.forwards->open(core, visitor, terms, {connection, 1, host, port, "127.0.0.1:9"},
                        std::move(pair->second), [client](bool open) { client->open = open; });
    return client;
  }
  // The BMC's end: the client's may be open a moment before.
  Fd called() {
    Fd bmc;
    EXPECT_TRUE(run_until(loop, [&] {
      bmc = page.accept();
      return static_cast<bool>(bmc);
    }));
    return bmc;
  }
  bool answered(Client& client) {
    return run_until(loop, [&] { return client.open.has_value(); });
  }
  bool allowed(const std::string& host, std::uint32_t port, Forwards::Terms terms = {}) {
    auto client = ask(host, port, std::move(terms));
    EXPECT_TRUE(answered(*client)) << host;
    return *client->open;
  }
  std::string journal_with(const std::string& text) {
    EXPECT_TRUE(run_until(loop, [&] { return journal_text().find(text) != std::string::npos; })) << text;
    return journal_text();
  }
  std::string journal_text() { return read_file(dir / "journal/000000000000.jsonl"); }

  // Reads until the other side's end.
  std::string all_of(int socket) {
    std::string all;
    char buffer[65536];
    run_until(loop, [&] {
      while (true) {
        auto size = base::receive_some(socket, buffer, sizeof buffer);
        if (!size) return size.error().fault != base::Fault::again;
        all.append(buffer, *size);
      }
    });
    return all;
  }

  Page page;
  TempDir dir;
  base::Loop loop;
  base::Disk disk{loop};
  base::Blocking blocking{loop};
  std::unique_ptr<auth::Journal> journal = std::move(auth::Journal::open(loop, disk, dir.path())).value();
  console::Archive archive{loop, disk, dir / "transcripts"};
  console::Inventory inventory;
  console::Core core{.loop = loop,
                     .blocking = blocking,
                     .archive = archive,
                     .journal = *journal,
                     .inventory = inventory,
                     .policy = nullptr,
                     .sessions = {},
                     .transcripts = dir / "transcripts",
                     .state = dir.path(),
                     .escape = "\005c",
                     .version = "oobd test",
                     .started = 1,
                     .reload = nullptr};
};

using ForwardsTo = Yard;

TEST_F(ForwardsTo, TheBmcOfADeviceByItsNameAndByItsAddressHoweverItIsWritten) {
  for (const char* host : {"edge1.bmc", kAddress, "::ffff:127.77.9.1", "::ffff:7f4d:901"})
    EXPECT_TRUE(allowed(host, page.port)) << host;
}

TEST_F(ForwardsTo, NothingElse) {
  std::uint16_t port = page.port;
  for (const char* host :
       {"edge1",         "edge1.BMC",           ".bmc",        "bmc",         "",
        "localhost",     "example.com",         "127.0.0.1",   "127.1",       "2135755009",
        "0x7f4d0901",    "127.77.2305",         "127.77.9.01", " 127.77.9.1", "127.77.9.1 ",
        "127.77.9.1%lo", "[::ffff:127.77.9.1]", "::1",         "edge2.bmc",   "shown.bmc",
        "127.77.9.2",    "hidden.bmc",          "127.77.9.3",  "ghost.bmc",   "edge1.bmc.bmc"})
    EXPECT_FALSE(allowed(host, port)) << host;
  for (std::uint32_t other : {0u, 1u, port - 1u, port + 1u, port + 65536u, ~0u})
    EXPECT_FALSE(allowed("edge1.bmc", other)) << other;
  EXPECT_LT(page.accept().get(), 0);
  EXPECT_EQ(core.forwards->opened(), 0u);
  EXPECT_THAT(journal_text(), Not(HasSubstr("forward.open")));
}

TEST_F(ForwardsTo, WhatTheKeyAllowsToo) {
  std::uint16_t port = page.port;
  EXPECT_FALSE(allowed("edge1.bmc", port, {true, {}}));
  EXPECT_TRUE(allowed("edge1.bmc", port, {false, {{"edge1.bmc", port}}}));
  EXPECT_TRUE(allowed("edge1.bmc", port, {false, {{"x", 1}, {"edge1.bmc", 0}}}));
  EXPECT_TRUE(allowed("edge1.bmc", port, {false, {{"*", port}}}));
  EXPECT_FALSE(allowed("edge1.bmc", port, {false, {{"edge1.bmc", 1}}}));
  EXPECT_FALSE(allowed("edge1.bmc", port, {false, {{"EDGE1.bmc", port}}}));
  EXPECT_FALSE(allowed("edge1.bmc", port, {false, {{kAddress, port}}}));  // the text counts, as in sshd
  EXPECT_FALSE(allowed("shown.bmc", port, {false, {{"*", 0}}}));
}

TEST_F(ForwardsTo, ABmcOfTwoDevicesWhereOneOfThemAllowsIt) {
  place("shown", kAddress);
  place("hidden", kAddress);
  EXPECT_TRUE(allowed(kAddress, page.port));
  EXPECT_FALSE(allowed("shown.bmc", page.port));
}

TEST_F(ForwardsTo, IsWrittenDownBeforeAndAfterWithItsBytes) {
  auto client = ask("edge1.bmc", page.port);
  ASSERT_TRUE(answered(*client));
  EXPECT_THAT(journal_text(), HasSubstr("\"ev\":\"forward.open\""));
  EXPECT_THAT(journal_text(), HasSubstr("\"origin\":\"127.0.0.1:9\""));
  Fd bmc = called();
  ASSERT_TRUE(base::send_some(client->socket.get(), "hello"));
  ::shutdown(client->socket.get(), SHUT_WR);
  EXPECT_EQ(all_of(bmc.get()), "hello");
  // The end of one way is not the end of the other.
  ASSERT_TRUE(base::send_some(bmc.get(), "good night"));
  bmc.reset();
  EXPECT_EQ(all_of(client->socket.get()), "good night");
  std::string text = journal_with("forward.close");
  for (const char* part : {"\"bytes_in\":5,", "\"bytes_out\":10,", "\"why\":\"closed by the client\"",
                           "\"bmc\":\"bmc-edge1\"", "\"address\":\"127.77.9.1\"", "\"connection\":7"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_EQ(core.forwards->count(), 0u);
  EXPECT_EQ(core.forwards->bytes_in(), 5u);
  EXPECT_EQ(core.forwards->bytes_out(), 10u);
}

TEST_F(ForwardsTo, ManyBytesBothWaysAtOnce) {
  auto client = ask("edge1.bmc", page.port);
  ASSERT_TRUE(answered(*client));
  Fd bmc = called();
  std::string one(5'000'000, '\0'), two(5'000'000, '\0');
  for (std::size_t i = 0; i < one.size(); ++i) {
    one[i] = static_cast<char>(i * 7 + i / 256);
    two[i] = static_cast<char>(i * 11 + i / 512);
  }
  struct End {
    int socket;
    const std::string& says;
    std::size_t said = 0;
    std::string heard{};
  } ends[] = {{client->socket.get(), one}, {bmc.get(), two}};
  char buffer[65536];
  auto all_heard = [&] {
    for (End& end : ends) {
      auto sent = base::send_some(end.socket, base::Bytes(end.says).substr(end.said));
      if (sent) end.said += *sent;
      while (auto size = base::receive_some(end.socket, buffer, sizeof buffer))
        end.heard.append(buffer, *size);
    }
    return ends[0].heard.size() >= two.size() && ends[1].heard.size() >= one.size();
  };
  EXPECT_TRUE(run_until(loop, all_heard, base::milliseconds(60'000)));
  EXPECT_TRUE(ends[0].heard == two);
  EXPECT_TRUE(ends[1].heard == one);
}

TEST_F(ForwardsTo, ABmcThatRefusesTheCallIsNoted) {
  Page closed(kAddress, false);
  inventory.find("edge1")->forward->ports = {closed.port};
  EXPECT_FALSE(allowed("edge1.bmc", closed.port));
  EXPECT_THAT(journal_with("forward.close"), HasSubstr("could not connect: Connection refused"));
}

TEST_F(ForwardsTo, EndWithAClientThatClosesWithoutAWord) {
  auto client = ask("edge1.bmc", page.port);
  ASSERT_TRUE(answered(*client));
  Fd bmc = called();
  ASSERT_TRUE(base::send_some(client->socket.get(), "last words"));
  client->socket.reset();
  EXPECT_EQ(all_of(bmc.get()), "last words");
  EXPECT_THAT(journal_with("forward.close"), HasSubstr("closed by the client"));
}

TEST_F(ForwardsTo, EndWithTheirConnection) {
  auto one = ask("edge1.bmc", page.port, {}, 7), other = ask("edge1.bmc", page.port, {}, 8);
  ASSERT_TRUE(answered(*one) && answered(*other));
  EXPECT_EQ(core.forwards->count(7), 1u);
  core.forwards->end(7, "the client went away");
  EXPECT_EQ(all_of(one->socket.get()), "");
  EXPECT_THAT(journal_with("forward.close"), HasSubstr("the client went away"));
  EXPECT_EQ(core.forwards->count(), 1u);
  EXPECT_EQ(core.forwards->all().front().visitor.connection, 8u);
}

TEST_F(ForwardsTo, EndBeforeTheyHaveBegunWhenTheConnectionGoes) {
  auto client = ask("edge1.bmc", page.port);
  core.forwards->end(7, "the client went away");
  ASSERT_TRUE(answered(*client));
  EXPECT_FALSE(*client->open);
  EXPECT_THAT(journal_with("forward.close"), HasSubstr("the client went away"));
  EXPECT_LT(page.accept().get(), 0);
}

TEST_F(ForwardsTo, EndWhenTheirRightIsGone) {
  auto still = [](std::uint64_t) { return Forwards::Terms{}; };
  auto client = ask("edge1.bmc", page.port);
  ASSERT_TRUE(answered(*client));
  core.forwards->recheck(still);
  EXPECT_EQ(core.forwards->count(), 1u);
  may({Action::watch});
  core.forwards->recheck(still);
  EXPECT_EQ(core.forwards->count(), 0u);
  EXPECT_EQ(all_of(client->socket.get()), "");
  EXPECT_THAT(journal_with("forward.close"), HasSubstr("no longer allowed: alice may not forward edge1"));
}

TEST_F(ForwardsTo, EndByTheClockWithTheGrantTheyWereOpenedBy) {
  may({Action::watch});
  console::RightsClock rights(core);
  rights.load(dir / "grants", 0);
  rights.adopt();
  rights.look();
  for (bool revoked : {false, true}) {
    auto grant = core.grants->reserve("alice", {Action::forward}, "edge1", "root",
                                      (revoked ? 60 : 5) * 1'000'000LL, core.time->now());
    ASSERT_TRUE(grant);
    core.grants->add(*grant, [](const base::Result<>&) {});
    core.rights_changed();
    auto client = ask("edge1.bmc", page.port);
    ASSERT_TRUE(answered(*client) && *client->open);
    EXPECT_EQ(core.forwards->count(), 1u);
    if (revoked) core.grants->remove(grant->id, [](const base::Result<>&) {});
    if (revoked) core.rights_changed();
    EXPECT_TRUE(run_until(
        loop, [&] { return core.forwards->count() == 0; }, base::milliseconds(30'000)));
    EXPECT_EQ(all_of(client->socket.get()), "");
  }
  EXPECT_THAT(journal_with("forward.close"), HasSubstr("no longer allowed: "));
}

TEST_F(ForwardsTo, KeepWhatTheirKeyAllowsBetweenReloads) {
  ASSERT_TRUE(allowed("edge1.bmc", page.port, {false, {{"edge1.bmc", page.port}}}));
  core.forwards->recheck();
  EXPECT_EQ(core.forwards->count(), 1u);
  core.forwards->recheck([&](std::uint64_t) { return Forwards::Terms{false, {{"edge1.bmc", 0}}}; });
  core.forwards->recheck();
  EXPECT_EQ(core.forwards->count(), 1u);
  core.forwards->recheck([](std::uint64_t) { return Forwards::Terms{true, {}}; });
  EXPECT_EQ(core.forwards->count(), 0u);
}

TEST_F(ForwardsTo, EndWhenTheirKeyPortOrAddressIsGone) {
  using Change = std::function<void()>;
  Forwards::TermsNow now = [](std::uint64_t) { return Forwards::Terms{}; };
  auto same = now;
  for (const Change& change : {Change([&] { now = [](std::uint64_t) { return std::nullopt; }; }), Change([&] {
                                 now = [](std::uint64_t) { return Forwards::Terms{true, {}}; };
                               }),
                               Change([&] { inventory.find("edge1")->forward->ports = {1}; }),
                               Change([&] { place("edge1", "127.77.9.9"); }),
                               Change([&] { inventory.find("edge1")->forward.reset(); })}) {
    now = same;
    place("edge1", kAddress);
    ASSERT_TRUE(allowed("edge1.bmc", page.port));
    change();
    core.forwards->recheck(now);
    EXPECT_EQ(core.forwards->count(), 0u);
  }
}

TEST_F(ForwardsTo, CanBeEndedByTheirNumber) {
  auto client = ask("edge1.bmc", page.port);
  ASSERT_TRUE(answered(*client));
  std::uint64_t number = core.forwards->all().front().visitor.session;
  EXPECT_FALSE(core.forwards->end_numbered(number + 1, "x"));
  EXPECT_TRUE(core.forwards->end_numbered(number, "ended by root"));
  EXPECT_FALSE(core.forwards->end_numbered(number, "x"));
  EXPECT_EQ(all_of(client->socket.get()), "");
}

TEST_F(ForwardsTo, AreRefusedInTheJournalOnlySoOften) {
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(allowed(str("no", i, ".bmc"), 443));
  std::string text = journal_with("no9.bmc");
  EXPECT_THAT(text, HasSubstr("\"action\":\"forward\""));
  EXPECT_THAT(text, Not(HasSubstr("no10.bmc")));
}

TEST_F(ForwardsTo, NothingWhereTheDiskIsSoFullThatItIsRefused) {
  core.disk.refusal = "THE DISK IS FULL";
  EXPECT_FALSE(allowed("edge1.bmc", page.port));
  EXPECT_THAT(journal_with("denied"), HasSubstr("THE DISK IS FULL"));
  core.disk.refusal.clear();
  EXPECT_TRUE(allowed("edge1.bmc", page.port));
}

TEST_F(ForwardsTo, HaveABound) {
  std::vector<std::shared_ptr<Client>> many;
  for (std::size_t i = 0; i < Forwards::kMost; ++i) many.push_back(ask("edge1.bmc", page.port));
  EXPECT_EQ(core.forwards->count(), Forwards::kMost);
  EXPECT_FALSE(allowed("edge1.bmc", page.port));
}

}  // namespace
}  // namespace oob::test

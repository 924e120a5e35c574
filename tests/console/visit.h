#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "auth/journal.h"
#include "base/unix_socket.h"
#include "base/wire.h"
#include "console/core.h"
#include "console/session.h"
#include "tests/support/fake_chassis.h"
#include "tests/support/fake_line.h"
#include "tests/support/support.h"

namespace oob::test {

// A core without front and SSH: devices on fake lines, and visitors who speak frames.
// alice may watch and write on r*, bob only watch r1, root may everything.
class Board {
 public:
  Board() {
    using auth::Action;
    auth::Role writes{{"r*"}, {Action::watch, Action::write}}, watches{{"r1"}, {Action::watch}},
        all{{"*"}, {std::begin(auth::kActions), std::end(auth::kActions)}};
    core.policy = std::make_unique<auth::Policy>(
        std::map<std::string, std::vector<std::string>>{
            {"alice", {"writes"}}, {"bob", {"watches"}}, {"root", {"all"}}},
        std::map<std::string, auth::Role>{{"writes", writes}, {"watches", watches}, {"all", all}});
    for (const char* name : {"r1", "r2", "x1"}) add(name);
    run_until(loop,
              [&] { return core.inventory.find("x1")->console->state() == console::Console::State::up; });
  }
  ~Board() { core.sessions.clear(); }

  void add(const std::string& name) {
    auto line = std::make_unique<FakeLine>(loop);
    lines[name] = line.get();
    auto made = std::make_unique<console::Console>(
        console::Console::Surroundings{loop, pace, archive, 4096, [](const char*, const std::string&) {}},
        name, std::move(line));
    inventory.add(name, std::move(made)).console->start();
  }

  // Gives a device power; bigger boards than this one's three devices add() theirs.
  FakeChassis& power(const std::string& name, const std::string& bmc = "bmc1") {
    auto chassis = std::make_unique<FakeChassis>(loop, bmc);
    FakeChassis& fake = *chassis;
    inventory.find(name)->chassis = std::move(chassis);
    return fake;
  }
  // alice may do this on r*, bob on r1, and root everything; whoever is in is told.
  void allow(std::set<auth::Action> alice, std::set<auth::Action> bob = {auth::Action::watch}) {
    auth::Role all{{"*"}, {std::begin(auth::kActions), std::end(auth::kActions)}};
    core.policy = std::make_unique<auth::Policy>(
        std::map<std::string, std::vector<std::string>>{{"alice", {"a"}}, {"bob", {"b"}}, {"root", {"all"}}},
        std::map<std::string, auth::Role>{
            {"a", {{"r*"}, std::move(alice)}}, {"b", {{"r1"}, std::move(bob)}}, {"all", all}});
    for (auto& session : core.sessions) session->recheck();
  }

  // The journal's lines so far; one that is just being written is none yet.
  std::string journal_text() {
    std::string text = read_file(dir / "journal/000000000000.jsonl");
    text.resize(text.rfind('\n') + 1);
    return text;
  }
  // The same once all is in it that has come until now: for what it must not have.
  std::string whole_journal() {
    bool is_whole = false;
    core.journal.seal([&](const base::Result<auth::Checkpoint>& sealed) { is_whole = sealed.has_value(); });
    EXPECT_TRUE(run_until(loop, [&] { return is_whole; }));
    return journal_text();
  }
  // Whether the journal comes to have `text`.
  bool journalled(const std::string& text) {
    return run_until(loop, [&] { return journal_text().find(text) != std::string::npos; });
  }

  // Whether the transcript of `device` comes to have `text` in its files, as output or as a mark.
  bool in_the_files(const std::string& device, const std::string& text) {
    return run_until(loop, [&] {
      std::error_code none_yet;
      for (auto& file :
           std::filesystem::recursive_directory_iterator(dir / ("transcripts/" + device), none_yet))
        if (file.is_regular_file() && read_file(file.path()).find(text) != std::string::npos) return true;
      return false;
    });
  }

  TempDir dir;
  base::Loop loop;
  base::Disk disk{loop};
  base::Blocking blocking{loop};
  std::unique_ptr<auth::Journal> journal = std::move(auth::Journal::open(loop, disk, dir.path())).value();
  console::Archive archive{loop, disk, dir / "transcripts"};
  console::Pace pace{loop, archive};
  console::Inventory inventory;
  std::map<std::string, FakeLine*> lines;
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
                     .reload = [this]() -> base::Result<std::string> {
                       ++reloads;
                       return std::string("reloaded");
                     }};
  int reloads = 0;
  std::uint64_t next_session = 1;
};

// One visitor's end of a session socket.
class Visit {
 public:
  Visit(Board& board, const std::string& user, const std::string& command, bool pty = false,
        console::Session::Terms terms = {}, bool subsystem = false)
      : board_(board) {
    auto pair = base::socket_pair(SOCK_STREAM);
    socket_ = std::move(pair->first);
    console::Visitor visitor;
    visitor.who = {user, base::str("SHA256:", user), "192.0.2.9"};
    visitor.session = number = board.next_session++;
    visitor.connection = 1;
    console::add_session(board.core, std::move(pair->second), visitor, std::move(terms));
    base::wire::Open open;
    open.shell = command.empty();
    open.subsystem = subsystem;
    open.command = command;
    open.pty = pty;
    open.term = "xterm";
    open.columns = 80;
    open.rows = 24;
    send(base::wire::Frame::open, open.encode());
  }

  void send(base::wire::Frame kind, const std::string& payload = "") {
    base::wire::add_frames(unsent_, kind, payload);
    push();
  }
  void push() {
    if (base::Result<std::size_t> sent = base::send_some(socket_.get(), unsent_)) unsent_.erase(0, *sent);
  }
  void type(const std::string& bytes) { send(base::wire::Frame::data, bytes); }
  void eof() { send(base::wire::Frame::eof); }
  void hang_up() { socket_.reset(); }

  // Takes what has come.
  void hear() {
    if (!unsent_.empty()) push();
    char buffer[65536];
    while (socket_) {
      base::Result<std::size_t> size = base::receive_some(socket_.get(), buffer, sizeof buffer);
      if (!size) {
        closed = closed || size.error().fault == base::Fault::end;
        break;
      }
      frames_.feed(base::Bytes(buffer, *size));
    }
    base::wire::Frame kind;
    base::Bytes payload;
    for (auto next = frames_.next(kind, payload); next && *next; next = frames_.next(kind, payload)) {
      if (kind == base::wire::Frame::out) out += payload;
      if (kind == base::wire::Frame::err) err += payload;
      if (kind == base::wire::Frame::exit) status = static_cast<int>(base::wire::Reader(payload).u32());
    }
  }
  // Until the session has ended; its exit status.
  int wait() {
    run_until(board_.loop, [this] {
      hear();
      return closed;
    });
    return status;
  }
  bool wait_for(const std::string& text) {
    return run_until(board_.loop, [&] {
      hear();
      return out.find(text) != std::string::npos || err.find(text) != std::string::npos;
    });
  }

  std::size_t unsent() const { return unsent_.size(); }

  std::string out, err;
  int status = -1;
  std::uint64_t number = 0;
  bool closed = false;

 private:
  Board& board_;
  base::Fd socket_;
  std::string unsent_;
  base::wire::Frames frames_;
};

}  // namespace oob::test

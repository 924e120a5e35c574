#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/library.h"
#include "console/dialogue.h"
#include "tests/console/visit.h"

namespace oob::test {

// A machine with a login prompt and a command line, behind a fake line: it answers what was typed so far
// whenever it is looked at. Passwords are not echoed.
class FakeMachine {
 public:
  explicit FakeMachine(FakeLine& line) : line_(line) {}

  enum class At { login, password, shell } at = At::login;
  bool hangs = false;    // says nothing
  bool is_gone = false;  // its line is
  std::vector<std::string> commands;
  std::map<std::string, std::string> answers;  // to a command, else "did COMMAND"; lines end with \r\n

  void look() {
    if (is_gone) return;
    for (; seen_ < line_.typed.size(); ++seen_) key(line_.typed[seen_]);
  }

 private:
  void key(char c) {
    if (hangs) return;
    if (c == '\x03') {
      entered_.clear();
      return line_.say(std::string("^C\r\n") + prompt());
    }
    if (c == '\x15') {
      if (at != At::password)
        for (std::size_t i = entered_.size(); i > 0; --i) line_.say("\b \b");
      return entered_.clear();
    }
    if (c != '\r') {
      entered_ += c;
      if (at != At::password) line_.say(std::string(1, c));
      return;
    }
    std::string line = std::exchange(entered_, "");
    std::string said = "\r\n";
    if (at == At::login) {
      if (!line.empty()) at = At::password;
    } else if (at == At::password) {
      at = line == "tell-nobody" ? At::shell : At::login;
      if (at == At::login) said += "Login incorrect\r\n";
    } else if (line == "exit") {
      at = At::login;
    } else if (!line.empty()) {
      commands.push_back(line);
      auto answer = answers.find(line);
      said += answer == answers.end() ? "did " + line + "\r\n" : answer->second;
    }
    line_.say(said + prompt());
  }
  const char* prompt() const {
    return at == At::login ? "login: " : at == At::password ? "Password: " : "box# ";
  }

  FakeLine& line_;
  std::size_t seen_ = 0;
  std::string entered_;
};

// A board whose r1 is such a machine, and whose visits are recorded.
class DialogueBoard : public Board {
 public:
  static constexpr std::chrono::seconds kPatience{60};

  DialogueBoard() {
    core.recordings = &recordings;
    core.dialogues = std::make_shared<console::Dialogues>();
    core.recipes = book(R"(recipe box version 1
method text-twice
state login tail /login: $/ home go "{user}\r"
state password tail /Password: $/ after login go "{secret}\r"
state shell tail /box# $/ work leave "exit\r"
refused /Login incorrect/
cmd config "show" end /^end$/
)");
    console::Device& device = *inventory.find("r1");
    device.model = "box";
    write_file(dir / "password", "tell-nobody\n");
    device.login.user = "root";
    device.login.password_file = dir / "password";
  }
  ~DialogueBoard() {
    core.sessions.clear();
    core.dialogues.reset();
  }

  static std::shared_ptr<const recipe::Book> book(const std::string& text) {
    recipe::RecipeOutcome outcome = recipe::read_recipe(text);
    for (const recipe::RecipeFault& fault : outcome.faults)
      ADD_FAILURE() << fault.line << ": " << fault.message;
    recipe::Book::Recipes recipes;
    if (outcome.recipe) {
      auto made = std::make_shared<recipe::Recipe>(std::move(*outcome.recipe));
      recipes[made->name] = made;
    }
    return std::make_shared<recipe::Book>(std::move(recipes));
  }

  console::Console& console() { return *inventory.find("r1")->console; }
  // For what a dialogue comes to by itself: on a machine that stands still now and then, a login takes its
  // time.
  bool runs(std::function<bool()> until) {
    auto looks = [&] {
      machine.look();
      return until();
    };
    return run_until(loop, looks, kPatience);
  }

  console::Dialogues::Order order(console::Dialogues::Work work) {
    console::Visitor visitor;
    visitor.who = {"alice", "SHA256:alice", "192.0.2.9"};
    visitor.session = 7;
    auth::Grant grant = *core.policy->decide(visitor.who, auth::Action::write, "r1");
    return {.visitor = visitor,
            .grant = grant,
            .device = "r1",
            .doing = "snapshot",
            .limit = kPatience,
            .work = std::move(work),
            .remark = [this](const std::string& text) { remarks.push_back(text); }};
  }
  std::uint64_t begin(console::Dialogues::Order given) {
    return core.dialogues->begin(core, std::move(given), [this](const console::Dialogues::Ended& end) {
      EXPECT_FALSE(ended);
      ended = end;
    });
  }
  // Until it has ended.
  const console::Dialogues::Ended& wait() {
    EXPECT_TRUE(runs([this] { return ended.has_value(); }));
    if (!ended)
      ended.emplace(console::Dialogues::Ended{base::fail(base::Fault::internal, "never"), "", "", {}});
    return *ended;
  }

  // All the text of all recordings.
  std::string recorded() {
    std::string all;
    for (auto& file : std::filesystem::recursive_directory_iterator(dir / "recordings"))
      if (file.is_regular_file()) all += read_file(file.path());
    return all;
  }

  audit::Recordings recordings{loop, disk, *journal, dir / "recordings"};
  FakeMachine machine{*lines["r1"]};
  std::optional<console::Dialogues::Ended> ended;
  std::vector<std::string> remarks;
};

}  // namespace oob::test

#pragma once

#include <memory>
#include <string>
#include <utility>

#include "console/dialogue.h"
#include "console/snapshots.h"
#include "tests/console/visit.h"
#include "tests/support/fake_history.h"

namespace oob::test {

// A board with a history in memory, whose devices are linux machines that a FakePuller pulls.
struct Shelf : Board {
  Shelf() {
    auto linux = std::make_shared<recipe::Recipe>();
    linux->name = "linux";
    linux->version = 3;
    core.recipes = std::make_shared<recipe::Book>(recipe::Book::Recipes{{"linux", std::move(linux)}});
    core.dialogues = std::make_shared<console::Dialogues>();
    auto fake = std::make_unique<FakePuller>(loop);
    puller = fake.get();
    core.history = &history;
    core.snapshots = std::make_shared<console::Snapshots>(std::move(fake));
    for (const char* name : {"r1", "r2", "x1"}) inventory.find(name)->model = "linux";
    allow({auth::Action::watch, auth::Action::snapshot});
  }
  ~Shelf() { core.sessions.clear(); }

  FakeHistory history{loop};
  FakePuller* puller = nullptr;
};

}  // namespace oob::test

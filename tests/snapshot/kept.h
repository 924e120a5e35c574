#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "tests/snapshot/pulled.h"

namespace oob::snapshot {

inline const recipe::Book kNoRecipes{{}};

// A history on the disk.
struct Kept : testing::Test {
  test::TempDir dir;
  std::string repository = dir / "snapshots.git";
  std::function<void(std::string_view)> at_step = [](std::string_view) {};
  std::unique_ptr<Depot> depot = open();

  std::unique_ptr<Depot> open() {
    return std::make_unique<Depot>(dir.path(), "oob.example.net",
                                   [this](std::string_view step) { at_step(step); });
  }
  base::Result<console::History::Stored> store(const std::string& device, const test::Files& files,
                                               bool accept = false) {
    console::History::Snapshot snapshot = test::pulled(device, files);
    snapshot.accept = accept;
    return depot->store(snapshot, kNoRecipes);
  }
  std::string view_of(const std::set<std::string>& devices) {
    auto view = depot->view(devices);
    EXPECT_TRUE(view) << view.error().what;
    return view ? view->path : "";
  }
  std::string fsck() { return test::git(repository, "fsck --strict --full --no-dangling"); }
};

}  // namespace oob::snapshot

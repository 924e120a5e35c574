#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/recipe/real_shell.h"

namespace oob::recipe {

// What `line` prints, as the file `name`.
inline Fetch command(const std::string& name, const std::string& line) {
  Fetch fetch;
  fetch.kind = Fetch::Kind::command;
  fetch.name = name;
  fetch.source = line;
  return fetch;
}

// The person's shell is as it was: prompt, echo, no folder of ours.
inline void expect_as_before(RealShell& shell, const DeviceTools& tools) {
  EXPECT_THAT(tools.left_over(), testing::IsEmpty());
  EXPECT_THAT(shell.ask("echo is-$((1+1))-back", "is-2-back"),
              testing::ContainsRegex("echo is-[^\n]*\n(.*\n)?.*is-2-back"));
}

}  // namespace oob::recipe

#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/console/visit.h"

namespace oob::test {

// The device says this, and it is in the transcript's files when this returns.
inline void say_into_files(Board& board, const std::string& name, const std::string& text) {
  const console::Transcript& transcript = board.inventory.find(name)->console->transcript();
  console::Transcript::Offset end = transcript.end() + text.size();
  board.lines[name]->say(text);
  EXPECT_TRUE(run_until(board.loop, [&] { return transcript.written() == end; }));
}

// As after a start of the daemon: memory is empty, the transcript goes on. What the device had said is in the
// files when this returns, and its line is being opened.
inline void replace_console(Board& board, const std::string& name) {
  console::Device& device = *board.inventory.find(name);
  console::Transcript& transcript = device.console->transcript();
  EXPECT_TRUE(run_until(board.loop, [&] { return transcript.written() == transcript.end(); }));
  device.console.reset();
  auto line = std::make_unique<FakeLine>(board.loop);
  board.lines[name] = line.get();
  auto nobody = [](const char*, const std::string&) {};
  device.console = std::make_unique<console::Console>(
      console::Console::Surroundings{board.loop, board.pace, board.archive, 4096, nobody}, name,
      std::move(line));
  device.console->start();
}

// The same, until its line is up.
inline void begin_again(Board& board, const std::string& name) {
  replace_console(board, name);
  const console::Console& console = *board.inventory.find(name)->console;
  EXPECT_TRUE(run_until(board.loop, [&] { return console.state() == console::Console::State::up; }));
}

}  // namespace oob::test

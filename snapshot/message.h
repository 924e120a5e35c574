#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "console/history.h"

namespace oob::snapshot {

// What a commit's message says: the changes of its device in lines, and trailers (docs/formats.md,
// Snapshots).
struct Message {
  std::string device;
  std::vector<console::History::Change> changes;
  std::string why;  // it is in quarantine for
  std::string checkpoint, session, grade, method;
  bool accepted = false;   // although a gate said no
  std::string revision{};  // in a view alone: of `main`, that it is made from
};

std::string write_message(const Message& message);
// What a commit of a view says: as in `main`, and of which revision there it is made.
std::string message_in_view(std::string message, const std::string& revision);
// Of a message that somebody else has written there is little or nothing; never fails. `device` is not in it.
Message read_message(std::string_view text);

}  // namespace oob::snapshot

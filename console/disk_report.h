#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>

namespace oob::console {

struct Core;

// How the disk of the state folder is and what is done about it (docs/audit.md, "When the disk fills"), for
// those who come in and for `status` and `metrics`. Its owner is whoever watches the disk.
struct DiskState {
  std::string level = "fine";  // warn, shed, critical, full
  unsigned number = 0;         // of the level, 0 to 4
  unsigned percent = 0;
  double used = 0;            // 0 to 1
  std::string warning;        // told whoever comes in; empty: nothing
  std::string refusal;        // why sessions and keystrokes are refused, and the cure; empty: they are not
  std::string trouble;        // why not all can be removed that should be
  std::uint64_t reserve = 0;  // bytes that are kept free for the journal
  std::uint64_t holds = 0;
  std::uint64_t recordings = 0, segments = 0, journal_files = 0, bytes = 0;  // removed since the start
};

std::string disk_status(const Core& core);
void disk_status(const Core& core, boost::json::object& object);
std::string disk_metrics(const Core& core);

}  // namespace oob::console

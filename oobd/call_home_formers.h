#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "oobd/call_home_limits.h"
#include "oobd/call_home_link.h"

namespace oob {

// The connections to one bastion that had its socket before, each until all have left who may have come by
// it, or nothing has come by it for too long.
class CallHomeFormers {
 public:
  // Beside these there are the one in use, and one that is begun.
  static constexpr std::size_t kMost = kCallHomePlaces - 2;

  explicit CallHomeFormers(const CallHomeLimits& limits) : limits_(limits) {}
  CallHomeFormers(const CallHomeFormers&) = delete;
  CallHomeFormers& operator=(const CallHomeFormers&) = delete;

  // Another one has its place, or will have it: see replaced(). `doubt`: what is wrong with it, unless it was
  // packets that were lost; else empty. Where there are kMost, the one that is needed least is ended.
  void take(std::unique_ptr<CallHomeLink> link, bool replaced, std::string doubt);
  void replaced();  // all here have been, by now
  // Ends those that are needed no more. Returns the doubt of one that it turned out to be true of, once.
  std::string look();
  void end(unsigned place);  // its ssh has ended
  bool has(unsigned place) const;
  bool empty() const { return all_.empty(); }
  bool full() const { return all_.size() >= kMost; }

 private:
  struct Former {
    std::unique_ptr<CallHomeLink> link;
    std::optional<base::Clock::time_point> left;  // from when on nobody comes by it
    std::string doubt;
    std::vector<std::uint64_t> riders{};  // who may be on it
    bool counted = false;                 // nobody can be added to these
  };
  void count(Former& former) const;

  const CallHomeLimits& limits_;
  std::vector<Former> all_;  // in the order in which they were left
};

}  // namespace oob

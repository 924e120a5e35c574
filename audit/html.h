#pragma once

#include <string>
#include <utility>
#include <vector>

#include "audit/cast.h"
#include "base/bytes.h"
#include "base/result.h"

namespace oob::audit {

// What stands above the player on the page of one recording.
struct PageFacts {
  std::vector<std::pair<std::string, std::string>>
      rows;                // what, and what it is: "who", "alice, key SHA256:…"
  bool whole = false;      // what `verify` found
  std::string verdict;     // in words
  std::string checkpoint;  // the signed note, five lines
};

// One HTML page that needs nothing else, neither files nor network: facts, the player with the recording,
// what happened in it as a list, and the recording itself to save. What comes from a device can't become a
// part of the page: it stands in it as base64, and the page's policy (CSP) lets no script run but its own.
//
// `cast` is the whole file. Fault::failed: larger than kMostPage, or this program was built without the
// player.
constexpr std::size_t kMostPage = 32 << 20;
base::Result<std::string> html_page(const CastHeader& header, base::Bytes cast, const PageFacts& facts);

}  // namespace oob::audit

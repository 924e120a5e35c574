#pragma once

#include <string>

namespace oob::notice {

// What became of one try to deliver a notice.
struct Outcome {
  enum class Kind {
    delivered,
    failed,   // to be tried again: no way there, no answer, not now
    refused,  // the other side does not want this one; another it may
  };
  Kind kind = Kind::failed;
  std::string text;  // why it was not delivered; fit for a log
};

}  // namespace oob::notice

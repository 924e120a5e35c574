#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "audit/cast.h"
#include "base/fd.h"
#include "base/result.h"

namespace oob::audit {

// What one recording is, from its file alone, so that it is listed after a crash too.
struct Recording {
  CastHeader header;
  std::string path;  // below STATE/recordings: "2026/11/22/ID.cast"
  std::uint64_t bytes = 0;
  base::Micros length = 0;  // time of its last whole event
  bool live = false;        // not closed
  bool held = false;        // kept by `hold`
};

// "20261122-160311-17", and "b", "c" … after it; nothing else may name a file.
bool is_recording_id(std::string_view id);
// By time, then by the session's number, then by what follows.
bool id_before(std::string_view a, std::string_view b);
// "2026/11/22/ID.cast". REQUIRES: is_recording_id(id).
std::string recording_path(std::string_view id);

// All in order of their ids; those begun at `since` or later. What can't be read is passed over and counted
// in `damaged`. Blocks.
base::Result<std::vector<Recording>> list_recordings(const std::string& directory, base::Micros since,
                                                     std::size_t* damaged = nullptr);
// The one with this id, or with the only id that begins so. Fault::missing; Fault::usage where several do.
base::Result<Recording> find_recording(const std::string& directory, const std::string& id);

// Reads one recording in order; may follow a live one. Lines end at LF; one that is cut short is not given.
class CastReader {
 public:
  static base::Result<std::unique_ptr<CastReader>> open(const std::string& path);
  const CastHeader& header() const { return header_; }

  struct Item {
    CastEvent event;
    bool own = false;      // an `o` of oobd's own words
    std::string raw;       // of an `o` or `i`: the exact bytes
    std::uint64_t at = 0;  // where the line begins in the file
  };
  // False at the end (for now). `b` and the `own` events are not given by themselves but with their `o`. An
  // error is a line that is none of a recording's, or that can't be read; the next call goes on behind it.
  base::Result<bool> next(Item& item);

 private:
  CastReader(base::Fd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  base::Result<bool> line(std::string_view& line);
  base::Error broken(const std::string& why) const;

  base::Fd file_;
  std::string path_;
  CastHeader header_;
  std::string buffer_;
  std::size_t used_ = 0;      // of the buffer
  std::uint64_t offset_ = 0;  // in the file, of what follows the buffer's used part
  std::uint64_t at_ = 0;      // where the last line began
  bool own_ = false;
  std::string raw_;
  bool has_raw_ = false;
};

}  // namespace oob::audit

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "audit/cast.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/sha256.h"

namespace oob::audit {

// The hash of a part of a recording's file, for the journal.
struct CastMark {
  std::uint64_t from = 0, to = 0;
  std::string sha256;  // hex
};

// The file of one recording that is being made (docs/formats.md, "Recordings"). Every call blocks as long as
// the disk does; one thread at a time, save sync(), which another may call.
class CastFile {
 public:
  // Makes STATE/recordings/open/ID and the file with its header, both on the disk. The id is made of the
  // header's start and session, with letters behind it where it is taken, and put into the header.
  static base::Result<std::shared_ptr<CastFile>> create(const std::string& directory, CastHeader& header);

  // All of the lines, or an error and none of them.
  base::Result<> append(base::Bytes lines);
  // Of what is in the file and in no mark yet; empty: nothing.
  std::optional<CastMark> mark();
  std::uint64_t unmarked() const { return size_ - marked_; }
  std::uint64_t size() const { return size_; }
  base::Result<> sync() const;
  // Takes the right to write away, and open/ID.
  base::Result<> finish() const;

 private:
  CastFile(std::string path, std::string open) : path_(std::move(path)), open_(std::move(open)) {}
  std::string path_, open_;
  base::Fd file_;
  std::uint64_t size_ = 0, marked_ = 0;
  bool torn_ = false;  // more than size_ may be in the file
  std::unique_ptr<base::Sha256> sum_ = std::make_unique<base::Sha256>();
};

// What a crash left of a recording, ended: `cut` bytes behind its last whole line are gone, the file is
// read-only. Without a whole line there was no recording, and its file is removed: `size` is 0 then.
struct RecoveredCast {
  std::uint64_t size = 0, cut = 0;
  std::string sha256;  // of the whole file, hex
};
// open/ID stays until forget_open(): until the journal has it.
base::Result<RecoveredCast> recover_cast(const std::string& directory, const std::string& id);
void forget_open(const std::string& directory, const std::string& id);
// Moves the file to STATE/recordings/strange, as it is. Its path there below STATE/recordings, also where an
// earlier call has moved it; empty: there is none. open/ID stays likewise.
base::Result<std::string> set_aside(const std::string& directory, const std::string& id);

}  // namespace oob::audit

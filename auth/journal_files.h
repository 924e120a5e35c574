#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace oob::auth {

// The files of the journal: DIR/journal/NNNNNNNNNNNN.jsonl, each named by the number of its first record.
// After open() it belongs to the disk thread; every call blocks. Virtual, so that a test can make the disk
// fail.
class JournalFiles {
 public:
  static constexpr std::uint64_t kMostFile = 16 << 20;  // bytes; the next record begins a new file
  // A crash tears at most what was written together. More than this at the end that is no record is no torn
  // tail, and nothing is cut off.
  static constexpr std::uint64_t kMostTorn = 4 << 20;

  // Makes DIR/journal (0700) where it is missing, finds the last whole record and cuts off what follows it.
  static base::Result<std::unique_ptr<JournalFiles>> open(const std::string& directory);
  virtual ~JournalFiles() = default;
  JournalFiles(const JournalFiles&) = delete;
  JournalFiles& operator=(const JournalFiles&) = delete;

  // Where the last run ended.
  std::uint64_t next_number() const { return next_number_; }
  std::int64_t dropped_bytes() const { return dropped_; }

  // Bytes in the current file; 0 also when there is none yet.
  std::uint64_t size() const { return size_; }
  // Makes the file whose first record has this number the current one.
  virtual base::Result<> begin(std::uint64_t number);
  // Adds bytes at the end. After an error some of them may be there: truncate() back.
  virtual base::Result<> append(base::Bytes lines);
  virtual base::Result<> sync();
  virtual base::Result<> truncate(std::uint64_t size);

 protected:
  explicit JournalFiles(std::string directory) : directory_(std::move(directory)) {}
  // What open() does to a new object; for subclasses.
  base::Result<> find_end();

 private:
  base::Result<> read_end(const std::string& path, std::uint64_t first);

  std::string directory_;  // DIR/journal
  base::Fd file_;
  std::uint64_t size_ = 0, next_number_ = 0;
  std::int64_t dropped_ = 0;
};

}  // namespace oob::auth

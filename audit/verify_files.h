#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "audit/verify.h"
#include "audit/verify_checkpoints.h"
#include "auth/journal_reader.h"
#include "base/fd.h"

namespace oob::audit {

// What the journal says of files outside of it, gathered record by record, and then held against them.
class BoundFiles {
 public:
  explicit BoundFiles(const VerifyOptions& options, VerifyReport& report)
      : options_(options), report_(report) {}

  // The next record, with its place for what it lacks.
  void add(const auth::Record& record, const std::string& place);
  // Older records were removed: what they told of is unknown.
  void pruned() { pruned_ = true; }
  // Fault::failed: it was stopped.
  base::Result<> check();

 private:
  using Hash = std::array<char, 32>;
  struct Range {
    std::uint64_t from = 0, to = 0;
    bool meets(const Range& other) const { return from < other.to && other.from < to; }
  };
  struct Mark : Range {
    Hash hash{};
  };
  struct Redaction : Range {
    Hash before{}, after{};
  };
  struct Cast {
    std::vector<Mark> marks;
    std::vector<Redaction> redactions;
    std::uint64_t size = 0;
    bool opened = false, closed = false, retired = false;
  };
  struct Said {  // of one transcript
    std::vector<Mark> marks;
    std::vector<Range> retired;
  };
  struct Judged {
    std::vector<Range> good, bad, redacted;
  };

  bool take(const auth::Record& record, const std::string& place, Mark& mark);
  void lacks(const auth::Record& record, const std::string& place, const char* key);
  base::Result<> check_recording(const std::string& id, const Cast& cast);
  base::Result<> check_transcript(const std::string& device, const Said& said);
  void check_strangers();
  // `hash` gives the raw SHA-256 of a range, or an empty text where its bytes are not all there.
  template <class HashOf>
  base::Result<Judged> judge(const std::vector<Mark>& marks, const std::vector<Redaction>& redactions,
                             HashOf hash_of);
  base::Result<std::string> hash_of(int file, std::uint64_t from, std::uint64_t to);
  base::Result<> went_on(std::uint64_t bytes);
  bool is_open(const std::string& id) const;

  const VerifyOptions& options_;
  VerifyReport& report_;
  std::map<std::string, Cast> casts_;
  std::map<std::string, Said> transcripts_;
  bool pruned_ = false;
  std::uint64_t done_ = 0, all_ = 0;
  const char* phase_ = "recordings";
};

}  // namespace oob::audit

#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
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

  // Whether add() wants it.
  static bool concerns(const auth::Record& record);
  // The next record, with its place for what it lacks. `sealed`: a checkpoint that fits holds it. What none
  // holds anybody may have appended: it excuses nothing.
  void add(const auth::Record& record, const std::string& place, bool sealed);
  // Records older than that one were removed: what they told of is unknown.
  void pruned(const auth::Record& oldest);
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
    bool sealed = false;
  };
  struct Redaction : Range {
    Hash before{}, after{};
    bool sealed = false;
  };
  enum class Told { no, unsealed, sealed };
  struct Cast {
    std::vector<Mark> marks;
    std::vector<Redaction> redactions;
    std::uint64_t size = 0;
    bool opened = false;
    Told closed = Told::no, retired = Told::no;
    // A file of it has to be there, or to have been removed.
    bool begun() const { return opened || closed != Told::no || !marks.empty(); }
  };
  struct Said {  // of one transcript
    std::vector<Mark> marks, retired;
  };
  struct Judged {
    std::vector<Range> good, bad, redacted, unsealed;  // `unsealed`: hidden, as a record without seal has it
  };
  struct Segment {
    std::uint64_t start = 0, size = 0;
    std::string path;
  };

  bool take(const auth::Record& record, const std::string& place, Mark& mark);
  void lacks(const auth::Record& record, const std::string& place, const char* key);
  base::Result<> check_recording(const std::string& id, const Cast& cast);
  void check_length(const std::string& id, const Cast& cast, const std::vector<Mark>& marks,
                    std::uint64_t size);
  base::Result<> check_transcript(const std::string& device, const Said& said);
  void check_unmarked(const std::string& place, const Said& said, const std::vector<Segment>& segments);
  base::Result<std::string> hash_of(const std::vector<Segment>& segments, const Mark& mark, bool& whole);
  void check_strangers();
  void check_stranger(const std::string& below, const std::string& id);
  void check_strange_transcripts();
  // `hash` gives the raw SHA-256 of a range, or an empty text where its bytes are not all there.
  template <class HashOf>
  base::Result<Judged> judge(const std::vector<Mark>& marks, const std::vector<Redaction>& redactions,
                             HashOf hash_of);
  base::Result<std::string> hash_of(int file, std::uint64_t from, std::uint64_t to);
  base::Result<> went_on(std::uint64_t bytes);
  bool is_open(const std::string& id) const;
  bool is_older(const std::string& id) const;  // than the oldest record that is left

  const VerifyOptions& options_;
  VerifyReport& report_;
  std::map<std::string, Cast> casts_;
  std::map<std::string, Said> transcripts_;
  std::set<std::string> aside_;  // files that are no recordings, as the journal says
  std::set<std::string> lines_;  // devices whose line was up
  std::string pruned_;  // the time of the oldest record that is left, as ids have it; empty: none went
  std::uint64_t done_ = 0, all_ = 0;
  const char* phase_ = "recordings";
};

}  // namespace oob::audit

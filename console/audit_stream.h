#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/library.h"
#include "base/life.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/job.h"
#include "console/safe_output.h"

namespace oob::console {

// The folder of recordings.
std::string recordings_of(const Core& core);
// Whether some role allows `audit`, on whatever devices; a refusal is noted. Fault::denied.
base::Result<> need_audit(Core& core, const Visitor& visitor);
bool may_audit(const Core& core, const Visitor& visitor, const std::string& device);
// Whether some role allows it on every device, those included that the configuration no longer has.
bool audits_all(const Core& core, const Visitor& visitor);
// That somebody reads the audit trail: to be noted before they get the first byte.
auth::Entry reading_of(const Visitor& visitor, const std::string& what, const Arguments& arguments);
// The same of a search: what is sought may be a secret, and the journal keeps it for ever, so that its length
// in bytes and its SHA-256 stand for it. `arguments` are those without it.
auth::Entry search_of(const Visitor& visitor, const std::string& what, const Arguments& arguments,
                      const std::string& expression);
// What a command was asked for, as one would type it again.
std::string query_of(const Arguments& arguments);

// What jobs that read files of the audit trail have in common: files are read on a thread of base::Blocking.
class AuditJob : public Job {
 public:
  AuditJob(Core& core, Visitor& visitor, JobIo& io) : core_(core), visitor_(visitor), io_(io) {}
  void recheck() override;

 protected:
  // `call` must own what it uses; `done` runs on the loop unless the job is over.
  void on_thread(std::function<void()> call, std::function<void()> done);
  // Looks for the recording with this id, or the only one that begins so, among those that the visitor may
  // audit. Ends the job with Fault::missing where there is none.
  void find(const std::string& id, std::function<void(audit::Recording)> found);
  void stop(const base::Error& error);
  virtual void finish(int status);

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  std::string device_;  // whose recording is read; empty: not of one device
  bool over_ = false;
  base::Life life_;
};

// A job whose answer comes piece by piece, as its visitor takes it.
class StreamJob : public AuditJob {
 public:
  // A part of the answer that is about one device (or none: empty).
  struct Part {
    std::string device, text;
    std::string user;  // whose session it tells of
  };
  struct Piece {
    std::vector<Part> parts;
    std::string remark;  // to stderr; empty: none
  };
  // Read on a thread, by one call at a time; may outlive the job.
  class Source {
   public:
    virtual ~Source() = default;
    // Adds some 64 KiB at the most, perhaps nothing yet; blocks for some 100 ms at the most. False at the
    // end, for now.
    virtual base::Result<bool> next(Piece& piece) = 0;
  };

  using AuditJob::AuditJob;
  void room() override { pour(); }

 protected:
  // `raw`: bytes as they are, through SafeOutput on a terminal where the policy wants that or `safe` is set.
  void begin(std::shared_ptr<Source> source, bool raw = false, bool safe = false);
  // There may be more behind the end.
  void more();
  virtual bool may(const Part&) { return true; }
  virtual void at_end() { finish(kDone); }
  void finish(int status) override;

 private:
  void pour();
  void came(const base::Result<bool>& result, Piece& piece);

  std::shared_ptr<Source> source_;
  bool raw_ = false, reading_ = false, ended_ = false, more_ = false;
  std::optional<SafeOutput> safe_;
};

}  // namespace oob::console

#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "auth/journal.h"
#include "auth/policy.h"
#include "base/life.h"
#include "base/loop.h"

namespace oob::console {

struct Core;
struct Visitor;

// What a second person is asked to say yes to: fixed when it is asked.
struct Intent {
  std::string kind;                  // "power", "boot", …
  std::string action;                // "cycle"; empty: the kind says it all
  std::string pattern;               // as it was given: a device's name, or a glob
  std::vector<std::string> devices;  // that it stands for
  std::string text() const;          // "power edge1 cycle"
};

// That a second person said yes to one Intent of one person. Only Approvals makes it.
class Approval {
 public:
  const auth::Principal& second() const { return second_; }
  // Whether this, on that device and for that user, is what was approved.
  bool covers(const std::string& user, const std::string& kind, const std::string& action,
              const std::string& device) const;

 private:
  friend class Approvals;
  Approval(Intent intent, auth::Principal who, auth::Principal second)
      : intent_(std::move(intent)), who_(std::move(who)), second_(std::move(second)) {}
  Intent intent_;
  auth::Principal who_, second_;
};
using ApprovalPtr = std::shared_ptr<const Approval>;

// What waits for a second person (roles with two_person): asked for, written down, told to those on the
// devices' consoles; then approved, withdrawn or lapsed. Owned by the Core.
class Approvals {
 public:
  static constexpr std::size_t kMost = 64, kMostOfOne = 8;  // waiting, in all and of one session
  static constexpr std::chrono::minutes kPatience{5};

  struct Ask {
    auth::Principal who;
    std::uint64_t session = 0;
    auth::Entry entry;  // who and from where; its `ev` is not used
    Intent intent;
    std::function<void(const std::string&)> waits{};  // told once it waits, in words for the asker
  };
  using Done = std::function<void(base::Result<ApprovalPtr>)>;

  Approvals();
  // What waits is noted as lapsed in the journal.
  ~Approvals();
  Approvals(const Approvals&) = delete;
  Approvals& operator=(const Approvals&) = delete;

  // Whether `who` may power some of these only together with a second person.
  static bool wanted(const Core& core, const auth::Principal& who, const std::vector<std::string>& devices);
  // Asks for a second person. `done` is called once, from the loop, unless it is withdrawn: Fault::denied
  // when nobody approved in time; Fault::journal when it could not be written down; Fault::busy beyond the
  // bounds. The number is for withdraw().
  std::uint64_t seek(Core& core, Ask ask, Done done);
  // Nothing is called any more. One that waits no longer is passed over.
  void withdraw(std::uint64_t id);
  bool waits(std::uint64_t id) const;
  // All of a session that has ended.
  void left(std::uint64_t session);

  // Says yes: written down, then what waited goes on. `told` gets a line for the approver, or Fault::missing
  // (no such request, or none of what they may see), or Fault::denied.
  void approve(Core& core, const Visitor& visitor, std::uint64_t id,
               std::function<void(base::Result<std::string>)> told);
  // What waits and concerns them: their own, and what they may approve; a line each.
  std::string list(const Core& core, const Visitor& visitor) const;

  base::milliseconds patience{kPatience};

 private:
  struct Request;
  Request* find(std::uint64_t id) const;
  void asked(std::uint64_t id);
  void lapsed(std::uint64_t id);
  void given(Core& core, std::uint64_t id, const auth::Principal& second,
             const std::function<void(base::Result<std::string>)>& told);
  std::unique_ptr<Request> take(std::uint64_t id);

  std::list<std::unique_ptr<Request>> requests_;
  std::uint64_t next_id_ = 1;
  base::Life life_;
};

}  // namespace oob::console

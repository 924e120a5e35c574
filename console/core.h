#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "audit/recorder.h"
#include "audit/syslog_figures.h"
#include "auth/journal.h"
#include "auth/policy.h"
#include "auth/timed_grants.h"
#include "base/disk.h"
#include "base/loop.h"
#include "base/time.h"
#include "base/wire.h"
#include "console/approvals.h"
#include "console/call_home_figures.h"
#include "console/deeds.h"
#include "console/disk_report.h"
#include "console/forwards.h"
#include "console/inventory.h"
#include "console/listener_report.h"
#include "console/transcript.h"
#include "console/verification.h"
#include "console/watch_figures.h"
#include "notice/figures.h"
#include "recipe/recipe.h"
#include "uplink/figures.h"

namespace oob::console {

class Dialogues;
class Drills;
class Guards;
class History;
class Session;
class Snapshots;
class VisitsUnderWay;

// Who is in, by which way, since when.
struct Visitor {
  auth::Principal who;
  std::uint64_t session = 0;     // the number that `who` shows and `kick` takes
  std::uint64_t connection = 0;  // of the SSH connection; 0: on the board itself
  base::Micros since = 0;
  std::string doing;   // the command, or the console; for `who`
  std::string device;  // what `doing` is about; empty: nothing that needs hiding
};

// How the way in is, for `status` and `metrics`.
struct DoorState {
  base::wire::Figures figures;              // of the front that runs now
  std::string front_sandbox, core_sandbox;  // what each has given up
  std::string key_exchange;                 // algorithms that are offered, best first
  std::vector<std::string> host_keys;       // "ssh-ed25519 SHA256:…"
};

// What commands stand on: the parts of the daemon, and what only its main can do. Everything outlives the
// sessions.
struct Core {
  base::Loop& loop;
  base::Blocking& blocking;
  Archive& archive;
  auth::Journal& journal;
  Inventory& inventory;
  std::unique_ptr<auth::Policy> policy;  // swapped whole by a reload
  std::unique_ptr<auth::Timekeeper> time = std::make_unique<auth::Timekeeper>();
  std::unique_ptr<auth::TimedGrants> grants = std::make_unique<auth::TimedGrants>();
  std::unique_ptr<Deeds> deeds = std::make_unique<Deeds>();
  std::unique_ptr<Approvals> approvals = std::make_unique<Approvals>();
  std::list<std::unique_ptr<Session>> sessions;
  std::unique_ptr<Forwards> forwards = std::make_unique<Forwards>();
  std::string transcripts;  // the folder
  std::string state;        // the state folder
  std::string escape;       // two bytes
  std::string version;
  base::Micros started = 0;
  std::uint64_t next_session = 1;
  // Beyond the time that was asked for: for a chassis that never answers, though its interface promises one.
  base::milliseconds chassis_patience{60'000};
  DoorState door{};
  std::uint64_t logins = 0, refusals = 0, front_starts = 0;
  // Reads the configuration again: what was changed, or the first fault.
  std::function<base::Result<std::string>()> reload;
  // A timed grant came or went: sessions are rechecked, now and when the next one ends.
  std::function<void()> rights_changed = [] {};
  audit::Recordings* recordings = nullptr;  // null: nothing is recorded
  // While the audit trail can't be written nobody gets to a console; else they do, and are told.
  bool refuse_without_audit = false;
  bool checkpoint_line = true;  // the last line of an interactive session
  std::unique_ptr<Verifications> verifications = std::make_unique<Verifications>();
  DiskState disk{};
  std::shared_ptr<const recipe::Book>
      recipes{};                           // swapped whole by a reload; never null while the daemon runs
  std::shared_ptr<Dialogues> dialogues{};  // ends before what it stands on
  std::shared_ptr<Guards> guards{};
  History* history = nullptr;              // null: no snapshots are kept
  std::shared_ptr<Snapshots> snapshots{};  // pulls under way; ends before the dialogues
  std::function<audit::SyslogFigures()> syslog = [] { return audit::SyslogFigures{}; };
  std::function<std::vector<uplink::Figures>()> uplinks = [] { return std::vector<uplink::Figures>{}; };
  // What of the board's routing keeps people out, each with its cure; as it was within the last minute.
  std::function<std::vector<std::string>()> uplink_errors = [] { return std::vector<std::string>{}; };
  // What people should be able to dial, and can't.
  std::function<std::vector<ClosedListener>()> closed_listeners = [] {
    return std::vector<ClosedListener>{};
  };
  // Why no program of [notify] and no ssh of [callhome] is run now; empty: they are.
  std::function<std::string()> programs_trouble = [] { return std::string(); };
  std::function<std::vector<notice::Figures>()> notices = [] { return std::vector<notice::Figures>{}; };
  std::function<std::vector<WatchFigures>()> watches = [] { return std::vector<WatchFigures>{}; };
  std::function<std::vector<CallHomeFigures>()> call_homes = [] { return std::vector<CallHomeFigures>{}; };
  std::shared_ptr<Drills> drills{};          // null: there are none; ends before the consoles
  std::shared_ptr<VisitsUnderWay> visits{};  // null: what a crash leaves open is not told
};

// The event `ev` of somebody, with who and from where.
auth::Entry event_of(const Visitor& visitor, std::string ev);

}  // namespace oob::console

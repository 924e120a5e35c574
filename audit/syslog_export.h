#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/syslog_figures.h"
#include "audit/syslog_link.h"
#include "auth/journal.h"
#include "base/disk.h"
#include "base/loop.h"

namespace oob::audit {

// Sends every record of the journal to a collector, at least once and in order (RFC 5424 over RFC 5425), and
// the journal's checkpoints after the records that they cover. The journal's files are the spool: what has
// not arrived waits there, and STATE/syslog/position tells from where to go on. What that does and does not
// promise is in docs/audit.md, "Sending it elsewhere".
class SyslogExport {
 public:
  static constexpr std::uint64_t kMargin = 64;              // records sent again after each connect
  static constexpr std::uint64_t kMostFlight = 256 * 1024;  // bytes sent and not known to have arrived

  struct Limits {
    SyslogLink::Limits link;
    base::milliseconds again_least{1000}, again_most{60'000};  // until the next connect, and some more
    base::milliseconds steady{10'000};  // a connection that has lasted so long starts the wait anew
    base::milliseconds checkpoint_every{1000};
    std::chrono::seconds checkpoint_noted_every{3600};
    base::milliseconds position_every{1000};
    base::milliseconds read_again{5000};  // after the journal's files could not be read
    base::milliseconds unread{300'000};   // then: what can't be read is passed over
    base::milliseconds way{3000};         // for a connect where there is another way to try
    base::milliseconds better{300'000};   // until a better way is tried that led nowhere
  };

  // Reads the position (a small file, for start-up). Loop, Blocking and Journal outlive it. `hostname` is
  // that of the messages.
  SyslogExport(base::Loop& loop, base::Blocking& blocking, auth::Journal& journal, const std::string& state,
               std::string hostname, Limits limits);
  SyslogExport(base::Loop& loop, base::Blocking& blocking, auth::Journal& journal, const std::string& state,
               std::string hostname);
  // Writes the position down.
  ~SyslogExport();
  SyslogExport(const SyslogExport&) = delete;
  SyslogExport& operator=(const SyslogExport&) = delete;

  // Begins, changes or ends the export, and reads the files that are named anew, on a thread. Of the same
  // settings and the same files the connection stays.
  void adopt(const std::optional<SyslogSettings>& settings);

  // By which network interfaces the collector is tried, and whether a connection by one may stay where it is.
  // Without them the routing table decides.
  struct Ways {
    // For a server as the settings have it, best first; an empty one: as the routing table says. Never none.
    std::function<std::vector<std::string>(const std::string& server)> to;
    std::function<bool(const std::string& interface)> leads_out;
  };
  void go_by(Ways ways);
  // What `ways` say has changed: a connection whose way is dead, or that goes by the routing table for want
  // of a better one, is made anew; one that is not there yet takes the next way.
  void ways_changed();

  SyslogFigures figures() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace oob::audit

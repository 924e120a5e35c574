#include "auth/journal_events.h"

#include <algorithm>

namespace oob::auth {

const std::vector<JournalEvent>& journal_events() {
  static const std::vector<JournalEvent> events = {
      {"approval.given", "a second person said yes to what waited for one"},
      {"approval.lapsed", "nobody did in time"},
      {"approval.request", "an order waits for a second person"},
      {"approval.withdrawn", "whoever asked has left, or took it back"},
      {"attach", "somebody opened a console"},
      {"audit.read", "somebody read the audit trail"},
      {"bmc.down", "the session with a BMC ended"},
      {"bmc.failed", "a BMC's session can't be opened"},
      {"bmc.memory", "what worked with a BMC can't be remembered"},
      {"bmc.up", "a BMC's session was opened"},
      {"boot.request", "the next boot of a machine is about to be set"},
      {"boot.result", "how that went"},
      {"break", "a break was sent to a console"},
      {"break.dropped", "a break was not sent after all"},
      {"checkpoint.sent", "a checkpoint has arrived at the collector"},
      {"clock.step", "the wall clock was set"},
      {"denied", "somebody asked for what they may not have"},
      {"detach", "somebody left a console"},
      {"disk.level", "the disk of the state folder filled to another level, or drained"},
      {"forward.close", "a forwarded connection ended"},
      {"forward.open", "a connection to a BMC was forwarded"},
      {"gap", "events that could not be written"},
      {"grant", "a right for a while"},
      {"grant.ended", "it has run out, or can't be kept"},
      {"grant.revoked", "it was taken away"},
      {"grants.damaged", "the file of grants can't be read and counts for nothing"},
      {"hold", "a recording is not to be removed"},
      {"identify.request", "a machine's light is about to be switched"},
      {"identify.result", "how that went"},
      {"journal.begin", "the first record of a life of the journal"},
      {"key.rotate", "the key that signs the journal is replaced"},
      {"kick", "somebody's session was ended by another"},
      {"line.down", "a console's line was lost"},
      {"line.remark", "what a line has to say of itself"},
      {"line.reopen", "a line was closed and opened again on somebody's order"},
      {"line.up", "a console's line is open"},
      {"login", "somebody came in"},
      {"login.refused", "somebody did not"},
      {"login.refused.many", "more of those than are told one by one"},
      {"message", "words to all who are on a console"},
      {"note", "words for the record, at this place of a console"},
      {"power.change", "a chassis was switched, by whomever"},
      {"power.request", "power is about to be switched"},
      {"power.result", "how that went"},
      {"recording.close", "a recording has ended"},
      {"recording.gap", "bytes of a recording that the disk did not take"},
      {"recording.mark", "the hash of a part of a recording"},
      {"recording.open", "a recording begins"},
      {"recording.recovered", "a recording that a crash left open was ended"},
      {"recording.strange", "a file that the journal knows no recording of was moved aside"},
      {"redaction", "text in a recording is about to be hidden"},
      {"reload", "the configuration was read again"},
      {"reload.failed", "it could not be"},
      {"reload.request", "it is about to be"},
      {"retention", "a file is about to be removed"},
      {"sel.clear.request", "a BMC's event log is about to be cleared"},
      {"sel.clear.result", "how that went"},
      {"sel.records", "what is in the log that is about to be cleared"},
      {"send", "text was sent to a console"},
      {"session.close", "a session ended"},
      {"session.open", "a session began"},
      {"start", "the daemon began"},
      {"stop", "the daemon ended"},
      {"syslog.down", "the journal can't be sent to the collector"},
      {"syslog.lost", "records that were removed before they were sent"},
      {"syslog.up", "the journal is sent to the collector"},
      {"transcript.mark", "the hash of a part of a transcript"},
      {"transcript.open", "a console's output is written from now on"},
      {"transcripts.failing", "transcripts can't be written"},
      {"transcripts.written", "they can be again"},
      {"unhold", "a recording may be removed again"},
      {"writer.force", "a keyboard was taken from another"},
      {"writer.join", "a keyboard is shared"},
      {"writer.leave", "a keyboard was let go"},
      {"writer.lost", "a keyboard went to another"},
      {"writer.take", "a free keyboard was taken"},
  };
  return events;
}

bool is_journal_event(std::string_view name) {
  const auto& all = journal_events();
  auto at = std::lower_bound(all.begin(), all.end(), name,
                             [](const JournalEvent& event, std::string_view to) { return event.name < to; });
  return at != all.end() && at->name == name;
}

}  // namespace oob::auth

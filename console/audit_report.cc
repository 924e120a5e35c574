#include "console/audit_report.h"

#include <dirent.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "audit/recorder.h"
#include "console/core.h"
#include "console/reports.h"

namespace oob::console {

using base::str;

namespace {

std::string lost_text(std::uint64_t lost) {
  return lost ? str(", ", lost, " bytes lost since the start") : "";
}

// The folders of journals that a start could not go on with, so that nobody forgets them.
std::vector<std::string> lost_lives(const std::string& state) {
  std::vector<std::string> names;
  DIR* folder = ::opendir(state.c_str());
  if (!folder) return names;
  while (const dirent* entry = ::readdir(folder))
    if (std::string_view(entry->d_name).starts_with("journal.lost-"))
      names.push_back(base::printable(entry->d_name));
  ::closedir(folder);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::string audit_status(const Core& core) {
  const auth::Journal& journal = core.journal;
  std::string trouble = journal.trouble();
  std::string text =
      str("journal      ", trouble.empty() ? "ok" : trouble, ", ", journal.written(), " records\n");
  if (!journal.loss().empty()) text += str("             BEGUN ANEW at this start: ", journal.loss(), "\n");
  for (const std::string& life : lost_lives(core.state))
    text += str("             ", life,
                ": an earlier journal that could not be gone on with; when it has been looked "
                "into, move it off the board\n");
  if (const auto& note = journal.checkpoint())
    text += str("checkpoint   ", note->checkpoint.brief(), "\n             by ", journal.vkey(), "\n");
  if (const audit::Recordings* recordings = core.recordings) {
    std::string reason = reason_of(recordings->trouble());
    text += str("recordings   ", reason.empty() ? "ok" : reason, ", ", recordings->live(), " now",
                lost_text(recordings->lost()), "\n");
  }
  std::string reason = reason_of(core.archive.trouble());
  return text + str("transcripts  ", reason.empty() ? "ok" : reason, lost_text(core.archive.lost()), "\n");
}

void audit_status(const Core& core, boost::json::object& object) {
  const auth::Journal& journal = core.journal;
  std::string trouble = journal.trouble(), transcripts = reason_of(core.archive.trouble());
  object["journal"] = trouble.empty() ? "ok" : trouble;
  object["journal_records"] = journal.written();
  if (!journal.loss().empty()) object["journal_loss"] = journal.loss();
  object["journals_lost"] = lost_lives(core.state).size();
  if (const auto& note = journal.checkpoint()) {
    object["checkpoint"] = {{"origin", note->checkpoint.origin},
                            {"size", note->checkpoint.size},
                            {"root", base::base64(note->checkpoint.root)}};
  }
  object["journal_key"] = journal.vkey();
  if (const audit::Recordings* recordings = core.recordings) {
    std::string reason = reason_of(recordings->trouble());
    object["recordings"] = reason.empty() ? "ok" : reason;
    object["recordings_now"] = recordings->live();
    object["recording_bytes_lost"] = recordings->lost();
  }
  object["transcripts"] = transcripts.empty() ? "ok" : transcripts;
  object["transcript_bytes_lost"] = core.archive.lost();
}

std::string audit_metrics(const Core& core) {
  std::string text;
  auto figure = [&](const char* name, const char* type, const char* help, std::uint64_t value) {
    text += str("# HELP oobd_", name, " ", help, "\n# TYPE oobd_", name, " ", type, "\noobd_", name, " ",
                value, "\n");
  };
  figure("journal_ok", "gauge", "1 while the journal can be written", core.journal.trouble().empty());
  figure("journal_records", "counter", "records on the disk", core.journal.written());
  const auto& note = core.journal.checkpoint();
  figure("journal_checkpoint_size", "counter", "records that the newest checkpoint holds",
         note ? note->checkpoint.size : 0);
  figure("journal_began_anew", "gauge", "1 when this start found a journal that it could not go on with",
         !core.journal.loss().empty());
  figure("journals_lost", "gauge", "folders of journals that a start could not go on with",
         lost_lives(core.state).size());
  if (const audit::Recordings* recordings = core.recordings) {
    figure("recordings", "gauge", "visits that are recorded now", recordings->live());
    figure("recordings_ok", "gauge", "1 while recordings can be written", recordings->trouble().empty());
    figure("recording_lost_bytes_total", "counter", "bytes that are in no recording", recordings->lost());
  }
  figure("transcript_lost_bytes_total", "counter", "bytes of consoles that are in no file",
         core.archive.lost());
  figure("transcripts_ok", "gauge", "1 while transcripts can be written", core.archive.trouble().empty());
  return text;
}

}  // namespace oob::console

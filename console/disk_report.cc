#include "console/disk_report.h"

#include "console/core.h"

namespace oob::console {

using base::str;

std::string disk_status(const Core& core) {
  const DiskState& disk = core.disk;
  std::string text;
  if (!disk.warning.empty()) text += str("             ", disk.warning, "\n");
  text +=
      str("kept         removed since the start: ", disk.recordings, " recordings, ", disk.segments,
          " segments of transcripts, ", disk.journal_files, " files of the journal, ", disk.bytes >> 20,
          " MiB; recordings held: ", disk.holds, "; reserve of the journal: ", disk.reserve >> 20, " MiB\n");
  if (!disk.trouble.empty()) text += str("             ", disk.trouble, "\n");
  return text;
}

void disk_status(const Core& core, boost::json::object& object) {
  const DiskState& disk = core.disk;
  object["disk"] = {{"level", disk.level},
                    {"percent", disk.percent},
                    {"warning", disk.warning},
                    {"refusing", !disk.refusal.empty()},
                    {"trouble", disk.trouble},
                    {"journal_reserve", disk.reserve},
                    {"holds", disk.holds},
                    {"removed_recordings", disk.recordings},
                    {"removed_segments", disk.segments},
                    {"removed_journal_files", disk.journal_files},
                    {"removed_bytes", disk.bytes}};
}

std::string disk_metrics(const Core& core) {
  const DiskState& disk = core.disk;
  std::string text;
  auto family = [&](const char* name, const char* type, const char* help) {
    text += str("# HELP oobd_", name, " ", help, "\n# TYPE oobd_", name, " ", type, "\n");
  };
  auto figure = [&](const char* name, const char* type, const char* help, auto value) {
    family(name, type, help);
    text += str("oobd_", name, " ", value, "\n");
  };
  figure("disk_used_ratio", "gauge", "of the file system of the state folder, as df counts it", disk.used);
  figure("disk_level", "gauge", "0 fine, 1 warn, 2 shed, 3 critical, 4 full", disk.number);
  figure("journal_reserve_bytes", "gauge", "kept free for the journal", disk.reserve);
  figure("recordings_held", "gauge", "recordings that are not to be removed", disk.holds);
  family("removed_files_total", "counter", "files removed by age, size or for a full disk");
  text += str("oobd_removed_files_total{kind=\"recording\"} ", disk.recordings, "\n");
  text += str("oobd_removed_files_total{kind=\"transcript\"} ", disk.segments, "\n");
  text += str("oobd_removed_files_total{kind=\"journal\"} ", disk.journal_files, "\n");
  figure("removed_bytes_total", "counter", "bytes of them", disk.bytes);
  return text;
}

}  // namespace oob::console

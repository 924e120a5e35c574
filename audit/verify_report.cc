// What a verification found, for people and for programs.
#include <boost/json.hpp>

#include "audit/verify.h"

namespace oob::audit {

using base::str;

namespace {

std::string line_of(const Finding& finding) {
  std::string line = str(finding.fault() ? "" : "  ", name_of(finding.kind), ": ", finding.place);
  if (finding.n) line += str(" (record ", *finding.n, ")");
  return str(line, ": ", finding.text, "\n");
}

std::string counted(std::uint64_t number, const char* one) {
  return str(number, " ", one, number == 1 ? "" : "s");
}

std::string recordings_line(const VerifyReport& report) {
  if (report.recordings + report.retired + report.missing == 0) return "";
  std::string line = str(counted(report.recordings, "recording"), ", ", report.recording_bytes, " bytes");
  if (report.live > 0) line += str("; not ended: ", report.live);
  if (report.redacted > 0) line += str("; redacted: ", report.redacted);
  if (report.missing > 0) line += str("; missing: ", report.missing);
  if (report.retired > 0) line += str("; removed as being old: ", report.retired);
  return line + "\n";
}

}  // namespace

const char* name_of(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::altered:
      return "ALTERED";
    case Finding::Kind::missing:
      return "MISSING";
    case Finding::Kind::unsealed:
      return "UNSEALED";
    case Finding::Kind::redacted:
      return "redacted";
    case Finding::Kind::note:
      break;
  }
  return "note";
}

void VerifyReport::add(Finding finding) {
  if (finding.fault()) ++faults;
  std::size_t alike = 0;
  for (const Finding& one : findings) alike += one.fault() == finding.fault();
  if (alike < kMostShown) {
    findings.push_back(std::move(finding));
  } else {
    ++more;
  }
}

std::string VerifyReport::text() const {
  std::string text;
  for (const Finding& finding : findings)
    if (finding.fault()) text += line_of(finding);
  text += str(whole() ? "whole: " : "NOT WHOLE: ", counted(records, "record"), ", ",
              counted(checkpoints, "checkpoint"), lives > 1 ? str(", ", str(lives, " lives")) : "",
              origin.empty() ? "" : str(", ", origin), "\n");
  if (unsealed > 0)
    text += str("the last ", counted(unsealed, "record"), " of them without a checkpoint yet\n");
  text += recordings_line(*this);
  if (transcript_bytes > 0) text += str("transcripts, ", transcript_bytes, " bytes\n");
  if (snapshots > 0)
    text += str("snapshots of ", counted(snapshots, "device"), ", ", counted(revisions, "revision"), "\n");
  for (const Finding& finding : findings)
    if (!finding.fault()) text += line_of(finding);
  if (more > 0) text += str("and ", more, " more that are not shown\n");
  if (keys_given) {
    text += trusted ? "signed by a key that was given\n" : "NOT signed by a key that was given\n";
  } else if (!vkey.empty()) {
    text +=
        str("The key comes from the directory itself, so this proves nothing against whoever owns it.\n"
            "Keep it elsewhere and give it with --key: ",
            vkey, "\n");
  }
  if (anchors > 0) {
    text += str(anchors_matched, " of ", anchors, " that were remembered are in it\n");
  } else {
    text +=
        "Nothing was given to remember (--anchor): that all of it was set back to an earlier state would "
        "not be seen.\n";
  }
  if (newest) text += str("remember: ", newest->brief(), "\n");
  return text;
}

std::string VerifyReport::json() const {
  namespace json = boost::json;
  json::array list;
  for (const Finding& finding : findings) {
    std::string kind = name_of(finding.kind);
    for (char& c : kind) c = static_cast<char>(c | 0x20);
    json::object one{{"kind", kind}, {"place", finding.place}, {"text", finding.text}};
    if (finding.n) one["n"] = *finding.n;
    list.push_back(std::move(one));
  }
  json::object object{{"whole", whole()},
                      {"faults", faults},
                      {"origin", origin},
                      {"key", vkey},
                      {"key_given", keys_given},
                      {"key_trusted", trusted},
                      {"lives", lives},
                      {"records", records},
                      {"checkpoints", checkpoints},
                      {"unsealed", unsealed},
                      {"anchors", anchors},
                      {"anchors_matched", anchors_matched},
                      {"recordings", json::object{{"checked", recordings},
                                                  {"bytes", recording_bytes},
                                                  {"live", live},
                                                  {"redacted", redacted},
                                                  {"missing", missing},
                                                  {"retired", retired}}},
                      {"transcript_bytes", transcript_bytes},
                      {"snapshots", json::object{{"devices", snapshots}, {"revisions", revisions}}},
                      {"findings", std::move(list)},
                      {"more", more}};
  if (newest) {
    object["remember"] = newest->brief();
    object["size"] = newest->size;
  }
  return json::serialize(object) + "\n";
}

}  // namespace oob::audit

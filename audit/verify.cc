#include "audit/verify.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>

#include "audit/verify_files.h"
#include "audit/verify_journal.h"
#include "audit/verify_snapshots.h"

namespace oob::audit {

using base::Result;
using base::str;
using Kind = Finding::Kind;

namespace {

constexpr std::string_view kLost = "journal.lost-";

std::set<std::string> lost_folders(const std::string& state) {
  std::set<std::string> lost;
  std::error_code none;
  for (std::filesystem::directory_iterator at(state, none), end; at != end; at.increment(none)) {
    std::string name = at->path().filename().string();
    if (name.starts_with(kLost)) lost.insert(std::move(name));
  }
  return lost;
}

// What a life's first record says of the life before it. Empty: nothing.
std::optional<LostLife> told_by(const std::string& state, const std::string& folder) {
  Result<std::unique_ptr<auth::JournalReader>> reader = auth::JournalReader::open(str(state, "/", folder));
  std::string line;
  auth::JournalReader::Place place;
  if (!reader || (*reader)->first() > 0) return {};
  Result<bool> there = (*reader)->next(line, place);
  if (!there || !*there) return {};
  Result<auth::Record> begin = auth::Record::parse(line);
  const std::string* kept = begin ? begin->text("kept") : nullptr;
  if (!kept || !kept->starts_with(kLost) || kept->find('/') != kept->npos) return {};
  LostLife lost{*kept, str(folder, "/", place.file, ":1"), "", "", "", 0};
  if (const std::string* why = begin->text("why")) lost.why = base::printable(*why);
  const std::string *origin = begin->text("previous"), *root = begin->text("lost_root");
  std::optional<std::int64_t> size = begin->number("lost_size");
  if (origin && root && size && *size > 0 && unbase64(*root, lost.root)) {
    lost.origin = *origin;
    lost.size = static_cast<std::uint64_t>(*size);
  }
  return lost;
}

// The lives before the newest, as they tell of each other: the oldest first. The records of a folder of which
// none tells could be anybody's, and are not looked at.
std::vector<LostLife> lost_lives(const std::string& state, VerifyReport& report) {
  std::vector<LostLife> chain;
  std::set<std::string> untold = lost_folders(state);
  while (std::optional<LostLife> lost = told_by(state, chain.empty() ? "journal" : chain.back().folder)) {
    report.add({Kind::note, lost->by, 0,
                str("a new life began here: ", lost->why.empty() ? "nothing tells why" : lost->why)});
    if (untold.erase(lost->folder) == 0) {
      report.add({Kind::missing, lost->by, 0,
                  str(base::printable(lost->folder, 60), ", the life before this, is missing")});
      break;
    }
    chain.push_back(std::move(*lost));
  }
  for (const std::string& folder : untold)
    report.add({Kind::altered, base::printable(folder, 100), std::nullopt, "no later life tells of it"});
  std::reverse(chain.begin(), chain.end());
  return chain;
}

void judge_anchors(const VerifyOptions& options, const std::vector<Anchor>& anchors, VerifyReport& report) {
  report.anchors = anchors.size();
  std::string all = "what is remembered";
  if (anchors.empty() && !options.anchor_text.empty())
    report.add({Kind::missing, all, std::nullopt, "has no checkpoint in it"});
  bool only_old = true;
  for (const Anchor& anchor : anchors) {
    if (anchor.fits) ++report.anchors_matched;
    only_old = only_old && anchor.too_old && !anchor.fits;
    if (anchor.fits) continue;
    std::string place = str(all, " of ", anchor.size, " records");
    if (anchor.too_old) {
      report.add({Kind::note, place, std::nullopt, "is of records that were removed as being old"});
    } else if (anchor.size > report.records) {
      report.add({Kind::missing, place, std::nullopt, "there are fewer: the end is missing"});
    } else {
      report.add({Kind::altered, place, std::nullopt, "is not what these records are"});
    }
  }
  if (only_old && !anchors.empty())
    report.add(
        {Kind::missing, all, std::nullopt,
         "is all older than the records that are left: nothing of it is in them, so they may be anybody's"});
}

}  // namespace

Result<VerifyReport> verify(const VerifyOptions& options) {
  VerifyReport report;
  report.keys_given = !options.keys.empty();
  std::vector<Anchor> anchors = find_anchors(options.anchor_text);
  std::erase_if(anchors, [](const Anchor& anchor) { return anchor.size == 0; });  // proves nothing
  BoundFiles files(options, report);
  BoundSnapshots snapshots(options, report);
  auto take = [&](const auth::Record& record, const std::string& place, bool sealed) {
    if (BoundSnapshots::concerns(record)) return snapshots.add(record, place, sealed);
    files.add(record, place, sealed);
  };
  report.trusted = report.keys_given;
  for (const LostLife& lost : lost_lives(options.state, report)) {
    Life life(options, report, anchors, lost.folder, &lost, take);
    Result<> checked = life.check();
    if (!checked) {
      if (options.progress && !options.progress(0, 0, "journal")) return checked.error();
      report.add({Kind::missing, lost.folder, std::nullopt, checked.error().what});
    }
    if (life.first() > 0 && life.oldest()) files.pruned(*life.oldest());
    if (life.first() > 0) snapshots.pruned();
    report.trusted = report.trusted && life.trusted();
    ++report.lives;
  }
  Life life(options, report, anchors, "journal", nullptr, take);
  Result<> checked = life.check();
  if (!checked) return checked.error();
  if (life.first() > 0) snapshots.pruned();
  checked = snapshots.check();
  if (!checked) return checked.error();
  if (life.first() > 0 && life.oldest()) files.pruned(*life.oldest());
  report.trusted = report.trusted && life.trusted();
  ++report.lives;
  report.origin = life.origin();
  report.vkey = life.vkey();
  report.newest = life.newest();
  report.unsealed = life.unsealed();
  judge_anchors(options, anchors, report);
  checked = files.check();
  if (!checked) return checked.error();
  std::stable_sort(report.findings.begin(), report.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.fault() && !b.fault(); });
  return report;
}

Result<std::vector<auth::NoteKey>> parse_note_keys(std::string_view text) {
  std::vector<auth::NoteKey> keys;
  std::size_t number = 0;
  base::Error fault;
  base::split(text, '\n', [&](std::string_view line) {
    ++number;
    line = line.substr(0, line.find('#'));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r'))
      line.remove_suffix(1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    if (line.empty() || !fault.what.empty()) return;
    Result<auth::NoteKey> key = auth::NoteKey::parse(line);
    if (key) {
      keys.push_back(std::move(*key));
    } else {
      fault = base::wrap(str("line ", number), key.error());
    }
  });
  if (!fault.what.empty()) return fault;
  if (keys.empty()) return base::fail(base::Fault::usage, "has no key");
  return keys;
}

}  // namespace oob::audit

#include "audit/verify.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>

#include "audit/verify_files.h"
#include "audit/verify_journal.h"

namespace oob::audit {

using base::Result;
using base::str;
using Kind = Finding::Kind;

namespace {

constexpr std::string_view kLost = "journal.lost-";

// The lives that ended in a loss, in order of their numbers, and then the newest.
std::vector<std::string> folders(const std::string& state) {
  std::vector<std::pair<std::uint64_t, std::string>> lost;
  std::error_code none;
  for (std::filesystem::directory_iterator at(state, none), end; at != end; at.increment(none)) {
    std::string name = at->path().filename().string();
    std::uint64_t life = 0;
    if (name.starts_with(kLost) && base::parse_number(std::string_view(name).substr(kLost.size()), life))
      lost.emplace_back(life, name);
  }
  std::sort(lost.begin(), lost.end());
  std::vector<std::string> all;
  for (const auto& [life, name] : lost) all.push_back(name);
  all.emplace_back("journal");
  return all;
}

// That each lost life is the one that a later one tells of, as it tells it.
void check_chain(const std::map<std::string, std::unique_ptr<Life>>& lives, VerifyReport& report) {
  std::map<std::string, std::string> told;  // folder: by which one
  for (const auto& [folder, life] : lives) {
    if (!life->begin()) continue;
    const std::string* kept = life->begin()->text("kept");
    if (!kept) continue;
    std::string place = folder + "/000000000000.jsonl:1";
    auto before = lives.find(*kept);
    told[*kept] = folder;
    auto wrong = [&](Kind kind, const std::string& text) { report.add({kind, place, 0, text}); };
    const std::string* why = life->begin()->text("why");
    wrong(Kind::note, str("a new life began here: ", why ? base::printable(*why) : "nothing tells why"));
    if (before == lives.end()) {
      wrong(Kind::missing, str(base::printable(*kept, 60), ", the life before this, is missing"));
      continue;
    }
    const Life& lost = *before->second;
    const std::string* previous = life->begin()->text("previous");
    const std::string* root = life->begin()->text("lost_root");
    std::optional<std::int64_t> size = life->begin()->number("lost_size");
    if (!lost.written() && !previous && !root && !size) continue;  // it had no checkpoint to tell of
    if (!lost.written() || !previous || *previous != lost.written()->origin || !root || !size ||
        str(*size, " ", *root) != lost.written()->brief())
      wrong(Kind::altered, str("tells of another end of ", *kept, " than it has"));
  }
  auto newest = lives.find("journal");
  bool begun = newest != lives.end() && newest->second->begin();
  for (const auto& [folder, life] : lives)
    if (folder != "journal" && !told.contains(folder))
      report.add({begun ? Kind::altered : Kind::note, folder, std::nullopt,
                  begun ? "no later life tells of it" : "what told of it is older than what is left"});
}

void judge_anchors(const std::vector<Anchor>& anchors, VerifyReport& report) {
  report.anchors = anchors.size();
  for (const Anchor& anchor : anchors) {
    if (anchor.fits) ++report.anchors_matched;
    if (anchor.fits || anchor.size == 0) continue;
    std::string place = "what is remembered of " + std::to_string(anchor.size) + " records";
    if (anchor.too_old) {
      report.add({Kind::note, place, std::nullopt, "is of records that were removed as being old"});
    } else if (anchor.size > report.records) {
      report.add({Kind::missing, place, std::nullopt, "there are fewer: the end is missing"});
    } else {
      report.add({Kind::altered, place, std::nullopt, "is not what these records are"});
    }
  }
}

}  // namespace

Result<VerifyReport> verify(const VerifyOptions& options) {
  VerifyReport report;
  report.keys_given = !options.keys.empty();
  std::vector<Anchor> anchors = find_anchors(options.anchor_text);
  BoundFiles files(options, report);
  std::map<std::string, std::unique_ptr<Life>> lives;
  bool trusted = true;
  for (const std::string& folder : folders(options.state)) {
    auto life = std::make_unique<Life>(
        options, report, anchors, folder,
        [&](const auth::Record& record, const std::string& place) { files.add(record, place); });
    Result<> checked = life->check();
    if (!checked && folder == "journal") return checked.error();
    if (!checked) {
      if (options.progress && !options.progress(0, 0, "journal")) return checked.error();
      report.add({Kind::missing, folder, std::nullopt, checked.error().what});
    }
    if (life->first() > 0) files.pruned();
    trusted = trusted && (life->trusted() || !life->sealed());
    ++report.lives;
    if (folder == "journal") {
      report.origin = life->origin();
      report.vkey = life->vkey();
      report.newest = life->newest();
      report.unsealed = life->unsealed();
    }
    lives.emplace(folder, std::move(life));
  }
  report.trusted = report.keys_given && trusted;
  check_chain(lives, report);
  judge_anchors(anchors, report);
  Result<> checked = files.check();
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

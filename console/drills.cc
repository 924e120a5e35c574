#include "console/drills.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "base/whole_file.h"

namespace oob::console {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::string_view kFirstLine = "oobd drill 1";
constexpr std::size_t kMostNamed = 20;    // failures in a record of the journal
constexpr std::size_t kMostReason = 120;  // bytes of the first one's reason

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The first word of `text`, which loses it and the one blank behind it.
std::string_view take_word(std::string_view& text) {
  std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

auth::Entry result_of(const Visitor& visitor, const DrillTally& tally) {
  const char* event = !tally.given_up.empty() ? "drill.given_up"
                      : tally.is_good()       ? "drill.passed"
                                              : "drill.failed";
  auth::Entry entry = event_of(visitor, event);
  entry.with("passed", static_cast<std::int64_t>(tally.passed))
      .with("failed", static_cast<std::int64_t>(tally.failed))
      .with("skipped", static_cast<std::int64_t>(tally.skipped))
      .with("seconds", tally.took / 1'000'000);
  std::string names, text = text_of(tally);
  for (std::size_t i = 0; i < std::min(tally.failures.size(), kMostNamed); ++i)
    names += str(names.empty() ? "" : ", ", tally.failures[i].name);
  if (tally.failures.size() > kMostNamed) names += str(" and ", tally.failures.size() - kMostNamed, " more");
  if (!names.empty()) {
    text +=
        str(": ", names, "; ", tally.failures[0].name, ": ", tally.failures[0].text.substr(0, kMostReason));
    entry.with("failures", names);
  }
  if (!tally.given_up.empty()) text += str("; given up: ", tally.given_up);
  if (tally.tried() == tally.skipped) text += "; nothing was tried";
  return std::move(entry.with("text", base::printable(text)));
}

}  // namespace

// --- the file
// --------------------------------------------------------------------------------------------------------

std::string drill_file(const DrillRecord& record) {
  std::string text = str(kFirstLine, "\n", base::rfc3339(record.at), " ", record.passed, " ", record.failed,
                         " ", record.skipped, " ", record.by, "\n");
  for (const DrillRecord::Failure& each : record.failures)
    text += str(each.device.empty() ? "-" : each.device, " ", each.name, "\n");
  return text + "end\n";
}

std::optional<DrillRecord> read_drill_file(const std::string& text) {
  std::vector<std::string_view> lines;
  base::split(text, '\n', [&](std::string_view line) { lines.push_back(line); });
  // The last line has its end too.
  if (lines.size() < 4 || !lines.back().empty() || lines[lines.size() - 2] != "end" || lines[0] != kFirstLine)
    return std::nullopt;
  DrillRecord record;
  std::string_view rest = lines[1];
  Result<base::Micros> at = base::parse_time(take_word(rest), 0);
  std::optional<std::uint64_t> passed = number(take_word(rest)), failed = number(take_word(rest)),
                               skipped = number(take_word(rest));
  if (!at || !passed || !failed || !skipped || rest.empty()) return std::nullopt;
  record.at = *at;
  record.passed = *passed;
  record.failed = *failed;
  record.skipped = *skipped;
  record.by = base::printable(rest);
  for (std::size_t i = 2; i + 2 < lines.size(); ++i) {
    std::string_view name = lines[i], device = take_word(name);
    if (device.empty() || name.empty() || record.failures.size() == DrillRecord::kMostFailures)
      return std::nullopt;
    record.failures.push_back({device == "-" ? "" : base::printable(device), base::printable(name)});
  }
  return record;
}

// --- drills
// ----------------------------------------------------------------------------------------------------------

struct Drills::Run {
  Core& core;
  std::uint64_t number;
  Visitor visitor;
  bool board;
  Done done;
  std::unique_ptr<Drill> drill;  // null: it is being written down
};

Drills::Drills(base::Disk& disk, std::string file, Drill::Limits limits)
    : disk_(disk), file_(std::move(file)), limits_(limits) {}

Drills::~Drills() {
  if (!run_ || !run_->drill) return;
  DrillTally tally;
  tally.given_up = "oobd is stopped";
  run_->core.journal.note(result_of(run_->visitor, tally));
}

Result<> Drills::open() {
  if (::access(file_.c_str(), F_OK) != 0) return {};
  Result<std::string> text = base::read_whole(file_, kMostFile);
  if (!text) return base::wrap(file_, text.error());
  last_ = read_drill_file(*text);
  if (!last_) return fail(Fault::failed, str(file_, ": it is damaged"));
  return {};
}

std::uint64_t Drills::begin(Core& core, Drill::Order order, Told told, Done done) {
  if (run_) {
    std::string who = run_->visitor.who.user;
    core.loop.post(life_.wrap([done = std::move(done), who] {
      done(fail(Fault::busy, str("a drill of ", base::printable(who), "'s is under way")));
    }));
    return 0;
  }
  std::uint64_t number = next_number_++;
  run_ = std::make_unique<Run>(Run{core, number, order.visitor, order.board, std::move(done), nullptr});
  std::string devices;
  for (const std::string& device : order.devices) devices += (devices.empty() ? "" : ", ") + device;
  auth::Entry entry = event_of(order.visitor, "drill.begin");
  entry.with("devices", devices);
  auto shared = std::make_shared<Drill::Order>(std::move(order));
  core.journal.commit(std::move(entry), life_.wrap([this, number, shared, told](const Result<>& written) {
    if (!run_ || run_->number != number) return;
    if (!written) {
      Done done = std::move(run_->done);
      run_.reset();
      return done(fail(Fault::journal, str(written.error().what, "; nothing was tried")));
    }
    run_->drill = std::make_unique<Drill>(run_->core, std::move(*shared), ground_, limits_, told,
                                          [this](const DrillTally& tally) { ended(tally); });
  }));
  return number;
}

void Drills::give_up(std::uint64_t number, const std::string& why) {
  if (!run_ || run_->number != number) return;
  if (run_->drill) return run_->drill->give_up(why);
  // Its record may come yet; nothing follows it but this.
  DrillTally tally;
  tally.given_up = why;
  ended(tally);
}

void Drills::recheck() {
  if (run_ && run_->drill) run_->drill->recheck();
}

void Drills::ended(const DrillTally& tally) {
  std::unique_ptr<Run> run = std::move(run_);
  run->core.journal.note(result_of(run->visitor, tally));
  // What was left out because somebody may not do it, or was not asked for, says nothing of the board.
  if (run->board && !tally.barred && tally.given_up.empty()) {
    DrillRecord record;
    record.at = run->drill->began();
    record.by = run->visitor.who.user;
    record.passed = tally.passed;
    record.failed = tally.failed;
    record.skipped = tally.skipped;
    for (const DrillCheck& each : tally.failures)
      if (record.failures.size() < DrillRecord::kMostFailures)
        record.failures.push_back({each.device, each.name});
    last_ = std::move(record);
    save();
  }
  run->done(tally);
}

// One write at a time; what came meanwhile is in the next.
void Drills::save() {
  changed_ = true;
  if (std::exchange(writing_, true)) return;
  changed_ = false;
  auto written = std::make_shared<Result<>>();
  disk_.run([written, file = file_,
             bytes = drill_file(*last_)] { *written = base::write_whole(file, bytes, 0600); },
            life_.wrap([this, written] {
              writing_ = false;
              if (!*written) base::log(str("the last drill can't be kept: ", written->error().what));
              if (changed_) save();
            }));
}

}  // namespace oob::console

#include "console/alarms.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <array>
#include <utility>

#include "console/clean_line.h"
#include "console/console_tail.h"

namespace oob::console {

using base::Bytes;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::int64_t kMostPatternMemory = 8 << 20;  // of one set, its automaton included

// Few, and none that a healthy machine says.
constexpr const char* kForAll[] = {
    R"(\bpanic: )",                      // the BSDs; Linux has no colon here
    "Fatal trap ",                       // FreeBSD
    "Kernel panic - not syncing",        // Linux
    "BUG: unable to handle ",            // Linux
    R"(\bOops: [0-9a-f]{4})",            // Linux
    R"(watchdog: BUG: soft lockup)",     // Linux
    "Out of memory: Kill",               // Linux: "Out of memory: Killed process 1"
    "blocked for more than [0-9]+ sec",  // Linux: a hung task
    R"((?i:watchdog timeout))",          // network drivers of all systems
    "Remounting filesystem read-only",   // ext4
};

re2::RE2::Options options() {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMostPatternMemory);
  return options;
}

re2::StringPiece piece(Bytes bytes) { return {bytes.data(), bytes.size()}; }

// Searched in many raw lines at once it finds at least every line that it matches by itself.
bool fits_many(const std::string& pattern) {
  for (const char* special : {"$", "\\A", "\\z", "\\C", "\\Q"})
    if (pattern.find(special) != std::string::npos) return false;
  for (std::size_t at = 0; (at = pattern.find("(?", at)) != std::string::npos; ++at) {
    std::string_view flags = std::string_view(pattern).substr(at + 2, 2);
    if (!flags.starts_with(':') && flags != "i:" && flags != "i)") return false;
  }
  return true;
}

enum : unsigned char { kPlain = 0, kReturn = 1, kOther = 2 };
constexpr std::array<unsigned char, 256> make_kinds() {
  std::array<unsigned char, 256> kinds{};
  for (std::size_t c = 0; c < kinds.size(); ++c) {
    bool plain = (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t';
    kinds[c] = plain ? kPlain : c == '\r' ? kReturn : kOther;
  }
  return kinds;
}
constexpr std::array<unsigned char, 256> kKinds = make_kinds();

// Whether lines read as they stand: no control characters but tabs and line ends, and nothing that could be
// half a character of UTF-8, which an expression passes over and a reader sees as U+FFFD. Every byte of every
// console comes by here.
bool all_plain(Bytes lines) {
  unsigned char kinds = 0;
  for (char c : lines) kinds |= kKinds[static_cast<unsigned char>(c)];
  if (kinds & kOther) return false;
  if (kinds & kReturn)
    for (std::size_t at = 0; (at = lines.find('\r', at)) != Bytes::npos; ++at)
      if (at + 1 == lines.size() || lines[at + 1] != '\n') return false;
  return true;
}

bool is_login_prompt(Bytes line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
  return (line.ends_with("login:") || line.ends_with("Login:")) && !line.ends_with("Last login:");
}

Bytes without_newline(Bytes line) {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  return line;
}

}  // namespace

// --- patterns
// -----------------------------------------------------------------------------------------------------

struct AlarmPatterns::Sets {
  Sets() : one(options(), re2::RE2::UNANCHORED) {
    re2::RE2::Options many_lines = options();
    many_lines.set_never_nl(true);
    many = std::make_unique<re2::RE2::Set>(many_lines, re2::RE2::UNANCHORED);
  }
  re2::RE2::Set one;                    // for one clean line
  std::unique_ptr<re2::RE2::Set> many;  // for many raw ones; null where that could miss some
  std::vector<std::string> names;       // as they were written
};

AlarmPatterns::AlarmPatterns(std::unique_ptr<Sets> sets) : sets_(std::move(sets)) {}
AlarmPatterns::~AlarmPatterns() = default;

Result<> AlarmPatterns::check(const std::string& own) {
  std::string quoted = str("'", base::printable(own, 80), "'");
  if (own.size() > kLongest)
    return fail(Fault::config, str(quoted, " has ", own.size(), " bytes; a pattern has at most ", kLongest));
  re2::RE2 expression(own, options());
  if (!expression.ok())
    return fail(Fault::config,
                str(quoted, " is no regular expression (RE2): ", base::printable(expression.error(), 80)));
  if (re2::RE2::PartialMatch("", expression))
    return fail(Fault::config, str(quoted, " matches an empty line, and so every line"));
  return {};
}

Result<std::shared_ptr<const AlarmPatterns>> AlarmPatterns::make(const std::vector<std::string>& own) {
  if (own.size() > kMost)
    return fail(Fault::config, str(own.size(), " patterns; a device has at most ", kMost));
  auto sets = std::make_unique<Sets>();
  sets->names.assign(std::begin(kForAll), std::end(kForAll));
  sets->names.insert(sets->names.end(), own.begin(), own.end());
  bool all_fit = std::all_of(own.begin(), own.end(), fits_many);
  for (const std::string& name : sets->names) {
    std::string error;
    bool added =
        sets->one.Add(name, &error) >= 0 && (!all_fit || sets->many->Add("(?m:" + name + ")", &error) >= 0);
    if (!added)
      return fail(Fault::config, str("'", base::printable(name, 80), "': ", base::printable(error, 80)));
  }
  bool compiled = sets->one.Compile() && (!all_fit || sets->many->Compile());
  if (!all_fit) sets->many.reset();
  // Whether there is room for its automaton shows at the first line.
  for (re2::RE2::Set* set : {&sets->one, sets->many.get()}) {
    if (!set || !compiled) continue;
    re2::RE2::Set::ErrorInfo info{};
    set->Match("a", nullptr, &info);
    compiled = info.kind != re2::RE2::Set::kOutOfMemory;
  }
  if (!compiled) return fail(Fault::config, "the patterns are too much together: give fewer or simpler ones");
  return std::shared_ptr<const AlarmPatterns>(new AlarmPatterns(std::move(sets)));
}

bool AlarmPatterns::may_match(Bytes lines) const {
  if (!sets_->many || !all_plain(lines)) return true;
  return sets_->many->Match(piece(lines), nullptr);
}

const std::string* AlarmPatterns::match(Bytes clean) const {
  // Nearly all lines end here: without a list to fill, the search stops early.
  if (!sets_->one.Match(piece(clean), nullptr)) return nullptr;
  std::vector<int> found;
  if (!sets_->one.Match(piece(clean), &found) || found.empty()) return nullptr;
  return &sets_->names[static_cast<std::size_t>(*std::min_element(found.begin(), found.end()))];
}

bool AlarmPatterns::is_for_all(const std::string& pattern) const {
  return &pattern < sets_->names.data() + std::size(kForAll);
}

std::shared_ptr<const AlarmPatterns> AlarmBook::of(const std::vector<std::string>& own) {
  std::erase_if(made_, [](const auto& each) { return each.second.expired(); });
  if (auto at = made_.find(own); at != made_.end())
    if (auto patterns = at->second.lock()) return patterns;
  auto made = AlarmPatterns::make(own);
  if (!made) return own.empty() ? nullptr : of({});
  made_[own] = *made;
  return *made;
}

// --- one console
// --------------------------------------------------------------------------------------------------

AlarmEar::AlarmEar(Surroundings in, Limits limits) : in_(std::move(in)), limits_(limits), timer_(in_.loop) {}

AlarmEar::~AlarmEar() { tell(); }

void AlarmEar::heard(Bytes bytes, Time typed_at, bool is_look) {
  heard_at(bytes, typed_at, is_look, base::Clock::now());
}

void AlarmEar::heard_at(Bytes bytes, Time typed_at, bool is_look, Time now) {
  now_ = now;
  in_look_ = is_look;
  if (is_look) {
    if (first_look_ == Time{}) first_look_ = now;
    answers_ = false;  // nobody else types meanwhile
    return cut(bytes);
  }
  Time before = std::exchange(heard_at_, now);
  bool is_first = before == Time{};
  if (typed_at != typed_at_) {
    typed_at_ = typed_at;
    answers_ = true;
    unasked_ = false;
  }
  auto since_key = now - typed_at_, since_output = now - std::max(before, typed_at_);
  if (since_key >= limits_.answer && (since_output >= limits_.pause || since_key >= limits_.long_answer))
    answers_ = false;
  if (!is_first && now - before >= limits_.silence) {
    unasked_ = since_key >= limits_.silence;
    since_silence_ = 0;
  }
  cut(bytes);
  look_for_prompt();
}

// Into whole lines, as many at once as there are.
void AlarmEar::cut(Bytes bytes) {
  while (!bytes.empty()) {
    if (partial_.empty() && bytes.find('\n') != Bytes::npos) {
      std::size_t size = bytes.rfind('\n') + 1;
      lines(bytes.substr(0, size));
      bytes.remove_prefix(size);
      continue;
    }
    std::size_t newline = bytes.find('\n');
    std::size_t size =
        std::min(newline == Bytes::npos ? bytes.size() : newline + 1, kLongestLine - partial_.size());
    partial_.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    if (partial_.back() != '\n' && partial_.size() < kLongestLine) return;
    std::string whole = std::exchange(partial_, "");
    lines(whole);
  }
}

void AlarmEar::lines(Bytes whole) {
  if (since_silence_ < kBoot)
    since_silence_ += static_cast<std::size_t>(std::count(whole.begin(), whole.end(), '\n'));
  if (answers_ || (waiting_.empty() && in_.patterns && !in_.patterns->may_match(whole))) return keep(whole);
  while (!whole.empty()) {
    std::size_t newline = whole.find('\n');
    std::size_t size = std::min(newline == Bytes::npos ? whole.size() : newline + 1, kLongestLine);
    line(whole.substr(0, size));
    keep(whole.substr(0, size));
    whole.remove_prefix(size);
  }
}

void AlarmEar::line(Bytes raw) {
  clean_.clear();
  clean_line(without_newline(raw), clean_);
  for (Waiting& each : waiting_)
    if (each.missing > 0) {
      --each.missing;
      each.tail += base::printable(clean_, kLongestLine) + "\n";
    }
  if (const std::string* pattern = in_.patterns ? in_.patterns->match(clean_) : nullptr)
    if (!in_look_ || !is_brought(*pattern)) alarm(*pattern, clean_);
  bool all_there =
      std::all_of(waiting_.begin(), waiting_.end(), [](const Waiting& each) { return each.missing == 0; });
  if (!waiting_.empty() && all_there) tell();
}

// What holds for every device is said by none that is asked for its peerings.
bool AlarmEar::is_brought(const std::string& pattern) {
  if (in_.patterns->is_for_all(pattern)) return false;
  std::string kind = clean_;
  std::erase_if(kind, [](char c) { return c >= '0' && c <= '9'; });
  auto [at, is_new] = brought_.try_emplace(std::move(kind), now_);
  bool is_known = now_ - first_look_ < limits_.learning || (!is_new && now_ - at->second < limits_.brought);
  at->second = now_;
  if (brought_.size() > kMostBrought)
    brought_.erase(std::min_element(brought_.begin(), brought_.end(),
                                    [](const auto& a, const auto& b) { return a.second < b.second; }));
  return is_known;
}

// A prompt has no line end.
void AlarmEar::look_for_prompt() {
  if (!unasked_ || !is_login_prompt(partial_)) return;
  unasked_ = false;
  // A getty says its greeting again by itself, a few lines, where a shell or a login has ended for want of a
  // key, too; a machine that starts says more.
  if (since_silence_ < kBoot) return;
  clean_.clear();
  clean_line(partial_, clean_);
  alarm(kLogin, clean_);
}

void AlarmEar::alarm(const std::string& pattern, const std::string& text) {
  auto [at, is_new] = told_.try_emplace(pattern, Told{now_});
  if (!is_new && now_ - at->second.at < limits_.again) {
    ++at->second.more;
    return;
  }
  std::int64_t more = std::exchange(at->second.more, 0);
  at->second.at = now_;
  std::string line = base::printable(text);
  in_.announce(str("ALARM: ", line));
  if (waiting_.size() >= kMostWaiting) tell();
  auth::Entry entry("console.alarm");
  entry.with("device", in_.device).with("text", line).with("pattern", pattern);
  if (more > 0) entry.with("more", more);
  std::string tail = console_tail(kept_, kBefore);
  if (!tail.empty()) tail += "\n";
  waiting_.push_back({std::move(entry), tail + line + "\n"});
  if (!timer_.waiting()) timer_.after(limits_.gather, [this] { tell(); });
}

void AlarmEar::keep(Bytes bytes) {
  if (bytes.size() >= kKept) {
    kept_ = bytes.substr(bytes.size() - kKept);
    return;
  }
  if (kept_.size() + bytes.size() > 2 * kKept) kept_.erase(0, kept_.size() - (kKept - bytes.size()));
  kept_ += bytes;
}

void AlarmEar::tell() {
  timer_.cancel();
  for (Waiting& each : std::exchange(waiting_, {}))
    in_.journal.note(std::move(each.entry.with("tail", fit_tail(std::move(each.tail)))));
}

}  // namespace oob::console

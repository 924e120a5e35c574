#include "audit/retention.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "audit/written_order.h"
#include "base/fd.h"
#include "base/sha256.h"

namespace oob::audit {

using base::str;
using KeptKind = KeptFile::Kind;

namespace {

constexpr base::Micros kNoSooner = 1'577'836'800'000'000;  // 2020: no oobd wrote anything before
constexpr std::string_view kAge = "age", kSize = "size", kDisk = "disk";

// The names in a folder, sorted; one that is not there has none.
std::vector<std::string> names_in(const std::string& folder, std::string& trouble) {
  std::vector<std::string> names;
  std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
  if (!open) {
    if (errno != ENOENT && trouble.empty()) trouble = base::system_error(folder).what;
    return names;
  }
  while (const dirent* entry = ::readdir(open.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Fills in what stat(2) says; false where it is no file (any more).
bool look_at(KeptFile& file) {
  struct stat about {};
  if (::lstat(file.path.c_str(), &about) < 0 || !S_ISREG(about.st_mode)) return false;
  file.bytes = static_cast<std::uint64_t>(about.st_size);
  file.written = about.st_mtim.tv_sec * 1'000'000LL + about.st_mtim.tv_nsec / 1000;
  return true;
}

// The text before `ending`, where the name has it.
bool takes_off(std::string_view name, std::string_view ending, std::string& before) {
  if (name.size() <= ending.size() || !name.ends_with(ending)) return false;
  before = name.substr(0, name.size() - ending.size());
  return true;
}

bool is_number(std::string_view text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The device whose transcript has this folder (docs/formats.md, "Transcripts").
std::string device_of(std::string_view folder) {
  constexpr std::pair<std::string_view, char> kWritten[] = {
      {"%2F", '/'}, {"%25", '%'}, {"%00", '\0'}, {"%2E", '.'}};
  std::string device;
  while (!folder.empty()) {
    std::size_t taken = 1;
    char c = folder[0];
    for (auto [written, means] : kWritten) {
      if (folder.starts_with(written)) taken = written.size(), c = means;
    }
    device += c;
    folder.remove_prefix(taken);
  }
  return device;
}

void list_recordings_below(const std::string& folder, KeptFiles& kept) {
  std::set<std::string> pinned;
  for (std::string& name : names_in(folder + "/open", kept.trouble)) pinned.insert(std::move(name));
  for (std::string& name : names_in(folder + "/holds", kept.trouble)) {
    ++kept.holds;
    pinned.insert(std::move(name));
  }
  std::string& trouble = kept.trouble;
  for (const std::string& year : names_in(folder, trouble)) {
    if (!is_number(year, 4)) continue;
    for (const std::string& month : names_in(str(folder, "/", year), trouble)) {
      if (!is_number(month, 2)) continue;
      for (const std::string& day : names_in(str(folder, "/", year, "/", month), trouble)) {
        if (!is_number(day, 2)) continue;
        std::string whole = str(folder, "/", year, "/", month, "/", day);
        for (const std::string& name : names_in(whole, trouble)) {
          KeptFile file;
          file.path = str(whole, "/", name);
          if (!takes_off(name, ".cast", file.name) || !look_at(file)) continue;
          file.pinned = pinned.count(file.name) > 0;
          kept.files.push_back(std::move(file));
        }
      }
    }
  }
}

// Files whose names begin with a number of so many digits, the last of which is still being written.
void list_numbered(const std::string& folder, KeptFile like, std::size_t digits, std::string_view ending,
                   KeptFiles& kept) {
  std::vector<KeptFile> found;
  for (const std::string& name : names_in(folder, kept.trouble)) {
    std::string number;
    KeptFile file = like;
    file.path = str(folder, "/", name);
    if (!takes_off(name, ending, number) || !is_number(number, digits) ||
        !base::parse_number(std::string_view(number), file.from) || !look_at(file))
      continue;
    file.to = file.from + file.bytes;
    found.push_back(std::move(file));
  }
  if (!found.empty()) found.back().pinned = true;
  std::move(found.begin(), found.end(), std::back_inserter(kept.files));
}

const RetentionRules::Kind& rules_of(const RetentionRules& rules, KeptKind kind) {
  return kind == KeptKind::recording    ? rules.recordings
         : kind == KeptKind::transcript ? rules.transcripts
                                        : rules.journal;
}

// What no journal tells of is older than what one does.
bool is_older(const KeptFile* a, const KeptFile* b) {
  if (a->order != b->order) return a->order < b->order;
  return a->written < b->written;
}

// When each of a group, the oldest first, was written at the latest; 0 where nothing tells.
std::vector<base::Micros> times_of(const std::vector<const KeptFile*>& group, base::Micros now) {
  std::vector<base::Micros> times(group.size());
  base::Micros newest = 0;
  for (std::size_t at = 0; at < group.size(); ++at) {
    const KeptFile& file = *group[at];
    times[at] = file.written < kNoSooner || file.written > now ? 0 : file.written;
    if (times[at] == 0 || !file.is_ordered()) continue;
    newest = times[at] = std::max(newest, times[at]);
  }
  for (std::size_t at = times.size(); at-- > 1;) {
    if (times[at - 1] == 0) times[at - 1] = times[at];
  }
  return times;
}

base::Result<std::string> hash(const std::string& path) {
  base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return base::system_error(path);
  base::Sha256 sha;
  std::vector<char> piece(256 * 1024);
  while (true) {
    ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::system_error(path);
    if (got == 0) break;
    sha.add({piece.data(), static_cast<std::size_t>(got)});
  }
  std::string sum = base::hex(sha.digest());
  if (sum.empty()) return base::fail(base::Fault::internal, str(path, ": no SHA-256 of it can be made"));
  return sum;
}

// Whether it is as it was listed: a recording that somebody holds, or redacts, since then stays for now.
bool is_as_listed(const std::string& state, const KeptFile& file) {
  KeptFile now = file;
  if (!look_at(now) || now.bytes != file.bytes || now.written != file.written) return false;
  if (file.kind != KeptKind::recording) return true;
  for (const char* folder : {"/recordings/holds/", "/recordings/open/"}) {
    if (::access(str(state, folder, file.name).c_str(), F_OK) == 0) return false;
  }
  return true;
}

// Removes it, its index first: a segment without one can be read, an index alone would stay for ever.
base::Result<> remove_file(const KeptFile& file) {
  if (file.kind == KeptKind::transcript) {
    std::string index = str(std::string_view(file.path).substr(0, file.path.size() - 4), ".idx");
    if (::unlink(index.c_str()) < 0 && errno != ENOENT) return base::system_error(index);
  }
  if (::unlink(file.path.c_str()) < 0 && errno != ENOENT) return base::system_error(file.path);
  return {};
}

}  // namespace

KeptFiles list_kept(const std::string& state) {
  KeptFiles kept;
  list_recordings_below(state + "/recordings", kept);
  std::string transcripts = state + "/transcripts";
  for (const std::string& folder : names_in(transcripts, kept.trouble)) {
    KeptFile like;
    like.kind = KeptKind::transcript;
    like.name = device_of(folder);
    list_numbered(str(transcripts, "/", folder), std::move(like), 20, ".log", kept);
  }
  KeptFile like;
  like.kind = KeptKind::journal;
  list_numbered(state + "/journal", std::move(like), 12, ".jsonl", kept);
  return kept;
}

std::vector<Victim> choose(const std::vector<KeptFile>& files, const RetentionRules& rules, base::Micros now,
                           std::uint64_t wanted) {
  // Recordings and the journal are one group each, the transcript of each device is one.
  std::map<std::pair<KeptKind, std::string>, std::vector<const KeptFile*>> groups;
  for (const KeptFile& file : files)
    groups[{file.kind, file.kind == KeptKind::transcript ? file.name : ""}].push_back(&file);

  std::vector<Victim> victims;
  std::vector<const KeptFile*> spare;  // for the disk
  std::uint64_t freed = 0;
  for (auto& [which, group] : groups) {
    // Transcripts and the journal are in order by their numbers.
    if (which.first == KeptKind::recording)
      std::stable_sort(group.begin(), group.end(),
                       [](const KeptFile* a, const KeptFile* b) { return a->order < b->order; });
    std::vector<base::Micros> times = times_of(group, now);
    const RetentionRules::Kind& rule = rules_of(rules, which.first);
    std::uint64_t left = 0;  // of the group, from here on
    for (const KeptFile* file : group) left += file->bytes;
    std::uint64_t total = left;
    for (std::size_t at = 0; at < group.size(); ++at) {
      const KeptFile* file = group[at];
      left -= file->bytes;
      if (file->pinned) continue;
      bool old = now && rule.keep && times[at] && times[at] < now - rule.keep;
      bool much = rule.most && total > rule.most;
      if (old || much) {
        victims.push_back({*file, old ? kAge : kSize});
        total -= file->bytes;
        freed += file->bytes;
      } else if (which.first == KeptKind::journal) {
        break;  // goes from its front only
      } else if (left >= rule.floor) {
        spare.push_back(file);
      }
    }
  }
  std::stable_sort(spare.begin(), spare.end(), is_older);
  for (const KeptFile* file : spare) {
    if (freed >= wanted) break;
    victims.push_back({*file, kDisk});
    freed += file->bytes;
  }
  return victims;
}

Retention::Retention(base::Blocking& blocking, auth::Journal& journal, Options options)
    : blocking_(blocking),
      journal_(journal),
      options_(std::move(options)),
      order_(std::make_shared<WrittenOrder>(options_.state + "/journal")) {}

Retention::~Retention() = default;

void Retention::run(const RetentionRules& rules, base::Micros now, std::uint64_t wanted,
                    std::function<void(std::size_t, bool)> done) {
  running_ = true;
  more_ = false;
  at_ = removed_ = 0;
  found_trouble_.clear();
  done_ = std::move(done);
  struct Found {
    std::vector<Victim> victims;
    std::uint64_t holds = 0;
    std::string trouble;
    bool more = false;
  };
  auto found = std::make_shared<Found>();
  blocking_.run(
      [found, rules, now, wanted, state = options_.state, order = order_, end = journal_.written()] {
        KeptFiles kept = list_kept(state);
        order->place(kept.files, end);
        found->holds = kept.holds;
        found->trouble = std::move(kept.trouble);
        found->victims = choose(kept.files, rules, now, wanted);
        std::size_t count = 0;
        for (std::uint64_t bytes = 0; count < found->victims.size(); ++count) {
          if (count >= kMostARound || bytes >= kMostBytesARound) break;
          bytes += found->victims[count].file.bytes;
        }
        found->more = count < found->victims.size();
        found->victims.resize(count);
      },
      life_.wrap([this, found] {
        totals_.holds = found->holds;
        found_trouble_ = found->trouble;
        victims_ = std::move(found->victims);
        more_ = found->more;
        next();
      }));
}

void Retention::next() {
  if (at_ == victims_.size()) return end();
  const KeptFile& file = victims_[at_].file;
  if (file.kind == KeptKind::journal) return remove_journal_file();
  auto sum = std::make_shared<base::Result<std::string>>(std::string());
  blocking_.run(
      [sum, file, state = options_.state] {
        if (is_as_listed(state, file)) *sum = hash(file.path);
      },
      life_.wrap([this, sum] {
        if (!*sum) return spare(sum->error().what);
        if ((*sum)->empty()) return spare("");
        write_down(**sum);
      }));
}

void Retention::remove_journal_file() {
  if (!options_.drop_journal) return spare("");
  options_.drop_journal(life_.wrap([this](base::Result<> done) {
    if (!done) return spare(done.error().what);
    gone();
  }));
}

void Retention::write_down(const std::string& sum) {
  const Victim& victim = victims_[at_];
  auth::Entry entry("retention");
  if (victim.file.kind == KeptKind::recording) {
    entry.with("kind", "recording").with("recording", base::printable(victim.file.name));
  } else {
    entry.with("kind", "transcript").with("device", base::printable(victim.file.name));
    entry.with("from", static_cast<std::int64_t>(victim.file.from));
    entry.with("to", static_cast<std::int64_t>(victim.file.to));
  }
  entry.with("sha256", sum).with("bytes", static_cast<std::int64_t>(victim.file.bytes));
  entry.with("why", std::string(victim.why));
  journal_.commit(std::move(entry), life_.wrap([this](base::Result<> written) {
    if (!written) {
      // What can't be written down is not done; the files after it wait for the next round too.
      found_trouble_ = written.error().what;
      return end();
    }
    seal();
  }));
}

// Nothing is excused by a record that no checkpoint holds: whoever can write the folder can append one.
void Retention::seal() {
  journal_.seal(life_.wrap([this](const base::Result<auth::Checkpoint>& sealed) {
    if (!sealed) {
      found_trouble_ = sealed.error().what;
      return end();
    }
    unlink();
  }));
}

void Retention::unlink() {
  auto done = std::make_shared<base::Result<>>();
  auto stays = std::make_shared<bool>(false);
  blocking_.run(
      [done, stays, file = victims_[at_].file, state = options_.state] {
        *stays = !is_as_listed(state, file);
        if (!*stays) *done = remove_file(file);
      },
      life_.wrap([this, done, stays] {
        if (*stays) return spare("");
        if (!*done) return spare(done->error().what);
        gone();
      }));
}

void Retention::gone() {
  const KeptFile& file = victims_[at_].file;
  ++removed_;
  totals_.bytes += file.bytes;
  ++(file.kind == KeptKind::recording    ? totals_.recordings
     : file.kind == KeptKind::transcript ? totals_.segments
                                         : totals_.journal_files);
  ++at_;
  next();
}

void Retention::spare(const std::string& why) {
  if (found_trouble_.empty()) found_trouble_ = why;
  ++at_;
  next();
}

void Retention::end() {
  running_ = false;
  trouble_ = found_trouble_;
  victims_.clear();
  std::exchange(done_, nullptr)(removed_, more_);
}

}  // namespace oob::audit

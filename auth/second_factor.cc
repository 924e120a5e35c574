#include "auth/second_factor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "auth/trusted_file.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/whole_file.h"

namespace oob::auth {

using base::Bytes;
using base::ClockState;
using base::fail;
using base::Fault;
using base::Micros;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostTakenFile = 4096;
constexpr std::int64_t kFar = 20;  // steps: a code of a clock that is this wrong is told from a wrong code

Result<> keep(const std::string& folder, const std::string& name, const std::string& text) {
  if (::mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST) return base::system_error(folder);
  Result<> written = base::write_whole(str(folder, "/", name), text, 0600);
  if (!written) return written;
  base::Fd open(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));  // the name is to last too
  if (!open || ::fsync(open.get()) < 0) return base::system_error(folder);
  return {};
}

// "2026-11-22 23:40:07 UTC"
std::string for_people(Micros time) {
  std::string text = base::rfc3339(time, base::Precision::seconds);
  std::replace(text.begin(), text.end(), 'T', ' ');
  if (text.ends_with('Z')) text.replace(text.size() - 1, 1, " UTC");
  return text;
}

std::string time_of(std::int64_t step) { return for_people(step * Totp::kPeriod * 1'000'000); }

// The wrong codes of a day.
class Guesses {
 public:
  // Why no more is looked at; empty when one is.
  std::string spent(base::Clock::time_point now) {
    while (!wrong_.empty() && now - wrong_.front() >= std::chrono::hours(24)) wrong_.pop_front();
    struct Limit {
      std::size_t most;
      base::Clock::duration time;
      std::string_view name;
    };
    static constexpr Limit kLimits[] = {{SecondFactor::kMostWrongMinute, std::chrono::minutes(1), "a minute"},
                                        {SecondFactor::kMostWrongHour, std::chrono::hours(1), "an hour"},
                                        {SecondFactor::kMostWrongDay, std::chrono::hours(24), "a day"}};
    for (const Limit& limit : kLimits)
      if (wrong_.size() >= limit.most && now - wrong_[wrong_.size() - limit.most] < limit.time)
        return str("not looked at: ", limit.most, " wrong codes within ", limit.name);
    return {};
  }
  void add(base::Clock::time_point now) { wrong_.push_back(now); }
  base::Clock::time_point last() const {
    return wrong_.empty() ? base::Clock::time_point::min() : wrong_.back();
  }

 private:
  std::deque<base::Clock::time_point> wrong_;  // at most kMostWrongDay: more are not looked at
};

}  // namespace

struct SecondFactor::User {
  struct Waiting {
    std::uint64_t change;
    std::function<void(Result<>)> done;
    std::unique_ptr<base::Timer> limit;
  };
  std::string file;                           // empty: gone, or never had one
  std::deque<std::int64_t> taken;             // steps, the last one last
  Guesses of_strangers;                       // of all sources that are not known, together
  std::map<std::string, Guesses> of_sources;  // of the known ones
  Wrong since_login;
  std::uint64_t change = 0;  // counts what was taken
  bool writing = false;
  std::vector<Waiting> waiting;  // bounded: of a time step one code waits, of a time three steps are right

  // The budget of a source. When there are too many, the one that has been silent longest goes.
  Guesses& guesses(const From& from) {
    if (!from.known_source) return of_strangers;
    if (of_sources.count(from.source) == 0 && of_sources.size() >= kMostSources)
      of_sources.erase(
          std::min_element(of_sources.begin(), of_sources.end(),
                           [](const auto& a, const auto& b) { return a.second.last() < b.second.last(); }));
    return of_sources[from.source];
  }
  void note_wrong(const From& from) {
    ++since_login.codes;
    since_login.last_source = base::printable(from.source, 64);
  }

  // Those that wait for a change up to this one wait no more.
  std::vector<std::function<void(Result<>)>> done_up_to(std::uint64_t change) {
    std::vector<std::function<void(Result<>)>> all;
    std::erase_if(waiting, [&](Waiting& each) {
      if (each.change > change) return false;
      all.push_back(std::move(each.done));
      return true;
    });
    return all;
  }
};

SecondFactor::SecondFactor(base::Loop& loop, base::Blocking& blocking, std::string folder,
                           ClockQuestion clock, Stopwatch stopwatch)
    : loop_(loop),
      blocking_(blocking),
      folder_(std::move(folder)),
      clock_(std::move(clock)),
      stopwatch_(std::move(stopwatch)) {}

SecondFactor::~SecondFactor() = default;

void SecondFactor::adopt(std::map<std::string, std::string> files, WithoutClock policy, Micros newest_known) {
  policy_ = policy;
  newest_known_ = newest_known;
  // Who is gone is kept: what was taken must not be taken when they come back, and may be being written.
  for (auto& [name, user] : users_) user->file.clear();
  for (auto& [name, file] : files) {
    std::unique_ptr<User>& user = users_[name];
    if (!user) {
      user = std::make_unique<User>();
      load(name, *user);
    }
    user->file = std::move(file);
  }
}

void SecondFactor::load(const std::string& name, User& user) {
  std::string path = str(folder_, "/", name);
  Result<TrustedFile> file = TrustedFile::open(path, 077, kMostTakenFile);
  if (!file && file.error().fault == Fault::missing) return;
  Result<std::string> text = file ? file->read() : Result<std::string>(file.error());
  std::string fault;
  if (!text) {
    fault = text.error().what;
  } else {
    base::split(*text, '\n', [&](Bytes line) {
      std::int64_t step = 0;
      if (line.empty()) return;
      if (base::parse_number(line, step) && step >= 0) {
        user.taken.push_back(step);
      } else {
        fault = str(path, ": not a list of time steps");
      }
    });
    while (user.taken.size() > kRemembered) user.taken.pop_front();
  }
  if (fault.empty() && !user.taken.empty()) return;
  if (fault.empty()) fault = str(path, ": empty");
  // Which codes were used is not known: then none that can have been, so the next minute's are the first.
  user.taken = {Totp::step_at(std::max<Micros>(base::wall_now(), 0)) + 1};
  base::log(str("second factor: ", base::printable(fault), "; codes of ", name, " count from ",
                time_of(user.taken.back() + 1), " on"));
}

ClockState SecondFactor::clock_at(Micros now) const {
  ClockState state = clock_();
  if (state.synchronised && now + kBehind < newest_known_)
    return {false, str("the clock is behind what was seen already, ", for_people(newest_known_))};
  return state;
}

Result<Totp> SecondFactor::read(const std::string& user) const {
  auto found = users_.find(user);
  if (found == users_.end() || found->second->file.empty())
    return fail(Fault::config, "a code is needed, and there is no totp_file");
  const std::string& path = found->second->file;
  Result<TrustedFile> file = TrustedFile::open(path, 077, Totp::kMostText);
  if (!file) return base::wrap("totp_file", file.error());
  Result<std::string> text = file->read();
  if (!text) return base::wrap("totp_file", text.error());
  Result<Totp> totp = Totp::parse(*text);
  base::wipe(*text);
  if (!totp) return base::wrap(str("totp_file: ", path), totp.error());
  return totp;
}

Result<SecondFactor::Need> SecondFactor::need(const std::string& user, Micros now) const {
  if (Result<Totp> totp = read(user); !totp) return totp.error();
  ClockState clock = clock_at(now);
  if (clock.synchronised) return Need{};
  if (policy_ == WithoutClock::refuse)
    return fail(Fault::denied, str("a code is needed, and can't be judged: ", clock.why));
  if (policy_ == WithoutClock::skip) return Need{false, "", str("no code was asked for: ", clock.why)};
  return Need{true, str("the board's clock is not synchronised; it believes it is ", for_people(now)), ""};
}

Result<> SecondFactor::judge(const std::string& name, User& user, Bytes typed, const From& from, Micros now) {
  Result<Totp> totp = read(name);
  if (!totp) return totp.error();
  if (policy_ == WithoutClock::refuse)
    if (ClockState clock = clock_at(now); !clock.synchronised)
      return fail(Fault::denied, str("a code can't be judged: ", clock.why));
  std::string code;
  for (char c : typed)
    if (c != ' ') code += c;
  bool digits = std::all_of(code.begin(), code.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || code.size() != static_cast<std::size_t>(totp->digits()))
    return fail(Fault::denied, str("what was typed is not a code of ", totp->digits(), " digits"));

  // RFC 6238, 5.2 wants guessing to be slow. Who has stolen the key comes so far, too.
  base::Clock::time_point moment = stopwatch_();
  Guesses& guesses = user.guesses(from);
  if (std::string spent = guesses.spent(moment); !spent.empty()) {
    user.note_wrong(from);
    return fail(Fault::denied, spent);
  }

  if (now < 0) return fail(Fault::denied, "the clock stands before 1970");
  std::int64_t present = Totp::step_at(now);
  std::int64_t last = user.taken.empty() ? -1 : user.taken.back();
  bool behind = last > present + 1;  // no code of that time can have been right when it was taken
  bool used = false;
  for (std::int64_t step = std::max<std::int64_t>(present - 1, 0); step <= present + 1; ++step) {
    if (!totp->is(code, step)) continue;
    if ((!behind && step <= last) || std::count(user.taken.begin(), user.taken.end(), step) > 0) {
      used = true;
      continue;
    }
    if (behind)
      base::log(str("second factor: the clock says ", for_people(now), ", and ", name, " gave a code for ",
                    time_of(last), " before: it was set back"));
    user.taken.push_back(step);
    if (user.taken.size() > kRemembered) user.taken.pop_front();
    return {};
  }
  // Who sees an old code has not guessed, so this is no wrong one.
  if (used) return fail(Fault::denied, "the code, or a later one, was used before");
  guesses.add(moment);
  user.note_wrong(from);
  for (std::int64_t away = 2; away <= kFar; ++away) {
    const char* where = totp->is(code, present + away)                      ? "behind"
                        : present >= away && totp->is(code, present - away) ? "ahead of"
                                                                            : nullptr;
    if (where)
      return fail(Fault::denied, str("wrong code: the board's clock is about ", away * Totp::kPeriod, " s ",
                                     where, " that of the code"));
  }
  return fail(Fault::denied, "wrong code");
}

SecondFactor::Wrong SecondFactor::take_wrong(const std::string& name) {
  auto found = users_.find(name);
  return found == users_.end() ? Wrong{} : std::exchange(found->second->since_login, {});
}

void SecondFactor::check(const std::string& name, Bytes code, const From& from, Micros now,
                         std::function<void(Result<>)> done) {
  auto found = users_.find(name);
  if (found == users_.end()) return done(fail(Fault::config, "a code is needed, and there is no totp_file"));
  User& user = *found->second;
  if (Result<> judged = judge(name, user, code, from, now); !judged) return done(judged.error());
  std::uint64_t change = ++user.change;
  auto limit = std::make_unique<base::Timer>(loop_);
  limit->after(kPatience, [this, name, change] {
    base::log(str("second factor: the disk is too slow to write down which codes ", name, " used"));
    for (auto& each : users_.at(name)->done_up_to(change)) each({});
  });
  user.waiting.push_back({change, std::move(done), std::move(limit)});
  if (!user.writing) write_down(name);
}

void SecondFactor::write_down(const std::string& name) {
  User& user = *users_.at(name);
  user.writing = true;
  std::string text;
  for (std::int64_t step : user.taken) text += str(step, "\n");
  auto written = std::make_shared<Result<>>();
  blocking_.run([folder = folder_, name, text, written] { *written = keep(folder, name, text); },
                life_.wrap([this, name, written, change = user.change] {
                  User& user = *users_.at(name);
                  user.writing = false;
                  // A full disk keeps nobody out: the step is remembered as long as the program runs.
                  if (!*written)
                    base::log(str("second factor: which codes ", name,
                                  " used is not written down: ", written->error().what));
                  auto all = user.done_up_to(change);
                  if (user.change > change) write_down(name);
                  for (auto& each : all) each({});
                }));
}

}  // namespace oob::auth

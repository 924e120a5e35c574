#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "auth/totp.h"
#include "base/clock_state.h"
#include "base/disk.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::auth {

// What a login that wants a code comes to while the clock is not to be trusted.
enum class WithoutClock { check, skip, refuse };

// Judges the codes that people give after their key (RFC 6238). The code of the step before, of now and of
// the step after is right, once: what was taken is written down, one small file a user, and never taken
// again, a restart or not. Users are those of adopt().
//
// The clock can stand behind the last step that was taken (a board without a battery, a clock that was ahead
// once). Every code of now would be an old one then, for ever: so while it does, any step is taken that is
// not among the last kRemembered that were, and the log says so.
class SecondFactor {
 public:
  static constexpr std::size_t kRemembered = 32;  // steps of one user
  // Wrong codes that are looked at; guessing gets at most 50 x 3 of the 10^6 codes a day, 0.015 %.
  static constexpr std::size_t kMostWrongMinute = 5, kMostWrongHour = 20, kMostWrongDay = 50;
  static constexpr std::size_t kMostSources = 16;          // good ones of one user with a budget of their own
  static constexpr base::milliseconds kPatience{5000};     // with the disk
  static constexpr base::Micros kBehind = 30 * 1'000'000;  // of the newest time known: no fault of the clock

  using ClockQuestion = std::function<base::ClockState()>;
  using Stopwatch = std::function<base::Clock::time_point()>;  // only tests have another

  // `folder` (STATE/totp) is made when it is needed, 0700. What it is given outlives it.
  SecondFactor(base::Loop& loop, base::Blocking& blocking, std::string folder,
               ClockQuestion clock = base::clock_state, Stopwatch stopwatch = base::Clock::now);
  ~SecondFactor();
  SecondFactor(const SecondFactor&) = delete;
  SecondFactor& operator=(const SecondFactor&) = delete;

  // Users and their totp_file, swapped whole. `newest_known` is the newest time that the journal or the
  // program has seen: a clock that is behind it is not to be trusted, whatever the kernel says. Blocks (reads
  // the folder for users that are new): for the start and reloads.
  void adopt(std::map<std::string, std::string> files, WithoutClock policy, base::Micros newest_known);

  struct Need {
    bool code = true;    // false: the key is enough this time, because of WithoutClock::skip
    std::string prompt;  // to be shown above the question, perhaps empty
    std::string remark;  // why no code is asked for: for the journal and the person
  };
  // What a login of this user takes now. The secret's file is read each time, so that a new one holds at
  // once. An Error (Fault::denied, Fault::config) refuses the login and is for the journal.
  base::Result<Need> need(const std::string& user, base::Micros now = base::wall_now()) const;

  // Where a code comes from: base::source_of() of the peer, and whether the user logged in from there before.
  struct From {
    std::string source;
    bool known_source = false;
  };
  // What was given with the right key and let nobody in, since the user's last login.
  struct Wrong {
    std::size_t codes = 0;
    std::string last_source;  // printable
  };
  // For a login that succeeded: the codes are told once. A sign that the key is in other hands.
  Wrong take_wrong(const std::string& user);

  // Judges a code, as it was typed (spaces are left out). `done` gets success after what was taken is on the
  // disk, or at the latest after kPatience (the log says so then); an Error (Fault::denied, Fault::config)
  // says for the journal what was wrong. Wrong codes have a budget, counted in steady time for as long as the
  // program runs: each known source of the user one of its own, all other sources one together. So who has
  // stolen the key can keep the person out of new places only, not out of those they use. May call `done`
  // before it returns; not at all when this has gone.
  void check(const std::string& user, base::Bytes code, const From& from, base::Micros now,
             std::function<void(base::Result<>)> done);

 private:
  struct User;
  base::ClockState clock_at(base::Micros now) const;
  base::Result<Totp> read(const std::string& user) const;
  base::Result<> judge(const std::string& name, User& user, base::Bytes code, const From& from,
                       base::Micros now);
  void load(const std::string& name, User& user);
  void write_down(const std::string& name);

  base::Loop& loop_;
  base::Blocking& blocking_;
  const std::string folder_;
  const ClockQuestion clock_;
  const Stopwatch stopwatch_;
  WithoutClock policy_ = WithoutClock::check;
  base::Micros newest_known_ = 0;
  std::map<std::string, std::unique_ptr<User>> users_;
  base::Life life_;
};

}  // namespace oob::auth

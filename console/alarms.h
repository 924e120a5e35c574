#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "auth/journal.h"
#include "base/loop.h"
#include "base/result.h"
#include "console/ear.h"

namespace oob::console {

// Lines that no console says unless something is wrong: a few that hold for every device, and the device's
// own. Shared by all devices with the same own ones; compiled once.
class AlarmPatterns {
 public:
  static constexpr std::size_t kMost = 64, kLongest = 256;  // of a device's own; bytes of each

  // Fault::config: it is no RE2, too long, or matches an empty line, and so every line.
  static base::Result<> check(const std::string& own);
  // The same of the whole list, and that it is not too much together.
  static base::Result<std::shared_ptr<const AlarmPatterns>> make(const std::vector<std::string>& own);
  ~AlarmPatterns();

  // Of whole raw lines at once: false: none of them matches. Much cheaper than match() of each.
  bool may_match(base::Bytes lines) const;
  // The first pattern that a line matches as people read it (clean_line()); null: none.
  const std::string* match(base::Bytes clean) const;
  // Whether one that match() has given holds for every device.
  bool is_for_all(const std::string& pattern) const;

 private:
  struct Sets;
  explicit AlarmPatterns(std::unique_ptr<Sets> sets);
  std::unique_ptr<Sets> sets_;
};

// Makes AlarmPatterns once for each list that is in use.
class AlarmBook {
 public:
  // `own` was checked; if it is at fault all the same, it counts for nothing.
  std::shared_ptr<const AlarmPatterns> of(const std::vector<std::string>& own);

 private:
  std::map<std::vector<std::string>, std::weak_ptr<const AlarmPatterns>> made_;
};

// Tells of the lines of one console that match, with those around them, and of a login prompt where nobody
// asked for one: the machine has started again. Each goes into the journal (console.alarm) and to whoever is
// on the console; of one pattern at most one a minute, the others are counted in the next.
//
// What answers to typing is not looked at: an echo, or `dmesg` of last year's panic. That is what comes
// within Limits::answer of a key, and what goes on after that without a pause of Limits::pause, up to
// Limits::long_answer. A look of the daemon's own is none of that: else a watch would make it deaf for a part
// of every minute. But it breaks no silence, and what looks bring again and again (a greeting, the "Last
// error" that they asked for) is no alarm: a line that matches a device's own pattern is told in a look only
// where none within Limits::brought has said the same but for its digits. What the first look brings is
// learned.
class AlarmEar : public Ear {
 public:
  struct Limits {
    base::milliseconds answer{5000}, pause{2000}, long_answer{60'000};
    base::milliseconds silence{60'000};       // before a login prompt that nobody asked for
    base::milliseconds gather{2000};          // for the lines after the one that matched
    base::milliseconds again{60'000};         // between two of one pattern
    base::milliseconds learning{100'000};     // from the first look: as long as one may take
    base::milliseconds brought{172'800'000};  // two days; a look comes once a day or more often
  };
  static constexpr std::size_t kLongestLine = 1024;              // bytes; longer ones are cut
  static constexpr std::size_t kBefore = 10, kAfter = 5;         // lines
  static constexpr std::size_t kKept = 2048;                     // raw bytes, for the lines before
  static constexpr std::size_t kMostWaiting = 8;                 // alarms whose lines are being gathered
  static constexpr std::size_t kMostBrought = 64;                // lines of looks that are known
  static constexpr std::size_t kBoot = 10;                       // lines before a prompt that are no greeting
  static constexpr const char* kLogin = "login: after silence";  // the pattern's name

  struct Surroundings {
    base::Loop& loop;
    auth::Journal& journal;
    std::string device;
    std::shared_ptr<const AlarmPatterns> patterns;
    std::function<void(const std::string&)> announce;  // to whoever is on the console
  };
  AlarmEar(Surroundings in, Limits limits);
  // Alarms whose lines were still being gathered are told as they are.
  ~AlarmEar() override;

  void heard(base::Bytes bytes, base::Clock::time_point typed_at, bool is_look) override;
  // The same with the time given, for tests.
  void heard_at(base::Bytes bytes, base::Clock::time_point typed_at, bool is_look,
                base::Clock::time_point now);

 private:
  using Time = base::Clock::time_point;
  struct Told {
    Time at;
    std::int64_t more = 0;  // that were not told since
  };
  struct Waiting {
    auth::Entry entry;
    std::string tail;
    std::size_t missing = kAfter;
  };
  void cut(base::Bytes bytes);
  void lines(base::Bytes whole);
  void line(base::Bytes raw);
  void look_for_prompt();
  bool is_brought(const std::string& pattern);
  void alarm(const std::string& pattern, const std::string& text);
  void keep(base::Bytes bytes);
  void tell();

  Surroundings in_;
  Limits limits_;
  std::string partial_;  // a line that is not whole yet
  std::string kept_;     // the last whole lines, raw
  std::string clean_;    // of the line that is looked at
  Time heard_at_{}, now_{};
  Time typed_at_{};                   // the last key that is known
  bool answers_ = false;              // what comes answers to it
  bool unasked_ = false;              // since the last silence nobody has typed
  std::size_t since_silence_ = 0;     // lines
  std::map<std::string, Told> told_;  // by pattern: as many as there are patterns
  bool in_look_ = false;
  Time first_look_{};
  std::map<std::string, Time> brought_;  // by looks, without digits: when last
  std::vector<Waiting> waiting_;
  base::Timer timer_;
};

}  // namespace oob::console

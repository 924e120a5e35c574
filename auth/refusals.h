#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "auth/journal.h"
#include "base/loop.h"

namespace oob::auth {

// A login that was refused. All texts are printable (base::printable).
struct Refusal {
  std::string peer;  // "192.0.2.9:50122"
  std::string text;  // what the front says: "6 keys refused for user root"
  std::string why;   // what the core found ("no such user"), or empty
  std::string user;  // as the client sent it, or empty
};

// What the log and the journal are told of refused logins, so that an attack fills neither disk: a burst of
// kBurst and kPerMinute a minute one by one ("login.refused"); what is beyond that is counted, and told once
// a minute ("login.refused.many"), the last time when it is over. Holds some 30 KiB, whatever comes.
class Refusals {
 public:
  static constexpr unsigned kBurst = 30, kPerMinute = 30;
  static constexpr std::chrono::seconds kMany{60};
  static constexpr std::size_t kNamed = 3;  // sources and users that are named

  struct Out {
    std::function<void(Entry entry)> journal;
    std::function<void(const std::string& line)> log;
  };
  Refusals(base::Loop& loop, Out out);
  ~Refusals();  // tells what was not told yet
  Refusals(const Refusals&) = delete;
  Refusals& operator=(const Refusals&) = delete;

  void add(const Refusal& refusal, base::Clock::time_point now = base::Clock::now());
  // What a timer does: tells of those counted, when it is time. For tests.
  void tick(base::Clock::time_point now);

 private:
  // The most frequent of many names, with a bounded memory: the rarest gives its place, and its count, to a
  // newcomer, so that no count is too small and none of the truly frequent is lost (Metwally and others,
  // "Space-Saving", 2005).
  class Frequent {
   public:
    void add(const std::string& name);
    std::string named() const;  // "192.0.2.9 (412), 2001:db8::/64 (9)"
   private:
    static constexpr std::size_t kMost = 64;
    std::map<std::string, std::uint64_t> counts_;
  };
  // How many different names there were, by linear counting: right to about 1 % up to 100,000.
  class Different {
   public:
    void add(const std::string& name);
    std::int64_t count() const;

   private:
    static constexpr std::size_t kBits = 64 * 1024;
    std::bitset<kBits> seen_;
  };
  struct Many {
    base::Clock::time_point since;
    std::uint64_t count = 0;
    Different sources;
    Frequent by_source, by_user;
  };

  void tell_one(const Refusal& refusal, const std::string& source);
  void tell_many(base::Clock::time_point now);

  const Out out_;
  double budget_ = kBurst;
  base::Clock::time_point budgeted_{};
  std::unique_ptr<Many> many_;  // there while some are counted
  base::Timer timer_;
};

}  // namespace oob::auth

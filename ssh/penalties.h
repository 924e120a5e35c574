#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>

namespace oob::ssh {

// What a connection that never logged in did.
enum class Offence {
  none,           // nothing that counts: the daemon's own doing
  nothing_tried,  // left, or was sent away, before it tried any key: scanners, and sometimes monitoring
  refused,        // keys or codes, none of them right
  grace,          // kept a place for the whole grace time
  garbage,        // did not speak SSH, or tried to break what does
};

// Sources that fail again and again are kept out for a while, as by PerSourcePenalties of sshd_config(5):
// each offence adds its time to what is left of the source's earlier ones, time takes it off again, and once
// kLeast has gathered the source is kept out until all of it is over. IPv4 and IPv6 have a table each, so
// that nobody who has 2^40 networks of IPv6 can push IPv4's out; a full one forgets who is nearest to the
// end.
class Penalties {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kLeast{15}, kMost{600};
  static constexpr std::size_t kSources = 32 * 1024;  // of each table: some 4 MiB when full

  // `source` is base::source_of(); anything else is never kept out.
  void add(const std::string& source, Offence offence, Time now);
  bool keeps_out(const std::string& source, Time now);
  void forgive(const std::string& source);
  std::uint32_t kept_out(Time now);  // sources
  std::size_t size(Time now);        // sources with anything against them
  void clear();

 private:
  struct Entry {
    Time until{};
    bool out = false;
  };
  class Table {
   public:
    void add(std::uint64_t source, std::chrono::seconds time, Time now);
    bool keeps_out(std::uint64_t source, Time now);
    void forget(std::uint64_t source);
    void forget_past(Time now);
    std::uint32_t out() const { return out_; }
    std::size_t size() const { return entries_.size(); }

   private:
    std::unordered_map<std::uint64_t, Entry> entries_;
    std::set<std::pair<Time, std::uint64_t>> ends_;
    std::uint32_t out_ = 0;
  };
  // The table and the key of a source, or null.
  Table* table_of(const std::string& source, std::uint64_t& key);

  Table v4_, v6_;
};

}  // namespace oob::ssh

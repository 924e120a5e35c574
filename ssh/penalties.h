#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "base/loop.h"

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
// kLeast has gathered the source is kept out until all of it is over. A connection is charged for what it
// did, or for as long as it held a place without getting in, whichever is more. A quarter of it is charged to
// the /48 of an IPv6 source too, for who changes his /64 from one connection to the next. IPv4, IPv6 and the
// /48s have a table each, so that nobody who has 2^40 networks of IPv6 can push IPv4's out; a full one
// forgets who is nearest to the end. The same of circuits of the onion service, of which anybody has as many
// as he likes.
class Penalties {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds kLeast{15}, kMost{600};
  static constexpr std::size_t kSources = 32 * 1024;  // of each table: some 4 MiB when full
  // A place may be held so long before that is charged; and one connection alone keeps nobody out by it, as
  // somebody may have been looking up the host key's fingerprint.
  static constexpr std::chrono::seconds kFree{2}, kMostForOne{14};
  // So long it is known that a source wasted a place, though the penalty for it may be over.
  static constexpr std::chrono::seconds kRemembered{600};
  static constexpr std::size_t kMostRemembered = 8 * 1024;  // for IPv4 and IPv6 each
  static constexpr std::size_t kCircuits = 4 * 1024;        // of each table for circuits

  // `source` is base::source_of(); anything else is never kept out, nor is this host itself (127.0.0.1, ::1)
  // or a bastion ("call-home-fra").
  // `held`: how long it had a place.
  void add(const std::string& source, Offence offence, base::milliseconds held, Time now);
  bool keeps_out(const std::string& source, Time now);
  // Whether it had a place before, for a second or more, and did not get in.
  bool has_wasted(const std::string& source, Time now);
  void forgive(const std::string& source);
  void forget_circuits();            // of all that is known of them
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
    explicit Table(std::size_t most) : most_(most) {}
    void add(std::uint64_t source, base::milliseconds time, Time now);
    bool keeps_out(std::uint64_t source, Time now);
    void forget(std::uint64_t source);
    void forget_past(Time now);
    std::uint32_t out() const { return out_; }
    std::size_t size() const { return entries_.size(); }

   private:
    std::size_t most_;
    std::unordered_map<std::uint64_t, Entry> entries_;
    std::set<std::pair<Time, std::uint64_t>> ends_;
    std::uint32_t out_ = 0;
  };
  // Where a source stands: the number by which tables know it, and that of its /48.
  enum Kind { v4, v6, onion };
  struct Place {
    Kind kind = v4;
    std::uint64_t source = 0, wide = 0;
  };
  static std::optional<Place> place_of(const std::string& source);

  // By kind.
  Table penalised_[3] = {Table(kSources), Table(kSources), Table(kCircuits)};
  Table wasted_[3] = {Table(kMostRemembered), Table(kMostRemembered), Table(kCircuits)};
  Table wide_{kSources};
};

}  // namespace oob::ssh

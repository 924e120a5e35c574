#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/loop.h"
#include "base/wire.h"
#include "ssh/penalties.h"

namespace oob::ssh {

// Who may come in before anybody has proved anything: the limits on connections that have not logged in. It
// decides and counts; sockets are its owner's, who gives each connection a number and tells what becomes of
// it. No clock of its own: `now` is passed in.
//
//  - A source has most_per_source places. What comes beyond that waits, unread, for one of them.
//  - All together have most_unauthenticated places. A fifth of them is kept for good sources: those from
//    which somebody has logged in before. They are never kept out by penalties, and have a place more each.
//  - Who needs a place takes that of who has the least claim to it. At once: from a network (IPv4 /24, IPv6
//    /48) that has many, or from a source that wasted places before, unless a key is being tried. Else from
//    who has not got on for long enough: silent ones first, then those who have not finished a key exchange,
//    then those who have and try no key. So neither a flood nor a patient few keep anybody out.
//  - Strangers by the onion service have half of the places at most: each may have a circuit of its own, so
//    what says nothing of networks says nothing of them. They contend for these among themselves, and none of
//    them becomes a good source.
//  - Who finds no place waits for one, unread.
class Admission {
 public:
  using Time = base::Clock::time_point;
  static constexpr std::size_t kGood = 4096;  // good sources; the one that was used longest ago goes
  static constexpr std::size_t kWaiting = 64, kWaitingOfOne = 32;  // as many again for good sources
  // How long a place is kept at least by who gets no further. A client sends its version at once, and two
  // round trips later the keys are exchanged; after two more it offers a key, on a bad mobile link within 5
  // s. With one that is known there may be a passphrase to be typed.
  static constexpr base::milliseconds kSilent{1000}, kHeard{3000}, kKeyed{5000}, kTrying{15'000};
  static constexpr std::uint32_t kCrowd = 3;  // places of a network that nobody takes from it at once

  enum class Stage {
    silent,  // not a byte has come
    heard,   // but no key exchange is finished
    keyed,   // the key exchange is finished
    trying,  // a key is being asked about, or was said to be known: see asks()
    proven,  // a key was right, and a code is to come: keeps its place
  };
  using Look = std::function<Stage(std::uint64_t connection)>;

  enum class Answer {
    enter,            // now
    wait,             // for others of its source
    penalised,        // the source is kept out
    too_many,         // have not logged in
    too_many_of_one,  // the same, of this source
    full,             // most_connections
  };
  struct Verdict {
    Answer answer;
    std::uint64_t instead = 0;  // this one is to be ended first; 0: nobody
  };

  explicit Admission(Look look) : look_(std::move(look)) {}

  // Limits and good sources, at the start and whenever they change.
  void set_up(const base::wire::Setup& setup);

  Verdict arrive(const std::string& source, Time now);
  // Then, as the answer was:
  void enter(std::uint64_t connection, const std::string& source, Time now);
  void wait(std::uint64_t connection, const std::string& source, Time now);
  // One of those who wait that may enter now, by Answer::enter, in `who`; Answer::wait: nobody. Whoever
  // wasted no place comes first, of those who has said something, and of those the one that came last: under
  // a flood the first ones are the flood's.
  Verdict next(Time now, std::uint64_t& who);
  // Of those who wait: who has waited for longer than the grace time.
  std::vector<std::uint64_t> tired(Time now) const;

  // The core is asked about a key, and has answered.
  void asks(std::uint64_t connection);
  void answered(std::uint64_t connection, bool known);
  void logged_in(std::uint64_t connection);
  // The onion service's tor was started again, and counts its circuits anew: none is known by its number.
  void forget_circuits() { penalties_.forget_circuits(); }
  // The end of any connection, whatever it was doing. An offence counts only of those who never logged in.
  void leave(std::uint64_t connection, Offence offence, Time now);

  bool is_good(const std::string& source) const { return good_at_.count(source) != 0; }
  // Places for those of one source who have not logged in; one more where it is good. A bastion has a quarter
  // of all: behind it are many people, and our own look whether it leads here.
  std::uint32_t most_of(const std::string& source) const;
  base::wire::Figures figures(Time now);
  bool changes(Time now) { return penalties_.size(now) > 0; }  // figures may change by themselves

 private:
  struct Stranger {
    std::string source;
    std::string network;
    Time since;
    bool good;
    bool wasted;  // a place, before
    bool onion;
    bool trying = false;
    // As it was found when it was looked at last, and since when.
    Stage stage = Stage::silent;
    Time stage_since = since;
  };
  using Strangers = std::map<std::uint64_t, Stranger>;  // in the order in which they came

  void learn_good(const std::string& source);
  // Whether somebody from `source` may enter: Answer::enter, too_many_of_one, too_many or full.
  Verdict room(const Stranger& comer, Time now);
  // Whose place may be taken: of the same source only, of circuits only, or of any that is no better. 0:
  // nobody's.
  enum class Among { source, circuits, all };
  std::uint64_t least_claim(const Stranger& comer, Among among, Time now);
  Verdict room_to_wait(const Stranger& comer, Time now) const;
  Stranger stranger(const std::string& source, Time now);
  Stage look(std::uint64_t id, Stranger& stranger, Time now);

  const Look look_;
  base::wire::Setup limits_;
  Penalties penalties_;
  Strangers strangers_, waiting_;
  using Places = std::unordered_map<std::string, std::uint32_t>;
  static std::uint32_t count(const Places& places, const std::string& of);
  Places of_source_, of_network_;  // strangers
  std::uint32_t not_good_ = 0;     // strangers
  std::uint32_t onion_ = 0;        // strangers
  std::uint32_t logged_in_ = 0;
  std::list<std::string> good_;  // the one used last in front
  std::unordered_map<std::string, std::list<std::string>::iterator> good_at_;
  base::wire::Figures figures_;
};

}  // namespace oob::ssh

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "auth/journal.h"
#include "base/fd.h"
#include "base/life.h"
#include "base/loop.h"
#include "oobd/call_home_check.h"
#include "oobd/call_home_race.h"
#include "oobd/call_home_ssh.h"

namespace oob {

// What call-home connections stand on. Everything outlives them.
struct CallHomeGround {
  using Ended = std::function<void(int status, const std::string& words)>;

  base::Loop& loop;
  std::string state;                  // the state folder
  std::vector<std::string> own_keys;  // blobs of this board's host keys
  // call_home_ways(); never none.
  std::function<std::vector<CallHomeWay>(const std::string& bastion)> ways;
  // Errands::call_home() and end().
  std::function<std::uint64_t(const std::string& name, base::Fd socket, unsigned place, Ended ended)> begin;
  std::function<void(std::uint64_t errand)> end;
  std::function<void(auth::Entry)> note;  // into the journal
  // The SSH connections of those who are in by this bastion; no number is used twice.
  std::function<std::vector<std::uint64_t>(const std::string& name)> riders;
};

// One ssh that keeps a connection to a bastion, from its beginning to its end. Several of one bastion may be
// there at once: the bastion's socket leads to the one that came last, and who came by an earlier one stays
// on that.
class CallHomeLink {
 public:
  // `place` is no other's of this bastion, below kCallHomePlaces. `ended` is called from the loop, perhaps as
  // the end of this.
  CallHomeLink(const CallHomeGround& ground, const std::string& name, unsigned place, CallHomeFlow flow,
               CallHomeGround::Ended ended);
  ~CallHomeLink();  // as end(); nobody is called
  CallHomeLink(const CallHomeLink&) = delete;
  CallHomeLink& operator=(const CallHomeLink&) = delete;

  void end();  // `ended` comes
  // Looks once from end to end: CallHomeCheck. REQUIRES: not looking().
  void look(base::milliseconds limit, std::function<void(base::Result<>)> done);
  bool looking() const { return check_ != nullptr; }
  void stop_looking() { check_.reset(); }

  const CallHomeWay& way() const { return way_; }
  unsigned place() const { return place_; }
  base::Clock::time_point began() const { return began_; }
  // Who may be in by it: of those by this bastion, all who were not before it began.
  std::vector<std::uint64_t> riders() const;
  // unanswered_for() and unanswered_tries() of its TCP connection.
  base::milliseconds owing() const { return unanswered_for(flow_.get()); }
  unsigned tries() const { return unanswered_tries(flow_.get()); }

 private:
  const CallHomeGround& ground_;
  const unsigned place_;
  const CallHomeWay way_;
  const CallHomePaths paths_;
  const std::string name_;
  const std::vector<std::uint64_t> before_;  // who was in by an earlier one
  const base::Clock::time_point began_ = base::Clock::now();
  base::Fd flow_;  // a copy of ssh's socket
  CallHomeGround::Ended ended_;
  std::uint64_t errand_ = 0;
  std::unique_ptr<CallHomeCheck> check_;
  base::Life life_;
};

}  // namespace oob

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/loop.h"
#include "console/call_home_figures.h"
#include "oobd/call_home_check.h"
#include "oobd/call_home_formers.h"
#include "oobd/call_home_limits.h"
#include "oobd/call_home_link.h"
#include "oobd/call_home_race.h"
#include "oobd/config.h"

namespace oob {

// What host key lines ("ssh-ed25519 AAAA…") stand for.
std::vector<std::string> key_blobs(const std::vector<std::string>& lines);

// One bastion: keeps an SSH connection to it by which people come back, and looks from end to end whether
// that works. Dials by all uplinks, the better ones first. Where nobody answers a connection's packets, or a
// way that is not metered works again, another one is begun beside it; so it is where the bastion's socket
// leads nowhere any more and people are in by a connection that is sound. Once the other one works from end
// to end, it has the bastion's socket, and the first one is among the CallHomeFormers.
class CallHome {
 public:
  CallHome(const CallHomeGround& ground, const CallHomeLimits& limits, std::string name,
           CallHomeConfig config);
  ~CallHome();
  CallHome(const CallHome&) = delete;
  CallHome& operator=(const CallHome&) = delete;

  void start();
  void uplinks_changed();  // looks at once, or dials at once
  // Dials as this one says. What worked until now is kept until that works, and for whoever is in by it then.
  // Whether there is such a connection.
  bool change(CallHomeConfig config);
  const CallHomeConfig& config() const { return config_; }
  console::CallHomeFigures figures() const;

 private:
  // carrying: it worked from end to end since it was begun; ending: ssh has been told to.
  enum class State { waiting, dialling, beginning, carrying, ending };

  void dial_anew(bool avoid_last);
  void dial(std::vector<CallHomeWay> ways, std::string calm_why = {});
  void dialled(base::Result<CallHomeFlow> flow);
  void begin(CallHomeFlow flow);
  std::unique_ptr<CallHomeLink> make(CallHomeFlow flow);
  void link_ended(unsigned place, int status, const std::string& words);
  void now_ended(int status, const std::string& words);
  void end_ssh(const std::string& why, base::milliseconds pause);
  // what there is now
  void look();
  void look_for_debts();
  void check();
  void checked(const base::Result<>& result);
  void failed(const base::Error& error);
  bool lost(const CallHomeLink& link) const;
  // what takes its place, and what had it
  void take_spare();
  void take_back(const std::string& why);
  void begin_beside(CallHomeFlow flow, const std::string& why);
  void look_beside();
  void beside_failed(const std::string& why);
  void move();
  void look_at_formers();
  void look_for_cheaper();

  void came_up();
  void note_up();
  void went_down(const std::string& why);
  base::milliseconds doubled();

  const CallHomeGround& ground_;
  const CallHomeLimits& limits_;
  const std::string name_;
  CallHomeConfig config_;
  State state_ = State::waiting;
  CallHomeRace dial_;
  std::string calm_why_;  // it is for another one beside one that answers
  CallHomeWay way_;       // of now_, or of the last one
  std::unique_ptr<CallHomeLink> now_, beside_;
  std::string beside_why_;
  CallHomeFormers formers_;
  CallHomeFlow spare_;        // another connection, beside one that owes
  bool path_failed_ = false;  // no spare was to be had at first: the path was down, not the flow forgotten
  std::unique_ptr<CallHomeCheck> own_front_;
  unsigned failures_ = 0, refused_ = 0;
  bool another_ = false;            // has the bastion's socket
  bool up_ = false, told_ = false;  // as the journal has it, once it has
  std::string why_ = "not dialled yet", end_why_, trouble_;
  base::milliseconds pause_{0};  // after ssh has ended
  base::Micros since_;
  base::Clock::time_point up_at_{}, checked_at_{}, beside_from_{}, cheaper_at_{};
  base::Timer timer_, look_timer_, grace_;
  std::minstd_rand chance_;
};

// All of them. What stays the same in a new configuration is left alone.
class CallHomes {
 public:
  CallHomes(CallHomeGround ground, CallHomeLimits limits);
  CallHomes(const CallHomes&) = delete;
  CallHomes& operator=(const CallHomes&) = delete;

  // Returns what becomes of connections that were there, for people; or nothing.
  std::string adopt(const std::map<std::string, CallHomeConfig>& configs);
  void set_login(base::milliseconds login) { limits_.login = login; }
  void uplinks_changed();
  std::vector<console::CallHomeFigures> figures() const;  // by name

 private:
  const CallHomeGround ground_;
  CallHomeLimits limits_;
  std::map<std::string, std::unique_ptr<CallHome>> all_;
};

}  // namespace oob

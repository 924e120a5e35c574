#include "oobd/call_home.h"

#include <unistd.h>

#include <algorithm>

#include "auth/public_key.h"
#include "base/log.h"
#include "oobd/call_home_ssh.h"

namespace oob {

using base::Clock;
using base::Fault;
using base::milliseconds;
using base::Result;
using base::str;

namespace {

std::string by(const CallHomeWay& way) {
  return way.interface.empty() ? "" : str(" by ", base::printable(way.interface, 40));
}

}  // namespace

std::vector<std::string> key_blobs(const std::vector<std::string>& lines) {
  std::vector<std::string> blobs;
  for (const std::string& line : lines) {
    std::size_t blank = std::min(line.find(' '), line.size() - 1);
    Result<auth::PublicKey> key = auth::parse_key_text(line.substr(0, blank), line.substr(blank + 1));
    if (key) blobs.push_back(key->blob);
  }
  return blobs;
}

CallHome::CallHome(const CallHomeGround& ground, const CallHomeLimits& limits, std::string name,
                   CallHomeConfig config)
    : ground_(ground),
      limits_(limits),
      name_(std::move(name)),
      config_(std::move(config)),
      dial_(ground.loop),
      formers_(limits),
      since_(base::wall_now()),
      timer_(ground.loop),
      look_timer_(ground.loop),
      grace_(ground.loop),
      chance_(std::random_device{}()) {}

CallHome::~CallHome() = default;

void CallHome::start() { dial_anew(false); }

console::CallHomeFigures CallHome::figures() const {
  return {name_, config_.bastion, config_.socket, up_, since_, way_.interface, up_ ? "" : why_};
}

bool CallHome::change(CallHomeConfig config) {
  config_ = std::move(config);
  const bool kept = state_ == State::carrying;
  if (kept) formers_.take(std::move(now_), false, "");
  now_.reset();
  beside_.reset();
  own_front_.reset();
  grace_.cancel();
  spare_ = {};
  way_ = {};
  refused_ = 0;
  beside_from_ = cheaper_at_ = {};
  up_ = told_ = false;
  why_ = "not dialled yet";
  since_ = base::wall_now();
  dial_anew(false);
  return kept;
}

// --- dialling
// ------------------------------------------------------------------------------------------------------

void CallHome::dial_anew(bool avoid_last) {
  timer_.cancel();
  std::vector<CallHomeWay> ways = ground_.ways(config_.bastion);
  auto last = std::find(ways.begin(), ways.end(), way_);
  if (avoid_last && last != ways.end()) std::rotate(last, last + 1, ways.end());
  state_ = State::dialling;
  dial(std::move(ways));
}

void CallHome::dial(std::vector<CallHomeWay> ways, std::string calm_why) {
  calm_why_ = std::move(calm_why);
  dial_.begin(config_.bastion, std::move(ways),
              {limits_.head_start, limits_.spared, limits_.dial, limits_.keepalive},
              [this](Result<CallHomeFlow> flow) { dialled(std::move(flow)); });
}

void CallHome::dialled(Result<CallHomeFlow> flow) {
  if (std::string why = std::exchange(calm_why_, {}); !why.empty()) {
    if (flow && state_ == State::carrying && !beside_) begin_beside(std::move(*flow), why);
    return;
  }
  if (state_ != State::dialling) {  // beside a connection that owes
    path_failed_ = path_failed_ || !flow || flow->way != way_;
    if (!flow) return;
    spare_ = std::move(*flow);
    if (path_failed_) return grace_.after(limits_.grace, [this] { take_spare(); });
    return take_spare();
  }
  if (flow) return begin(std::move(*flow));
  went_down(flow.error().what);
  state_ = State::waiting;
  timer_.after(limits_.unreached, [this] { dial_anew(false); });
}

void CallHome::uplinks_changed() {
  cheaper_at_ = {};
  if (state_ == State::waiting) {
    refused_ = 0;
    return dial_anew(false);
  }
  if (state_ == State::carrying) checked_at_ = {};  // soon
}

// --- ssh
// -----------------------------------------------------------------------------------------------------------

void CallHome::begin(CallHomeFlow flow) {
  state_ = State::beginning;
  way_ = flow.way;
  failures_ = 0;
  path_failed_ = false;
  trouble_.clear();
  now_ = make(std::move(flow));
  look_timer_.after(limits_.look, [this] { look(); });
}

std::unique_ptr<CallHomeLink> CallHome::make(CallHomeFlow flow) {
  auto taken = [this](unsigned place) {
    for (const auto* link : {&now_, &beside_})
      if (*link && (*link)->place() == place) return true;
    return formers_.has(place);
  };
  unsigned place = 0;
  while (taken(place)) ++place;  // one is free: see CallHomeFormers::kMost
  return std::make_unique<CallHomeLink>(
      ground_, name_, place, std::move(flow),
      [this, place](int status, const std::string& words) { link_ended(place, status, words); });
}

void CallHome::link_ended(unsigned place, int status, const std::string& words) {
  if (formers_.has(place)) return formers_.end(place);
  if (beside_ && beside_->place() == place)
    return beside_failed(status < 0 ? words : call_home_trouble(config_, words));
  now_ended(status, words);
}

void CallHome::now_ended(int status, const std::string& words) {
  own_front_.reset();
  grace_.cancel();
  dial_.cancel();
  bool ordered = state_ == State::ending, worked = up_at_ >= now_->began();
  bool held = worked && Clock::now() - up_at_ > limits_.held;
  now_.reset();
  // What ssh said tells more than that nothing worked.
  went_down(ordered && (worked || words.empty()) ? end_why_
            : status < 0                         ? words
                                                 : call_home_trouble(config_, words));
  if (beside_) {
    spare_ = {};
    state_ = State::beginning;
    failures_ = 0;
    trouble_.clear();
    beside_->stop_looking();  // what is found of it from now on is for checked()
    now_ = std::move(beside_);
    way_ = now_->way();
    return;
  }
  if (spare_.socket) return begin(std::exchange(spare_, {}));
  if (held) refused_ = 0;
  milliseconds pause = std::max(held ? milliseconds(0) : doubled(), ordered ? pause_ : milliseconds(0));
  state_ = State::waiting;
  timer_.after(pause, [this, ordered] { dial_anew(ordered); });
}

// 1, 2, 4 … s, a quarter more or less, so that boards that were cut off together don't come back together.
milliseconds CallHome::doubled() {
  milliseconds pause = std::min(limits_.retry_least * (1 << std::min(refused_++, 10u)), limits_.retry_most);
  std::uniform_int_distribution<long> part(75, 125);
  return pause * part(chance_) / 100;
}

void CallHome::end_ssh(const std::string& why, milliseconds pause) {
  if (state_ == State::ending) return;
  if (state_ == State::carrying) went_down(why);
  state_ = State::ending;
  end_why_ = why;
  pause_ = pause;
  own_front_.reset();
  now_->stop_looking();
  now_->end();
}

// --- looking
// -------------------------------------------------------------------------------------------------------

void CallHome::look() {
  const bool closely =
      (now_ && now_->owing() >= limits_.owing) || (beside_ && beside_->owing() >= limits_.owing);
  if (now_ || !formers_.empty())
    look_timer_.after(closely ? limits_.closely : limits_.look, [this] { look(); });
  look_at_formers();
  if (!now_) return;
  if (state_ == State::beginning && Clock::now() - now_->began() > limits_.begin)
    return end_ssh(trouble_.empty() ? "ssh did not get through to the bastion's socket in time" : trouble_,
                   milliseconds(0));
  look_for_debts();
  if (state_ != State::beginning && state_ != State::carrying) return;
  // Who has taken the socket still has it, and each look costs something.
  const bool in_vain = another_ && Clock::now() < beside_from_;
  bool soon = state_ == State::beginning || (failures_ > 0 && !in_vain) || now_->owing() >= limits_.owing;
  if (!now_->looking() && !own_front_ &&
      (soon || Clock::now() - checked_at_ >= (way_.metered ? limits_.metered : limits_.check)))
    check();
  look_beside();
  look_for_cheaper();
}

void CallHome::look_for_debts() {
  if (state_ == State::ending) return;
  milliseconds owing = now_->owing();
  if (owing < limits_.owing) {
    path_failed_ = false;
    spare_ = {};
    grace_.cancel();
    if (calm_why_.empty()) dial_.cancel();
    return;
  }
  if (owing > limits_.hopeless && !beside_)
    return end_ssh(str("nothing has come from the bastion", by(way_), " for ", owing.count() / 1000, " s"),
                   milliseconds(0));
  if (spare_.socket && !grace_.waiting()) return take_spare();
  if ((dial_.under_way() && calm_why_.empty()) || spare_.socket || beside_) return;
  // Its own way first: that one tells a flow that was forgotten from a path that is down.
  std::vector<CallHomeWay> ways = ground_.ways(config_.bastion);
  std::stable_partition(ways.begin(), ways.end(), [this](const CallHomeWay& way) { return way == way_; });
  dial(std::move(ways));
}

void CallHome::check() {
  now_->look(limits_.answer, [this](Result<> result) { checked(result); });
}

void CallHome::checked(const Result<>& result) {
  checked_at_ = Clock::now();
  another_ = !result && result.error().fault == Fault::denied;
  if (result) {
    failures_ = 0;
    if (!up_) came_up();
    if (checked_at_ - up_at_ > limits_.held) refused_ = 0;
    return;
  }
  trouble_ = result.error().what;
  if (state_ != State::carrying) return;  // it is being set up: looked at again
  if (another_) return failed(result.error());
  // Our own front may be the one that is silent, which says nothing about the way.
  own_front_ = std::make_unique<CallHomeCheck>(
      ground_.loop, call_home_paths(ground_.state, name_, 0).home, ground_.own_keys, limits_.answer,
      [this, error = result.error()](const Result<>& answers) {
        ground_.loop.post([gone = std::shared_ptr<CallHomeCheck>(std::move(own_front_))] {});
        checked_at_ = Clock::now();
        if (answers) failed(error);
      });
}

void CallHome::failed(const base::Error& error) {
  if (++failures_ < limits_.failures) return;
  // The path is down, and may be back before this connection is given up: see look_for_debts().
  if (!another_ && now_->owing() >= limits_.owing) return went_down(error.what);
  // Who has taken the socket would lose it to us and take it again, for ever.
  const milliseconds pause = another_ ? limits_.retry_most : milliseconds(0);
  const bool first = failures_ == limits_.failures;
  if (first && another_) beside_.reset();
  if (now_->riders().empty()) return end_ssh(error.what, pause);
  // It is the bastion's socket that is lost, and not what goes over this connection.
  went_down(error.what);
  if (first && another_) beside_from_ = Clock::now() + pause;
  take_back(error.what);
}

// One packet that was lost is not yet a connection that is.
bool CallHome::lost(const CallHomeLink& link) const {
  return link.owing() >= limits_.owing &&
         (link.tries() >= limits_.tries || link.owing() >= 2 * limits_.owing);
}

// --- beside it
// -----------------------------------------------------------------------------------------------------

// The bastion answers another connection, and still not this one.
void CallHome::take_spare() {
  if (!now_ || now_->owing() < limits_.owing) {
    spare_ = {};
    return;
  }
  const bool same = spare_.way == way_;
  if (same && !path_failed_ && !lost(*now_)) return;
  std::string why = same
                        ? str("the way to the bastion", by(way_), " has forgotten the connection")
                        : str("nothing comes from the bastion", by(way_), ", and it answers", by(spare_.way));
  if (state_ == State::beginning) return end_ssh(why, milliseconds(0));
  if (state_ == State::carrying && !beside_ && Clock::now() >= beside_from_)
    begin_beside(std::exchange(spare_, {}), why);
}

void CallHome::take_back(const std::string& why) {
  if (beside_ || dial_.under_way() || Clock::now() < beside_from_) return;
  dial(ground_.ways(config_.bastion), why);
}

void CallHome::begin_beside(CallHomeFlow flow, const std::string& why) {
  beside_why_ = why;
  beside_ = make(std::move(flow));
}

void CallHome::look_beside() {
  if (!beside_) return;
  if (lost(*beside_)) return beside_failed("nothing comes by it any more");
  if (Clock::now() - beside_->began() > limits_.begin) return beside_failed("it did not get through in time");
  if (beside_->looking()) return;
  beside_->look(limits_.answer, [this](const Result<>& result) {
    if (result && beside_) move();
  });
}

void CallHome::beside_failed(const std::string& why) {
  base::log(str("callhome ", name_, ": another connection was begun", by(beside_->way()), ": ", why));
  // Nobody has said no where the path is down.
  if (beside_->owing() < limits_.owing) beside_from_ = Clock::now() + doubled();
  beside_.reset();
  checked_at_ = {};  // it may have taken the bastion's socket with it
}

// Nobody's session ends by this.
void CallHome::move() {
  const bool other_way = beside_->way() != way_, owed = now_->owing() >= limits_.owing;
  // By the same way it may have been packets that were lost: that is seen soon.
  if (other_way && owed) went_down(beside_why_);
  formers_.take(std::move(now_), true, !other_way && owed ? beside_why_ : "");
  now_ = std::move(beside_);
  way_ = now_->way();
  checked_at_ = Clock::now();
  own_front_.reset();
  grace_.cancel();
  spare_ = {};
  failures_ = refused_ = 0;
  path_failed_ = another_ = false;
  state_ = State::carrying;
  if (!up_) return came_up();
  up_at_ = checked_at_;
  base::log(str("callhome ", name_, ": ", beside_why_, ": now", by(way_)));
  if (other_way) note_up();
}

void CallHome::look_at_formers() {
  std::string lost = formers_.look();
  if (lost.empty() || !up_) return;
  went_down(lost);
  came_up();
}

// Once on a metered way, for want of a better one, it would stay there for ever.
void CallHome::look_for_cheaper() {
  if (state_ != State::carrying || !way_.metered || beside_ || dial_.under_way() || spare_.socket ||
      formers_.full() || failures_ > 0 || now_->owing() >= limits_.owing ||
      Clock::now() - cheaper_at_ < limits_.cheaper || Clock::now() < beside_from_)
    return;
  cheaper_at_ = Clock::now();
  std::vector<CallHomeWay> ways = ground_.ways(config_.bastion);
  auto metered = std::find_if(ways.begin(), ways.end(), [](const CallHomeWay& way) { return way.metered; });
  ways.erase(metered, ways.end());
  if (ways.empty()) return;
  dial(std::move(ways), str("another way leads to the bastion than the metered one", by(way_)));
}

// --- what is told
// --------------------------------------------------------------------------------------------------

void CallHome::came_up() {
  state_ = State::carrying;
  up_ = told_ = true;
  up_at_ = Clock::now();
  formers_.replaced();
  since_ = base::wall_now();
  why_.clear();
  base::log(str("callhome ", name_, ": up, ", config_.bastion, by(way_)));
  note_up();
}

void CallHome::note_up() {
  ground_.note(auth::Entry("callhome.up")
                   .with("callhome", name_)
                   .with("bastion", config_.bastion)
                   .with("interface", way_.interface)
                   .with("text", config_.socket));
}

void CallHome::went_down(const std::string& why) {
  bool news = up_ || !told_;
  if (why != why_) base::log(str("callhome ", name_, ": ", why));
  why_ = why;
  if (!news) return;
  told_ = true;
  up_ = false;
  since_ = base::wall_now();
  ground_.note(auth::Entry("callhome.down")
                   .with("callhome", name_)
                   .with("bastion", config_.bastion)
                   .with("interface", way_.interface)
                   .with("text", base::printable(why, 1000)));
}

// --- all of them
// ---------------------------------------------------------------------------------------------------

CallHomes::CallHomes(CallHomeGround ground, CallHomeLimits limits)
    : ground_(std::move(ground)), limits_(limits) {}

std::string CallHomes::adopt(const std::map<std::string, CallHomeConfig>& configs) {
  std::string remarks;
  auto remark = [&](const std::string& name, std::string_view what) {
    remarks += str(remarks.empty() ? "" : "; ", "[callhome.", name, "] ", what);
  };
  std::erase_if(all_, [&](const auto& one) {
    if (configs.contains(one.first)) return false;
    remark(one.first, "has gone, with the connections of all who were in by it");
    return true;
  });
  for (const auto& [name, config] : configs) {
    auto [at, fresh] = all_.try_emplace(name);
    if (fresh) {
      at->second = std::make_unique<CallHome>(ground_, limits_, name, config);
      at->second->start();
    } else if (at->second->config() != config && at->second->change(config)) {
      remark(name,
             "has changed: the old connection stays until the new one works, and for those who are in by it");
    }
  }
  return remarks;
}

void CallHomes::uplinks_changed() {
  for (const auto& [name, one] : all_) one->uplinks_changed();
}

std::vector<console::CallHomeFigures> CallHomes::figures() const {
  std::vector<console::CallHomeFigures> all;
  for (const auto& [name, one] : all_) all.push_back(one->figures());
  return all;
}

}  // namespace oob

#include "oobd/notices.h"

#include <algorithm>

namespace oob {

using base::str;
using notice::Follower;
using notice::Outcome;

namespace {

constexpr int kDataError = 65;  // EX_DATAERR of sysexits(3): the program does not want this notice

Outcome outcome_of(int status, const std::string& words) {
  if (status == 0) return {Outcome::Kind::delivered, ""};
  std::string what = status < 0     ? "the program can't be run"
                     : status > 128 ? str("the program was ended by signal ", status - 128)
                                    : str("the program ended with exit status ", status);
  if (!words.empty()) what += str(": ", words);
  return {status == kDataError ? Outcome::Kind::refused : Outcome::Kind::failed, what};
}

// No [notify.NAME] has such a name.
std::string tester(const std::string& name) { return name + " test"; }

}  // namespace

Notices::Notices(Surroundings around) : around_(std::move(around)), posts_(around_.blocking) {}
Notices::~Notices() = default;

void Notices::adopt(const std::map<std::string, NotifyConfig>& config) {
  config_ = config;
  for (auto each = followers_.begin(); each != followers_.end();) {
    if (config_.count(each->first)) {
      ++each;
      continue;
    }
    forget(each->first);
    end_program(each->first);
    end_program(tester(each->first));
    arrived_.erase(each->first);
    each = followers_.erase(each);
  }
  for (const auto& [name, wanted] : config_) {
    std::unique_ptr<Follower>& follower = followers_[name];
    if (!follower) {
      auto way = [this, name = name](const notice::Notice& told, std::function<void(Outcome)> done) {
        deliver(name, name, told, std::move(done));
      };
      auto before = forgotten_.find(name);
      follower = std::make_unique<Follower>(around_.loop, around_.blocking, around_.journal, around_.state,
                                            name, around_.board, std::move(way), Follower::Limits{},
                                            before == forgotten_.end() ? nullptr : before->second);
    }
    // The same settings may come with another address or program: what failed is tried again in any case.
    follower->adopt({{wanted.events, wanted.devices}, wanted.most});
  }
}

void Notices::forget(const std::string& name) {
  std::shared_ptr<notice::Position> file = followers_.at(name)->forget();
  forgotten_[name] = file;
  around_.blocking.run([file] { file->remove(); }, life_.wrap([this, name, file] {
    auto found = forgotten_.find(name);
    if (found != forgotten_.end() && found->second == file) forgotten_.erase(found);
  }));
}

void Notices::way_out_changed() {
  for (const auto& [name, follower] : followers_) follower->hurry();
}

void Notices::end_program(const std::string& who) {
  auto found = programs_.find(who);
  if (found == programs_.end()) return;
  around_.errands->end(found->second.errand);
  programs_.erase(found);
}

void Notices::try_out(const std::string& name, std::function<void(Outcome)> done) {
  if (!config_.count(name)) {
    around_.loop.post(life_.wrap([done = std::move(done)] {
      done({Outcome::Kind::failed, "it was taken out of the configuration"});
    }));
    return;
  }
  deliver(name, tester(name), notice::test_notice(around_.board, base::wall_now()),
          life_.wrap([this, name, done = std::move(done)](const Outcome& outcome) {
            if (outcome.kind == Outcome::Kind::delivered) arrived_[name] = base::wall_now();
            done(outcome);
          }));
}

void Notices::deliver(const std::string& name, const std::string& who, const notice::Notice& told,
                      std::function<void(Outcome)> done) {
  const NotifyConfig& config = config_.at(name);
  if (!config.post.empty()) {
    notice::Post post;
    post.url = config.post;
    post.ca = config.ca;
    post.token_file = config.token_file;
    post.ways = around_.ways();
    post.body = told.json;
    return posts_.send(who, std::move(post), std::move(done));
  }
  if (!around_.errands) {
    around_.loop.post(life_.wrap([done = std::move(done)] {
      done({Outcome::Kind::failed, "programs are run from the next start of oobd on"});
    }));
    return;
  }
  // One that a reload left alone would go on beside this.
  end_program(who);
  Running& running = programs_[who];
  running.turn = ++turns_;
  running.errand = around_.errands->notify(
      name, {told.event, told.device, told.json, around_.way_out()}, kProgramLimit,
      life_.wrap(
          [this, who, turn = running.turn, done = std::move(done)](int status, const std::string& words) {
            if (auto found = programs_.find(who); found != programs_.end() && found->second.turn == turn)
              programs_.erase(found);
            done(outcome_of(status, words));
          }));
}

std::vector<notice::Figures> Notices::figures() const {
  std::vector<notice::Figures> all;
  for (const auto& [name, follower] : followers_) {
    all.push_back(follower->figures());
    auto arrived = arrived_.find(name);
    if (arrived != arrived_.end()) all.back().last = std::max(all.back().last, arrived->second);
  }
  return all;
}

bool needs_errands(const Config& config) {
  return !config.call_homes.empty() ||
         std::any_of(config.notifies.begin(), config.notifies.end(),
                     [](const auto& notify) { return !notify.second.program.empty(); });
}

}  // namespace oob

#include "auth/refusals.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/peer_address.h"

namespace oob::auth {

using base::Clock;
using base::str;

void Refusals::Frequent::add(const std::string& name) {
  auto found = counts_.find(name);
  if (found != counts_.end()) {
    ++found->second;
    return;
  }
  std::uint64_t count = 0;
  if (counts_.size() >= kMost) {
    auto rarest = std::min_element(counts_.begin(), counts_.end(),
                                   [](const auto& a, const auto& b) { return a.second < b.second; });
    count = rarest->second;
    counts_.erase(rarest);
  }
  counts_[name] = count + 1;
}

std::string Refusals::Frequent::named() const {
  std::vector<std::pair<std::string, std::uint64_t>> all(counts_.begin(), counts_.end());
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text;
  for (std::size_t i = 0; i < std::min(kNamed, all.size()); ++i)
    text += str(i ? ", " : "", all[i].first, " (", all[i].second, ")");
  return text;
}

void Refusals::Different::add(const std::string& name) { seen_.set(std::hash<std::string>{}(name) % kBits); }

std::int64_t Refusals::Different::count() const {
  double empty = static_cast<double>(std::max<std::size_t>(kBits - seen_.count(), 1));
  return std::llround(-static_cast<double>(kBits) * std::log(empty / kBits));
}

Refusals::Refusals(base::Loop& loop, Out out) : out_(std::move(out)), timer_(loop) {}

Refusals::~Refusals() {
  if (many_) tell_many(Clock::now());
}

void Refusals::add(const Refusal& refusal, Clock::time_point now) {
  std::chrono::duration<double> passed = now - budgeted_;
  budget_ = std::min<double>(kBurst, budget_ + passed.count() * kPerMinute / 60);
  budgeted_ = now;
  tick(now);
  std::string source = base::source_of(refusal.peer);
  if (budget_ >= 1) {
    budget_ -= 1;
    return tell_one(refusal, source);
  }
  if (!many_) {
    many_ = std::make_unique<Many>();
    many_->since = now;
    timer_.after(kMany, [this] { tick(Clock::now()); });
  }
  ++many_->count;
  many_->sources.add(source);
  many_->by_source.add(source);
  if (!refusal.user.empty()) many_->by_user.add(refusal.user);
}

void Refusals::tick(Clock::time_point now) {
  if (many_ && now - many_->since >= kMany) tell_many(now);
}

void Refusals::tell_one(const Refusal& refusal, const std::string& source) {
  out_.log(str(refusal.peer, ": ", refusal.text, refusal.why.empty() ? "" : " (", refusal.why,
               refusal.why.empty() ? "" : ")"));
  Entry entry("login.refused");
  entry.with("source", source).with("peer", refusal.peer).with("text", refusal.text);
  if (!refusal.user.empty()) entry.with("user", refusal.user);
  if (!refusal.why.empty()) entry.with("why", refusal.why);
  out_.journal(std::move(entry));
}

void Refusals::tell_many(Clock::time_point now) {
  std::unique_ptr<Many> many = std::move(many_);
  timer_.cancel();
  auto seconds = std::chrono::ceil<std::chrono::seconds>(now - many->since).count();
  std::int64_t sources =
      std::min<std::int64_t>(many->sources.count(), static_cast<std::int64_t>(many->count));
  std::string by_source = many->by_source.named(), by_user = many->by_user.named();
  out_.log(str(many->count, " more logins refused in ", seconds, " s, from ", sources,
               " sources; most often: ", by_source, by_user.empty() ? "" : "; users: ", by_user));
  Entry entry("login.refused.many");
  entry.with("count", static_cast<std::int64_t>(many->count))
      .with("seconds", static_cast<std::int64_t>(seconds))
      .with("sources", sources)
      .with("most_sources", by_source);
  if (!by_user.empty()) entry.with("most_users", by_user);
  out_.journal(std::move(entry));
}

}  // namespace oob::auth

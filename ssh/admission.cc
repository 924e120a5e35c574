#include "ssh/admission.h"

#include <algorithm>
#include <tuple>

namespace oob::ssh {

namespace {

base::milliseconds kept_at_least(Admission::Stage stage) {
  switch (stage) {
    case Admission::Stage::silent:
      return Admission::kSilent;
    case Admission::Stage::heard:
      return Admission::kHeard;
    case Admission::Stage::keyed:
      return Admission::kKeyed;
    case Admission::Stage::proven:
      break;
  }
  return std::chrono::hours(24 * 365);
}

}  // namespace

void Admission::set_up(const base::wire::Setup& setup) {
  limits_ = setup;
  limits_.host_keys.clear();
  if (!limits_.penalties) penalties_.clear();
  // The best of them come first, so they are learnt last.
  const auto& good = limits_.good_sources;
  for (std::size_t i = std::min(good.size(), kGood); i > 0; --i) learn_good(good[i - 1]);
  limits_.good_sources.clear();
}

void Admission::learn_good(const std::string& source) {
  auto found = good_at_.find(source);
  if (found != good_at_.end()) {
    good_.splice(good_.begin(), good_, found->second);
    return;
  }
  good_.push_front(source);
  good_at_[source] = good_.begin();
  penalties_.forgive(source);
  for (auto& [id, each] : strangers_) {
    if (each.good || each.source != source) continue;
    each.good = true;
    --not_good_;
  }
  if (good_.size() <= kGood) return;
  good_at_.erase(good_.back());
  good_.pop_back();
}

std::uint32_t Admission::places_of(const std::string& source) const {
  auto found = of_source_.find(source);
  return found == of_source_.end() ? 0 : found->second;
}

std::uint64_t Admission::idle(const std::string& source, bool same, Time now) const {
  const bool good = is_good(source);
  using Rank = std::tuple<Stage, std::int64_t, Time>;
  std::uint64_t found = 0;
  Rank best{};
  for (const auto& [id, each] : strangers_) {
    if (same ? each.source != source : each.good && !good) continue;
    if (now - each.since < kSilent) continue;
    Stage stage = look_(id);
    if (now - each.since < kept_at_least(stage)) continue;
    Rank rank{stage, -std::int64_t{places_of(each.source)}, each.since};
    if (found && best <= rank) continue;
    found = id;
    best = rank;
  }
  return found;
}

Admission::Verdict Admission::room(const std::string& source, Time now) const {
  const bool good = is_good(source);
  if (places_of(source) >= limits_.most_per_source + good) {
    std::uint64_t instead = idle(source, true, now);
    return {instead ? Answer::enter : Answer::too_many_of_one, instead};
  }
  const bool full = strangers_.size() + logged_in_ >= limits_.most_connections;
  const std::uint32_t most = limits_.most_unauthenticated;
  if (full || strangers_.size() >= most || (!good && not_good_ >= most - most / 5)) {
    std::uint64_t instead = idle(source, false, now);
    return {instead ? Answer::enter : full ? Answer::full : Answer::too_many, instead};
  }
  return {Answer::enter};
}

Admission::Verdict Admission::room_to_wait(const std::string& source, Time now) const {
  const bool good = is_good(source);
  std::size_t of_one = 0, of_kind = 0;
  for (const auto& [id, each] : waiting_) {
    of_one += each.source == source;
    of_kind += each.good == good;
  }
  const bool full_of_one = of_one >= kWaitingOfOne;
  if (!full_of_one && of_kind < kWaiting) return {Answer::wait};
  for (const auto& [id, each] : waiting_) {
    if (full_of_one ? each.source != source : each.good != good) continue;
    if (look_(id) == Stage::silent || now - each.since >= kHeard) return {Answer::wait, id};
  }
  return {Answer::too_many_of_one};
}

Admission::Verdict Admission::arrive(const std::string& source, Time now) {
  const bool good = is_good(source);
  ++figures_.accepted;
  if (!good && penalties_.keeps_out(source, now)) {
    ++figures_.kept_out;
    return {Answer::penalised};
  }
  Verdict verdict = room(source, now);
  if (verdict.answer == Answer::too_many_of_one || (good && verdict.answer == Answer::too_many))
    verdict = room_to_wait(source, now);
  bool comes_in = verdict.answer == Answer::enter || verdict.answer == Answer::wait;
  figures_.too_many += !comes_in || verdict.instead != 0;
  return verdict;
}

void Admission::enter(std::uint64_t connection, const std::string& source, Time now) {
  const bool good = is_good(source);
  waiting_.erase(connection);
  strangers_[connection] = {source, now, good};
  ++of_source_[source];
  not_good_ += !good;
}

void Admission::wait(std::uint64_t connection, const std::string& source, Time now) {
  waiting_[connection] = {source, now, is_good(source)};
}

Admission::Verdict Admission::next(Time now, std::uint64_t& who) const {
  for (Stage stage : {Stage::heard, Stage::silent}) {
    for (auto each = waiting_.rbegin(); each != waiting_.rend(); ++each) {
      Verdict verdict = room(each->second.source, now);
      if (verdict.answer != Answer::enter || look_(each->first) != stage) continue;
      who = each->first;
      return verdict;
    }
  }
  return {Answer::wait};
}

std::vector<std::uint64_t> Admission::tired(Time now) const {
  std::vector<std::uint64_t> all;
  for (const auto& [id, each] : waiting_)
    if (now - each.since > std::chrono::seconds(limits_.grace_seconds)) all.push_back(id);
  return all;
}

void Admission::logged_in(std::uint64_t connection) {
  auto found = strangers_.find(connection);
  if (found == strangers_.end()) return;
  std::string source = found->second.source;
  leave(connection, Offence::none, found->second.since);
  ++logged_in_;
  learn_good(source);
}

void Admission::leave(std::uint64_t connection, Offence offence, Time now) {
  if (waiting_.erase(connection) > 0) return;
  auto found = strangers_.find(connection);
  if (found == strangers_.end()) {
    if (logged_in_ > 0) --logged_in_;
    return;
  }
  const Stranger gone = std::move(found->second);
  strangers_.erase(found);
  not_good_ -= !gone.good;
  auto places = of_source_.find(gone.source);
  if (--places->second == 0) of_source_.erase(places);
  figures_.failed += offence == Offence::refused;
  figures_.timed_out += offence == Offence::grace;
  if (limits_.penalties && !is_good(gone.source)) penalties_.add(gone.source, offence, now);
}

base::wire::Figures Admission::figures(Time now) {
  base::wire::Figures now_so = figures_;
  now_so.unauthenticated = static_cast<std::uint32_t>(strangers_.size());
  now_so.connections = now_so.unauthenticated + logged_in_;
  now_so.waiting = static_cast<std::uint32_t>(waiting_.size());
  now_so.penalised = penalties_.kept_out(now);
  return now_so;
}

}  // namespace oob::ssh

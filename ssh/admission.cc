#include "ssh/admission.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <tuple>

#include "base/bytes.h"
#include "base/peer_address.h"

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
    case Admission::Stage::trying:
      return Admission::kTrying;
    case Admission::Stage::proven:
      break;
  }
  return std::chrono::hours(24 * 365);
}

// What one customer or one company has: the IPv4 /24, the IPv6 /48; of a circuit or a bastion nothing but
// itself.
std::string network_of(const std::string& source) {
  in6_addr v6;
  if (source.ends_with("/64") && ::inet_pton(AF_INET6, source.substr(0, source.size() - 3).c_str(), &v6) == 1)
    return base::hex(base::Bytes(reinterpret_cast<const char*>(v6.s6_addr), 6));
  return base::is_home(source) ? source : source.substr(0, source.rfind('.'));
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
  for (auto& [id, each] : waiting_) each.good = each.good || each.source == source;
  if (good_.size() <= kGood) return;
  good_at_.erase(good_.back());
  good_.pop_back();
}

std::uint32_t Admission::count(const Places& places, const std::string& of) {
  auto found = places.find(of);
  return found == places.end() ? 0 : found->second;
}

std::uint32_t Admission::most_of(const std::string& source) const {
  const std::uint32_t of_one = limits_.most_per_source;
  return base::is_home(source) ? std::max(of_one, limits_.most_unauthenticated / 4) : of_one;
}

Admission::Stranger Admission::stranger(const std::string& source, Time now) {
  return {source,
          network_of(source),
          now,
          is_good(source),
          penalties_.has_wasted(source, now),
          base::is_onion(source)};
}

Admission::Stage Admission::look(std::uint64_t id, Stranger& stranger, Time now) {
  Stage stage = look_(id);
  if (stage == Stage::keyed && stranger.trying) stage = Stage::trying;
  if (stage != stranger.stage) {
    stranger.stage = stage;
    stranger.stage_since = now;
  }
  return stage;
}

std::uint64_t Admission::least_claim(const Stranger& comer, Among among, Time now) {
  const bool same = among == Among::source;
  const std::uint32_t crowd = std::max(kCrowd, count(of_network_, comer.network) + 1);
  // The network's places beyond the crowd, whether it wasted places, how far it is, and since when.
  using Claim = std::tuple<std::int64_t, bool, Stage, std::int64_t, Time>;
  std::uint64_t found = 0;
  Claim least{};
  for (auto& [id, each] : strangers_) {
    if (same ? each.source != comer.source : each.good && !comer.good) continue;
    if (among == Among::circuits && !each.onion) continue;
    const Stage stage = look(id, each, now);
    const std::int64_t beyond = same ? 0 : std::max(0, int(count(of_network_, each.network)) - int(crowd));
    const bool wasted = !same && !each.good && each.wasted && !comer.wasted;
    const bool at_once = stage < Stage::trying && (beyond > 0 || wasted);
    if (!at_once && now - each.stage_since < kept_at_least(stage)) continue;
    Claim claim{-beyond, !wasted, stage, -std::int64_t{count(of_source_, each.source)}, each.stage_since};
    if (found && least <= claim) continue;
    found = id;
    least = claim;
  }
  return found;
}

Admission::Verdict Admission::room(const Stranger& comer, Time now) {
  if (count(of_source_, comer.source) >= most_of(comer.source) + comer.good) {
    std::uint64_t instead = least_claim(comer, Among::source, now);
    return {instead ? Answer::enter : Answer::too_many_of_one, instead};
  }
  const bool full = strangers_.size() + logged_in_ >= limits_.most_connections;
  const std::uint32_t most = limits_.most_unauthenticated;
  const bool many_circuits = comer.onion && onion_ >= most / 2;
  const Among among = many_circuits ? Among::circuits : Among::all;
  if (full || many_circuits || strangers_.size() >= most || (!comer.good && not_good_ >= most - most / 5)) {
    std::uint64_t instead = least_claim(comer, among, now);
    return {instead ? Answer::enter : full ? Answer::full : Answer::too_many, instead};
  }
  return {Answer::enter};
}

Admission::Verdict Admission::room_to_wait(const Stranger& comer, Time now) const {
  std::size_t of_one = 0, of_kind = 0, circuits = 0;
  Places of_network;
  for (const auto& [id, each] : waiting_) {
    of_one += each.source == comer.source;
    of_kind += each.good == comer.good;
    circuits += each.onion;
    ++of_network[each.network];
  }
  const bool full_of_one = of_one >= kWaitingOfOne;
  const bool many_circuits = comer.onion && circuits >= kWaiting / 2;
  if (!full_of_one && !many_circuits && of_kind < kWaiting) return {Answer::wait};
  const std::uint32_t crowd = std::max(kCrowd, count(of_network, comer.network) + 1);
  using Claim = std::tuple<std::int64_t, bool, bool>;
  std::uint64_t found = 0;
  Claim least{};
  for (const auto& [id, each] : waiting_) {
    if (full_of_one ? each.source != comer.source : each.good != comer.good) continue;
    if (many_circuits && !each.onion) continue;
    const std::int64_t beyond = std::max(0, int(count(of_network, each.network)) - int(crowd));
    const bool wasted = each.wasted && !comer.wasted;
    const bool idle = now - each.since >= kHeard || look_(id) == Stage::silent;
    if (!idle && (full_of_one || (!wasted && beyond == 0))) continue;
    Claim claim{-beyond, !wasted, !idle};
    if (found && least <= claim) continue;
    found = id;
    least = claim;
  }
  if (found) return {Answer::wait, found};
  return {full_of_one ? Answer::too_many_of_one : Answer::too_many};
}

Admission::Verdict Admission::arrive(const std::string& source, Time now) {
  const bool good = is_good(source);
  ++figures_.accepted;
  if (!good && penalties_.keeps_out(source, now)) {
    ++figures_.kept_out;
    return {Answer::penalised};
  }
  const Stranger comer = stranger(source, now);
  Verdict verdict = room(comer, now);
  // Who comes takes no place that somebody waits for: of them all, next() chooses.
  const bool in_turn = verdict.answer == Answer::enter && verdict.instead && !comer.good && !waiting_.empty();
  if (in_turn || verdict.answer == Answer::too_many_of_one || verdict.answer == Answer::too_many)
    verdict = room_to_wait(comer, now);
  bool comes_in = verdict.answer == Answer::enter || verdict.answer == Answer::wait;
  figures_.too_many += !comes_in || verdict.instead != 0;
  return verdict;
}

void Admission::enter(std::uint64_t connection, const std::string& source, Time now) {
  waiting_.erase(connection);
  Stranger comer = stranger(source, now);
  ++of_source_[source];
  ++of_network_[comer.network];
  not_good_ += !comer.good;
  onion_ += comer.onion;
  strangers_.insert_or_assign(connection, std::move(comer));
}

void Admission::wait(std::uint64_t connection, const std::string& source, Time now) {
  waiting_.insert_or_assign(connection, stranger(source, now));
}

Admission::Verdict Admission::next(Time now, std::uint64_t& who) {
  if (waiting_.empty()) return {Answer::wait};
  for (bool wasted : {false, true}) {
    bool none = false;  // no place for any of these, from whatever network
    for (Stage stage : {Stage::heard, Stage::silent}) {
      for (auto each = waiting_.rbegin(); each != waiting_.rend(); ++each) {
        const Stranger& comer = each->second;
        if ((comer.wasted && !comer.good) != wasted) continue;
        const bool of_one = count(of_source_, comer.source) >= most_of(comer.source) + comer.good;
        if ((none && !of_one && !comer.good) || look_(each->first) != stage) continue;
        Verdict verdict = room(comer, now);
        if (verdict.answer != Answer::enter) {
          none =
              none || (!of_one && !comer.good && !comer.onion && count(of_network_, comer.network) < kCrowd);
          continue;
        }
        who = each->first;
        figures_.too_many += verdict.instead != 0;
        return verdict;
      }
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

void Admission::asks(std::uint64_t connection) { answered(connection, true); }

void Admission::answered(std::uint64_t connection, bool known) {
  auto found = strangers_.find(connection);
  if (found != strangers_.end()) found->second.trying = known;
}

void Admission::logged_in(std::uint64_t connection) {
  auto found = strangers_.find(connection);
  if (found == strangers_.end()) return;
  std::string source = found->second.source;
  leave(connection, Offence::none, found->second.since);
  ++logged_in_;
  if (!base::is_onion(source)) return learn_good(source);
  penalties_.forgive(source);
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
  onion_ -= gone.onion;
  auto places = of_source_.find(gone.source);
  if (--places->second == 0) of_source_.erase(places);
  auto of_network = of_network_.find(gone.network);
  if (--of_network->second == 0) of_network_.erase(of_network);
  figures_.failed += offence == Offence::refused;
  figures_.timed_out += offence == Offence::grace;
  if (!limits_.penalties || is_good(gone.source)) return;
  auto held = std::chrono::duration_cast<base::milliseconds>(now - gone.since);
  penalties_.add(gone.source, offence, held, now);
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

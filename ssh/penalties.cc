#include "ssh/penalties.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "base/peer_address.h"

namespace oob::ssh {

namespace {

std::chrono::seconds least_for(Offence offence) {
  switch (offence) {
    case Offence::none:
      break;
    case Offence::nothing_tried:
      return std::chrono::seconds(1);
    case Offence::refused:
      return std::chrono::seconds(5);
    case Offence::grace:
    case Offence::garbage:
      return std::chrono::seconds(10);
  }
  return std::chrono::seconds(0);
}

base::milliseconds time_for(Offence offence, base::milliseconds held) {
  base::milliseconds holding =
      std::min<base::milliseconds>(held - Penalties::kFree + std::chrono::seconds(1), Penalties::kMostForOne);
  return std::max<base::milliseconds>(least_for(offence), holding);
}

}  // namespace

void Penalties::Table::add(std::uint64_t source, base::milliseconds time, Time now) {
  forget_past(now);
  auto found = entries_.find(source);
  Entry entry = found == entries_.end() ? Entry{now, false} : found->second;
  forget(source);
  entry.until = std::min(entry.until + time, now + kMost);
  entry.out = entry.out || entry.until - now >= kLeast;
  if (entries_.size() >= most_) forget(ends_.begin()->second);
  entries_[source] = entry;
  ends_.emplace(entry.until, source);
  out_ += entry.out;
}

bool Penalties::Table::keeps_out(std::uint64_t source, Time now) {
  auto found = entries_.find(source);
  return found != entries_.end() && found->second.out && found->second.until > now;
}

void Penalties::Table::forget(std::uint64_t source) {
  auto found = entries_.find(source);
  if (found == entries_.end()) return;
  ends_.erase({found->second.until, source});
  out_ -= found->second.out;
  entries_.erase(found);
}

void Penalties::Table::forget_past(Time now) {
  while (!ends_.empty() && ends_.begin()->first <= now) forget(ends_.begin()->second);
}

std::optional<Penalties::Place> Penalties::place_of(const std::string& source) {
  // Whoever comes through a tunnel of the board, such as a reverse forward, comes from here: one of them must
  // not keep the others out. The same of a bastion that we
  // call home to.
  if (source == "127.0.0.1" || source == "::/64") return std::nullopt;
  Place place;
  if (base::is_onion(source)) {
    place.kind = onion;
    place.source = std::hash<std::string>{}(source);
    return place;
  }
  in_addr v4;
  if (::inet_pton(AF_INET, source.c_str(), &v4) == 1) {
    place.source = v4.s_addr;
    return place;
  }
  in6_addr v6;
  if (!source.ends_with("/64") ||
      ::inet_pton(AF_INET6, source.substr(0, source.size() - 3).c_str(), &v6) != 1)
    return std::nullopt;
  place.kind = Kind::v6;
  std::memcpy(&place.source, v6.s6_addr, 8);
  std::memcpy(&place.wide, v6.s6_addr, 6);
  return place;
}

void Penalties::add(const std::string& source, Offence offence, base::milliseconds held, Time now) {
  auto place = offence == Offence::none ? std::nullopt : place_of(source);
  if (!place) return;
  const base::milliseconds time = time_for(offence, held);
  penalised_[place->kind].add(place->source, time, now);
  if (place->kind == v6) wide_.add(place->wide, time / 4, now);
  if (held >= std::chrono::seconds(1)) wasted_[place->kind].add(place->source, kRemembered, now);
}

bool Penalties::keeps_out(const std::string& source, Time now) {
  auto place = place_of(source);
  return place && (penalised_[place->kind].keeps_out(place->source, now) ||
                   (place->kind == v6 && wide_.keeps_out(place->wide, now)));
}

bool Penalties::has_wasted(const std::string& source, Time now) {
  auto place = place_of(source);
  return place && wasted_[place->kind].keeps_out(place->source, now);
}

void Penalties::forgive(const std::string& source) {
  auto place = place_of(source);
  if (!place) return;
  penalised_[place->kind].forget(place->source);
  if (place->kind == v6) wide_.forget(place->wide);
  wasted_[place->kind].forget(place->source);
}

void Penalties::forget_circuits() {
  penalised_[onion] = Table(kCircuits);
  wasted_[onion] = Table(kCircuits);
}

std::uint32_t Penalties::kept_out(Time now) {
  wide_.forget_past(now);
  std::uint32_t all = wide_.out();
  for (Table& table : penalised_) {
    table.forget_past(now);
    all += table.out();
  }
  return all;
}

std::size_t Penalties::size(Time now) {
  wide_.forget_past(now);
  std::size_t all = wide_.size();
  for (Table& table : penalised_) {
    table.forget_past(now);
    all += table.size();
  }
  return all;
}

void Penalties::clear() { *this = {}; }

}  // namespace oob::ssh

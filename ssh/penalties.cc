#include "ssh/penalties.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

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
  // Whoever comes through a tunnel of the board, an onion service or a reverse forward, comes from here: one
  // of them must not keep the others out.
  if (source == "127.0.0.1" || source == "::/64") return std::nullopt;
  Place place;
  in_addr v4;
  if (::inet_pton(AF_INET, source.c_str(), &v4) == 1) {
    place.source = v4.s_addr;
    return place;
  }
  in6_addr v6;
  if (!source.ends_with("/64") ||
      ::inet_pton(AF_INET6, source.substr(0, source.size() - 3).c_str(), &v6) != 1)
    return std::nullopt;
  place.v6 = true;
  std::memcpy(&place.source, v6.s6_addr, 8);
  std::memcpy(&place.wide, v6.s6_addr, 6);
  return place;
}

void Penalties::add(const std::string& source, Offence offence, base::milliseconds held, Time now) {
  auto place = offence == Offence::none ? std::nullopt : place_of(source);
  if (!place) return;
  const base::milliseconds time = time_for(offence, held);
  (place->v6 ? v6_ : v4_).add(place->source, time, now);
  if (place->v6) wide_.add(place->wide, time / 4, now);
  if (held >= std::chrono::seconds(1))
    (place->v6 ? wasted_v6_ : wasted_v4_).add(place->source, kRemembered, now);
}

bool Penalties::keeps_out(const std::string& source, Time now) {
  auto place = place_of(source);
  if (!place) return false;
  return place->v6 ? v6_.keeps_out(place->source, now) || wide_.keeps_out(place->wide, now)
                   : v4_.keeps_out(place->source, now);
}

bool Penalties::has_wasted(const std::string& source, Time now) {
  auto place = place_of(source);
  return place && (place->v6 ? wasted_v6_ : wasted_v4_).keeps_out(place->source, now);
}

void Penalties::forgive(const std::string& source) {
  auto place = place_of(source);
  if (!place) return;
  (place->v6 ? v6_ : v4_).forget(place->source);
  if (place->v6) wide_.forget(place->wide);
  (place->v6 ? wasted_v6_ : wasted_v4_).forget(place->source);
}

std::uint32_t Penalties::kept_out(Time now) {
  for (Table* table : {&v4_, &v6_, &wide_}) table->forget_past(now);
  return v4_.out() + v6_.out() + wide_.out();
}

std::size_t Penalties::size(Time now) {
  for (Table* table : {&v4_, &v6_, &wide_}) table->forget_past(now);
  return v4_.size() + v6_.size() + wide_.size();
}

void Penalties::clear() { *this = {}; }

}  // namespace oob::ssh

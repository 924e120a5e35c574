#include "ssh/penalties.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace oob::ssh {

namespace {

std::chrono::seconds time_for(Offence offence) {
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

}  // namespace

void Penalties::Table::add(std::uint64_t source, std::chrono::seconds time, Time now) {
  forget_past(now);
  auto found = entries_.find(source);
  Entry entry = found == entries_.end() ? Entry{now, false} : found->second;
  forget(source);
  entry.until = std::min(entry.until + time, now + kMost);
  entry.out = entry.out || entry.until - now >= kLeast;
  if (entries_.size() >= kSources) forget(ends_.begin()->second);
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

Penalties::Table* Penalties::table_of(const std::string& source, std::uint64_t& key) {
  in_addr v4;
  if (::inet_pton(AF_INET, source.c_str(), &v4) == 1) {
    key = v4.s_addr;
    return &v4_;
  }
  in6_addr v6;
  if (!source.ends_with("/64") ||
      ::inet_pton(AF_INET6, source.substr(0, source.size() - 3).c_str(), &v6) != 1)
    return nullptr;
  std::memcpy(&key, v6.s6_addr, sizeof key);
  return &v6_;
}

void Penalties::add(const std::string& source, Offence offence, Time now) {
  std::uint64_t key = 0;
  if (offence == Offence::none) return;
  if (Table* table = table_of(source, key)) table->add(key, time_for(offence), now);
}

bool Penalties::keeps_out(const std::string& source, Time now) {
  std::uint64_t key = 0;
  Table* table = table_of(source, key);
  return table && table->keeps_out(key, now);
}

void Penalties::forgive(const std::string& source) {
  std::uint64_t key = 0;
  if (Table* table = table_of(source, key)) table->forget(key);
}

std::uint32_t Penalties::kept_out(Time now) {
  v4_.forget_past(now);
  v6_.forget_past(now);
  return v4_.out() + v6_.out();
}

std::size_t Penalties::size(Time now) {
  v4_.forget_past(now);
  v6_.forget_past(now);
  return v4_.size() + v6_.size();
}

void Penalties::clear() { *this = {}; }

}  // namespace oob::ssh

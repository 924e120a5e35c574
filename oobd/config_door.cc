// Who comes in: trust, limits, second factors, and the terms of roles.
#include <algorithm>

#include "auth/revocation.h"
#include "base/time.h"
#include "oobd/config_reader.h"
#include "oobd/config_values.h"

namespace oob {
namespace {

struct Unsynchronised {
  std::string_view name;
  Config::Unsynchronised means;
};
constexpr Unsynchronised kUnsynchronised[] = {{"check", Config::Unsynchronised::check},
                                              {"skip", Config::Unsynchronised::skip},
                                              {"refuse", Config::Unsynchronised::refuse}};

struct Limit {
  std::string_view key;
  std::uint32_t LimitsConfig::*value;
  std::int64_t least, most;
};
constexpr Limit kNumbers[] = {
    {"startups", &LimitsConfig::startups, 10, 10'000},
    {"per_source", &LimitsConfig::per_source, 1, 1000},
    {"tries", &LimitsConfig::tries, 1, 100},
    {"connections", &LimitsConfig::connections, 10, 10'000},
    {"per_user", &LimitsConfig::per_user, 1, 10'000},
    {"channels", &LimitsConfig::channels, 1, 100},
};
constexpr base::Micros kLeastGrace = 5, kMostGrace = 600;  // seconds

}  // namespace

std::optional<std::string> ConfigReader::read_trusted(const Node& value, std::string_view key,
                                                      std::size_t most, std::string& file) {
  file = path(value);
  base::Result<std::string> text = files_.read_keys(file, most);
  if (text) return std::move(*text);
  faults_.add(value.place, base::str(key, ": ", base::printable(text.error().what, kMostReason)));
  return std::nullopt;
}

void ConfigReader::read_trust(const Node& server) {
  if (const Node* file = text(server, "user_ca")) {
    if (auto keys = read_trusted(*file, "user_ca", auth::kMostKeyFile, config_.user_ca)) {
      auth::CaKeys found = auth::parse_ca_keys(*keys);
      add_faults(*file, found.faults);
      if (found.keys.empty() && found.faults.empty())
        faults_.add(file->place, "user_ca: no key is in the file");
    }
  }
  if (const Node* file = text(server, "revoked_keys")) {
    if (auto list = read_trusted(*file, "revoked_keys", auth::kMostRevocationFile, config_.revoked_keys))
      add_faults(*file, auth::parse_revocations(*list).faults);
  }
  if (const Node* word = text(server, "totp_unsynchronised")) {
    auto known = std::find_if(std::begin(kUnsynchronised), std::end(kUnsynchronised),
                              [&](const Unsynchronised& each) { return each.name == word->text; });
    if (known != std::end(kUnsynchronised)) {
      config_.totp_unsynchronised = known->means;
    } else {
      std::vector<std::string_view> words;
      for (const Unsynchronised& each : kUnsynchronised) words.push_back(each.name);
      faults_.add(word->place,
                  base::str("totp_unsynchronised can't be ", in_quotes(word->text), hint(word->text, words)));
    }
  }
}

void ConfigReader::read_limits(const Member& limits) {
  const Node& table = limits.value;
  faults_.check_table(table, table.place, kLimits, "[limits]");
  LimitsConfig& config = config_.limits;
  for (const Limit& limit : kNumbers) {
    const Node* value = get(table, limit.key, Node::Kind::integer);
    if (!value) continue;
    if (value->integer < limit.least || value->integer > limit.most) {
      faults_.add(value->place, base::str(limit.key, " must be from ", limit.least, " to ", limit.most,
                                          ", not ", value->integer));
      continue;
    }
    config.*limit.value = static_cast<std::uint32_t>(value->integer);
  }
  if (const Node* grace = text(table, "grace")) {
    base::Result<base::Micros> span = base::parse_span(grace->text);
    if (!span || *span < kLeastGrace * 1'000'000 || *span > kMostGrace * 1'000'000) {
      faults_.add(grace->place, base::str("grace ", in_quotes(grace->text), " is not a time from ",
                                          kLeastGrace, "s to ", kMostGrace / 60, "m"));
    } else {
      config.grace = static_cast<std::uint32_t>(*span / 1'000'000);
    }
  }
  if (const Node* penalties = get(table, "penalties", Node::Kind::truth)) config.penalties = penalties->truth;
}

void ConfigReader::read_role_terms(const Node& role, auth::Role& config) {
  if (const Node* kind = text(role, "second_factor")) {
    config.second_factor = kind->text == "totp";
    if (!config.second_factor)
      faults_.add(kind->place,
                  base::str("second_factor can't be ", in_quotes(kind->text), ": \"totp\" is what there is"));
  }
  if (const Node* two = get(role, "two_person", Node::Kind::truth)) config.two_person = two->truth;
  if (const Node* safe = get(role, "safe", Node::Kind::truth)) config.safe = safe->truth;
  if (const Node* input = get(role, "record_input", Node::Kind::truth)) config.record_input = input->truth;
  for (const Node* text : texts(role, "hours")) {
    base::Result<auth::Hours> hours = auth::Hours::parse(text->text);
    if (hours) {
      config.hours.push_back(*hours);
    } else {
      faults_.add(text->place, base::str("hours: ", hours.error().what));
    }
  }
  if (const Node* expires = text(role, "expires")) {
    // A span would begin anew at each reload.
    bool point = expires->text.size() >= 10 && expires->text[4] == '-';
    base::Result<base::Micros> time = base::parse_time(expires->text, 0);
    if (point && time) {
      config.expires = *time;
    } else {
      faults_.add(expires->place, base::str("expires: ", in_quotes(expires->text),
                                            " is not a time such as 2027-01-31T18:00:00Z"));
    }
  }
}

// Whoever needs a code has something to judge it by. REQUIRES: users and roles were read.
void ConfigReader::check_second_factor(const Member& user) {
  if (user.value.member("totp_file")) return;
  for (const Node* name : texts(user.value, "roles")) {
    auto role = config_.roles.find(name->text);
    if (role == config_.roles.end() || !role->second.second_factor) continue;
    return faults_.add(name->place, base::str("role ", in_quotes(name->text),
                                              " wants a second factor, and the user has no totp_file"));
  }
}

std::vector<std::uint16_t> ConfigReader::read_ports(const Node& list) {
  std::vector<std::uint16_t> ports;
  for (const Node& item : list.items) {
    if (item.kind != Node::Kind::integer) continue;  // a fault already
    if (item.integer < 1 || item.integer > 65535) {
      faults_.add(item.place, base::str("forward: port ", item.integer, " is not from 1 to 65535"));
    } else {
      ports.push_back(static_cast<std::uint16_t>(item.integer));
    }
  }
  return ports;
}

}  // namespace oob

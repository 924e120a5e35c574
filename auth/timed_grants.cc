#include "auth/timed_grants.h"

#include <algorithm>
#include <boost/json.hpp>

#include "auth/trusted_file.h"
#include "base/disk.h"
#include "base/whole_file.h"

namespace oob::auth {

namespace json = boost::json;
using base::fail;
using base::Fault;
using base::Micros;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostGrants = 1 << 20;

Result<std::string> text_at(const json::object& line, const char* key) {
  const json::value* value = line.if_contains(key);
  if (!value || !value->is_string()) return fail(Fault::config, str("no ", key));
  return std::string(value->get_string());
}

Result<std::int64_t> number_at(const json::object& line, const char* key) {
  const json::value* value = line.if_contains(key);
  if (!value || !value->is_int64() || value->get_int64() < 0) return fail(Fault::config, str("no ", key));
  return value->get_int64();
}

Result<json::object> object_of(std::string_view line) {
  boost::system::error_code wrong;
  json::value value = json::parse(json::string_view(line.data(), line.size()), wrong);
  if (wrong || !value.is_object()) return fail(Fault::config, "no JSON object");
  return std::move(value.get_object());
}

Result<TimedGrant> grant_of(const json::object& line) {
  TimedGrant grant;
  for (auto [key, number] : {std::pair{"given", &grant.given}, {"until", &grant.until}}) {
    Result<std::int64_t> found = number_at(line, key);
    if (!found) return found.error();
    *number = *found;
  }
  Result<std::int64_t> id = number_at(line, "id");
  if (!id) return id.error();
  grant.id = static_cast<std::uint64_t>(*id);
  for (auto [key, text] : {std::pair{"user", &grant.user}, {"devices", &grant.devices}, {"by", &grant.by}}) {
    Result<std::string> found = text_at(line, key);
    if (!found) return found.error();
    *text = *found;
  }
  const json::value* actions = line.if_contains("actions");
  if (!actions || !actions->is_array()) return fail(Fault::config, "no actions");
  for (const json::value& name : actions->get_array()) {
    Action action{};
    if (!name.is_string() || !action_named(std::string_view(name.get_string()), action) ||
        action == Action::admin)
      return fail(Fault::config, "an action that can't be granted");
    grant.actions.insert(action);
  }
  return grant;
}

json::object object_of(const TimedGrant& grant) {
  json::array actions;
  for (Action action : grant.actions) actions.emplace_back(name_of(action));
  return {{"id", grant.id},           {"user", grant.user}, {"actions", std::move(actions)},
          {"devices", grant.devices}, {"by", grant.by},     {"given", grant.given},
          {"until", grant.until}};
}

}  // namespace

// --- the file
// -------------------------------------------------------------------------------------------------------

Result<> TimedGrants::open(base::Blocking& blocking, std::string file) {
  blocking_ = &blocking;
  file_ = std::move(file);
  Result<TrustedFile> trusted = TrustedFile::open(file_, 077, kMostGrants);
  if (!trusted && trusted.error().fault == Fault::missing) return {};
  if (!trusted) return trusted.error();
  Result<std::string> whole = trusted->read();
  if (!whole) return whole.error();
  Result<> taken = read(*whole);
  if (!taken) {
    grants_.clear();
    seen_ = 0;
    return base::wrap(file_, taken.error());
  }
  return {};
}

// All of it or nothing: half a file of rights is nobody's intention.
Result<> TimedGrants::read(const std::string& text) {
  std::size_t number = 0;
  std::string wrong;
  if (text.empty() || text.back() != '\n') return fail(Fault::config, "it is cut off");
  base::split(std::string_view(text).substr(0, text.size() - 1), '\n', [&](std::string_view line) {
    ++number;
    if (!wrong.empty()) return;
    Result<json::object> object = object_of(line);
    if (object && number == 1) {
      Result<std::int64_t> version = number_at(*object, "version"), next = number_at(*object, "next"),
                           seen = number_at(*object, "seen");
      if (!version || *version != 1 || !next || !seen) {
        wrong = "line 1: not the first line of a file of grants";
        return;
      }
      next_id_ = std::max<std::uint64_t>(next_id_, static_cast<std::uint64_t>(*next));
      seen_ = *seen;
      return;
    }
    Result<TimedGrant> grant = object ? grant_of(*object) : Result<TimedGrant>(object.error());
    if (grant && (grant->id >= next_id_ || find(grant->id) || grants_.size() >= kMost))
      grant = fail(Fault::config, "an id that can't be");
    if (grant) {
      grants_.push_back(std::move(*grant));
    } else {
      wrong = str("line ", number, ": ", grant.error().what);
    }
  });
  return wrong.empty() ? Result<>() : Result<>(fail(Fault::config, wrong));
}

std::string TimedGrants::text() const {
  std::string text =
      json::serialize(json::object{{"version", 1}, {"next", next_id_}, {"seen", seen_}}) + "\n";
  for (const TimedGrant& grant : grants_) text += json::serialize(object_of(grant)) + "\n";
  return text;
}

void TimedGrants::save(Done done) {
  if (!blocking_) return done({});
  waiting_.push_back(std::move(done));
  if (!writing_) write();
}

// One write at a time; all that came meanwhile are served by the next, which begins once those of this one
// were told: what could not be stored, they take out.
void TimedGrants::write() {
  writing_ = true;
  auto written = std::make_shared<Result<>>();
  auto served = std::make_shared<std::vector<Done>>(std::exchange(waiting_, {}));
  blocking_->run([written, file = file_, bytes = text()] { *written = base::write_whole(file, bytes, 0600); },
                 life_.wrap([this, written, served] {
                   for (Done& done : *served) done(*written);
                   writing_ = false;
                   if (!waiting_.empty()) write();
                 }));
}

void TimedGrants::set_seen(Micros seen, Done done) {
  seen_ = seen;
  save(std::move(done));
}

void TimedGrants::begin(const Moment& now) {
  for (TimedGrant& grant : grants_) {
    Micros left = now.behind ? 0 : std::clamp<Micros>(grant.until - now.latest, 0, kLongest);
    grant.ends = base::Clock::now() + std::chrono::microseconds(left);
  }
}

// --- changes
// --------------------------------------------------------------------------------------------------------

Result<TimedGrant> TimedGrants::reserve(std::string user, std::set<Action> actions, std::string devices,
                                        std::string by, Micros span, const Moment& now) {
  if (grants_.size() + reserved_.size() >= kMost)
    return fail(Fault::busy, str("there are ", kMost, " grants already; 'revoke' ends one"));
  reserved_.push_back({next_id_++, std::move(user), std::move(actions), std::move(devices), std::move(by),
                       now.latest, now.latest + span, base::Clock::now() + std::chrono::microseconds(span)});
  return reserved_.back();
}

void TimedGrants::drop(std::uint64_t id) {
  std::erase_if(reserved_, [id](const TimedGrant& grant) { return grant.id == id; });
}

void TimedGrants::add(const TimedGrant& grant, Done done) {
  drop(grant.id);
  grants_.push_back(grant);
  std::sort(grants_.begin(), grants_.end(),
            [](const TimedGrant& a, const TimedGrant& b) { return a.id < b.id; });
  save([this, id = grant.id, done = std::move(done)](Result<> stored) {
    if (!stored) std::erase_if(grants_, [id](const TimedGrant& one) { return one.id == id; });
    done(std::move(stored));
  });
}

void TimedGrants::remove(std::uint64_t id, Done done) {
  std::erase_if(grants_, [id](const TimedGrant& grant) { return grant.id == id; });
  save(std::move(done));
}

std::vector<TimedGrant> TimedGrants::end_due(const Moment& now) {
  std::vector<TimedGrant> ended;
  std::erase_if(grants_, [&](const TimedGrant& grant) {
    if (!over(grant, now)) return false;
    ended.push_back(grant);
    return true;
  });
  // When this fails, they end again at the next start.
  if (!ended.empty()) save([](const Result<>&) {});
  return ended;
}

// --- questions
// ------------------------------------------------------------------------------------------------------

bool TimedGrants::over(const TimedGrant& grant, const Moment& now) {
  return now.latest >= grant.until || base::Clock::now() >= grant.ends;
}

bool TimedGrants::allows(const std::string& user, Action action, const std::string& device,
                         const Moment& now) const {
  return std::any_of(grants_.begin(), grants_.end(), [&](const TimedGrant& grant) {
    return grant.user == user && grant.actions.count(action) && !over(grant, now) &&
           base::glob_match(grant.devices, device);
  });
}

bool TimedGrants::allows(const std::string& user, Action action, const Moment& now) const {
  return std::any_of(grants_.begin(), grants_.end(), [&](const TimedGrant& grant) {
    return grant.user == user && grant.actions.count(action) && !over(grant, now);
  });
}

const TimedGrant* TimedGrants::find(std::uint64_t id) const {
  auto at =
      std::find_if(grants_.begin(), grants_.end(), [id](const TimedGrant& grant) { return grant.id == id; });
  return at == grants_.end() ? nullptr : &*at;
}

Micros TimedGrants::next_end(const Moment& now) const {
  Micros next = -1;
  for (const TimedGrant& grant : grants_) {
    Micros wall = grant.until - now.latest;
    Micros mono =
        std::chrono::duration_cast<std::chrono::microseconds>(grant.ends - base::Clock::now()).count();
    Micros left = std::max<Micros>(0, std::min(wall, mono));
    if (next < 0 || left < next) next = left;
  }
  return next;
}

}  // namespace oob::auth

#include "console/guard_file.h"

#include <boost/json.hpp>

namespace oob::console {

namespace json = boost::json;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::pair<Guard::State, std::string_view> kGuardStates[] = {{Guard::State::armed, "armed"},
                                                                      {Guard::State::firing, "firing"},
                                                                      {Guard::State::typed, "typed"},
                                                                      {Guard::State::failed, "failed"}};

constexpr std::pair<PastGuard::End, std::string_view> kGuardEnds[] = {
    {PastGuard::End::taken_back, "taken_back"},
    {PastGuard::End::confirmed, "confirmed"},
    {PastGuard::End::seen, "seen"}};

using GuardTexts = std::initializer_list<std::pair<const char*, std::string*>>;
using GuardNumbers = std::initializer_list<std::pair<const char*, base::Micros*>>;

Result<> take_values(const json::object& line, GuardTexts texts, GuardNumbers numbers) {
  for (const auto& [key, to] : texts) {
    const json::value* value = line.if_contains(key);
    if (!value || !value->is_string()) return fail(Fault::config, str("no ", key));
    *to = std::string(value->get_string());
  }
  for (const auto& [key, to] : numbers) {
    const json::value* value = line.if_contains(key);
    if (!value || !value->is_int64() || value->get_int64() < 0) return fail(Fault::config, str("no ", key));
    *to = value->get_int64();
  }
  return {};
}

template <class Word, std::size_t N>
Result<> take_word(const json::object& line, const char* key,
                   const std::pair<Word, std::string_view> (&words)[N], Word& to) {
  const json::value* value = line.if_contains(key);
  for (const auto& [known, name] : words)
    if (value && value->is_string() && std::string_view(value->get_string()) == name) {
      to = known;
      return {};
    }
  return fail(Fault::config, str("no ", key));
}

Result<Guard> guard_of(const json::object& line) {
  Guard guard;
  Result<> values = take_values(
      line,
      {{"device", &guard.device},
       {"revert", &guard.revert},
       {"user", &guard.who.user},
       {"key", &guard.who.key},
       {"source", &guard.who.source},
       {"boot", &guard.boot},
       {"why", &guard.why}},
      {{"armed", &guard.armed}, {"until", &guard.until}, {"span", &guard.span}, {"ends", &guard.ends}});
  if (values) values = take_word(line, "state", kGuardStates, guard.state);
  if (!values) return values.error();
  return guard;
}

Result<PastGuard> past_guard_of(const json::object& line) {
  PastGuard past;
  Result<> values = take_values(
      line, {{"device", &past.device}, {"user", &past.user}, {"by", &past.by}, {"why", &past.why}},
      {{"at", &past.at}});
  if (values) values = take_word(line, "end", kGuardEnds, past.end);
  if (!values) return values.error();
  return past;
}

// One line but the first.
Result<> take_guard_line(const json::object& line, GuardFile& file) {
  if (line.contains("end")) {
    Result<PastGuard> past = past_guard_of(line);
    if (past && file.past.size() >= Guards::kMostPast) past = fail(Fault::config, "too many past guards");
    if (!past) return past.error();
    file.past.push_back(std::move(*past));
    return {};
  }
  Result<Guard> guard = guard_of(line);
  if (guard && file.guards.size() >= Guards::kMost) guard = fail(Fault::config, "too many guards");
  if (!guard) return guard.error();
  file.guards.push_back(std::move(*guard));
  return {};
}

Result<json::object> json_of(std::string_view line) {
  boost::system::error_code wrong;
  json::parse_options bytes;
  bytes.allow_invalid_utf8 = true;  // what is typed may be in any character set
  json::value value = json::parse(json::string_view(line.data(), line.size()), wrong, {}, bytes);
  if (wrong || !value.is_object()) return fail(Fault::config, "no JSON object");
  return std::move(value.get_object());
}

}  // namespace

std::string guards_text(const std::vector<const Guard*>& guards,
                        const std::map<std::string, PastGuard>& past) {
  std::string text = json::serialize(json::object{{"version", 1}}) + "\n";
  for (const Guard* guard : guards) {
    json::object line{{"device", guard->device},
                      {"revert", guard->revert},
                      {"user", guard->who.user},
                      {"key", guard->who.key},
                      {"source", guard->who.source},
                      {"armed", guard->armed},
                      {"until", guard->until},
                      {"span", guard->span},
                      {"boot", guard->boot},
                      {"ends", guard->ends},
                      {"why", guard->why}};
    for (const auto& [state, name] : kGuardStates)
      if (state == guard->state) line["state"] = name;
    text += json::serialize(line) + "\n";
  }
  for (const auto& [device, one] : past) {
    json::object line{
        {"device", one.device}, {"user", one.user}, {"at", one.at}, {"by", one.by}, {"why", one.why}};
    for (const auto& [end, name] : kGuardEnds)
      if (end == one.end) line["end"] = name;
    text += json::serialize(line) + "\n";
  }
  return text;
}

Result<GuardFile> read_guards(const std::string& text) {
  if (text.empty() || text.back() != '\n') return fail(Fault::config, "it is cut off");
  GuardFile file;
  std::size_t number = 0;
  std::string wrong;
  base::split(std::string_view(text).substr(0, text.size() - 1), '\n', [&](std::string_view line) {
    ++number;
    if (!wrong.empty()) return;
    Result<json::object> object = json_of(line);
    if (object && number == 1) {
      const json::value* version = object->if_contains("version");
      if (!version || !version->is_int64() || version->get_int64() != 1)
        wrong = "line 1: not the first line of a file of guards";
      return;
    }
    Result<> taken = object ? take_guard_line(*object, file) : Result<>(object.error());
    if (!taken) wrong = str("line ", number, ": ", taken.error().what);
  });
  if (!wrong.empty()) return fail(Fault::config, wrong);
  return file;
}

}  // namespace oob::console

#include "snapshot/latest_file.h"

#include <boost/json.hpp>

namespace oob::snapshot {

namespace json = boost::json;
using base::fail;
using base::Fault;
using base::Result;

namespace {

constexpr std::size_t kMostDevices = 100'000;

bool text_at(const json::object& in, const char* key, std::string& to) {
  const json::value* value = in.if_contains(key);
  if (!value || !value->is_string()) return false;
  to = std::string_view(value->get_string());
  // Printable when it was written; printable() again would double each backslash.
  for (char& c : to)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return true;
}

bool number_at(const json::object& in, const char* key, std::int64_t& to) {
  const json::value* value = in.if_contains(key);
  if (!value || !value->is_int64() || value->get_int64() < 0) return false;
  to = value->get_int64();
  return true;
}

bool is_revision(std::string_view text) {
  return text.empty() ||
         (text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos);
}

}  // namespace

std::string write_latest(const LatestOfAll& latest) {
  json::object devices;
  for (const auto& [device, known] : latest)
    devices[device] = {{"checked", known.checked},   {"grade", known.grade},
                       {"revision", known.revision}, {"size", static_cast<std::int64_t>(known.size)},
                       {"stored", known.stored},     {"trouble", known.trouble}};
  return json::serialize(json::object{{"version", 1}, {"devices", std::move(devices)}}) + "\n";
}

Result<LatestOfAll> read_latest(std::string_view text) {
  boost::system::error_code wrong;
  json::value value = json::parse(json::string_view(text.data(), text.size()), wrong);
  if (wrong || !value.is_object()) return fail(Fault::failed, "not a JSON object");
  std::int64_t version = 0;
  const json::value* devices = value.get_object().if_contains("devices");
  if (!number_at(value.get_object(), "version", version) || version != 1 || !devices ||
      !devices->is_object() || devices->get_object().size() > kMostDevices)
    return fail(Fault::failed, "not of version 1");
  LatestOfAll latest;
  for (const auto& each : devices->get_object()) {
    console::History::Latest known;
    std::int64_t size = 0;
    if (!each.value().is_object()) return fail(Fault::failed, "a device that is no object");
    const json::object& in = each.value().get_object();
    if (!number_at(in, "checked", known.checked) || !number_at(in, "stored", known.stored) ||
        !number_at(in, "size", size) || !text_at(in, "grade", known.grade) ||
        !text_at(in, "revision", known.revision) || !text_at(in, "trouble", known.trouble) ||
        !is_revision(known.revision))
      return fail(Fault::failed, "a device that lacks something");
    known.size = static_cast<std::uint64_t>(size);
    latest.emplace(each.key(), std::move(known));
  }
  return latest;
}

}  // namespace oob::snapshot

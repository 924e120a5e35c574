#include "snapshot/meta.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>

namespace oob::snapshot {

namespace json = boost::json;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

std::string quoted(std::string_view text) {
  return json::serialize(json::string(json::string_view(text.data(), text.size())));
}

Result<std::string> text_at(const json::object& in, const char* key) {
  const json::value* value = in.if_contains(key);
  if (!value || !value->is_string()) return fail(Fault::failed, str("no ", key));
  return std::string(value->get_string());
}

Result<std::uint64_t> number_at(const json::object& in, const char* key) {
  const json::value* value = in.if_contains(key);
  if (!value || !value->is_int64() || value->get_int64() < 0) return fail(Fault::failed, str("no ", key));
  return static_cast<std::uint64_t>(value->get_int64());
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<Meta::File> file_of(const json::value& value) {
  if (!value.is_object()) return fail(Fault::failed, "a file that is no object");
  const json::object& in = value.get_object();
  Meta::File file;
  for (auto [key, text] : {std::pair{"sha256", &file.sha256}, {"grade", &file.grade}}) {
    Result<std::string> found = text_at(in, key);
    if (!found) return found.error();
    *text = *found;
  }
  if (!is_sha256(file.sha256)) return fail(Fault::failed, "a sha256 that is none");
  Result<std::uint64_t> size = number_at(in, "size");
  if (!size) return size.error();
  file.size = *size;
  if (in.contains("parse")) {
    Result<std::string> parse = text_at(in, "parse");
    if (!parse) return parse.error();
    file.parse = *parse;
  }
  return file;
}

}  // namespace

std::string Meta::recipe_name() const { return recipe.substr(0, recipe.find(' ')); }

Meta meta_of(const console::History::Snapshot& snapshot) {
  Meta meta;
  bool all_device = !snapshot.pulled.files.empty();
  for (const recipe::PulledFile& file : snapshot.pulled.files) {
    meta.files[file.name] = {file.sha256, std::string(recipe::name_of(file.grade)), file.parse,
                             file.bytes.size()};
    all_device = all_device && file.grade == recipe::Grade::device;
  }
  meta.grade = recipe::name_of(all_device ? recipe::Grade::device : recipe::Grade::twice);
  for (const std::string& name : snapshot.pulled.absent) meta.absent.push_back(base::printable(name));
  std::sort(meta.absent.begin(), meta.absent.end());
  meta.method = base::printable(snapshot.pulled.method);
  meta.recipe = base::printable(snapshot.recipe);
  meta.device_version = base::printable(snapshot.pulled.device_version);
  meta.recording = base::printable(snapshot.recording);
  meta.user = base::printable(snapshot.user);
  meta.began = snapshot.began;
  meta.ended = snapshot.ended;
  meta.retries = snapshot.pulled.retries;
  meta.wire_bytes = snapshot.pulled.wire_bytes;
  meta.noise_lines = snapshot.pulled.dropped_lines;
  return meta;
}

std::string write_meta(const Meta& meta) {
  std::string text = "{\n  \"absent\": [";
  for (const std::string& name : meta.absent) text += (&name == &meta.absent[0] ? "" : ", ") + quoted(name);
  text += str("],\n  \"began\": ", quoted(base::rfc3339(meta.began)),
              ",\n  \"device_version\": ", quoted(meta.device_version),
              ",\n  \"ended\": ", quoted(base::rfc3339(meta.ended)), ",\n  \"files\": {");
  const char* between = "\n";
  for (const auto& [name, file] : meta.files) {
    text += str(between, "    ", quoted(name), ": {\"grade\": ", quoted(file.grade));
    if (!file.parse.empty()) text += str(", \"parse\": ", quoted(file.parse));
    text += str(", \"sha256\": ", quoted(file.sha256), ", \"size\": ", file.size, "}");
    between = ",\n";
  }
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.3f",
                static_cast<double>(std::max<base::Micros>(meta.ended - meta.began, 0)) / 1e6);
  text += str("\n  },\n  \"format\": 1,\n  \"grade\": ", quoted(meta.grade),
              ",\n  \"method\": ", quoted(meta.method), ",\n  \"noise_lines\": ", meta.noise_lines,
              ",\n  \"recipe\": ", quoted(meta.recipe), ",\n  \"recording\": ", quoted(meta.recording),
              ",\n  \"retries\": ", meta.retries, ",\n  \"seconds\": ", seconds,
              ",\n  \"user\": ", quoted(meta.user), ",\n  \"wire_bytes\": ", meta.wire_bytes, "\n}\n");
  return text;
}

Result<Meta> read_meta(std::string_view text) {
  boost::system::error_code wrong;
  json::value value = json::parse(json::string_view(text.data(), text.size()), wrong);
  if (wrong || !value.is_object()) return fail(Fault::failed, "not a JSON object");
  const json::object& in = value.get_object();
  Result<std::uint64_t> format = number_at(in, "format");
  if (!format || *format != 1) return fail(Fault::failed, "not of format 1");
  Meta meta;
  std::string began, ended;
  for (auto [key, to] : {std::pair{"began", &began},
                         {"device_version", &meta.device_version},
                         {"ended", &ended},
                         {"grade", &meta.grade},
                         {"method", &meta.method},
                         {"recipe", &meta.recipe},
                         {"recording", &meta.recording},
                         {"user", &meta.user}}) {
    Result<std::string> found = text_at(in, key);
    if (!found) return found.error();
    // Printable when it was written; printable() again would double each backslash.
    for (char& c : *found)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    *to = std::move(*found);
  }
  for (auto [from, to] : {std::pair{&began, &meta.began}, {&ended, &meta.ended}}) {
    Result<base::Micros> time = base::parse_time(*from, 0);
    if (!time) return time.error();
    if (base::rfc3339(*time) != *from) return fail(Fault::failed, "a time that is none");
    *to = *time;
  }
  Result<std::uint64_t> retries = number_at(in, "retries"), wire = number_at(in, "wire_bytes");
  if (!retries || *retries > 0xffffffff || !wire) return fail(Fault::failed, "a number is missing");
  meta.retries = static_cast<unsigned>(*retries);
  meta.wire_bytes = *wire;
  // Those of before it was counted have none.
  if (in.contains("noise_lines")) {
    Result<std::uint64_t> noise = number_at(in, "noise_lines");
    if (!noise) return noise.error();
    meta.noise_lines = *noise;
  }
  const json::value* absent = in.if_contains("absent");
  if (!absent || !absent->is_array()) return fail(Fault::failed, "no absent");
  for (const json::value& name : absent->get_array()) {
    if (!name.is_string()) return fail(Fault::failed, "an absent file without a name");
    meta.absent.emplace_back(name.get_string());
  }
  const json::value* files = in.if_contains("files");
  if (!files || !files->is_object()) return fail(Fault::failed, "no files");
  for (const auto& each : files->get_object()) {
    Result<Meta::File> file = file_of(each.value());
    if (!file) return file.error();
    meta.files[std::string(each.key())] = *file;
  }
  return meta;
}

}  // namespace oob::snapshot

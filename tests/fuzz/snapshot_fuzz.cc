// A damaged disk, and a device that says anything: meta.json, snapshots.json, a commit's message, XML and
// JSON of any bytes are read or refused; what was read is written and read again as the same.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "snapshot/latest_file.h"
#include "snapshot/message.h"
#include "snapshot/meta.h"
#include "snapshot/veil.h"
#include "snapshot/well_formed.h"

namespace {

void must(bool held) {
  if (!held) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oob::snapshot;
  std::string text(reinterpret_cast<const char*>(data), size);
  if (auto meta = read_meta(text)) {
    std::string written = write_meta(*meta);
    auto again = read_meta(written);
    must(again && write_meta(*again) == written);
    must(meta->recipe_name().find(' ') == std::string::npos);
  }
  if (auto latest = read_latest(text)) {
    std::string written = write_latest(*latest);
    auto again = read_latest(written);
    must(again && write_latest(*again) == written);
  }
  Message message = read_message(text);
  must(read_message(write_message(message)).changes.size() == message.changes.size());
  (void)well_formed_xml(text);
  (void)well_formed_json(text);
  static const Veil kVeil("a key for tests");
  oob::recipe::Recipe recipe;
  recipe.hidden.push_back({"*", oob::recipe::Hidden::Kind::secret, std::nullopt, {"password", "p"}});
  std::string masked = kVeil.masked(recipe, "config.xml", text);
  must(text.find("<p>") != std::string::npos || text.find("<p") != std::string::npos || masked == text);
  return 0;
}

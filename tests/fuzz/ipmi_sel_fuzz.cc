// Event log records of any bytes, with and without a sensor record (what comes after the first 16 bytes) that
// gives them a name.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "ipmi/sel.h"

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

void look_at(const oob::console::LogEvent& event) {
  must(!event.text.empty() && !event.type.empty() && event.time >= 0 && event.raw.size() == 32);
  for (unsigned char each : event.text + event.sensor) must(each >= 0x20 && each != 0x7f);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oob;
  base::Bytes bytes(reinterpret_cast<const char*>(data), size);
  auto record = ipmi::SelRecord::decode(bytes.substr(0, ipmi::kSelRecordSize));
  must(static_cast<bool>(record) == (size >= ipmi::kSelRecordSize));
  if (!record) return 0;
  look_at(ipmi::describe(*record, {}));
  ipmi::SensorRecords sensors({std::string(bytes.substr(ipmi::kSelRecordSize))});
  look_at(ipmi::describe(*record, sensors));
  return 0;
}

// Sensor data records and their cache, of any bytes: names are fit for a terminal, values are finite.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "ipmi/sdr.h"
#include "ipmi/sdr_cache.h"

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oob;
  base::Bytes bytes(reinterpret_cast<const char*>(data), size);
  if (auto cache = ipmi::SdrCache::decode(bytes)) must(cache->encode() == bytes);
  auto sensors = ipmi::decode_sdr(bytes);
  if (!sensors) return 0;
  must(sensors->size() <= 16);
  for (const ipmi::SensorRecord& sensor : *sensors) {
    must(!sensor.name.empty());
    for (unsigned char each : sensor.name) must(each >= 0x20 && each != 0x7f);
    must(sensor.units.text().size() < 200);
    for (int raw = 0; raw < 256; ++raw) {
      auto value =
          ipmi::convert(static_cast<std::uint8_t>(raw), sensor.format, sensor.linearization, sensor.factors);
      must(!value || std::isfinite(*value));
    }
  }
  return 0;
}

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace oob::base {

// Wall-clock time in microseconds since 1970, UTC. May step; never used to measure.
using Micros = std::int64_t;

Micros wall_now();

// RFC 3339 in UTC: "2026-11-22T16:03:11.123456Z", or cut to milliseconds or seconds.
enum class Precision { seconds, millis, micros };
std::string rfc3339(Micros time, Precision precision = Precision::micros);

// A point in time as people write it: RFC 3339 ("2026-11-22T16:03:11Z", with offset, a space for T, seconds
// and fraction optional), a date alone, or a span before `now` ("90s", "10m", "2h", "3d", "1w").
Result<Micros> parse_time(std::string_view text, Micros now);

// A span alone: "90s", "10m", "2h", "3d", "1w", "500ms", or bare seconds "30", "0.5".
Result<Micros> parse_span(std::string_view text);

// "3 s", "12 min", "5 h", "9 d": how long, for people.
std::string human_span(Micros span);

}  // namespace oob::base

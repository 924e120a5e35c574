#include "base/time.h"

#include <time.h>

#include <array>
#include <cctype>
#include <chrono>
#include <cstdio>

namespace oob::base {
namespace {

constexpr Micros kSecond = 1'000'000;

struct Scan {
  std::string_view rest;
  bool number(std::size_t digits, int& value) {
    // A sign would count as a digit for parse_number: "-0" is zero.
    if (rest.size() < digits || rest[0] == '-' || !parse_number(rest.substr(0, digits), value)) return false;
    rest.remove_prefix(digits);
    return true;
  }
  bool skip(std::string_view any) {
    if (rest.empty() || any.find(rest[0]) == std::string_view::npos) return false;
    rest.remove_prefix(1);
    return true;
  }
};

bool parse_point(std::string_view text, Micros& point) {
  Scan scan{text};
  int year, month, day, hour = 0, minute = 0, second = 0;
  if (!scan.number(4, year) || !scan.skip("-") || !scan.number(2, month) || !scan.skip("-") ||
      !scan.number(2, day))
    return false;
  if (month < 1 || month > 12 || day < 1 || day > 31) return false;
  Micros fraction = 0;
  if (scan.skip("Tt ")) {
    if (!scan.number(2, hour) || !scan.skip(":") || !scan.number(2, minute)) return false;
    if (scan.skip(":") && !scan.number(2, second)) return false;
    if (hour > 23 || minute > 59 || second > 60) return false;
    if (scan.skip(".")) {
      Micros unit = kSecond / 10;
      if (scan.rest.empty() || !std::isdigit(static_cast<unsigned char>(scan.rest[0]))) return false;
      for (; !scan.rest.empty() && std::isdigit(static_cast<unsigned char>(scan.rest[0])); unit /= 10) {
        fraction += unit * (scan.rest[0] - '0');
        scan.rest.remove_prefix(1);
      }
    }
  }
  Micros offset = 0;
  if (!scan.rest.empty() && !scan.skip("Zz")) {
    int sign = scan.rest[0] == '-' ? -1 : 1, hours, minutes;
    if (!scan.skip("+-") || !scan.number(2, hours) || !scan.skip(":") || !scan.number(2, minutes))
      return false;
    offset = sign * (hours * 3600 + minutes * 60) * kSecond;
  }
  if (!scan.rest.empty()) return false;
  using namespace std::chrono;
  year_month_day date{std::chrono::year{year}, std::chrono::month(unsigned(month)),
                      std::chrono::day(unsigned(day))};
  if (!date.ok()) return false;
  Micros days = sys_days{date}.time_since_epoch().count();
  point = ((days * 24 + hour) * 60 + minute) * 60 * kSecond + second * kSecond + fraction - offset;
  return true;
}

}  // namespace

Micros wall_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string rfc3339(Micros time, Precision precision) {
  Micros seconds = time / kSecond, micros = time % kSecond;
  if (micros < 0) {
    micros += kSecond;
    --seconds;
  }
  time_t point = static_cast<time_t>(seconds);
  tm parts{};
  gmtime_r(&point, &parts);
  std::array<char, 80> text{};
  int size = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d", parts.tm_year + 1900,
                           parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  std::string result(text.data(), static_cast<std::size_t>(size));
  if (precision != Precision::seconds) {
    size = precision == Precision::millis
               ? std::snprintf(text.data(), text.size(), ".%03d", static_cast<int>(micros / 1000))
               : std::snprintf(text.data(), text.size(), ".%06d", static_cast<int>(micros));
    result.append(text.data(), static_cast<std::size_t>(size));
  }
  return result + "Z";
}

Result<Micros> parse_span(std::string_view text) {
  std::string_view digits = text.substr(0, text.find_first_not_of("0123456789."));
  std::string_view unit = text.substr(digits.size());
  double number = 0;
  bool right = !digits.empty() && parse_number(digits, number);
  double scale = 0;
  if (unit.empty() || unit == "s") scale = 1;
  if (unit == "ms") scale = 1e-3;
  if (unit == "m" || unit == "min") scale = 60;
  if (unit == "h") scale = 3600;
  if (unit == "d") scale = 86400;
  if (unit == "w") scale = 7 * 86400;
  if (!right || scale == 0 || number * scale > 1e9)
    return fail(Fault::usage, str("'", printable(text), "' is not a span such as 90s, 10m, 2h or 3d"));
  return static_cast<Micros>(number * scale * 1e6);
}

Result<Micros> parse_time(std::string_view text, Micros now) {
  Micros point;
  if (parse_point(text, point)) return point;
  Result<Micros> span = parse_span(text);
  if (!span)
    return fail(Fault::usage,
                str("'", printable(text),
                    "' is neither a time such as 2026-11-22T16:03:11Z nor a span such as 10m, 2h or 3d"));
  return now - *span;
}

std::string human_span(Micros span) {
  Micros seconds = span / kSecond;
  if (seconds < 120) return str(seconds < 0 ? 0 : seconds, " s");
  if (seconds < 2 * 3600) return str(seconds / 60, " min");
  if (seconds < 2 * 86400) return str(seconds / 3600, " h");
  return str(seconds / 86400, " d");
}

}  // namespace oob::base

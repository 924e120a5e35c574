#include "auth/hours.h"

#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <filesystem>

namespace oob::auth {

using base::fail;
using base::Fault;
using base::Micros;
using base::Result;
using base::str;

namespace {

constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr int kDayMinutes = 24 * 60;

int day_named(std::string_view name) {
  auto at = std::find(std::begin(kDays), std::end(kDays), name);
  return at == std::end(kDays) ? -1 : static_cast<int>(at - std::begin(kDays));
}

// "08:00"; 24:00 only where `last`.
bool take_time(std::string_view text, bool last, int& minutes) {
  if (text.size() != 5 || text[2] != ':') return false;
  auto two = [&](std::size_t at) {
    bool digits = text[at] >= '0' && text[at] <= '9' && text[at + 1] >= '0' && text[at + 1] <= '9';
    return digits ? (text[at] - '0') * 10 + (text[at + 1] - '0') : 99;
  };
  int hour = two(0), minute = two(3);
  minutes = hour * 60 + minute;
  return minute < 60 && (hour < 24 || (last && minutes == kDayMinutes));
}

// "Mon-Fri", "Sat", "Fri-Mon".
bool take_days(std::string_view text, std::bitset<7>& days) {
  std::size_t dash = text.find('-');
  int first = day_named(text.substr(0, dash));
  int last = dash == std::string_view::npos ? first : day_named(text.substr(dash + 1));
  if (first < 0 || last < 0) return false;
  for (int day = first;; day = (day + 1) % 7) {
    days.set(static_cast<std::size_t>(day));
    if (day == last) return true;
  }
}

}  // namespace

Result<Hours> Hours::parse(std::string_view text) {
  auto wrong = [&](std::string_view what) {
    return fail(Fault::config, str("'", base::printable(text, 100), "' ", what,
                                   "; hours are written as \"Mon-Fri 08:00-18:00\""));
  };
  Hours hours;
  std::string_view span = text;
  if (std::size_t blank = text.find(' '); blank != std::string_view::npos) {
    span = text.substr(blank + 1);
    hours.days_.reset();
    bool right = true;
    base::split(text.substr(0, blank), ',',
                [&](std::string_view days) { right = right && take_days(days, hours.days_); });
    if (!right) return wrong("names days other than Mon, Tue, Wed, Thu, Fri, Sat and Sun");
  }
  std::size_t dash = span.find('-');
  if (dash == std::string_view::npos || !take_time(span.substr(0, dash), false, hours.from_) ||
      !take_time(span.substr(dash + 1), true, hours.to_))
    return wrong("has no times from 00:00 to 24:00");
  if (hours.from_ == hours.to_) return wrong("ends when it begins (a whole day is 00:00-24:00)");
  return hours;
}

bool Hours::has(Micros wall) const {
  time_t seconds = static_cast<time_t>(wall / 1'000'000 - (wall % 1'000'000 < 0));
  tm local{};
  if (!::localtime_r(&seconds, &local)) return false;
  int minute = local.tm_hour * 60 + local.tm_min;
  auto today = static_cast<std::size_t>(local.tm_wday), yesterday = (today + 6) % 7;
  if (from_ < to_) return days_[today] && minute >= from_ && minute < to_;
  return (days_[today] && minute >= from_) || (days_[yesterday] && minute < to_);
}

Timekeeper::Timekeeper(Micros seen, std::function<Micros()> clock) : clock_(std::move(clock)), latest_(seen) {
  ::tzset();  // now, while the files of the time zone can be read
}

Moment Timekeeper::now() {
  Moment moment;
  moment.wall = clock_();
  latest_ = std::max(latest_, moment.wall);
  moment.latest = latest_;
  moment.behind = moment.wall < kEarliest || moment.wall + kSlack < latest_;
  return moment;
}

Micros last_written(const std::string& folder) {
  Micros last = 0;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    struct stat status {};
    if (::stat(entry.path().c_str(), &status) < 0 || !S_ISREG(status.st_mode)) continue;
    last = std::max(last, static_cast<Micros>(status.st_mtim.tv_sec) * 1'000'000);
  }
  return last;
}

}  // namespace oob::auth

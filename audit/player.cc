#include "audit/player.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace oob::audit {

using base::fail;
using base::Fault;
using base::Micros;
using base::printable;
using base::Result;
using base::str;

namespace {

constexpr Micros kSecond = 1'000'000;
constexpr Micros kLongest = 366 * 24 * 3600 * kSecond;
// Who takes output this much later than it was due does not get what was missed in a burst.
constexpr Micros kMostBehind = kSecond;

bool parse_decimal(std::string_view text, double& number) {
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string_view::npos) return false;
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

Result<Micros> parse_place(std::string_view text) {
  auto wrong = [&] {
    return fail(Fault::usage, str("'", printable(text, 60), "' is no place: 83, 1:23 or 1:02:03.5"));
  };
  std::string_view rest = text;
  double whole = 0;
  for (int parts = 0; rest.find(':') != std::string_view::npos; ++parts) {
    std::size_t colon = rest.find(':');
    unsigned part = 0;
    if (parts == 2 || !base::parse_number(rest.substr(0, colon), part) || (parts > 0 && part > 59))
      return wrong();
    whole = (whole + part) * 60;
    rest.remove_prefix(colon + 1);
  }
  double seconds = 0;
  if (!parse_decimal(rest, seconds) || (rest.size() != text.size() && seconds >= 60)) return wrong();
  double total = (whole + seconds) * kSecond;
  if (total > static_cast<double>(kLongest)) return wrong();
  return static_cast<Micros>(std::llround(total));
}

std::string place_text(Micros place) {
  Micros seconds = std::max<Micros>(place, 0) / kSecond;
  auto two = [](Micros number) { return str(number < 10 ? "0" : "", number); };
  if (seconds < 3600) return str(seconds / 60, ":", two(seconds % 60));
  return str(seconds / 3600, ":", two(seconds / 60 % 60), ":", two(seconds % 60));
}

Result<PlayOptions> PlayOptions::parse(const std::string* speed, const std::string* idle,
                                       const std::string* from) {
  PlayOptions options;
  if (speed && (!parse_decimal(*speed, options.speed) || options.speed < 0.01 || options.speed > 1000))
    return fail(Fault::usage, str("--speed ", printable(*speed, 60), ": a number from 0.01 to 1000"));
  if (idle) {
    Result<Micros> span = base::parse_span(*idle);
    if (!span) return base::wrap("--idle", span.error());
    if (*span <= 0) return fail(Fault::usage, "--idle: longer than nothing");
    options.idle = *span;
  }
  if (from) {
    Result<Micros> place = parse_place(*from);
    if (!place) return base::wrap("--from", place.error());
    options.from = *place;
  }
  return options;
}

Player::Player(PlayOptions options, Size recorded, std::optional<Size> shown)
    : options_(options), shown_(shown), skipping_start_(options.from > 0) {
  if (skipping_start_ && shown_) screen_ = std::make_unique<ScreenText>(recorded.columns, recorded.rows);
}

void Player::add(Micros time, char code, std::string bytes) {
  if (skipping_start_ && time <= options_.from) {
    if (!screen_) return;
    if (code == 'r') {
      unsigned columns = 0, rows = 0;
      std::size_t x = bytes.find('x');
      if (x != std::string::npos && base::parse_number(std::string_view(bytes).substr(0, x), columns) &&
          base::parse_number(std::string_view(bytes).substr(x + 1), rows))
        screen_->resize(columns, rows);
    }
    base::Bytes rest = code == 'o' ? base::Bytes(bytes) : base::Bytes();
    while (!rest.empty()) {
      rest.remove_prefix(screen_->feed(rest));
      screen_->take_lines();
    }
    return;
  }
  if (code != 'o') bytes.clear();
  waiting_ += bytes.size() + sizeof(Event);
  events_.push_back({time, code, std::move(bytes)});
}

Micros Player::due(const Event& event) const {
  if (options_.speed == 0 || event.time <= skip_to_) return real_;
  Micros gap = std::max<Micros>(event.time - recorded_, 0);
  if (options_.idle > 0) gap = std::min(gap, options_.idle);
  return real_ + static_cast<Micros>(static_cast<double>(gap) / options_.speed);
}

// Whether `from` is not reached yet; when it is, the picture is due.
bool Player::before_start() { return skipping_start_ && events_.empty() && !ended_; }

std::string Player::take(Micros now, std::size_t most) {
  std::string out;
  if (!begun_) {
    begun_ = true;
    real_ = now;
  }
  if (before_start()) return out;
  if (skipping_start_) {
    skipping_start_ = false;
    if (screen_) out = screen_->picture(shown_->columns, shown_->rows);
    screen_.reset();
    real_ = now;
    recorded_ = options_.from;
  }
  while (!paused_ && !events_.empty() && out.size() < most) {
    Event& event = events_.front();
    Micros when = due(event);
    if (when > now) break;
    std::size_t size = std::min(event.bytes.size(), most - out.size());
    out.append(event.bytes, 0, size);
    if (size < event.bytes.size()) {
      event.bytes.erase(0, size);
      waiting_ -= size;
      break;
    }
    waiting_ -= size + sizeof(Event);
    real_ = std::max(when, now - kMostBehind);
    recorded_ = event.time;
    events_.pop_front();
  }
  // What was skipped to may lie in a silence.
  if (skip_to_ > recorded_ && !events_.empty() && events_.front().time > skip_to_) {
    recorded_ = skip_to_;
    real_ = now;
  }
  return out;
}

std::optional<Micros> Player::due() const {
  if (skipping_start_) return events_.empty() && !ended_ ? std::nullopt : std::optional<Micros>(real_);
  if (paused_ || events_.empty()) return std::nullopt;
  return due(events_.front());
}

void Player::set_speed(double speed, Micros now) {
  if (options_.speed == 0) return;
  Micros at = paused_ ? paused_at_ : now;
  double passed = static_cast<double>(at - real_) * options_.speed;
  options_.speed = std::clamp(speed, kSlowest, kFastest);
  real_ = at - static_cast<Micros>(passed / options_.speed);
}

bool Player::typed(base::Bytes keys, Micros now) {
  for (char key : keys) {
    key_ += key;
    if (key_ == "\x1b" || key_ == "\x1b[" || key_ == "\x1bO") continue;
    bool right = key_ == "\x1b[C" || key_ == "\x1bOC";  // by the cursor keys' mode
    bool plain = key_.size() == 1;
    key_.clear();
    if (plain && (key == 'q' || key == '\x03')) return false;
    if (plain && key == ' ') {
      if (paused_) real_ += now - paused_at_;
      paused_ = !paused_;
      paused_at_ = now;
    } else if (plain && (key == '+' || key == '=')) {
      set_speed(options_.speed * 2, now);
    } else if (plain && key == '-') {
      set_speed(options_.speed / 2, now);
    } else if (right || (plain && key == '.')) {
      Micros at = paused_ ? paused_at_ : now;
      Micros passed =
          static_cast<Micros>(static_cast<double>(std::max<Micros>(at - real_, 0)) * options_.speed);
      Micros next = events_.empty() ? recorded_ : events_.front().time;
      skip_to_ = std::max(skip_to_, std::min(recorded_ + passed, next)) + kSkip;
      if (paused_) real_ += now - paused_at_;
      paused_ = false;
    }
  }
  return true;
}

}  // namespace oob::audit

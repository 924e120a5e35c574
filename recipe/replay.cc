#include "recipe/replay.h"

#include <algorithm>
#include <utility>

#include "recipe/screen.h"
#include "recipe/talk.h"
#include "recipe/visit.h"

namespace oob::recipe {
namespace {

using base::Error;
using base::Fault;
using base::Micros;
using base::milliseconds;
using base::Result;
using base::str;

// A device that says nothing for so long behind a state waits for somebody; behind a line that the recipe
// does not know it must be longer, unless the recording shows that something was typed.
constexpr Micros kWaits = 50'000, kWaitsUnknown = 700'000;
constexpr std::size_t kMostTurns = 20'000;
constexpr milliseconds kOnTheWire{5};

std::string shown(std::string_view text) { return str("'", base::printable(text, 100), "'"); }

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

// A place where the device waited, with what it said since the place before.
struct Stop {
  Micros time = 0;
  const State* state = nullptr;
  std::string line, said;
};

std::vector<Stop> stops_of(const Recipe& recipe, const std::vector<ReplayEvent>& events) {
  bool shows_typed = std::any_of(events.begin(), events.end(), [](const ReplayEvent& e) { return e.typed; });
  Recognition recognition(recipe);
  Screen screen;
  std::vector<Stop> stops;
  std::string said;
  bool stopped_in_line = false;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].typed) continue;
    const std::string& bytes = events[i].bytes;
    screen.feed(bytes);
    said += bytes;
    if (bytes.find('\n') != std::string::npos) stopped_in_line = false;
    bool last = i + 1 == events.size();
    bool answered = !last && events[i + 1].typed;
    Micros pause = last ? kWaitsUnknown : events[i + 1].time - events[i].time;
    const State* before = stops.empty() ? nullptr : stops.back().state;
    const State* state = recognition.at(screen.text(), before ? before->name : "");
    bool waits = state         ? answered || pause >= kWaits
                 : shows_typed ? answered && !is_blank(screen.last_line())
                               : pause >= kWaitsUnknown && !is_blank(screen.last_line());
    if (!last && (!waits || stopped_in_line)) continue;
    if (last && said.empty()) continue;
    stops.push_back({events[i].time, state, std::string(screen.last_line()), std::exchange(said, {})});
    stopped_in_line = true;
  }
  return stops;
}

class Replay {
 public:
  Replay(const Recipe& recipe, const std::vector<ReplayEvent>& events)
      : recipe_(recipe), stops_(stops_of(recipe, events)), talk_(now_) {
    credentials_.user = "user";
    credentials_.secret = base::Secret("secret");
    credentials_.enable = base::Secret("secret");
  }

  ReplayReport run() {
    if (stops_.empty()) {
      report_.fault = ReplayReport::Fault{{}, "the device says nothing in the recording"};
      return std::move(report_);
    }
    Visit visit(talk_, recipe_, credentials_);
    report_.arrived = carry(visit.arrive(stops_[0].said));
    if (report_.arrived) {
      leaving_ = true;
      report_.left = carry(visit.leave());
    }
    for (const std::string& state : visit.path())
      if (report_.states.empty() || report_.states.back() != state) report_.states.push_back(state);
    return std::move(report_);
  }

 private:
  bool carry(base::Task<Result<>> task) {
    std::optional<Result<>> result;
    task.start([&](Result<> done) { result = std::move(done); });
    for (std::size_t turn = 0; !result && turn < kMostTurns; ++turn) {
      if (talk_.wants_to_type()) {
        Talk::Typed typed = talk_.typed();
        talk_.typed_so_far(typed.bytes.size());
        take(typed);
      } else if (!coming_.empty()) {
        now_ += kOnTheWire;
        talk_.pass(now_);
        talk_.hear(std::exchange(coming_, {}));
      } else if (std::optional<Talk::Time> due = talk_.due()) {
        now_ = std::max(now_, *due);
        talk_.pass(now_);
      } else {
        break;
      }
    }
    if (!result) talk_.cut(base::fail(Fault::internal, "it comes to no end"));
    if (result && *result) return true;
    if (!report_.fault)
      report_.fault = ReplayReport::Fault{place(), result ? result->error().what : "it comes to no end"};
    return false;
  }

  const Stop& here() const { return stops_[at_]; }
  static ReplayPlace place_of(const Stop& stop) {
    return {stop.time, base::printable(stop.line, 100), stop.state ? stop.state->name : ""};
  }
  ReplayPlace place() const { return place_of(here()); }

  // The recording is of no more use: it does not show what would come now.
  void part(std::string why) {
    if (!report_.fault) report_.fault = ReplayReport::Fault{place(), std::move(why)};
    talk_.cut(base::fail(Fault::unavailable, report_.fault->why));
  }

  void take(const Talk::Typed& typed) {
    const std::string& text = typed.bytes;
    for (const Recipe::Answer& answer : recipe_.answers)
      if (text == answer.text) return;
    if (text == "\x15" || text == "\x03") return line_.clear();
    const State* state = here().state;
    if (state && state->go && text == *state->go && text.find_first_of("\r\n") == std::string::npos)
      return enter(text, false);  // a key without an Enter
    if (text != "\r" && text != "\n" && text != "\r\n") {
      secret_ = secret_ || typed.secret;
      line_ += text;
      if (!secret_) coming_ += text;  // its echo
      return;
    }
    if (!line_.empty()) return enter(std::exchange(line_, {}), true);
    empty_line();
  }

  // What the recording shows as typed at a stop, as far as it was echoed.
  std::string echo_at(std::size_t stop) const {
    const std::string& next = stops_[stop + 1].said;
    return as_echoed(std::string_view(next).substr(0, next.find('\n')));
  }

  void empty_line() {
    const Stop& stop = here();
    bool ours = stop.state && stop.state->go && is_blank(*stop.state->go);
    bool has_next = at_ + 1 < stops_.size();
    bool theirs = has_next && is_blank(echo_at(at_));
    if (ours) step("");
    if (!stop.state) {
      if (!has_next) return part("the recording ends here, at something that the recipe does not know");
      if (!theirs)
        return part(str("the recipe does not know this, and types a carriage return; the recording has ",
                        shown(echo_at(at_)), " there"));
      report_.unknown.push_back(place());
    }
    if (ours || !stop.state) {
      if (!has_next) return part("the recording ends here");
      return advance(at_ + 1);
    }
    std::size_t line = stop.said.rfind('\n');
    coming_ += "\r\n";
    coming_ += stop.state->screen || line == std::string::npos ? stop.said : stop.said.substr(line + 1);
  }

  void enter(const std::string& line, bool with_enter) {
    bool secret = std::exchange(secret_, false);
    const State* state = here().state;
    const std::string& plan = state && state->go ? *state->go : line;
    // What people are called and their passwords differ; all else is the recipe's own.
    bool theirs = secret || (plan.find("{user}") != std::string::npos && plan.starts_with("{user}") &&
                             line.starts_with(credentials_.user));
    std::size_t found = at_;
    unsigned others = 0;
    bool matched = false;
    for (; found + 1 < stops_.size(); ++found) {
      if (stops_[found].state != state) continue;
      matched = theirs || (!with_enter && found == at_) || echo_at(found).ends_with(line);
      if (matched) break;
      ++others;
    }
    if (!matched && leaving_) {
      found = at_;
      others = 0;
      while (found + 1 < stops_.size() && !(stops_[found + 1].state && stops_[found + 1].state->home))
        ++found;
      matched = found + 1 < stops_.size();
    }
    step(secret ? "{secret}" : line, others);
    if (!matched)
      return part(at_ + 1 < stops_.size()
                      ? str("the recipe types ", shown(line),
                            ", and the recording never has that here; first it has ", shown(echo_at(at_)))
                      : str("the recipe types ", shown(line), ", and the recording ends here"));
    advance(found + 1);
  }

  void step(std::string_view typed, unsigned others = 0) {
    report_.steps.push_back({place(), base::printable(typed, 60), others});
  }

  // What the device said up to that stop, without the echo of what led there, which was given already.
  void advance(std::size_t stop) {
    at_ = stop;
    const std::string& said = here().said;
    std::size_t end = said.find('\n');
    coming_ += "\r\n";
    coming_ += end == std::string::npos ? said : said.substr(end + 1);
  }

  const Recipe& recipe_;
  std::vector<Stop> stops_;
  std::size_t at_ = 0;
  Talk::Time now_{};
  Talk talk_;
  Credentials credentials_;
  ReplayReport report_;
  std::string coming_;  // from the device
  std::string line_;    // typed, without its Enter yet
  bool secret_ = false, leaving_ = false;
};

}  // namespace

ReplayReport replay(const Recipe& recipe, const std::vector<ReplayEvent>& events) {
  return Replay(recipe, events).run();
}

}  // namespace oob::recipe

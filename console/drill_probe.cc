#include "console/drill_probe.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

#include "console/carrier.h"
#include "console/console.h"
#include "console/dialogue.h"
#include "console/inventory.h"

namespace oob::console {

using base::Result;
using base::str;
using Outcome = DrillCheck::Outcome;

namespace {

constexpr std::size_t kMostAnswerShown = 80;  // bytes of a line that nobody knows

base::Micros micros(base::Clock::duration span) {
  return std::chrono::duration_cast<std::chrono::microseconds>(span).count();
}

constexpr std::string_view kMarks = "#$%>";

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return lower;
}

// Whether an empty line does the last command once more here: U-Boot ("=>", "U-Boot#"), the debuggers of
// kernels ("db>", "ddb{0}>", "[0]kdb>"). Some of them look like a shell to a recipe.
bool repeats_its_last(std::string_view line) {
  const std::string lower = in_lower_case(line.substr(0, line.find_last_not_of(" \t") + 1));
  if (lower.empty() || kMarks.find(lower.back()) == std::string_view::npos) return false;
  std::string_view name = lower;
  name.remove_suffix(1);
  while (name.ends_with(' ') || name.ends_with('\t')) name.remove_suffix(1);
  const bool is_named = name.find_first_of("@:") == std::string_view::npos;  // no "root@u-boot-build:~#"
  if (is_named && name.find("u-boot") != std::string_view::npos) return true;
  if (lower.back() != '>') return false;
  if (name.ends_with('=')) return true;
  if (name.starts_with('[')) name.remove_prefix(name.find(']') + 1);
  name = name.substr(0, name.find('{'));
  return name == "db" || name == "ddb" || name == "kdb";
}

// "[core-1]" of H3C and Huawei, and no question: "[Y/n]", "[confirm]".
bool is_bracketed_name(std::string_view line) {
  constexpr std::string_view kAnswers[] = {
      "y",      "n",       "yes",      "no",      "a",     "all",  "q",     "c",     "ok",    "quit",
      "cancel", "confirm", "continue", "default", "enter", "more", "press", "retry", "abort", "ignore"};
  if (!line.starts_with('[') || line.find_first_of(" \t") != std::string_view::npos) return false;
  auto is_letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
  if (!std::any_of(line.begin(), line.end(), is_letter)) return false;
  std::string rest = in_lower_case(line.substr(1, line.size() - 2));
  for (std::size_t end; !rest.empty(); rest.erase(0, end == std::string::npos ? end : end + 1)) {
    end = rest.find_first_of("/|,");
    if (std::find(std::begin(kAnswers), std::end(kAnswers), rest.substr(0, end)) == std::end(kAnswers))
      return true;
  }
  return false;
}

// Whether nothing is typed yet behind the prompt that this line is, as far as can be told without a recipe:
// "fw#", "login:", "[core-1]"; not "fw# echo $" or "Press any key:".
bool is_bare_prompt(std::string_view line) {
  line = line.substr(0, line.find_last_not_of(" \t") + 1);
  std::string_view body = line.substr(0, line.find_last_not_of(kMarks) + 1);
  if (body.find_first_of(kMarks) != std::string_view::npos) return false;
  if (body.size() < line.size()) {
    while (body.ends_with(' ') || body.ends_with('\t')) body.remove_suffix(1);
    // "Press any key for setup, or <F2>"; and a bar on its way ends with "45%".
    if (line.back() == '>' && body.find('<', 1) != std::string_view::npos) return false;
    if (line.back() == '%' && !body.empty() && body.back() >= '0' && body.back() <= '9') return false;
    return true;
  }
  if (line.ends_with(']')) return is_bracketed_name(line);
  const std::string lower = in_lower_case(line);
  return lower.ends_with("login:") || lower.ends_with("password:") || lower.ends_with("username:") ||
         lower == "user:";
}

}  // namespace

std::string drill_seconds(base::Micros took) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(took) / 1e6);
  return text;
}

DrillProbe::DrillProbe(Core& core, auth::Grant grant, std::string user, const Patience& patience, Done done)
    : core_(core),
      grant_(std::move(grant)),
      user_(std::move(user)),
      patience_(patience),
      done_(std::move(done)),
      recall_(core, ConsoleCarrier::kScreen, patience.disk),
      began_(base::Clock::now()),
      heard_(began_),
      typed_(began_),
      quiet_(core.loop),
      limit_(core.loop),
      settle_(core.loop) {
  core_.loop.post(life_.wrap([this] { begin(); }));
}

DrillProbe::~DrillProbe() {
  writer_.reset();
  attachment_.reset();
}

void DrillProbe::begin() {
  Device* device = core_.inventory.find(grant_.device());
  if (!device) return finish(Outcome::skipped, "the device was removed meanwhile");
  Console& console = *device->console;
  if (console.state() != Console::State::up) {
    std::string why = console.why_down().empty() ? "it is being opened" : console.why_down();
    return finish(Outcome::failed, str("the line is down: ", why, "; look after ", console.describe(),
                                       ": its cable, its adapter, the server or BMC behind it"));
  }
  if (!device->model.empty()) {
    Result<std::shared_ptr<const recipe::Recipe>> recipe = recipe_of(core_, *device);
    if (!recipe) return finish(Outcome::failed, recipe.error().what);
    recipe_ = std::move(*recipe);
    recognition_.emplace(*recipe_);
  }
  attachment_ = console.attach(*this, str(user_, " (drill)"));
  recall_.begin(console, [this] { wait_for_quiet(); });
}

// Why nothing is typed at this screen; empty: an empty line does no harm there.
std::string DrillProbe::harm_of_an_enter(const recipe::Screen& screen) const {
  const recipe::State* state = recognition_ ? recognition_->at(screen.text(), "") : nullptr;
  if (state && state->no_enter) return str("it is at '", state->name, "', where an empty line does harm");
  if (repeats_its_last(screen.last_line()))
    return "it is at a boot loader or a debugger, where an empty line does the last command once more";
  if (recognition_ && recognition_->begun(screen.last_line())) return "somebody has left a line half typed";
  bool is_blank = screen.last_line().find_first_not_of(" \t") == std::string_view::npos;
  if (state || is_blank || is_bare_prompt(screen.last_line())) return "";
  return str("perhaps a line is half typed: \"", base::printable(screen.last_line(), kMostAnswerShown), "\"");
}

// A device that talks may be in its boot loader, which a key would stop.
void DrillProbe::wait_for_quiet() {
  Time now = base::Clock::now();
  if (now - heard_ >= patience_.quiet) return type();
  if (now - began_ >= patience_.silence)
    return finish(Outcome::skipped, "it talks all the time, so that nothing was typed");
  quiet_.at(heard_ + patience_.quiet, [this] { wait_for_quiet(); });
}

void DrillProbe::type() {
  Console* console = attachment_->console();
  if (!console) return finish(Outcome::skipped, "the device was removed meanwhile");
  if (!writer_) {
    std::string writer = console->writer();
    // The daemon's own look at a peering is over soon.
    if (console->is_looked_at() && base::Clock::now() - began_ < patience_.silence)
      return quiet_.after(patience_.quiet, [this] { wait_for_quiet(); });
    if (!writer.empty()) return finish(Outcome::skipped, str(writer, " types there"));
    Result<std::string> said = recall_.said(*console);
    if (!said) return finish(Outcome::skipped, str(said.error().what, ": nothing was typed"));
    recipe::Screen before;
    before.feed(*said);
    if (std::string harm = harm_of_an_enter(before); !harm.empty())
      return finish(Outcome::skipped, str(harm, ": nothing was typed"));
    Result<std::unique_ptr<Writer>> writing = attachment_->claim(grant_, Claim::if_free);
    if (!writing) {
      attachment_->leave_queue();
      bool busy = writing.error().fault == base::Fault::busy;
      return finish(busy ? Outcome::skipped : Outcome::failed, writing.error().what);
    }
    writer_ = std::move(*writing);
    console->announce(str(user_, "'s drill types Enter here"), attachment_.get());
  }
  screen_.clear();
  answered_ = false;
  Result<std::size_t> size = writer_->write("\r");
  if (!size) return finish(Outcome::failed, size.error().what);
  if (*size == 0) return finish(Outcome::failed, "the line takes no input");
  typed_ = base::Clock::now();
  ++enters_;
  limit_.after(patience_.answer, [this] { unanswered(); });
}

void DrillProbe::more() {
  core_.loop.post(life_.wrap([this] { hear(); }));
}

void DrillProbe::hear() {
  if (over_ || !attachment_) return;
  bool any = false;
  while (true) {
    Attachment::Piece piece = attachment_->next();
    if (piece.bytes.empty()) break;
    any = true;
    if (enters_ > 0) screen_.feed(piece.bytes);
    attachment_->take(piece.bytes.size());
  }
  if (!any) return;
  heard_ = base::Clock::now();
  if (enters_ == 0) return;
  answered_ = true;
  settle_.after(patience_.settle, [this] { look(); });
}

base::Micros DrillProbe::waited() const { return micros(heard_ - typed_); }

void DrillProbe::look() {
  if (!recognition_) {
    // Empty lines alone are an echo, with nobody behind it.
    if (screen_.text().find_first_not_of(" \t\n") == std::string_view::npos) return;
    return finish(Outcome::passed, str("answers after ", drill_seconds(waited())));
  }
  const recipe::State* state = recognition_->at(screen_.text(), "");
  if (state)
    return finish(Outcome::passed, str(state->name, " prompt after ", drill_seconds(waited()),
                                       state->work && !state->home ? ", logged in" : ""));
}

// A second carriage return: to who has said nothing, or something and no more, where it does no harm. Who
// talks may be a boot loader that the first one has started.
void DrillProbe::unanswered() {
  if (answered_) look();  // perhaps it has not come to rest
  if (over_) return;
  Time rested = heard_ + patience_.quiet;
  if (enters_ < kMostEnters) {
    if (!answered_) return type();
    if (base::Clock::now() < rested) {
      if (rested <= typed_ + patience_.answer + patience_.quiet)
        return limit_.at(rested, [this] { unanswered(); });
    } else if (harm_of_an_enter(screen_).empty()) {
      return type();
    }
  }
  if (!answered_)
    return finish(Outcome::failed, str("no answer within ", drill_seconds(micros(patience_.answer)),
                                       " of an Enter; is the device on, its cable in, and the speed right?"));
  if (!recognition_)
    return finish(Outcome::failed, "empty lines alone come back, as from a terminal with nobody behind it");
  std::string line = base::printable(screen_.last_line(), kMostAnswerShown);
  finish(Outcome::failed, str("answers, but with nothing that model '", recipe_->name, "' knows: \"", line,
                              "\"; attach and look"));
}

void DrillProbe::displaced(const std::string& by) {
  core_.loop.post(life_.wrap([this, by] { finish(Outcome::skipped, str(by, " took the keyboard")); }));
}

void DrillProbe::gone(const std::string& why) {
  core_.loop.post(life_.wrap([this, why] { finish(Outcome::skipped, str("the console is gone: ", why)); }));
}

void DrillProbe::finish(Outcome outcome, std::string text) {
  if (std::exchange(over_, true)) return;
  for (base::Timer* timer : {&quiet_, &limit_, &settle_}) timer->cancel();
  recall_.drop();
  writer_.reset();
  attachment_.reset();
  DrillCheck check{str(grant_.device(), " console"), grant_.device(), outcome, base::printable(text),
                   micros(base::Clock::now() - began_)};
  // Later: whoever hears it takes this away.
  core_.loop.post(life_.wrap([this, check = std::move(check)] { done_(check); }));
}

}  // namespace oob::console

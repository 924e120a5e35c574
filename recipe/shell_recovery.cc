#include <functional>
#include <utility>

#include "recipe/recipe_words.h"
#include "recipe/shell.h"

// Where a shell that does not answer is, and back to where it does.
namespace oob::recipe {

using base::Bytes;
using base::Fault;
using base::milliseconds;
using base::Result;
using base::str;
using base::Task;

namespace {

// After so long without an answer what else comes counts: a noisy line loses three answers in a row hardly
// ever, and a device that works says few lines of its own, with its kernel's messages switched off.
constexpr milliseconds kUnanswered{5000};
constexpr unsigned kFewUnanswered = 3, kFewLines = 3, kManyLines = 12;
// Typed into silence: who has said nothing at all then is slow, or not there.
constexpr unsigned kMostIntoSilence = 5;
constexpr milliseconds kSlowest{60'000};
// While lines come nothing is typed, which may be into a countdown.
constexpr unsigned kJustCame = 2, kMostPauses = 5;
constexpr milliseconds kJust{2000}, kMostJust{10'000};

}  // namespace

base::Error Shell::dense() const {
  return fail(Fault::unavailable, str("the device's shell does not get through: of ", number_, " commands ",
                                      answers_, " were answered undamaged"));
}

void Shell::answered() {
  unanswered_ = 0;
  answered_at_ = talk_.now();
  if (visit_) visit_->answered();
}

// From now on somebody else looks where the device is.
base::Error Shell::lost(std::string_view why) {
  alive_ = false;
  lost_ = true;
  visit_->lost_shell();
  // They would be typed into whatever comes after it. Silence may be a shell that hangs.
  if (visit_->signs().bytes() > 0) {
    visit_->echo_is_off(false);
    talk_.last_words("");
  }
  return fail(Fault::unavailable, str("the shell on the device has ended, as it seems: ", why));
}

// Asked before anything is typed that was not answered. An Error: what is there may be a device that
// restarts.
Result<> Shell::not_gone() {
  if (!visit_ || !started_) return {};
  if (lost_) return lost("nothing has answered since");
  const RestartSigns& signs = visit_->signs();
  if (!signs.sign().empty()) return lost(str("the device restarts and says ", quoted(signs.sign())));
  if (const State* state = visit_->elsewhere()) return lost(str("the device is at '", state->name, "'"));
  const bool few = unanswered_ >= kFewUnanswered && signs.strange_lines(answered_at_) >= kFewLines;
  const bool many = signs.strange_lines({}) >= kManyLines;
  if (mute_ && talk_.now() - answered_at_ >= kUnanswered && (few || many))
    return lost(str("something else comes, like ", quoted(signs.last_strange())));
  return {};
}

// The same, and waits for the right moment.
Task<Result<>> Shell::still_there() {
  for (unsigned pauses = 0; visit_ && started_ && pauses < kMostPauses; ++pauses) {
    if (Result<> there = not_gone(); !there) co_return there;
    const RestartSigns& signs = visit_->signs();
    const Talk::Time now = talk_.now();
    if (signs.bytes() == 0 && unanswered_ >= kMostIntoSilence) {
      std::function<bool()> came = [&signs] { return signs.bytes() > 0; };
      milliseconds slowest = kSlowest;
      Result<bool> something = co_await talk_.until(came, slowest);
      if (!something) co_return something.error();
      if (!*something) co_return lost("nothing comes from it any more");
    } else if (!mute_ || now - answered_at_ < kUnanswered || signs.strange_lines(now - kJust) < kJustCame) {
      break;
    }
    milliseconds just = kJust, most = kMostJust;
    Result<bool> pause = co_await talk_.silence(just, most);
    if (!pause) co_return pause.error();
  }
  ++unanswered_;
  co_return not_gone();
}

// By carriage returns alone. Nothing at all behind them may be a shell of ours, which has no prompt.
Task<Result<>> Shell::find_prompt(milliseconds limit) {
  Result<> prompt = co_await visit_->settle(limit);
  if (prompt || !visit_->is_silent()) co_return prompt;
  talk_.type(str("\r", kEndShell, "\r"));
  Result<> again = co_await visit_->settle(limit);
  co_return again;
}

// Ends whatever half a line or a quote that noise has opened. First an XON: a byte that has become an XOFF
// may have stopped the device.
Task<Result<>> Shell::interrupt_line() {
  Result<> there = co_await still_there();
  if (!there) co_return there.error();
  if (visit_)
    talk_.type("\x11\x03\r");
  else
    talk_.type(enter_);
  milliseconds quiet{120}, limit{1000};
  Result<bool> still = co_await talk_.silence(quiet, limit);
  if (!still) co_return still.error();
  talk_.drop_all();
  co_return Result<>();
}

// --- where we are

// Whether what reads our lines is the shell that we have started: no other has the nonce in N.
Task<Result<Shell::Place>> Shell::probe(unsigned again) {
  talk_.drop_all();
  if (Result<> there = not_gone(); !there) co_return there.error();
  std::string ours = str('<', nonce_, " . >");
  Place place = Place::unknown;
  type_line("echo \"<$N . >\"");
  std::function<bool()> enough = [&] {
    std::vector<std::size_t> places;
    std::string clean = without_messages(talk_.heard(), places);
    if (clean.find(ours) != std::string::npos) place = Place::ours;
    if (clean.find("< . >") != std::string::npos) place = Place::other;
    return place != Place::unknown;
  };
  milliseconds limit = patience(again);
  Result<bool> came = co_await talk_.until(std::move(enough), limit);
  if (!came) co_return came.error();
  talk_.drop_all();
  if (place != Place::unknown) answered();
  co_return place;
}

Task<Result<>> Shell::recover() {
  for (unsigned round = 0; round < 10; ++round) {
    Result<> interrupted = co_await interrupt_line();
    if (!interrupted) co_return interrupted.error();
    if (Result<> there = not_gone(); !there) co_return there.error();
    unsigned number = next_number();
    type_line(str("f ", number));
    const Talk::Time typed = talk_.now();
    milliseconds limit = patience(round);
    Result<Words> words = co_await answer_within(limit);
    if (!words) co_return words.error();
    if (!words->empty() && words->front() == str(number)) {
      learn(std::chrono::duration_cast<milliseconds>(talk_.now() - typed));
      co_return Result<>();
    }
    if (round % 2 == 0) continue;
    Result<Place> place = co_await probe(round);
    if (!place) co_return place.error();
    if (*place == Place::other) {
      alive_ = false;
      co_return fail(Fault::unavailable, "the shell on the device has ended");
    }
    // A line of ours has become the definition of something else.
    if (*place == Place::ours && round >= 3 && !defining_) {
      Result<> again = co_await define();
      co_return again;
    }
  }
  alive_ = false;
  if (visit_) {
    milliseconds limit{8000};
    Result<> settled = co_await visit_->settle(limit);
    if (settled) co_return fail(Fault::unavailable, "the shell on the device has ended");
  }
  co_return dense();
}

}  // namespace oob::recipe

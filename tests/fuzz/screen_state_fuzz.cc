// A screen is the same in one piece and in any others, holds no control and no more than its bound; all
// recipes recognise on it what they recognise, and answers are bounded.
#include <cstdint>
#include <cstdlib>

#include "recipe/book.h"
#include "recipe/visit.h"

namespace {

using namespace oob::recipe;
using oob::base::Bytes;

void demand(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 16384) return 0;
  const std::size_t piece = 1 + data[0] % 50;
  Bytes raw(reinterpret_cast<const char*>(data + 1), size - 1);
  for (Screen::Keep keep : {Screen::Keep::screen, Screen::Keep::all}) {
    Screen whole(keep), pieces(keep);
    whole.feed(raw);
    for (std::size_t at = 0; at < raw.size(); at += piece) pieces.feed(raw.substr(at, piece));
    demand(whole.text() == pieces.text() && whole.last_line() == pieces.last_line());
    demand(keep == Screen::Keep::all || whole.text().size() <= Screen::kBytes);
    demand(whole.last_line().find('\n') == Bytes::npos);
    for (char c : whole.text()) demand(static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t');
  }
  as_echoed(raw);
  Screen screen;
  screen.feed(raw);
  const auto& recipes = shipped_book();
  auto chosen = std::next(recipes.begin(), data[0] % recipes.size());
  Recognition recognition(*chosen->second);
  recognition.at(screen.text(), "login");
  recognition.begun(screen.last_line());
  recognition.refused(screen.text());
  Talk talk(Talk::Time{} + std::chrono::hours(1));
  TerminalAnswers answers(talk, *chosen->second);
  std::size_t typed = 0;
  for (std::size_t at = 0; at < raw.size(); at += piece) answers.hear(raw.substr(at, piece));
  while (talk.wants_to_type()) {
    typed += talk.typed().bytes.size();
    talk.typed_so_far(talk.typed().bytes.size());
  }
  demand(typed <= TerminalAnswers::kMostASecond * 64);
  return 0;
}

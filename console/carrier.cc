#include "console/carrier.h"

#include <algorithm>
#include <utility>

namespace oob::console {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

// --- a console
// ----------------------------------------------------------------------------------------------------

ConsoleCarrier::ConsoleCarrier(Core& core, Terms terms, Stir stir,
                               std::function<void(const std::string&)> remark)
    : core_(core),
      terms_(std::move(terms)),
      stir_(std::move(stir)),
      remark_(std::move(remark)),
      patience_(core.loop) {}

ConsoleCarrier::~ConsoleCarrier() = default;

void ConsoleCarrier::begin(std::function<void(Result<>)> ready) {
  ready_ = std::move(ready);
  core_.loop.post(life_.wrap([this] { claim(); }));
}

void ConsoleCarrier::claim() {
  if (!ready_) return;
  if (!gone_.empty()) return answer(fail(Fault::missing, str(terms_.device, ": ", gone_)));
  if (writer_) return;  // what was said before is being read
  Device* device = core_.inventory.find(terms_.device);
  if (!device) return answer(auth::Policy::no_such_device(terms_.device));
  Console& console = *device->console;
  if (console.state() != Console::State::up) {
    std::string why = console.why_down().empty() ? "not open yet" : base::printable(console.why_down());
    return answer(fail(Fault::unavailable, str(terms_.device, ": line down: ", why)));
  }
  if (!attachment_) attachment_ = console.attach(*this, terms_.name);
  Claim how = terms_.force ? Claim::force : Claim::if_free;
  Result<std::unique_ptr<Writer>> writer = attachment_->claim(terms_.grant, how);
  if (writer) {
    writer_ = std::move(*writer);
    writer_->is_look(terms_.is_look);
    patience_.cancel();
    return recall_.begin(console, [this] { recalled(); });
  }
  base::milliseconds wait = terms_.wait;
  if (console.is_looked_at() && !terms_.is_look) wait = std::max(wait, Console::kLook);
  if (patience_.waiting() && writer.error().fault == Fault::busy) return;
  if (writer.error().fault != Fault::busy) return answer(writer.error());
  if (wait <= wait.zero()) {
    std::string cure = terms_.is_look ? "" : " (--wait S waits for the keyboard)";
    return answer(fail(Fault::busy, writer.error().what + cure));
  }
  std::string span = base::human_span(std::chrono::microseconds(wait).count());
  remark_(str("waiting for the keyboard, ", span, " at most: ", writer.error().what));
  patience_.after(wait, [this, span, busy = writer.error().what] {
    answer(fail(Fault::busy, str(busy, "; waited ", span, " for the keyboard")));
  });
}

void ConsoleCarrier::recalled() {
  if (!console()) return;  // gone() tells
  Result<std::string> said = recall_.said(*console());
  if (said || terms_.force) return answer({});
  answer(fail(said.error().fault, str(said.error().what,
                                      ", and a line may be half typed; cure: attach, clear it (Ctrl-C), and "
                                      "try again")));
}

void ConsoleCarrier::answer(const Result<>& result) {
  auto ready = std::exchange(ready_, nullptr);
  patience_.cancel();
  recall_.drop();
  if (!result) {
    writer_.reset();
    attachment_.reset();
  }
  if (ready) ready(result);
}

void ConsoleCarrier::offered() {
  core_.loop.post(life_.wrap([this] { claim(); }));
}

void ConsoleCarrier::displaced(const std::string& by) {
  displaced_by_ = by;
  terms_.displaced(by);
  stir_();
}

void ConsoleCarrier::gone(const std::string& why) {
  gone_ = why;
  if (ready_) core_.loop.post(life_.wrap([this] { claim(); }));
  stir_();
}

void ConsoleCarrier::announce(const std::string& what) {
  if (Console* on = console()) on->announce(what, attachment_.get());
}

std::string ConsoleCarrier::screen() {
  if (!console()) return {};
  for (Attachment::Piece piece = attachment_->next(); !piece.bytes.empty(); piece = attachment_->next())
    attachment_->take(piece.bytes.size());
  Result<std::string> said = recall_.said(*console());
  return said ? *said : console()->recent(kScreen);
}

Result<Carrier::Piece> ConsoleCarrier::next() {
  if (!displaced_by_.empty())
    return fail(Fault::busy, str(terms_.device, ": ", displaced_by_, " took the keyboard"));
  if (!console()) return fail(Fault::missing, str(terms_.device, ": ", gone_));
  attachment_->take(std::exchange(given_, 0));
  Attachment::Piece piece = attachment_->next();
  given_ = piece.bytes.size();
  bool is_up = console()->state() == Console::State::up;
  if (piece.bytes.empty() && !is_up) {
    std::string why = base::printable(console()->why_down());
    return fail(Fault::unavailable, str(terms_.device, ": line down: ", why));
  }
  return Piece{piece.bytes, piece.skipped};
}

Result<std::size_t> ConsoleCarrier::type(base::Bytes bytes) { return writer_->write(bytes); }

void ConsoleCarrier::last_words(const std::string& text) {
  if (writer_) writer_->last_words(text);
}

// --- a line of its own
// --------------------------------------------------------------------------------------------

LineCarrier::LineCarrier(base::Loop& loop, std::unique_ptr<Line> line, Stir stir)
    : patience_(loop), line_(std::move(line)), stir_(std::move(stir)) {}

LineCarrier::~LineCarrier() { line_->close(); }

void LineCarrier::begin(std::function<void(Result<>)> ready) {
  ready_ = std::move(ready);
  auto answer = [this](const Result<>& opened) {
    auto told = std::exchange(ready_, nullptr);
    if (!told) return;
    patience_.cancel();
    if (!opened) line_->close();
    told(opened);
  };
  patience_.after(kOpening, [this, answer] {
    answer(fail(Fault::unavailable, str(line_->describe(), ": does not answer")));
  });
  line_->open(life_.wrap(answer));
}

Result<Carrier::Piece> LineCarrier::next() {
  constexpr std::size_t kAtOnce = 16 * 1024;
  buffer_.resize(kAtOnce);
  while (line_->next_mark()) {
  }  // what it has to say of itself is nobody's business here
  Result<std::size_t> size = line_->read(buffer_.data(), buffer_.size());
  if (size) return Piece{base::Bytes(buffer_.data(), *size), 0};
  if (size.error().fault != Fault::again)
    return base::wrap(line_->describe(), fail(Fault::unavailable, base::printable(size.error().what)));
  line_->wait_readable([this] { stir_(); });
  return Piece{};
}

Result<std::size_t> LineCarrier::type(base::Bytes bytes) {
  Result<std::size_t> size = line_->write(bytes);
  if (!size && size.error().fault != Fault::again)
    return base::wrap(line_->describe(), fail(Fault::unavailable, base::printable(size.error().what)));
  std::size_t taken = size ? *size : 0;
  if (taken < bytes.size()) line_->wait_writable([this] { stir_(); });
  return taken;
}

}  // namespace oob::console

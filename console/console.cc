#include "console/console.h"

#include <algorithm>
#include <iterator>

namespace oob::console {

using base::Fault;
using base::str;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t kFullRead = 2048;         // a pty gives at most 4095 bytes a read: more are behind it
constexpr std::size_t kMostATurn = 128 * 1024;  // then others have their turn
constexpr milliseconds kTypingLasts{500};       // how long after a keystroke output is read at once
constexpr milliseconds kPatience{200};          // reading pauses so long for a crowded archive
constexpr unsigned kEmptyTicks = 5;
constexpr std::size_t kFast = 50;    // bytes a millisecond: a pty's 4 KiB hold them for the slowest pace
constexpr std::size_t kFlood = 400;  // from here on waiting for bytes costs less than missing them

// A reason without its digits: a countdown is no news.
std::string kind_of(const std::string& reason) {
  std::string kind;
  std::copy_if(reason.begin(), reason.end(), std::back_inserter(kind),
               [](char c) { return c < '0' || c > '9'; });
  return kind;
}

}  // namespace

Console::Console(Surroundings surroundings, std::string device, std::unique_ptr<Line> line)
    : in_(std::move(surroundings)),
      device_(std::move(device)),
      line_(std::move(line)),
      transcript_(in_.archive.open(device_)),
      scrollback_(in_.scrollback),
      retry_(in_.loop),
      words_timer_(in_.loop),
      offer_timer_(in_.loop) {
  transcript_->on_showable([this] { shown(); });
}

Console::~Console() {
  dismiss("the console is closed");
  if (paced_) in_.pace.leave(*this);
  line_->close();
}

void Console::start() { open(); }

void Console::open() {
  retry_.cancel();
  state_ = State::opening;
  line_->open([this](const base::Result<>& result) { opened(result); });
}

void Console::opened(const base::Result<>& result) {
  if (!result) return went_down(result.error());
  state_ = State::up;
  failures_ = 0;
  transcript_->mark("up", line_->describe());
  if (!why_down_.empty() || reopening_) {
    announce(str("line up: ", line_->describe()));
    in_.event("line.up", line_->describe());
  }
  reopening_ = false;
  why_down_.clear();
  told_down_.reset();
  if (!last_words_.empty())
    words_timer_.after(kBeforeWords, [this] {
      if (!say_last_words() && state_ == State::up) wait_for_room();
    });
  wait_for_bytes();
}

void Console::went_down(const base::Error& error) {
  std::string kind = kind_of(error.what);
  bool news = state_ == State::up || !told_down_;
  auto now = base::Clock::now();
  if (!news && kind != *told_down_ && now - reason_changed_at_ >= kReasons) {
    news = true;
    reason_changed_at_ = now;
  }
  state_ = State::down;
  line_->close();
  if (paced_) {
    in_.pace.leave(*this);
    paced_ = false;
  }
  if (news) {
    told_down_ = std::move(kind);
    transcript_->mark("down", error.what);
    announce(str("line down: ", error.what));
    in_.event("line.down", error.what);
  }
  why_down_ = error.what;
  keep_last_words();
  in_.archive.flush();
  tell_room();  // who waits to type learns that it is lost
  // 1, 2, 4 … 30 s, each up to a quarter shorter so that many lines lost together don't come back together.
  unsigned seconds = std::min(30u, 1u << std::min(failures_++, 5u));
  unsigned jitter = static_cast<unsigned>(std::hash<std::string>{}(device_) + failures_) % 250;
  retry_.after(milliseconds(seconds * (1000 - jitter)), [this] { open(); });
  line_->wait_return([this] { open(); });
}

void Console::reopen() {
  line_->close();
  if (state_ == State::up) {
    went_down(base::fail(Fault::unavailable, "closed to be opened again"));
  }
  failures_ = 0;
  reopening_ = true;
  why_down_.clear();
  told_down_.reset();  // whoever ordered it is told how it went
  open();
}

void Console::replace_line(std::unique_ptr<Line> line) {
  line_->close();
  if (paced_) in_.pace.leave(*this);
  paced_ = false;
  line_ = std::move(line);
  last_words_.clear();  // another device, perhaps
  said_ = 0;
  words_timer_.cancel();
  state_ = State::closed;
  failures_ = 0;
  why_down_ = "changed by a reload";
  told_down_.reset();  // if the new line does not open, that is news
  tell_room();         // who waits to type learns that it is lost
  transcript_->mark("down", why_down_);
  announce(str("line down: ", why_down_));
  open();
}

void Console::wait_for_bytes() {
  line_->wait_readable([this] { readable(); });
}

// Between a keystroke and half a second later every byte is read when it comes; otherwise the Pace reads.
void Console::readable() {
  std::size_t size = pull();
  in_.archive.flush();
  if (state_ != State::up) return;
  bool typing = base::Clock::now() - typed_at_ < kTypingLasts;
  bool crowded = crowded_since_ != base::Clock::time_point{};
  if (!crowded && (typing || size >= kFullRead)) {
    wait_for_bytes();
  } else {
    empty_ticks_ = 0;
    paced_ = true;
    line_->rest();
    read_at_ = base::Clock::now();
    in_.pace.join(*this, crowded);
  }
}

Pace::Reader::Next Console::tick() {
  paced_ = false;  // the Pace is walking its list: went_down() must not touch it
  std::size_t size = pull();
  if (state_ != State::up) return Next::leave;
  empty_ticks_ = size == 0 && crowded_since_ == base::Clock::time_point{} ? empty_ticks_ + 1 : 0;
  auto now = base::Clock::now();
  auto elapsed = std::chrono::duration_cast<milliseconds>(now - std::exchange(read_at_, now)).count();
  std::size_t rate = size / static_cast<std::size_t>(std::max<std::int64_t>(elapsed, 1));
  if (rate >= kFlood || empty_ticks_ >= kEmptyTicks) {
    wait_for_bytes();
    return Next::leave;
  }
  paced_ = true;
  return rate >= kFast || size >= kFullRead ? Next::fast : Next::slow;
}

// Reads what is here, up to a bound. The log comes first; people see it once it is in the file.
std::size_t Console::pull() {
  std::size_t total = 0;
  take_marks();
  while (total < kMostATurn) {
    if (in_.archive.crowded() || outruns_the_log()) {
      // The kernel's buffer holds 350 ms of a 115200 line: waiting less than that for the disk loses nothing.
      auto now = base::Clock::now();
      if (crowded_since_ == base::Clock::time_point{}) crowded_since_ = now;
      if (now - crowded_since_ < kPatience) break;
    } else {
      crowded_since_ = {};
    }
    base::Result<std::size_t> size = line_->read(in_.pace.scratch(), Pace::kScratch);
    if (!size) {
      if (size.error().fault != Fault::again) {
        if (total) last_output_ = base::wall_now();
        went_down(size.error());
        return total;
      }
      break;
    }
    base::Bytes bytes(in_.pace.scratch(), *size);
    transcript_->append(bytes);
    scrollback_.append(bytes);
    if (ear_) ear_->heard(bytes, asked_at_, is_looked_at());
    total += *size;
    if (!take_marks() && *size < kFullRead) break;  // a read that ended at a mark was not all there is
  }
  if (total) {
    last_output_ = base::wall_now();
    words_timer_.cancel();
  }
  return total;
}

// Writes down what happened to the line right here, between what was read and what comes.
bool Console::take_marks() {
  bool any = false;
  while (std::optional<LineMark> mark = line_->next_mark()) {
    any = true;
    transcript_->mark(mark->kind, mark->text);
    if (mark->tell) announce(base::printable(mark->text));
  }
  return any;
}

// With people here, what is not in the file yet must still be in memory when it is: else it could not be
// shown.
bool Console::outruns_the_log() const {
  return !attached_.empty() && scrollback_.end() - transcript_->showable() > scrollback_.capacity() / 2;
}

void Console::typed() {
  typed_at_ = base::Clock::now();
  if (!paced_) return;
  in_.pace.leave(*this);
  paced_ = false;
  wait_for_bytes();
}

void Console::shown() {
  for (std::size_t i = 0; i < attached_.size(); ++i) attached_[i]->watcher_.more();
}

void Console::tell_room() {
  for (std::size_t i = 0; i < attached_.size(); ++i)
    if (std::exchange(attached_[i]->wants_room_, false)) attached_[i]->watcher_.writable();
}

void Console::wait_for_room() {
  line_->wait_writable([this] {
    if (!say_last_words() && state_ == State::up) return wait_for_room();
    tell_room();
  });
}

// Whether there is nothing left of them.
bool Console::say_last_words() {
  words_timer_.cancel();
  if (last_words_.empty()) return true;
  base::Result<std::size_t> size = line_->write(base::Bytes(last_words_).substr(said_));
  if (size) said_ += *size;
  if (said_ == last_words_.size()) {
    last_words_.clear();
    said_ = 0;
  }
  if (!size && size.error().fault != Fault::again) went_down(size.error());
  return last_words_.empty();
}

// The line is down: whoever types can't say them, and half of them are none.
void Console::keep_last_words() {
  words_timer_.cancel();
  said_ = 0;
  if (writer_ && !writer_->last_words_.empty()) last_words_ = std::exchange(writer_->last_words_, "");
}

void Console::announce(const std::string& what, const Attachment* except) {
  for (std::size_t i = 0; i < attached_.size(); ++i)
    if (attached_[i] != except) attached_[i]->watcher_.told(what);
}

std::string Console::writer() const { return writer_ ? writer_->attachment_.name() : ""; }

std::vector<std::string> Console::watchers() const {
  std::vector<std::string> names;
  for (const Attachment* attachment : attached_) names.push_back(attachment->name());
  return names;
}

std::string Console::recent(std::size_t most) const {
  Offset showable = transcript_->showable();
  std::string bytes = scrollback_.tail(most + static_cast<std::size_t>(scrollback_.end() - showable));
  std::size_t unshown = static_cast<std::size_t>(scrollback_.end() - showable);
  bytes.resize(bytes.size() - std::min(bytes.size(), unshown));
  return bytes;
}

std::optional<std::uint64_t> Console::oldest_in_files() const {
  std::optional<std::uint64_t> origin = transcript_->origin();
  if (origin) *origin += scrollback_.begin();
  return origin;
}

void Console::fit_scrollback() {
  scrollback_.set_capacity(attached_.empty() ? in_.scrollback : std::max(in_.scrollback, kScrollbackWatched));
}

std::unique_ptr<Attachment> Console::attach(Watcher& watcher, std::string name) {
  std::unique_ptr<Attachment> attachment(new Attachment(*this, watcher, std::move(name)));
  attached_.push_back(attachment.get());
  fit_scrollback();
  return attachment;
}

void Console::detach(Attachment& attachment) {
  std::erase(attached_, &attachment);
  std::erase(queue_, &attachment);
  if (offered_to_ == &attachment) {
    withdraw_offer();
    offer_next();
  }
  if (attached_.empty()) fit_scrollback();
  if (!attachment.has_seen_to_it_ || left_open_.empty()) return;
  left_open_.clear();
  if (auto seen_to = std::exchange(seen_to_, nullptr)) seen_to();
}

void Console::left_open(std::string why, std::function<void()> seen_to) {
  // What was typed before says nothing of it.
  if (left_open_.empty())
    for (Attachment* attachment : attached_) attachment->has_seen_to_it_ = false;
  left_open_ = std::move(why);
  seen_to_ = std::move(seen_to);
}

void Console::dismiss(const std::string& why) {
  withdraw_offer();
  queue_.clear();
  if (writer_) writer_->console_ = nullptr;
  writer_ = nullptr;
  for (Writer* writer : joined_) writer->console_ = nullptr;
  joined_.clear();
  std::vector<Attachment*> all;
  all.swap(attached_);
  for (Attachment* attachment : all) attachment->console_ = nullptr;
  for (Attachment* attachment : all) attachment->watcher_.gone(why);
  fit_scrollback();
}

// --- the keyboard
// -------------------------------------------------------------------------------------------------

base::Result<std::unique_ptr<Writer>> Console::claim(Attachment& attachment, Claim how) {
  if (how == Claim::join && writer_) {
    std::unique_ptr<Writer> writer(new Writer(*this, attachment, true));
    joined_.push_back(writer.get());
    announce(str(attachment.name(), " joined ", writer_->attachment_.name(), " at the keyboard"),
             &attachment);
    return writer;
  }
  if (how != Claim::force && (writer_ || (offered_to_ && offered_to_ != &attachment))) {
    std::string holder = writer_ ? str(writer_->attachment_.name(), " is typing")
                                 : str("the keyboard is kept for ", offered_to_->name());
    if (std::find(queue_.begin(), queue_.end(), &attachment) == queue_.end()) queue_.push_back(&attachment);
    return base::fail(Fault::busy, str(device_, ": ", holder));
  }
  std::vector<Writer*> losers = std::move(joined_);
  joined_.clear();
  if (writer_) losers.push_back(writer_);
  writer_ = nullptr;
  for (Writer* loser : losers) {
    if (state_ == State::up && last_words_.size() < Writer::kMostLastWords)
      last_words_ += std::exchange(loser->last_words_, "");
    loser->console_ = nullptr;
    if (&loser->attachment_ != &attachment) loser->attachment_.watcher_.displaced(attachment.name());
  }
  std::erase(queue_, &attachment);
  if (offered_to_ && offered_to_ != &attachment) queue_.push_front(offered_to_);
  withdraw_offer();
  std::unique_ptr<Writer> writer(new Writer(*this, attachment, false));
  writer_ = writer.get();
  announce(str(attachment.name(), how == Claim::force ? " forced the keyboard" : " took the keyboard"),
           &attachment);
  if (!say_last_words() && state_ == State::up) wait_for_room();
  return writer;
}

void Console::release(Writer& writer) {
  if (writer.joined_) {
    std::erase(joined_, &writer);
    announce(str(writer.attachment_.name(), " left the keyboard"), &writer.attachment_);
    return;
  }
  writer_ = nullptr;
  announce(str(writer.attachment_.name(), " left the keyboard"), &writer.attachment_);
  if (joined_.empty()) return offer_next();
  writer_ = joined_.front();
  joined_.erase(joined_.begin());
  writer_->joined_ = false;
  announce(str(writer_->attachment_.name(), " has the keyboard now"));
}

void Console::offer_next() {
  if (writer_ || offered_to_ || queue_.empty()) return;
  offered_to_ = queue_.front();
  queue_.pop_front();
  Attachment* to = offered_to_;
  offer_timer_.after(kOffer, [this] {
    std::exchange(offered_to_, nullptr)->watcher_.told("the keyboard is kept for you no more");
    if (queue_.empty()) announce("the keyboard is free");
    offer_next();
  });
  to->watcher_.offered();
}

bool Console::is_looked_at() const { return writer_ && writer_->is_look_; }

void Console::withdraw_offer() {
  offered_to_ = nullptr;
  offer_timer_.cancel();
}

// --- attachments
// --------------------------------------------------------------------------------------------------

Attachment::Attachment(Console& console, Watcher& watcher, std::string name)
    : console_(&console),
      watcher_(watcher),
      name_(std::move(name)),
      position_(std::max(console.transcript_->showable(), console.scrollback_.begin())) {}

Attachment::~Attachment() {
  if (console_) console_->detach(*this);
}

Attachment::Piece Attachment::next() {
  Piece piece;
  if (!console_) return piece;
  if (position_ < console_->scrollback_.begin()) {
    piece.skipped = console_->scrollback_.begin() - position_;
    position_ = console_->scrollback_.begin();
  }
  Offset showable = console_->transcript_->showable();
  if (position_ >= showable) return piece;
  piece.bytes = console_->scrollback_.at(position_).substr(0, static_cast<std::size_t>(showable - position_));
  return piece;
}

std::uint64_t Attachment::waiting() const {
  if (!console_) return 0;
  Offset showable = console_->transcript_->showable();
  return showable > position_ ? showable - position_ : 0;
}

base::Result<std::unique_ptr<Writer>> Attachment::claim(const auth::Grant& grant, Claim how) {
  if (!console_) return base::fail(Fault::unavailable, "the console is gone");
  if (grant.device() != console_->device())
    return base::fail(Fault::internal, str("a grant for ", grant.device(), " shown to ", console_->device()));
  using auth::Action;
  bool right = grant.action() == Action::write || grant.action() == Action::snapshot ||
               (how == Claim::force && grant.action() == Action::admin);
  if (!right)
    return base::fail(Fault::internal,
                      str("a grant to ", auth::name_of(grant.action()), " shown to take the keyboard"));
  return console_->claim(*this, how);
}

void Attachment::leave_queue() {
  if (!console_) return;
  std::erase(console_->queue_, this);
  if (console_->offered_to_ == this) {
    console_->withdraw_offer();
    console_->offer_next();
  }
}

// --- writers
// ------------------------------------------------------------------------------------------------------

Writer::Writer(Console& console, Attachment& attachment, bool joined)
    : console_(&console), attachment_(attachment), joined_(joined) {}

Writer::~Writer() {
  if (console_) console_->release(*this);
}

base::Result<std::size_t> Writer::write(base::Bytes bytes) {
  if (!console_) return base::fail(Fault::busy, "the keyboard is somebody else's");
  if (console_->state_ != Console::State::up)
    return base::fail(Fault::unavailable, str(console_->device_, ": line down: ", console_->why_down_));
  console_->typed();
  if (!is_look_) console_->asked_at_ = console_->typed_at_;
  if (!console_->say_last_words()) {
    if (console_->state_ != Console::State::up)
      return base::fail(Fault::unavailable, str(console_->device_, ": line down: ", console_->why_down_));
    attachment_.wants_room_ = true;
    console_->wait_for_room();
    return 0;
  }
  base::Result<std::size_t> size = console_->line_->write(bytes);
  if (!size && size.error().fault != Fault::again) {
    base::Error error = size.error();
    console_->went_down(error);
    return base::fail(Fault::unavailable, str(console_->device_, ": line down: ", error.what));
  }
  std::size_t taken = size ? *size : 0;
  if (taken > 0 && attachment_.watcher_.is_person()) attachment_.has_seen_to_it_ = true;
  if (taken < bytes.size()) {
    attachment_.wants_room_ = true;
    console_->wait_for_room();
  }
  return taken;
}

base::Result<> Writer::send_break(unsigned milliseconds) {
  if (!console_) return base::fail(Fault::busy, "the keyboard is somebody else's");
  if (console_->state_ != Console::State::up)
    return base::fail(Fault::unavailable, str(console_->device_, ": line down: ", console_->why_down_));
  console_->typed();
  base::Result<> sent = console_->line_->send_break(milliseconds);
  if (sent) console_->transcript_->mark("break", attachment_.name());
  return sent;
}

}  // namespace oob::console

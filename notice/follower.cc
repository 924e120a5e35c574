#include "notice/follower.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <random>

#include "auth/signed_note.h"
#include "base/life.h"
#include "base/log.h"
#include "notice/rate.h"
#include "notice/reading.h"

namespace oob::notice {

using auth::Entry;
using base::Clock;
using base::milliseconds;
using base::printable;
using base::Result;
using base::str;

struct Follower::State {
  State(base::Loop& l, base::Blocking& b, auth::Journal& j, std::string folder, std::string n,
        std::string host, Deliver d, Limits m, std::shared_ptr<Position> before)
      : blocking(b),
        journal(j),
        state(std::move(folder)),
        name(std::move(n)),
        board(std::move(host)),
        deliver(std::move(d)),
        limits(m),
        position(std::make_shared<Position>(state, name, std::move(before))),
        again(l),
        rate_timer(l),
        read_again(l),
        position_timer(l) {}

  ~State() {
    // A write under way is at most so old as what would be written now.
    if (!place || saving || *place == saved) return;
    if (Result<> written = position->write(*place); !written) say(written.error().what);
  }

  void say(const std::string& text) const { base::log(str("notify ", name, ": ", printable(text))); }

  void note(const char* event, const std::string& text) {
    say(text);
    journal.note(Entry(event).with("notify", name).with("text", printable(text)));
  }

  std::string origin() const {
    Result<auth::NoteKey> key = auth::NoteKey::parse(journal.vkey());
    return key ? key->name() : std::string();
  }

  // --- settings

  void adopt(const Settings& wanted) {
    bool is_first = !settings;
    refusals = 0;
    if (settings == wanted) return try_now();
    bool same_rate = settings && settings->most == wanted.most;
    settings = wanted;
    if (!same_rate) rate.emplace(wanted.most, Clock::now());
    reading = std::make_shared<Reading>(state, board, wanted.choice);
    if (is_first) return begin();
    // What was read was read for another choice.
    ++turn;
    flights.renew();
    flight.reset();
    waiting.clear();
    bytes = 0;
    older = {};
    urgent_waits = false;
    tries = 0;
    journal_told = unread_told = false;
    if (place) next = *place;
    tell_of_journal();
    try_now();
    read_more();
  }

  void begin() {
    growth = journal.on_growth([this] {
      tell_of_journal();
      read_more();
    });
    Place end{origin(), journal.written()};
    auto found = std::make_shared<Result<std::optional<Place>>>(std::optional<Place>());
    blocking.run([found, file = position] { *found = file->read(); },
                 life.wrap([this, found, end] { begin_at(*found, end); }));
  }

  void begin_at(const Result<std::optional<Place>>& found, const Place& end) {
    if (found && *found) {
      place = saved = **found;
    } else if (!found) {
      note("notify.failed", str(found.error().what, ": all that is in the journal counts as not told"));
      place = Place{end.origin, 0};
    } else {
      place = end;
      // A crash must not make it begin at a later end.
      if (!end.origin.empty()) save();
    }
    next = *place;
    tell_of_journal();
    read_more();
  }

  std::string journal_trouble() const {
    constexpr std::string_view kWhose = "journal: ";
    const std::string text = journal.trouble();
    std::string_view why = text;
    if (why.starts_with(kWhose)) why.remove_prefix(kWhose.size());
    return why.empty() ? "" : str("the journal can't be written: ", printable(why));
  }

  // While it can't be written nothing that happens comes out of it, not even that: told once, from memory.
  void tell_of_journal() {
    const std::string why = journal_trouble();
    if (place && !std::exchange(journal_told, !why.empty()) && !why.empty()) tell_from_memory(why);
  }

  void tell_from_memory(const std::string& why) {
    Waiting one{{journal_notice(board, base::wall_now(), why), next}, next_number++};
    bytes += one.found.notice.json.size();
    waiting.push_back(std::move(one));
    go();
  }

  struct Waiting {
    Reading::Found found;
    std::uint64_t number;  // in the order of the journal
  };
  struct Older {
    Many many;
    Place after;
    std::uint64_t first = 0, last = 0;  // numbers of its events
  };

  // --- reading

  void read_more() {
    if (!place || busy_reading || read_again.waiting()) return;
    std::string current = origin();
    if (current.empty()) return;  // a journal that is opened later
    std::uint64_t end = journal.written();
    if (next.origin.empty()) {
      place = next = Place{current, end};
      save();
    }
    if (next.origin == current && next.n >= end) return;
    busy_reading = true;
    auto piece = std::make_shared<Result<Reading::Piece>>(Reading::Piece());
    const bool beyond = !read_trouble.empty() && Clock::now() - unread_since >= limits.unread;
    blocking.run([reading = reading, piece, from = next, current, end,
                  beyond] { *piece = reading->read(from, current, end, beyond); },
                 life.wrap([this, piece, beyond, then = turn] {
                   busy_reading = false;
                   if (then == turn) return took(std::move(*piece), beyond);
                   read_more();
                 }));
  }

  // `beyond`: it was to go on behind what can't be read.
  void took(Result<Reading::Piece> piece, bool beyond) {
    if (!piece) {
      if (read_trouble.empty()) unread_since = Clock::now();
      read_trouble = printable(piece.error().what);
      if (beyond && !std::exchange(unread_told, true)) {
        note("notify.failed", read_trouble);
        tell_from_memory(str("the journal can't be read: ", read_trouble));
      }
      return read_again.after(limits.read_again, [this] { read_more(); });
    }
    read_trouble.clear();
    unread_told = false;
    if (!piece->lost.empty()) note("notify.failed", piece->lost);
    bool is_new = piece->next != next;
    next = piece->next;
    for (Reading::Found& found : piece->found) {
      bytes += found.notice.json.size();
      waiting.push_back({std::move(found), next_number++});
    }
    if (waiting.size() > limits.most_waiting || bytes > limits.most_bytes) fold(limits.newest);
    settle();
    go();
    if (is_new) read_more();  // what is written and not to be seen yet tells by its growth
  }

  // Of what waits only the newest `stay` are told one by one.
  void fold(std::size_t stay) {
    while (waiting.size() > stay) {
      Waiting oldest = take(0);
      older.first = older.many.count == 0 ? oldest.number : std::min(older.first, oldest.number);
      older.many.add(oldest.found.notice);
      // One that was to go before these may come after them.
      if (oldest.number < older.last) continue;
      older.after = oldest.found.after;
      older.last = oldest.number;
    }
  }

  Waiting take(std::size_t at) {
    Waiting taken = std::move(waiting[at]);
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
    bytes -= taken.found.notice.json.size();
    return taken;
  }

  // The first of what waits that is urgent; the size where none is.
  std::size_t first_urgent() const {
    auto at = std::find_if(waiting.begin(), waiting.end(),
                           [](const Waiting& each) { return is_urgent(each.found.notice.event); });
    return static_cast<std::size_t>(at - waiting.begin());
  }

  // Where to go on after a crash: before the oldest that was not told.
  void settle() {
    if (!flight && older.many.count == 0 && waiting.empty()) place = next;
    if (*place != saved && !position_timer.waiting())
      position_timer.after(limits.position_every, [this] { save(); });
  }

  // --- telling

  struct Flight {
    Notice notice;
    Place after;
    std::uint64_t last;  // number of its last event
    std::optional<Waiting> one;
    std::optional<Older> several;
  };

  void go() {
    if (flight || again.waiting() || (older.many.count == 0 && waiting.empty())) return;
    Clock::time_point now = Clock::now();
    std::uint32_t left = rate->left(now);
    std::size_t urgent = first_urgent();
    bool any_urgent = urgent < waiting.size() || !older.many.urgent.empty();
    if (left == 0 || (left <= rate->reserve() && !any_urgent)) {
      held_back = true;
      urgent_waits = any_urgent;
      return rate_timer.at(rate->next(now), [this] { go(); });
    }
    rate_timer.cancel();
    if (left <= rate->reserve() && !urgent_waits && older.many.urgent.empty()) {
      held_back = held_back || waiting.size() > 1;
      return send(take(urgent));
    }
    // What came while none could be sent is told together; and as many of the newest one by one as can be
    // sent.
    bool waited = std::exchange(held_back, false);
    if ((std::exchange(urgent_waits, false) || waited) && waiting.size() > 1) fold(0);
    if (older.many.count > 0) fold(left > rate->reserve() ? left - rate->reserve() - 1 : 0);
    if (older.many.count == 0) return send(take(0));
    flight = Flight{older.many.notice(board), older.after, older.last, std::nullopt, std::move(older)};
    older = {};
    deliver_it();
  }

  void send(Waiting one) {
    flight = Flight{one.found.notice, one.found.after, one.number, std::move(one), std::nullopt};
    deliver_it();
  }

  void deliver_it() {
    deliver(flight->notice, flights.wrap([this](Outcome outcome) { ended(std::move(outcome)); }));
  }

  void ended(Outcome outcome) {
    if (outcome.kind == Outcome::Kind::delivered) {
      ++sent;
      last = base::wall_now();
      rate->take(Clock::now());
      if (std::exchange(told, false)) note("notify.recovered", "notices are delivered again");
      return over();
    }
    ++failed;
    ++tries;
    trouble = printable(outcome.text);
    refused = outcome.kind == Outcome::Kind::refused;
    if (refused && ++refusals >= limits.refused_after) {
      note("notify.failed", str(flight->notice.event, " of ", base::rfc3339(flight->notice.wall),
                                " was refused ", refusals, " times and is told to nobody: ", trouble));
      return over();
    }
    if (tries == limits.told_after && !std::exchange(told, true)) note("notify.failed", trouble);
    put_back();
    milliseconds pause = refused ? limits.again_most : wait;
    std::uniform_int_distribution<long> jitter(0, pause.count() / 2);
    again.after(pause + milliseconds(jitter(random)), [this] { go(); });
    wait = std::min(wait * 2, limits.again_most);
  }

  // One was told, or never will be.
  void over() {
    // What went before others leaves the place before these.
    bool in_order = (waiting.empty() || waiting.front().number > flight->last) &&
                    (older.many.count == 0 || older.first > flight->last);
    if (in_order && !flight->after.origin.empty()) place = flight->after;
    flight.reset();
    tries = refusals = 0;
    wait = limits.again_least;
    if (!told) trouble.clear();
    settle();
    save();
    go();
  }

  void put_back() {
    Flight back = std::move(*flight);
    flight.reset();
    if (back.one && (older.many.count == 0 || is_urgent(back.one->found.notice.event))) {
      bytes += back.one->found.notice.json.size();
      auto behind = std::find_if(waiting.begin(), waiting.end(),
                                 [&](const Waiting& each) { return each.number > back.one->number; });
      waiting.insert(behind, std::move(*back.one));
      return;
    }
    // More may have been gathered behind it meanwhile.
    Older first;
    if (back.several) {
      first = std::move(*back.several);
    } else {
      first.many.add(back.one->found.notice);
      first.after = back.one->found.after;
      first.first = first.last = back.one->number;
    }
    if (older.many.count > 0) {
      first.many.add(older.many);
      first.after = older.after;
      first.last = older.last;
    }
    older = std::move(first);
  }

  // A refusal is no matter of the way: an uplink that comes and goes must not use its tries up.
  void hurry() {
    if (!again.waiting() || !refused) try_now();
  }

  void try_now() {
    wait = limits.again_least;
    again.cancel();
    go();
  }

  // --- the position

  void save() {
    position_timer.cancel();
    if (saving) return;
    saving = true;
    auto outcome = std::make_shared<Result<>>();
    blocking.run([outcome, file = position, now = *place] { *outcome = file->write(now); },
                 life.wrap([this, outcome, now = *place] {
                   saving = false;
                   save_trouble = *outcome ? std::string() : outcome->error().what;
                   if (!*outcome) return position_timer.after(limits.read_again, [this] { save(); });
                   saved = now;
                   if (*place != saved) save();
                 }));
  }

  base::Blocking& blocking;
  auth::Journal& journal;
  const std::string state, name, board;
  const Deliver deliver;
  const Limits limits;
  const std::shared_ptr<Position> position;
  std::optional<Settings> settings;
  std::optional<Rate> rate;

  std::optional<Place> place;        // all before it was told; empty until the file was read
  Place saved;                       // what the file says
  Place next;                        // where reading goes on
  std::shared_ptr<Reading> reading;  // a read under way may outlive this
  std::uint64_t turn = 0;            // what was read for earlier settings is not for these
  bool busy_reading = false, saving = false;
  bool journal_told = false;  // that it can't be written
  bool unread_told = false;   // that it can't be read, for long
  Clock::time_point unread_since{};

  Older older;                  // told together, before those that wait
  std::deque<Waiting> waiting;  // in order
  std::uint64_t next_number = 1;
  std::size_t bytes = 0;  // of their notices
  std::optional<Flight> flight;
  bool held_back = false;     // by the rate
  bool urgent_waits = false;  // what is urgent as well: there is no reserve left

  unsigned tries = 0, refusals = 0;  // of the one that is first
  bool refused = false;              // by its last try
  bool told = false;                 // the journal knows that it fails
  milliseconds wait = limits.again_least;
  std::mt19937 random{std::random_device{}()};
  std::uint64_t sent = 0, failed = 0;
  base::Micros last = 0;
  std::string trouble, read_trouble, save_trouble;

  base::Timer again, rate_timer, read_again, position_timer;
  auth::Journal::Handle growth;
  base::Life life;
  base::Life flights;
};

Follower::Follower(base::Loop& loop, base::Blocking& blocking, auth::Journal& journal,
                   const std::string& state, std::string name, std::string board, Deliver deliver,
                   Limits limits, std::shared_ptr<Position> before)
    : state_(std::make_unique<State>(loop, blocking, journal, state, std::move(name), std::move(board),
                                     std::move(deliver), limits, std::move(before))) {}
Follower::~Follower() = default;

void Follower::adopt(const Settings& settings) { state_->adopt(settings); }
void Follower::hurry() { state_->hurry(); }
std::shared_ptr<Position> Follower::forget() {
  state_->position->forget();
  return state_->position;
}

Figures Follower::figures() const {
  Figures figures;
  figures.name = state_->name;
  figures.sent = state_->sent;
  figures.failed = state_->failed;
  figures.waiting = state_->older.many.count + state_->waiting.size();
  if (state_->flight) figures.waiting += state_->flight->several ? state_->flight->several->many.count : 1;
  figures.last = state_->last;
  for (const std::string& trouble :
       {state_->trouble, state_->journal_trouble(), state_->read_trouble, state_->save_trouble})
    if (figures.trouble.empty()) figures.trouble = trouble;
  return figures;
}

}  // namespace oob::notice

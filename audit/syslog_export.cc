#include "audit/syslog_export.h"

#include <algorithm>
#include <deque>
#include <random>
#include <set>

#include "audit/syslog_message.h"
#include "audit/syslog_spool.h"
#include "auth/signed_note.h"
#include "base/life.h"
#include "base/log.h"
#include "base/time.h"

namespace oob::audit {

using auth::Entry;
using base::Clock;
using base::Error;
using base::milliseconds;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostReasons = 16;  // told since it last worked

// What has been sent: confirmed once `end` bytes of the connection have arrived.
struct Sent {
  std::uint64_t end = 0;
  SyslogPlace after;
  base::Micros wall = 0;
  std::optional<std::uint64_t> checkpoint;  // its size; then nothing else counts
};

}  // namespace

struct SyslogExport::State {
  State(base::Loop& l, base::Blocking& b, auth::Journal& j, const std::string& folder, std::string host,
        Limits m)
      : loop(l),
        blocking(b),
        journal(j),
        state(folder),
        hostname(syslog_hostname(host)),
        limits(m),
        spool(std::make_shared<SyslogSpool>(folder, hostname)),
        again(l),
        better(l),
        read_again(l),
        checkpoint_timer(l),
        position_timer(l) {
    Result<std::optional<SyslogPlace>> found = read_position(state);
    if (!found) base::log(str("syslog: ", found.error().what, ": sending all from the beginning"));
    if (found && *found) position = **found;
    if (position.origin.empty()) position = {origin(), 0};
    next = saved = position;
    growth = journal.on_growth([this] { grown(); });
  }

  ~State() {
    // A write under way is at most so old as what would be written now.
    if (!saving && position != saved) write_down();
  }

  void write_down() {
    if (Result<> written = write_position(state, position); !written)
      base::log(str("syslog: ", written.error().what));
  }

  std::string origin() const {
    Result<auth::NoteKey> key = auth::NoteKey::parse(journal.vkey());
    return key ? key->name() : std::string();
  }

  // --- settings and connections

  void adopt(const std::optional<SyslogSettings>& wanted) {
    if (!wanted) {
      settings.reset();
      loads.renew();
      trust.reset();
      drop();
      again.cancel();
      trouble.clear();
      reasons.clear();
      return;
    }
    if (settings != wanted) {  // what comes from now on is not for the old one
      settings = *wanted;
      trust.reset();
      drop();
      again.cancel();
      wait = limits.again_least;
    }
    load();
  }

  // The files may lie on a card that blocks for seconds.
  void load() {
    loads.renew();
    auto loaded = std::make_shared<std::optional<Result<SyslogTrust>>>();
    blocking.run([loaded, wanted = *settings] { *loaded = SyslogTrust::load(wanted); },
                 loads.wrap([this, loaded] { has_loaded(std::move(**loaded)); }));
  }

  void has_loaded(Result<SyslogTrust> loaded) {
    if (loaded && trust && loaded->digest() == trust->digest()) return;
    trust.reset();
    drop();
    if (!loaded) return failed(loaded.error());
    trust = std::move(*loaded);
    connect();
  }

  void drop() {
    link.reset();
    trial.reset();
    better.cancel();
    ++turn;
    ready.reset();
    flight.clear();
    checkpoint_timer.cancel();
    next = position;
    read_more();
  }

  // By all ways from the best on.
  void connect() {
    again.cancel();
    if (!settings) return;
    if (!trust) return load();  // the files may be better by now
    tried.clear();
    whys.clear();
    dial();
  }

  std::vector<std::string> ways_now() const {
    return ways.to ? ways.to(settings->server) : std::vector<std::string>{""};
  }

  // By the best way that was not tried yet; false: there is none.
  bool dial() {
    std::vector<std::string> left = ways_now();
    std::erase_if(left, [this](const std::string& way) { return tried.count(way) > 0; });
    if (left.empty()) return false;
    interface = left.front();
    tried.insert(interface);
    SyslogLink::Calls calls;
    calls.up = [this] { up(); };
    calls.delivered = [this](std::uint64_t bytes) { delivered(bytes); };
    calls.room = [this] { fill(); };
    calls.down = [this](Error error) { failed(std::move(error)); };
    link = make_link(interface, left.size() > 1, std::move(calls));
    return true;
  }

  // `others`: a connect that goes unanswered is not all there is.
  std::unique_ptr<SyslogLink> make_link(const std::string& way, bool others, SyslogLink::Calls calls) {
    SyslogLink::Limits terms = limits.link;
    if (others) terms.connect = std::min(terms.connect, limits.way);
    return std::make_unique<SyslogLink>(loop, *trust, terms, std::move(calls), way);
  }

  void ways_changed() {
    if (!settings || (!link && !again.waiting())) return;  // about to connect, or told not to
    bool dialling = link && !link->is_up();
    std::vector<std::string> now = ways_now();
    auto has = [&now](const std::string& way) { return std::find(now.begin(), now.end(), way) != now.end(); };
    // What has gone is another one when it comes back; but in one round each is tried once, so that what
    // comes and goes does not keep it from the others.
    if (!dialling) std::erase_if(tried, [&](const std::string& way) { return !has(way); });
    auto best = std::find_if(now.begin(), now.end(), [this](const std::string& way) {
      return (link && way == interface) || tried.count(way) == 0;
    });
    if (!link && best == now.end()) return;
    bool stays = link && has(interface) && *best == interface;
    // One by the routing table moves too: that may lead by the network whose loss is to be told.
    if (!stays && link && link->is_up())
      stays = has(interface) && !interface.empty() && ways.leads_out(interface);
    if (stays) return look_for_better();
    base::log("syslog: connecting anew: there is another way");
    if (has(interface)) tried.erase(interface);  // it was not tried to its end
    drop();
    wait = limits.again_least;
    if (!dialling) return connect();
    if (!dial()) failed(base::fail(base::Fault::unavailable, str(settings->server, ": its way is gone")));
  }

  // What led nowhere may have been a collector that was just started: where each byte costs, or by the
  // routing table, nothing stays for ever.
  void look_for_better() {
    if (!link || !link->is_up() || better.waiting() || trial || ways_now().front() == interface) return;
    better.after(limits.better, [this] {
      std::vector<std::string> before = ways_now();
      before.erase(std::find(before.begin(), before.end(), interface), before.end());
      try_better(std::move(before));
    });
  }

  // By each of these until one leads there; the connection that there is goes on meanwhile.
  void try_better(std::vector<std::string> left) {
    trial.reset();
    if (left.empty()) return look_for_better();
    std::string way = left.front();
    left.erase(left.begin());
    SyslogLink::Calls calls;
    calls.up = [this] {
      loop.post(life.wrap([this, turn_then = turn] {
        if (turn_then != turn) return;
        drop();
        connect();
      }));
    };
    calls.delivered = [](std::uint64_t) {};
    calls.room = [] {};
    calls.down = [this, left](Error) { try_better(left); };
    trial = make_link(way, true, std::move(calls));
  }

  void failed(Error error) {
    bool was_up = link && link->is_up(), dialled = link && !was_up;
    bool steady = was_up && Clock::now() - up_since >= limits.steady;
    drop();
    if (dialled) {
      whys.push_back(std::move(error.what));
      if (dial()) return;
      error.what.clear();
      for (const std::string& why : whys) error.what += str(error.what.empty() ? "" : "; ", why);
    }
    trouble = error.what;
    tell_down(trouble);
    if (steady) wait = limits.again_least;
    std::uniform_int_distribution<long> jitter(0, wait.count() / 2);
    again.after(wait + milliseconds(jitter(random)), [this] { connect(); });
    wait = std::min(wait * 2, limits.again_most);
  }

  void tell_down(const std::string& why) {
    if (reasons.size() >= kMostReasons || !reasons.insert(why).second) return;
    base::log(str("syslog: ", why));
    journal.note(Entry("syslog.down").with("server", settings->server).with("text", base::printable(why)));
  }

  void up() {
    up_since = Clock::now();
    works = false;
    checkpoint_size = 0;
    checkpoint_at = {};
    checkpoint_told = false;
    // What the other side has read may not have reached its disk: some of it again.
    ++turn;
    ready.reset();
    flight.clear();
    next = position;
    next.n -= std::min(next.n, kMargin);
    sent = next;
    read_more();
    look_for_better();
  }

  // --- the way of the records

  void grown() {
    if (waiting() > 0 && waiting_since == 0) waiting_since = base::wall_now();
    read_more();
    tell_checkpoint();
  }

  void read_more() {
    if (!settings || reading || ready || read_again.waiting()) return;
    std::string current = origin();
    std::uint64_t end = journal.written();
    if (next.origin == current && next.n >= end) return;
    reading = true;
    auto piece = std::make_shared<Result<SyslogSpool::Piece>>(SyslogSpool::Piece());
    const bool beyond = !read_trouble.empty() && base::Clock::now() - unread_since >= limits.unread;
    blocking.run([spool = spool, piece, from = next, current, end,
                  beyond] { *piece = spool->read(from, current, end, beyond); },
                 life.wrap([this, piece, turn_then = turn] {
                   reading = false;
                   if (turn_then == turn)
                     took(std::move(*piece));
                   else
                     read_more();
                 }));
  }

  void took(Result<SyslogSpool::Piece> piece) {
    if (!piece) {
      if (read_trouble.empty()) unread_since = base::Clock::now();
      read_trouble = piece.error().what;
      tell_down(read_trouble);
      return read_again.after(limits.read_again, [this] { read_more(); });
    }
    if (!read_trouble.empty()) {
      read_trouble.clear();
      works = false;  // the next that arrives tells so
    }
    bool nothing = piece->messages.empty() && piece->next == next && !piece->lost;
    next = piece->next;
    if (nothing) return;  // what is written is not to be seen yet; growth() tells
    ready = std::move(*piece);
    fill();
  }

  void fill() {
    if (!link || !link->is_up() || !ready) return;
    std::uint64_t under_way = link->sent() - link->delivered();
    if (under_way > 0 && under_way + ready->frames.size() > kMostFlight) return;
    SyslogSpool::Piece piece = std::move(*ready);
    ready.reset();
    if (piece.lost) tell_lost(std::move(*piece.lost));
    std::uint64_t begin = link->sent();
    for (const SyslogSpool::Message& message : piece.messages)
      flight.push_back({begin + message.end, message.after, message.wall, std::nullopt});
    if (flight.empty() || flight.back().after != piece.next)
      flight.push_back({begin + piece.frames.size(), piece.next, 0, std::nullopt});
    count += piece.messages.size();
    sent = piece.next;
    auto more = life.wrap([this, turn_then = turn] {
      if (turn_then != turn) return;
      delivered(link->delivered());  // a place alone has no bytes to wait for
      read_more();
      tell_checkpoint();
    });
    if (!piece.frames.empty()) link->send(piece.frames);
    more();
  }

  void tell_lost(SyslogSpool::Piece::Lost gap) {
    if (gap.origin == position.origin && gap.to > gap.from) {
      // What had arrived before is not lost, though it would be sent again.
      gap.from = std::max(gap.from, position.n);
      if (gap.from >= gap.to) return;
    }
    lost += gap.to - gap.from;
    base::log(str("syslog: records ", gap.from, " to ", gap.to, " of ", gap.origin, ": ", gap.why));
    journal.note(Entry("syslog.lost")
                     .with("origin", gap.origin)
                     .with("from", static_cast<std::int64_t>(gap.from))
                     .with("to", static_cast<std::int64_t>(gap.to))
                     .with("why", base::printable(gap.why)));
  }

  void delivered(std::uint64_t bytes) {
    bool any = false;
    while (!flight.empty() && flight.front().end <= bytes) {
      Sent one = std::move(flight.front());
      flight.pop_front();
      any = any || bytes > 0;
      if (one.checkpoint) {
        note_checkpoint(*one.checkpoint);
      } else if (one.after.origin != position.origin || one.after.n > position.n) {
        position = std::move(one.after);
      }
    }
    if (waiting() == 0) waiting_since = 0;
    if (position != saved) save();
    if (any && !works) it_works();
    fill();
  }

  void it_works() {
    works = true;
    trouble.clear();
    if (told_up && reasons.empty()) return;
    told_up = true;
    reasons.clear();
    base::log(str("syslog: ", settings->server, ": sending the journal"));
    journal.note(Entry("syslog.up").with("server", settings->server));
  }

  // --- checkpoints: the collector is a witness of them

  void tell_checkpoint() {
    if (!link || !link->is_up()) return;
    const std::optional<auth::SignedNote>& note = journal.checkpoint();
    bool is_new = note && note->checkpoint.size > checkpoint_size && sent.origin == note->checkpoint.origin &&
                  sent.n >= note->checkpoint.size;
    Clock::time_point now = Clock::now();
    if (is_new && now - checkpoint_at >= limits.checkpoint_every) {
      std::string frame = syslog_frame(syslog_checkpoint(*note, base::wall_now(), hostname));
      checkpoint_size = note->checkpoint.size;
      checkpoint_at = now;
      ++count;
      flight.push_back({link->sent() + frame.size(), {}, base::wall_now(), checkpoint_size});
      link->send(frame);
    }
    // One that was made of what was sent already is told by nobody.
    if (link && checkpoint_size < sent.n && !checkpoint_timer.waiting())
      checkpoint_timer.after(limits.checkpoint_every, [this] { tell_checkpoint(); });
  }

  void note_checkpoint(std::uint64_t size) {
    Clock::time_point now = Clock::now();
    if (checkpoint_told && now - checkpoint_noted < limits.checkpoint_noted_every) return;
    checkpoint_told = true;
    checkpoint_noted = now;
    journal.note(Entry("checkpoint.sent").with("size", static_cast<std::int64_t>(size)));
  }

  // --- the position

  void save() {
    if (saving || position_timer.waiting()) return;
    position_timer.after(limits.position_every, [this] {
      if (position == saved) return;
      saving = true;
      auto outcome = std::make_shared<Result<>>();
      blocking.run([outcome, folder = state, place = position] { *outcome = write_position(folder, place); },
                   life.wrap([this, outcome, place = position] {
                     saving = false;
                     save_trouble = *outcome ? std::string() : outcome->error().what;
                     if (*outcome) saved = place;
                     if (position != saved) save();
                   }));
    });
  }

  // --- how it is

  std::uint64_t waiting() const {
    std::uint64_t end = journal.written();
    if (position.origin != origin()) return end + 1;  // and what is left of an older life
    return end - std::min(end, position.n);
  }

  base::Micros oldest() const {
    auto is_late = [this](const SyslogPlace& after) {
      return after.origin != position.origin || after.n > position.n;
    };
    for (const Sent& one : flight)
      if (!one.checkpoint && one.wall > 0 && is_late(one.after)) return one.wall;
    if (ready) {
      for (const SyslogSpool::Message& one : ready->messages)
        if (one.wall > 0 && is_late(one.after)) return one.wall;
    }
    return waiting_since;
  }

  base::Loop& loop;
  base::Blocking& blocking;
  auth::Journal& journal;
  const std::string state, hostname;
  const Limits limits;
  std::optional<SyslogSettings> settings;
  std::optional<SyslogTrust> trust;
  std::unique_ptr<SyslogLink> link, trial;  // in use; by a better way
  Ways ways;
  std::string interface;               // of the link, or of the last one
  std::set<std::string> tried;         // since connect()
  std::vector<std::string> whys;       // they led nowhere
  std::shared_ptr<SyslogSpool> spool;  // a read under way may outlive this

  SyslogPlace position, saved;  // all before it has arrived, as far as that can be known; what the file says
  SyslogPlace next;             // where reading goes on
  SyslogPlace sent;             // all before it is on the connection
  std::optional<SyslogSpool::Piece> ready;  // read, not sent
  std::deque<Sent> flight;
  std::uint64_t turn = 0;  // what was read for an earlier connection is not of this one
  bool reading = false, saving = false;

  std::string trouble;                     // of the connection
  std::string read_trouble, save_trouble;  // of the journal's files and the position's
  base::Clock::time_point unread_since{};  // the first of them
  std::set<std::string> reasons;           // journalled since it last worked
  bool works = false;                      // something has arrived on this connection
  bool told_up = false;
  Clock::time_point up_since;
  milliseconds wait{1000};
  std::mt19937 random{std::random_device{}()};
  base::Micros waiting_since = 0;
  std::uint64_t count = 0, lost = 0;

  std::uint64_t checkpoint_size = 0;  // of the last one sent on this connection
  Clock::time_point checkpoint_at, checkpoint_noted;
  bool checkpoint_told = false;

  base::Timer again, better, read_again, checkpoint_timer, position_timer;
  auth::Journal::Handle growth;
  base::Life life;
  base::Life loads;  // of the trust that is being loaded
};

SyslogExport::SyslogExport(base::Loop& loop, base::Blocking& blocking, auth::Journal& journal,
                           const std::string& state, std::string hostname, Limits limits)
    : state_(std::make_unique<State>(loop, blocking, journal, state, std::move(hostname), limits)) {}
SyslogExport::SyslogExport(base::Loop& loop, base::Blocking& blocking, auth::Journal& journal,
                           const std::string& state, std::string hostname)
    : SyslogExport(loop, blocking, journal, state, std::move(hostname), Limits{}) {}
SyslogExport::~SyslogExport() = default;

void SyslogExport::adopt(const std::optional<SyslogSettings>& settings) { state_->adopt(settings); }

void SyslogExport::go_by(Ways ways) { state_->ways = std::move(ways); }

void SyslogExport::ways_changed() { state_->ways_changed(); }

SyslogFigures SyslogExport::figures() const {
  SyslogFigures figures;
  if (!state_->settings) return figures;
  figures.server = state_->settings->server;
  figures.connected = state_->link && state_->link->is_up();
  for (const std::string* trouble : {&state_->trouble, &state_->read_trouble, &state_->save_trouble})
    if (figures.trouble.empty()) figures.trouble = *trouble;
  figures.waiting = state_->waiting();
  base::Micros oldest = figures.waiting > 0 ? state_->oldest() : 0;
  if (oldest > 0) figures.behind = std::max<base::Micros>(0, base::wall_now() - oldest) / 1'000'000;
  figures.sent = state_->count;
  figures.lost = state_->lost;
  return figures;
}

}  // namespace oob::audit

// What recording costs the core: consoles on ptys, each with somebody attached, and the CPU time of all
// threads of this process, which is the core alone: the gear and the people are a child of it.
//
//   bench_recording FOLDER plain|coloured|binary|utf8 yes|no CONSOLES BYTES_A_SECOND BYTES_EACH
//
// Each console says BYTES_EACH (a rate of 0: as fast as they are shown, never more than 32 KiB ahead, so that
// nobody is lapped). What is counted goes from before the first byte until everything is shown and closed, on
// the disk. One JSON object is printed.

#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <random>
#include <vector>

#include "base/unix_socket.h"
#include "console/session.h"
#include "serial/lines.h"
#include "tests/bench/gear.h"

namespace {

using namespace oob;
using std::chrono::milliseconds;

constexpr std::size_t kAhead = 32 * 1024;
constexpr std::size_t kScrollback = 256 * 1024;  // more than kAhead: a busy machine makes nobody be lapped
constexpr std::size_t kText = 256 * 1024;
constexpr milliseconds kPause{10};
constexpr milliseconds kQuiet{300};
constexpr milliseconds kLapped{5000};

// Some lines of what a console says, to be said again and again.
std::string text_of(const std::string& kind) {
  std::minstd_rand random(1);
  auto below = [&](unsigned most) { return static_cast<unsigned>(random() % most); };
  std::string text;
  while (text.size() < kText) {
    std::size_t begin = text.size();
    while (text.size() - begin < 78) {
      unsigned length = 2 + below(9);
      if (kind == "coloured") text += base::str("\x1b[", 30 + below(8), "m");
      for (unsigned i = 0; i < length; ++i) {
        if (kind == "binary" && below(4) == 0)
          text += static_cast<char>(0x80 + below(128));
        else if (kind == "utf8" && below(4) == 0)
          text += "\xc3\xa4";
        else
          text += static_cast<char>('a' + below(26));
      }
      text += kind == "coloured" ? "\x1b[0m " : " ";
    }
    text += "\r\n";
  }
  return text;
}

// The gear of one console, and who is attached to it.
struct Person {
  int gear = -1;
  base::Fd visitor;
  std::uint64_t said = 0, shown = 0;
  base::wire::Frames frames;

  bool hear(std::string& buffer) {
    bool heard = false;
    while (true) {
      auto size = base::receive_some(visitor.get(), buffer.data(), buffer.size());
      if (!size) {
        if (size.error().fault == base::Fault::again) return heard;
        std::fprintf(stderr, "bench_recording: a session has ended\n");
        std::_Exit(1);
      }
      heard = true;
      frames.feed(base::Bytes(buffer.data(), *size));
      base::wire::Frame kind;
      base::Bytes payload;
      for (auto next = frames.next(kind, payload); next && *next; next = frames.next(kind, payload))
        if (kind == base::wire::Frame::out) shown += payload.size();
    }
  }
};

struct Load {
  std::string text;
  std::uint64_t rate = 0, each = 0;  // bytes
};

// The child: says "ready" by a byte when all are attached, takes one as the beginning, and ends when all is
// shown.
void be_the_others(std::vector<Person>& people, const Load& load, int control) {
  std::string buffer(256 * 1024, '\0');
  std::vector<pollfd> wait;
  for (Person& person : people) {
    ::fcntl(person.gear, F_SETFL, O_NONBLOCK);
    wait.push_back({person.visitor.get(), POLLIN, 0});
  }
  ::fcntl(control, F_SETFL, 0);  // unlike the parent's end
  char byte = 'r';
  if (::read(control, &byte, 1) != 1) std::_Exit(1);  // all sessions are under way
  // A recording is on the disk before anybody is greeted: that may take long.
  std::vector<bool> greeted(people.size());
  for (auto quiet_since = base::Clock::now(); base::Clock::now() - quiet_since < kQuiet;) {
    ::poll(wait.data(), wait.size(), 50);
    for (std::size_t i = 0; i < people.size(); ++i) {
      bool heard = people[i].hear(buffer);
      greeted[i] = greeted[i] || heard;
      if (heard || !greeted[i]) quiet_since = base::Clock::now();
    }
  }
  for (Person& person : people) person.shown = 0;
  if (::write(control, &byte, 1) != 1 || ::read(control, &byte, 1) != 1) std::_Exit(1);
  auto begin = base::Clock::now(), moved = begin;
  for (bool done = false; !done;) {
    done = true;
    double passed = std::chrono::duration<double>(base::Clock::now() - begin).count();
    bool stuck = true;
    for (Person& person : people) {
      if (person.hear(buffer)) moved = base::Clock::now();
      std::uint64_t due =
          load.rate ? std::min(load.each, static_cast<std::uint64_t>(passed * static_cast<double>(load.rate)))
                    : std::min(load.each, person.shown + kAhead);
      while (person.said < due) {
        std::size_t at = person.said % load.text.size();
        ssize_t n = ::write(person.gear, load.text.data() + at,
                            std::min<std::uint64_t>(due - person.said, load.text.size() - at));
        if (n <= 0) break;
        person.said += static_cast<std::uint64_t>(n);
        stuck = false;
      }
      done = done && person.shown >= load.each;
    }
    if (base::Clock::now() - moved > kLapped) {
      std::fprintf(stderr, "bench_recording: somebody was too slow and was not shown all\n");
      std::_Exit(1);
    }
    if (!done && (load.rate || stuck)) ::poll(wait.data(), load.rate ? 0 : wait.size(), load.rate ? 10 : 1);
  }
  std::_Exit(0);
}

double cpu() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// The core, without front and SSH.
struct Board {
  Board(const std::string& folder, bool records) : state(folder) {
    auth::Role all{{"*"}, {std::begin(auth::kActions), std::end(auth::kActions)}};
    core.policy =
        std::make_unique<auth::Policy>(std::map<std::string, std::vector<std::string>>{{"bench", {"all"}}},
                                       std::map<std::string, auth::Role>{{"all", all}});
    if (!records) return;
    recordings = std::make_unique<audit::Recordings>(loop, disk, *journal, state + "/recordings");
    core.recordings = recordings.get();
  }
  ~Board() {
    core.sessions.clear();
    recordings.reset();
  }

  void add(const std::string& name, const std::string& tty) {
    inventory
        .add(name, std::make_unique<console::Console>(
                       console::Console::Surroundings{loop, pace, archive, kScrollback,
                                                      [](const char*, const std::string&) {}},
                       name, serial::make_tty(loop, blocking, paths, {tty})))
        .console->start();
  }
  bool all_up() const {
    for (const auto& [name, device] : inventory.all())
      if (device->console->state() != console::Console::State::up) return false;
    return true;
  }
  void attach(const std::string& device, base::Fd socket) {
    console::Visitor visitor;
    visitor.who = {"bench", "SHA256:bench", "192.0.2.9"};
    visitor.session = core.next_session++;
    visitor.connection = 1;
    console::Session::Terms terms;
    terms.device = device;
    console::add_session(core, std::move(socket), visitor, std::move(terms));
  }

  std::string state;
  base::Loop loop;
  base::Disk disk{loop};
  base::Blocking blocking{loop};
  std::unique_ptr<auth::Journal> journal = std::move(auth::Journal::open(loop, disk, state)).value();
  console::Archive archive{loop, disk, state + "/transcripts"};
  console::Pace pace{loop, archive};
  serial::PathWatch paths{loop};
  console::Inventory inventory;
  std::unique_ptr<audit::Recordings> recordings;
  console::Core core{.loop = loop,
                     .blocking = blocking,
                     .archive = archive,
                     .journal = *journal,
                     .inventory = inventory,
                     .policy = nullptr,
                     .sessions = {},
                     .transcripts = state + "/transcripts",
                     .state = state,
                     .escape = "\005c",
                     .version = "bench",
                     .started = 1,
                     .reload = []() -> base::Result<std::string> { return std::string(); }};
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  Load load;
  std::size_t consoles = 0;
  if (words.size() != 6 || !base::parse_number(words[3], consoles) ||
      !base::parse_number(words[4], load.rate) || !base::parse_number(words[5], load.each)) {
    std::fprintf(stderr, "usage: bench_recording FOLDER KIND yes|no CONSOLES BYTES_A_SECOND BYTES_EACH\n");
    return 64;
  }
  const std::string& folder = words[0];
  load.text = text_of(words[1]);
  std::vector<Person> people(consoles);
  std::vector<base::Fd> ours;
  for (std::size_t i = 0; i < consoles; ++i) {
    people[i].gear = bench::make_pty(base::str(folder, "/tty", i)).gear;
    auto pair = base::socket_pair(SOCK_STREAM);
    if (!pair) bench::die("a socket pair");
    people[i].visitor = std::move(pair->first);
    ours.push_back(std::move(pair->second));
    base::wire::Open open;
    open.shell = true;
    open.pty = true;
    open.term = "xterm";
    open.columns = 80;
    open.rows = 24;
    std::string frame;
    base::wire::add_frames(frame, base::wire::Frame::open, open.encode());
    if (!base::send_some(people[i].visitor.get(), frame)) bench::die("a session");
  }
  auto control = base::socket_pair(SOCK_STREAM);
  if (!control) bench::die("a socket pair");
  pid_t child = ::fork();
  if (child < 0) bench::die("fork");
  if (child == 0) {
    ours.clear();
    control->first.reset();
    be_the_others(people, load, control->second.get());
  }
  control->second.reset();
  for (Person& person : people) person.visitor.reset();

  double begun = 0;
  auto from = base::Clock::now();
  {
    Board board(folder, words[2] == "yes");
    for (std::size_t i = 0; i < consoles; ++i) board.add(base::str("d", i), base::str(folder, "/tty", i));
    base::Timer look(board.loop);
    base::Watch watch(board.loop, control->first.get());
    char byte = 'g';
    std::function<void()> told = [&] {
      auto size = base::receive_some(control->first.get(), &byte, 1);
      if (!size && size.error().fault == base::Fault::again) return watch.readable(told);
      if (!size) return board.loop.stop();  // all is shown
      begun = cpu();
      from = base::Clock::now();
      if (::write(control->first.get(), &byte, 1) != 1) bench::die("the gear");
      watch.readable(told);
    };
    std::function<void()> begin = [&] {
      if (!board.all_up()) return look.after(milliseconds(20), begin);
      for (std::size_t i = 0; i < consoles; ++i) board.attach(base::str("d", i), std::move(ours[i]));
      if (::write(control->first.get(), &byte, 1) != 1) bench::die("the gear");
      watch.readable(told);
    };
    begin();
    board.loop.run();
  }
  double used = cpu() - begun;
  int status = 0;
  if (::waitpid(child, &status, 0) != child || status != 0) return 1;
  double megabytes = 1e-6 * static_cast<double>(load.each * consoles);
  std::printf("{\"mb\": %.3f, \"cpu_s\": %.6f, \"cpu_s_per_mb\": %.6f, \"seconds\": %.3f}\n", megabytes, used,
              used / megabytes, std::chrono::duration<double>(base::Clock::now() - from).count());
}

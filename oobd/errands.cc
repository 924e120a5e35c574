#include "oobd/errands.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>

#include "base/life.h"
#include "base/log.h"
#include "base/unix_socket.h"
#include "oobd/child.h"
#include "oobd/errands_wire.h"

namespace oob {

using base::Result;
using base::str;
using errands::Kind;
using errands::Order;

namespace {

constexpr int kErrandsSocket = 3;  // where main() looks for it
constexpr std::size_t kMostInput = 64 * 1024;
constexpr base::milliseconds kFarewell{4000};  // for what it runs to end, when this ends

// A file that nobody else has, so that a program that reads slowly, or not at all, holds nobody up.
Result<base::Fd> as_file(const std::string& input) {
  if (input.size() > kMostInput) return base::fail(base::Fault::internal, "too long for a standard input");
  base::Fd file(::memfd_create("notice", MFD_CLOEXEC));
  if (!file) return base::system_error("memfd_create");
  std::size_t done = 0;
  while (done < input.size()) {
    ssize_t size = ::write(file.get(), input.data() + done, input.size() - done);
    if (size < 0) return base::system_error("memfd");
    done += static_cast<std::size_t>(size);
  }
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return base::system_error("memfd");
  return file;
}

}  // namespace

struct Errands::State {
  State(base::Loop& l, std::string p, std::string file)
      : loop(l), program(std::move(p)), config_file(std::move(file)) {}

  ~State() {
    watch.reset();
    control.reset();  // its end is the order to stop
    if (pid > 0) wait_for_end(pid, kFarewell, -pid);
  }

  Result<> start() {
    Result<std::pair<base::Fd, base::Fd>> pair = base::socket_pair(SOCK_SEQPACKET);
    if (!pair) return pair.error();
    // A process group of its own: Ctrl-C at a terminal is for the core.
    SpawnTerms terms(POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(terms.attributes(), 0);
    posix_spawn_file_actions_addopen(terms.descriptors(), 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(terms.descriptors(), 0, 1);
    posix_spawn_file_actions_adddup2(terms.descriptors(), pair->second.get(), kErrandsSocket);
    posix_spawn_file_actions_addclosefrom_np(terms.descriptors(), kErrandsSocket + 1);
    char name[] = "oobd", word[] = "errands";
    char* arguments[] = {name, word, config_file.data(), nullptr};
    // The service manager's folders: of secrets, for the reader of the configuration, and of sockets.
    std::vector<std::string> folders;
    for (const char* variable : {"CREDENTIALS_DIRECTORY", "RUNTIME_DIRECTORY"})
      if (const char* folder = ::getenv(variable))
        folders.push_back(str(variable, "=", std::string_view(folder)));
    std::vector<char*> environment;
    for (std::string& folder : folders) environment.push_back(folder.data());
    environment.push_back(nullptr);
    int failed = ::posix_spawn(&pid, program.c_str(), terms.descriptors(), terms.attributes(), arguments,
                               environment.data());
    if (failed) {
      pid = -1;
      return base::system_error(str("start ", program, " errands"), failed);
    }
    control = std::move(pair->first);
    watch = std::make_unique<base::Watch>(loop, control.get());
    watch->readable([this] { readable(); });
    trouble.clear();
    return {};
  }

  struct Outgoing {
    std::string packet;
    base::Fd fd;
  };

  struct UnderWay {
    UnderWay(base::Loop& loop, Kind of) : kind(of), ending(loop) {}
    const Kind kind;
    Ended done;
    base::Timer ending;
  };

  bool full(Kind kind) const {
    std::size_t most = kind == Kind::notify ? kMostPrograms : kMostCalls;
    auto same = [kind](const auto& each) { return each.second.kind == kind; };
    return static_cast<std::size_t>(std::count_if(under_way.begin(), under_way.end(), same)) >= most;
  }

  std::uint64_t begin(Order order, base::Fd fd, Ended done) {
    order.number = ++last;
    std::uint64_t number = order.number;
    std::string why = !trouble.empty()          ? trouble
                      : full(order.kind)        ? errands::full(order.kind)
                      : out.size() >= 4 * kMost ? "the child for errands does not read what it is told"
                                                : "";
    if (!why.empty()) {
      loop.post(life.wrap([done = std::move(done), why] { done(-1, why); }));
      return number;
    }
    auto [at, fresh] = under_way.try_emplace(number, loop, order.kind);
    at->second.done = std::move(done);
    queue({order.encode(), std::move(fd)});
    return number;
  }

  void end(std::uint64_t number) {
    auto found = under_way.find(number);
    if (found == under_way.end() || found->second.ending.waiting()) return;
    found->second.ending.after(kEnding, [this, number] { over(number, -1, "what runs it does not answer"); });
    queue({Order{Kind::end, number}.encode(), {}});
  }

  void over(std::uint64_t number, int status, const std::string& words) {
    auto found = under_way.find(number);
    if (found == under_way.end()) return;
    Ended done = std::move(found->second.done);
    under_way.erase(found);
    done(status, words);
  }

  // There are two of one errand at the most, and a few more.
  void queue(Outgoing message) {
    if (!control) return;
    out.push_back(std::move(message));
    if (!watch->waits_writable()) flush();
  }

  void flush() {
    while (!out.empty()) {
      Result<> sent = base::send_packet(control.get(), out.front().packet, out.front().fd.get());
      if (!sent) {
        // Its end is noticed by reading.
        if (sent.error().fault == base::Fault::again) watch->writable([this] { flush(); });
        return;
      }
      out.pop_front();
    }
  }

  void readable() {
    while (true) {
      Result<base::Packet> packet = base::receive_packet(control.get());
      if (!packet) {
        if (packet.error().fault == base::Fault::again) break;
        return lost("the child for errands has ended");
      }
      if (errands::is_begun_anew(packet->bytes)) {
        begun_anew();
        continue;
      }
      if (Result<errands::Halt> halt = errands::Halt::decode(packet->bytes)) {
        halted(halt->why);
        continue;
      }
      Result<errands::End> end = errands::End::decode(packet->bytes);
      if (!end) return lost("the child for errands says what makes no sense");
      over(end->number, end->status, end->words);
    }
    watch->readable([this] { readable(); });
  }

  // All that asks for something meanwhile is told so at once.
  void halted(const std::string& why) {
    if (trouble != why) base::log(str("errands: ", why));
    trouble = why;
    none_runs(why);
  }

  void begun_anew() {
    trouble.clear();
    none_runs("what runs programs had ended; it runs again");
  }

  // Some the one that ended may not have heard of, and the next one begin.
  void none_runs(const std::string& why) {
    for (const auto& [number, one] : under_way) queue({Order{Kind::end, number}.encode(), {}});
    all_over(why);
  }

  void all_over(const std::string& why) {
    for (auto& [number, one] : under_way)
      loop.post(life.wrap([done = std::move(one.done), why] { done(-1, why); }));
    under_way.clear();
  }

  void lost(const std::string& why) {
    trouble = str(why, ": no program is run until oobd is started again");
    base::log(str("errands: ", trouble));
    out.clear();
    watch.reset();
    control.reset();
    ::kill(-pid, SIGKILL);  // waited for at the end
    all_over(trouble);
  }

  base::Loop& loop;
  const std::string program;
  std::string config_file;
  std::string trouble = "no child for errands was started: it is at the next start of oobd";
  pid_t pid = -1;
  base::Fd control;
  std::unique_ptr<base::Watch> watch;
  std::deque<Outgoing> out;
  std::map<std::uint64_t, UnderWay> under_way;
  std::uint64_t last = 0;
  base::Life life;
};

Errands::Errands(base::Loop& loop, std::string program, std::string config_file)
    : state_(std::make_unique<State>(loop, std::move(program), std::move(config_file))) {}
Errands::~Errands() = default;

Result<> Errands::start() { return state_->start(); }

void Errands::adopt() {
  Order order;
  order.kind = Kind::adopt;
  state_->queue({order.encode(), {}});
}

std::uint64_t Errands::notify(const std::string& name, const Told& told, base::milliseconds limit,
                              Ended ended) {
  Result<base::Fd> input = as_file(told.input);
  if (!input) {
    state_->loop.post(
        state_->life.wrap([ended = std::move(ended), why = input.error().what] { ended(-1, why); }));
    return ++state_->last;
  }
  Order order{Kind::notify, 0,           name,          static_cast<std::uint32_t>(limit.count()),
              told.event,   told.device, told.interface};
  return state_->begin(std::move(order), std::move(*input), std::move(ended));
}

std::uint64_t Errands::call_home(const std::string& name, base::Fd socket, unsigned place, Ended ended) {
  return state_->begin({Kind::call_home, 0, name, 0, {}, {}, {}, place}, std::move(socket), std::move(ended));
}

void Errands::end(std::uint64_t errand) { state_->end(errand); }

std::string Errands::trouble() const { return state_->trouble; }

}  // namespace oob

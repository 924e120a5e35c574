// The child that runs the programs of others. What the core asks for is taken apart as if a stranger had sent
// it: it names what the configuration has, and says nothing of what is run.
#include <signal.h>

#include <algorithm>
#include <deque>

#include "base/log.h"
#include "base/unix_socket.h"
#include "oobd/call_home_ssh.h"
#include "oobd/config.h"
#include "oobd/errands.h"
#include "oobd/errands_groups.h"
#include "oobd/errands_runner.h"
#include "oobd/errands_table.h"
#include "oobd/errands_wire.h"
#include "oobd/self_path.h"

namespace oob {

using base::Result;
using base::str;
using errands::Kind;
using errands::Order;
using errands::Program;
using errands::Table;

namespace {

constexpr std::uint32_t kLongest = 600'000;      // milliseconds
constexpr std::size_t kMostAnswers = 256;        // that the core has not read
constexpr base::milliseconds kAllGone{3000};     // after the core has: SIGTERM, SIGKILL and some time
constexpr base::milliseconds kNotifyLeast{100};  // any less would be no chance
constexpr base::milliseconds kBeat{1000};        // a sign of life for the keeper

class Child {
 public:
  Child(base::Loop& loop, int control, std::string config_file, errands::Groups& groups, errands::Kept& kept)
      : loop_(loop),
        control_(control),
        config_file_(std::move(config_file)),
        groups_(groups),
        kept_(kept),
        runner_(loop, groups),
        signals_(loop, {SIGCHLD}, [this](int) { child_ended(); }),
        over_(loop),
        beat_(loop),
        watch_(std::make_unique<base::Watch>(loop, control)) {
    beat();
    take_over();
    watch_->readable([this] { readable(); });
  }

  int status() const { return status_; }

 private:
  void beat() {
    groups_.beat();
    beat_.after(kBeat, [this] { beat(); });
  }

  // The file may have been edited since it was last told to read it, and be faulty now.
  void take_over() {
    if (Result<Table> known = Table::decode(kept_.get()))
      table_ = std::move(*known);
    else
      adopt();
  }

  void adopt() {
    ConfigOutcome outcome = read_config(config_file_);
    if (!outcome.config) {
      base::log(str("errands: ", outcome.faults.front().text(), ": what was known stays as it is"));
      return;
    }
    Table next = Table::of(*outcome.config);
    if (table_) next.state = table_->state;  // the core's own changes at its next start
    table_ = std::move(next);
    kept_.put(table_->encode());
  }

  void readable() {
    while (watch_) {
      Result<base::Packet> packet = base::receive_packet(control_.get());
      if (!packet) {
        if (packet.error().fault == base::Fault::again) break;
        return leave(0);
      }
      Result<Order> order = Order::decode(packet->bytes);
      if (!order) return leave(static_cast<int>(order.error().fault));
      take(std::move(*order), std::move(packet->fd));
    }
    if (watch_) watch_->readable([this] { readable(); });
  }

  void take(Order order, base::Fd fd) {
    if (order.kind == Kind::adopt) return adopt();
    if (order.kind == Kind::end) return runner_.end(order.number);
    std::uint64_t number = order.number;
    Result<Program> program = program_of(order, std::move(fd));
    if (!program) return answer({number, -1, program.error().what});
    const bool calls = order.kind == Kind::call_home;
    const std::size_t programs = runner_.running() - calls_;
    if (calls ? calls_ >= Errands::kMostCalls : programs >= Errands::kMostPrograms)
      return answer({number, -1, errands::full(order.kind)});
    Result<> begun =
        runner_.run(number, std::move(*program), [this, number, calls](int status, const std::string& words) {
          calls_ -= calls ? 1 : 0;
          answer({number, status, words});
        });
    if (!begun) return answer({number, -1, begun.error().what});
    calls_ += calls ? 1 : 0;
  }

  Result<Program> program_of(const Order& order, base::Fd fd) {
    auto missing = [](const char* what) { return base::fail(base::Fault::missing, what); };
    if (!table_) adopt();
    if (!table_) return missing("the configuration can't be read");
    if (order.kind == Kind::call_home) {
      auto bastion = table_->bastions.find(order.name);
      if (bastion == table_->bastions.end()) return missing("the configuration has no such bastion");
      if (!fd) return missing("there is no connection");
      if (order.place >= kCallHomePlaces) return missing("there is no such place");
      return ssh_to(bastion->second, call_home_paths(table_->state, order.name, order.place), std::move(fd));
    }
    auto found = table_->programs.find(order.name);
    if (found == table_->programs.end()) return missing("the configuration has no such program");
    Program program;
    program.words = found->second;
    program.environment = {str("OOBD_EVENT=", order.event), str("OOBD_DEVICE=", order.device),
                           str("OOBD_INTERFACE=", is_uplink(order.interface) ? order.interface : "")};
    program.input = std::move(fd);
    program.limit = std::clamp(base::milliseconds(order.limit), kNotifyLeast, base::milliseconds(kLongest));
    return program;
  }

  bool is_uplink(const std::string& interface) const { return table_->interfaces.count(interface) > 0; }

  // Nothing of this is the core's word, by which one could have any socket made or any key believed.
  static Program ssh_to(const CallHomeConfig& bastion, const CallHomePaths& paths, base::Fd fd) {
    return Program{call_home_program(bastion, paths, self_path()), {}, std::move(fd)};
  }

  void child_ended() {
    runner_.child_ended();
    if (!watch_ && runner_.running() == 0) loop_.stop();
  }

  // --- answers

  void answer(const errands::End& end) {
    if (!watch_) return;
    if (answers_.size() >= kMostAnswers) return leave(static_cast<int>(base::Fault::busy));
    answers_.push_back(end.encode());
    if (!watch_->waits_writable()) flush();
  }

  void flush() {
    while (!answers_.empty()) {
      Result<> sent = base::send_packet(control_.get(), answers_.front());
      if (!sent) {
        if (sent.error().fault == base::Fault::again) watch_->writable([this] { flush(); });
        return;  // its end is noticed by reading
      }
      answers_.pop_front();
    }
  }

  // The core has gone, or there is no talking to it.
  void leave(int status) {
    status_ = status;
    watch_.reset();
    if (runner_.running() == 0) return loop_.stop();
    runner_.end_all();
    over_.after(kAllGone, [this] { loop_.stop(); });
  }

  base::Loop& loop_;
  base::Fd control_;
  const std::string config_file_;
  errands::Groups& groups_;
  errands::Kept& kept_;
  std::optional<Table> table_;
  errands::Runner runner_;
  std::size_t calls_ = 0;  // of what it runs, ssh to bastions
  base::Signals signals_;
  base::Timer over_, beat_;
  std::unique_ptr<base::Watch> watch_;  // empty: the core has gone
  std::deque<std::string> answers_;
  int status_ = 0;
};

}  // namespace

int errands::do_errands(int control, const std::string& config_file, Groups& groups, Kept& kept) {
  base::Loop loop;
  Child child(loop, control, config_file, groups, kept);
  loop.run();
  return child.status();
}

}  // namespace oob

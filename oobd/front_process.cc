#include "oobd/front_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "base/unix_socket.h"
#include "oobd/child.h"
#include "oobd/listeners.h"
#include "oobd/self_path.h"

namespace oob {

using base::Result;
using base::str;
using base::wire::Control;

namespace {

// The front finds its control socket as descriptor 3, an empty environment, and no signal blocked.
Result<pid_t> spawn_front(int control) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);  // no terminal to put keys into
  posix_spawn_file_actions_adddup2(&actions, control, 3);
  // A library may have opened a descriptor without close-on-exec a moment ago.
  posix_spawn_file_actions_addclosefrom_np(&actions, 4);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, standard;
  sigemptyset(&none);
  sigemptyset(&standard);
  for (int number : {SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGCHLD}) sigaddset(&standard, number);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &standard);
  posix_spawnattr_setpgroup(&attributes, 0);
  // A process group of its own: Ctrl-C at a terminal is for the core, which then ends the front.
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::string path = self_path();
  char name[] = "oobd", word[] = "front";
  char* arguments[] = {name, word, nullptr};
  char* environment[] = {nullptr};
  pid_t pid = -1;
  int failed = ::posix_spawn(&pid, path.c_str(), &actions, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (failed) return base::system_error(str("start ", path, " front"), failed);
  return pid;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return str("signal ", WTERMSIG(status));
  return str("exit status ", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

}  // namespace

FrontProcess::FrontProcess(base::Loop& loop, base::wire::Setup setup, std::vector<Gate> gates, Hooks hooks)
    : loop_(loop),
      setup_(std::move(setup)),
      gates_(std::move(gates)),
      hooks_(std::move(hooks)),
      again_(loop),
      ping_(loop) {}

FrontProcess::~FrontProcess() {
  watch_.reset();
  control_.reset();  // its end is the order to stop
  for (std::string& key : setup_.host_keys) key.assign(key.size(), '\0');
  if (pid_ < 0) return;
  wait_for_end(pid_, base::milliseconds(1000), pid_);
}

void FrontProcess::start() {
  started_at_ = base::Clock::now();
  Result<std::pair<base::Fd, base::Fd>> pair = base::socket_pair(SOCK_SEQPACKET);
  Result<pid_t> pid = pair ? spawn_front(pair->second.get()) : Result<pid_t>(pair.error());
  if (!pid) {
    base::log(str("front: ", pid.error().what));
    again_.after(base::milliseconds(1000), [this] { start(); });
    return;
  }
  pid_ = *pid;
  control_ = std::move(pair->first);
  watch_ = std::make_unique<base::Watch>(loop_, control_.get());
  out_.clear();
  hooks_.started();
  queue({base::wire::packet(Control::setup, setup_.encode()), -1});
  open_gates();
  watch_->readable([this] { readable(); });
  unanswered_ = 0;
  ask_whether_there();
}

// One that the last front has shut down would leave the door closed for this one as well.
void FrontProcess::open_gates() {
  for (const Gate& gate : gates_) {
    Result<bool> again = listen_again(gate.fd, gate.address, gate.way);
    if (!again) {
      base::log(str("front: shut down, and not to be opened again: ", again.error().what));
      continue;  // tried again at the next start
    }
    if (*again) base::log(str("front: ", gate.address, " was shut down, and is opened again"));
    hand_over(gate);
  }
}

void FrontProcess::hand_over(const Gate& gate) {
  const base::wire::Listen listen{gate.address, gate.way, gate.bastion};
  queue({base::wire::packet(Control::listen, listen.encode()), gate.fd});
}

void FrontProcess::listen(Gate gate) {
  gates_.push_back(std::move(gate));
  if (control_) hand_over(gates_.back());
}

void FrontProcess::deafen(const std::string& address) {
  for (const Gate& gate : gates_) {
    if (gate.address != address) continue;
    // What is not sent yet would be sent with a descriptor that is another one by then.
    std::erase_if(out_, [&](const Outgoing& message) { return message.fd == gate.fd; });
  }
  std::erase_if(gates_, [&](const Gate& gate) { return gate.address == address; });
  send(Control::deafen, base::wire::Deafen{address}.encode());
}

// A process that hangs looks alive to the system. What counts is what it was asked, not the time: that passes
// as well while it is the core that is stopped or held up.
void FrontProcess::ask_whether_there() {
  if (control_) read();  // its answer may have come meanwhile
  if (!control_) return;
  if (unanswered_ >= kMostUnanswered) return lost("does not answer");
  ++unanswered_;
  send(Control::ping, {});
  ping_.after(kPing, [this] { ask_whether_there(); });
}

void FrontProcess::send(Control kind, base::Bytes payload) {
  if (control_) queue({base::wire::packet(kind, payload), -1});
}

void FrontProcess::change(base::wire::Setup setup) {
  setup.host_keys = std::move(setup_.host_keys);
  setup_ = std::move(setup);
  base::wire::Setup told = setup_;
  for (std::string& key : told.host_keys) key.assign(key.size(), '\0');
  told.host_keys.clear();
  send(Control::setup, told.encode());
}

void FrontProcess::add_good_source(const std::string& source) {
  std::erase(setup_.good_sources, source);
  setup_.good_sources.insert(setup_.good_sources.begin(), source);
  if (setup_.good_sources.size() > kMostGood) setup_.good_sources.pop_back();
}

void FrontProcess::queue(Outgoing message) {
  if (out_.size() >= kMostQueued) return lost("does not read what it is told");
  out_.push_back(std::move(message));
  if (watch_ && !watch_->waits_writable()) flush();
}

void FrontProcess::flush() {
  while (!out_.empty()) {
    Result<> sent = base::send_packet(control_.get(), out_.front().packet, out_.front().fd);
    if (!sent) {
      // Its end is noticed by reading; what was meant for it is for nobody.
      if (sent.error().fault == base::Fault::again) watch_->writable([this] { flush(); });
      return;
    }
    out_.pop_front();
  }
}

void FrontProcess::readable() {
  read();
  if (control_) watch_->readable([this] { readable(); });
}

void FrontProcess::read() {
  for (int i = 0; i < 64; ++i) {
    Result<base::Packet> packet = base::receive_packet(control_.get());
    if (!packet) {
      if (packet.error().fault == base::Fault::again) return;
      return lost(packet.error().what);
    }
    if (packet->bytes.empty()) continue;
    Control kind = static_cast<Control>(packet->bytes[0]);
    base::Bytes payload = base::Bytes(packet->bytes).substr(1);
    unanswered_ = 0;
    if (kind == Control::ready) {
      Result<base::wire::Ready> ready = base::wire::Ready::decode(payload);
      if (!ready) return lost("says that it is ready in words that make no sense");
      hooks_.ready(*ready);
    } else if (kind != Control::pong) {
      hooks_.message(kind, payload, std::move(packet->fd));
    }
    if (!control_) return;  // a message of ours found it hung
  }
}

void FrontProcess::lost(const std::string& why) {
  if (!control_) return;
  base::log(str("front: ", why));
  watch_.reset();
  control_.reset();
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

void FrontProcess::child_ended() {
  int status = 0;
  if (pid_ < 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return;
  pid_ = -1;
  watch_.reset();
  control_.reset();
  base::log(str("front: ended (", how_it_ended(status), "), started again"));
  bool lived = base::Clock::now() - started_at_ > std::chrono::seconds(1);
  hurried_ = lived ? 0 : std::min(hurried_ + 1, 6u);
  base::milliseconds pause = lived ? base::milliseconds(0) : std::min(kHurry * (1 << (hurried_ - 1)), kPing);
  again_.after(pause, [this] { start(); });
}

}  // namespace oob

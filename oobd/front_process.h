#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/loop.h"
#include "base/wire.h"

namespace oob {

// The front as a child process: started, given its host keys and listeners, and started again at once when it
// ends. Everything it says comes as messages; nothing it says is believed beyond their meaning.
class FrontProcess {
 public:
  // What the core does with a message; `fd` is the descriptor that came with it, or empty.
  using Message = std::function<void(base::wire::Control kind, base::Bytes payload, base::Fd fd)>;
  struct Hooks {
    std::function<void()> started;  // a new process: connections of the old one are gone
    std::function<void(const base::wire::Ready& ready)> ready;
    Message message;
  };
  struct Gate {
    int fd;  // stays open as long as this lives; becomes another socket where a front has shut it down
    std::string address;
    base::wire::Listen::Way way = base::wire::Listen::Way::tcp;
    std::string bastion{};  // for Way::home
  };

  FrontProcess(base::Loop& loop, base::wire::Setup setup, std::vector<Gate> gates, Hooks hooks);
  ~FrontProcess();  // ends the process and waits for it
  FrontProcess(const FrontProcess&) = delete;
  FrontProcess& operator=(const FrontProcess&) = delete;

  void start();
  // One listener more, for this front and those after it; and one fewer, whose connections stay. To be called
  // before its descriptor is closed.
  void listen(Gate gate);
  void deafen(const std::string& address);
  // At most kMostQueued wait for a front that does not read; beyond that it is taken for hung and ended.
  void send(base::wire::Control kind, base::Bytes payload);
  // Limits and good sources, for this front and those after it; the host keys stay.
  void change(base::wire::Setup setup);
  // The next front hears of it at its start; this one knows it already. At most kMostGood, the newest first.
  void add_good_source(const std::string& source);
  void child_ended();  // SIGCHLD came: looks whether it was the front
  pid_t pid() const { return pid_; }

 private:
  static constexpr std::size_t kMostQueued = 4096;
  static constexpr std::size_t kMostGood = 1024;
  static constexpr base::milliseconds kHurry{200};  // doubled up to 5 s when it ends at once, again and again
  static constexpr base::milliseconds kPing{5000};
  static constexpr unsigned kMostUnanswered = 3;  // then it hangs, and is ended

  struct Outgoing {
    std::string packet;
    int fd;
  };
  void queue(Outgoing message);
  void flush();
  void open_gates();
  void hand_over(const Gate& gate);
  void readable();
  void read();
  void lost(const std::string& why);
  void ask_whether_there();

  base::Loop& loop_;
  base::wire::Setup setup_;
  std::vector<Gate> gates_;
  Hooks hooks_;
  pid_t pid_ = -1;
  base::Fd control_;
  std::unique_ptr<base::Watch> watch_;
  std::deque<Outgoing> out_;
  base::Clock::time_point started_at_{};
  base::Timer again_, ping_;
  unsigned unanswered_ = 0;  // pings since it was last heard
  unsigned hurried_ = 0;     // starts in a row that ended at once
};

}  // namespace oob

#pragma once

#include <sys/types.h>

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/loop.h"
#include "base/wire.h"
#include "tests/support/support.h"

namespace oob::test {

// What the address sanitizer costs, in time and memory.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OOB_TEST_SANITIZED
#endif
#endif
#ifdef OOB_TEST_SANITIZED
inline constexpr int kSanitized = 4;
#else
inline constexpr int kSanitized = 1;
#endif

// What a program did.
struct Finished {
  int status = -1;  // exit status, or 128 + signal; -1: did not end in time and was killed
  std::string out, err;
};

// Host and user keys made once for all tests of the program.
struct Keys {
  static const Keys& get();
  TempDir dir;
  std::string host_key;   // the private key's text
  std::string host_line;  // "ssh-ed25519 AAAA…"
  std::string alice;      // path of the private key
};

// Starts a real front as a process and plays the core for it. What a session does depends on its command:
//
//   exit N        ends with that status            both       "out" to stdout, "err" to stderr
//   cat           sends back what is typed         sink       at eof: how many bytes came, and their sum
//   flood N       N bytes of a pattern             events     says each frame that comes; ends at "q"
//   vanish        closes without an exit frame     hold       reads and says nothing
//   endless       the pattern until the end        (shell)    as events
class FakeCore {
 public:
  explicit FakeCore(base::wire::Setup setup = {}, std::vector<std::string> patience = {});
  ~FakeCore();

  int port() const { return port_; }
  pid_t pid() const { return pid_; }
  bool wait(std::function<bool()> condition, base::milliseconds limit = base::milliseconds(60'000));
  // Runs a program to its end while the core works. `input` is a file, empty: /dev/null.
  Finished run(const std::vector<std::string>& command, const std::string& input = "",
               base::milliseconds limit = base::milliseconds(150'000));
  // The same without waiting: its pid, for end().
  pid_t start(const std::vector<std::string>& command, const std::string& input = "",
              const std::string& output = "");
  int end(pid_t pid);  // waits for it: exit status
  // Runs a login that is refused until its source is kept out. The penalties of three come to that, less the
  // time that they took, so a busy machine needs some more. How many it were.
  unsigned fail_until_kept_out(const std::vector<std::string>& command);

  // ssh with this core's port, key and host key; `words` are options, then the command.
  std::vector<std::string> ssh(std::vector<std::string> options, std::vector<std::string> command = {}) const;
  Finished ssh_run(const std::string& command, const std::string& input = "") {
    return run(ssh({}, {command}), input);
  }
  // /usr/bin/python3 tests/ssh/SCRIPT PORT KEY WORDS…
  Finished python(const std::string& script, std::vector<std::string> words = {});

  void send(base::wire::Control kind, const std::string& payload, int pass = -1);
  void hang_up();           // closes the control socket
  int front_status();       // after it ended
  long rss_kib() const;     // of the front
  int descriptors() const;  // of the front, but for pipes
  double cpu_ms() const;

  std::function<base::wire::Verdict(const base::wire::Ask&)> judge;  // default: all but "mallory" come in
  std::function<bool(const base::wire::Code&)> judge_code;           // default: "123456" is right
  bool silent = false;                                               // no verdict at all

  base::Loop loop;
  bool ready = false;
  base::wire::Ready about;      // what the front said of itself
  base::wire::Figures figures;  // the last ones
  unsigned figures_told = 0;
  std::vector<base::wire::Ask> asks;
  std::vector<base::wire::Code> codes;
  std::vector<std::uint64_t> closed;
  std::vector<base::wire::Remark> remarks;
  std::vector<base::wire::Open> opened;
  // Each direct-tcpip channel that is asked for, with its socket: answer it by forward().
  struct Forward {
    base::wire::Forward wish;
    base::Fd socket;
  };
  std::vector<Forward> forwards;
  void forward(const Forward& asked, bool open) {
    send(base::wire::Control::opened,
         base::wire::Opened{asked.wish.connection, asked.wish.number, open}.encode());
  }
  std::size_t sessions_open() const { return sessions_.size(); }
  void end_sessions(std::uint32_t status);

 private:
  struct Session;
  void hear();
  void serve(Session& session);
  void frame(Session& session, base::wire::Frame kind, base::Bytes payload);

  pid_t pid_ = -1;
  int port_ = 0;
  TempDir dir_;
  base::Fd control_;
  std::unique_ptr<base::Watch> watch_;
  std::list<std::unique_ptr<Session>> sessions_;
};

// The n-th byte of what "flood" sends, and its sum as "sink" counts it.
std::string pattern(std::size_t size);
std::uint32_t sum(base::Bytes bytes, std::uint32_t before = 0);

}  // namespace oob::test

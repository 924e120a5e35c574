#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "recipe/pull.h"
#include "recipe/recipe.h"
#include "recipe/talk.h"
#include "recipe/visit.h"

namespace oob::recipe {

// What a line does to the bytes that pass it.
struct Noise {
  double messages = 0;  // lines of the kernel, a second of line time at 115200 baud; from the device alone
  double damage = 0;    // the part of bytes that are flipped, lost, or followed by one too much; both ways
  unsigned seed = 0;
};

// A folder of tools for a device: links to what a shell and its pull need, so that a test can take some away
// or put others in their place. `kind` is "dash", "bash" or "busybox": what /bin/sh is on the device.
class DeviceTools {
 public:
  explicit DeviceTools(const std::string& kind);
  ~DeviceTools();
  DeviceTools(const DeviceTools&) = delete;
  DeviceTools& operator=(const DeviceTools&) = delete;

  void remove(const std::string& tool);
  void script(const std::string& tool, const std::string& text);  // a shell script instead
  void link(const std::string& tool, const std::string& path);    // another program instead
  void write(const std::string& name, const std::string& bytes);  // into home()
  std::string read(const std::string& name) const;
  std::string bin() const { return folder_ + "/bin"; }
  std::string home() const { return folder_ + "/home"; }
  std::string temporary() const { return folder_ + "/tmp"; }
  const std::string& kind() const { return kind_; }
  std::vector<std::string> left_over() const;  // names of what lies in temporary()

 private:
  std::string folder_, kind_;
};

// A real interactive shell on a real pty (or one that reads a socket, without a terminal), behind a line with
// noise, carried to a Talk. Time is the line's: what bytes take at 115200 baud, plus the real time in which
// the device waits, which passes `hurry` times as fast. While it works, a tenth of that: on a busy machine it
// is the processor that it waits for, and a slow device is another thing to show.
class RealShell {
 public:
  RealShell(const DeviceTools& tools, Noise noise, double hurry, const std::string& first_command = "",
            bool terminal = true);
  ~RealShell();
  RealShell(const RealShell&) = delete;
  RealShell& operator=(const RealShell&) = delete;

  Talk& talk() { return *talk_; }
  // Carries until `done`; false when it was not after `limit` of real time.
  bool carry(const std::function<bool()>& done, std::chrono::seconds limit);
  // Types it past the Talk and without noise, and answers what was said until it was quiet.
  std::string ask(const std::string& line);
  void type_raw(const std::string& bytes);
  std::string ask(const std::string& line, const std::string& answer);  // until this was in it, for 30 s
  std::function<void(std::string&)> spoil;     // may change what is typed, before the noise does
  std::function<void(char, base::Bytes)> log;  // '>' what was typed, '<' what was heard
  // From now on bytes take as long as at 115200 baud, both ways, in real time.
  void throttle() { throttled_ = base::Clock::now(); }
  std::uint64_t passed() const { return passed_; }  // bytes, both ways, with the kernel's
  void on_bytes(std::function<void()> what) { on_bytes_ = std::move(what); }  // after each piece that came
  // Nothing passes any more, and the conversation ends; until there is another, with a Talk of its own.
  void cut();
  void plug_in();
  std::vector<int> children() const;  // processes that it has started and that run

 private:
  Talk::Time now() const;
  void pass_time();
  void heard(base::Bytes bytes);
  std::string damaged(base::Bytes bytes);
  std::string with_messages(base::Bytes bytes);

  Noise noise_;
  double hurry_;
  std::mt19937 random_;
  int fd_ = -1, pid_ = -1;
  base::Clock::time_point looked_;
  double waited_ = 0;  // seconds, as they count
  std::uint64_t passed_ = 0, next_message_ = 0, messages_ = 0;
  std::optional<base::Clock::time_point> throttled_;
  double room_[2] = {0, 0};  // bytes that may pass now: from the device, to it
  std::unique_ptr<Talk> talk_;
  std::function<void()> on_bytes_;
  bool cut_ = false, ended_ = false;
};

// A recipe for such a device, whose prompt is a work and a home state: the file config.xml of its home.
Recipe shell_recipe(const DeviceTools& tools);
// A configuration as of pfSense: of so many bytes, the same each time.
std::string like_pfsense(std::size_t bytes);

}  // namespace oob::recipe

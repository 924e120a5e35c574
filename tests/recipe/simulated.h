#pragma once

#include <deque>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "recipe/talk.h"

namespace oob::recipe {

// A device at the other end of a serial line, in a time of its own: takes what is typed, byte by byte, and
// says things, through a terminal that echoes and edits lines (termios' canonical mode).
class SimulatedDevice {
 public:
  using Time = Talk::Time;
  virtual ~SimulatedDevice() = default;

  void typed(char byte);
  void pass(Time now);
  Time due() const;  // when pass() has something to do; Time::max(): never
  std::string said;  // what the line has not carried yet

  void power_cut(base::milliseconds boot);
  // Somebody has typed this without an Enter.
  void half_typed(const std::string& line);
  virtual bool somebody_is_logged_in() const = 0;
  // What its kernel writes on the console by itself; the number-th, at this second.
  virtual std::string message(unsigned number, std::int64_t second) const;

  std::vector<std::string> forbidden;  // what must never be done to it, and was

 protected:
  explicit SimulatedDevice(Time now) : now_(now) {}
  void say(const std::string& text);  // \n becomes \r\n
  void later(base::milliseconds time, std::function<void()> what);
  void echo(bool on) { echo_ = on; }
  // Bytes go to byte() at once, without echo.
  void raw(bool on) { raw_ = on; }
  // A longer line is scrolled sideways, ten columns at a time, as IOS does; 0: it is wrapped by the terminal.
  void scroll_at(unsigned columns) { scroll_at_ = columns; }
  void no_taking_back() { takes_back_ = false; }  // Ctrl-U does nothing

  virtual void line(const std::string& text) = 0;
  virtual void byte(char) {}
  virtual void interrupt() = 0;  // Ctrl-C
  virtual void booted() = 0;

 private:
  Time now_;
  bool echo_ = true, raw_ = false, dead_ = false, takes_back_ = true;
  std::string half_;
  std::size_t scroll_at_ = 0, shown_ = 0;  // columns, and how many of half_ are on the screen
  std::multimap<Time, std::function<void()>> later_;
};

// pfSense, OPNsense and FreeBSD, as their rc.initial, opnsense-shell, login(1), csh and resizewin(1) behave.
class SimulatedUnix : public SimulatedDevice {
 public:
  enum class Menu { none, pfsense, opnsense };
  struct Kind {
    Menu menu = Menu::none;
    bool password = true;  // else root is logged in at once
    bool tcsh = true;      // else sh: "# "
  };
  SimulatedUnix(Time now, Kind kind);
  bool somebody_is_logged_in() const override;
  void log_in() { kind_.menu == Menu::none ? shell() : menu(); }  // somebody has, before
  void open_shell() { shell(); }
  void open_reboot_menu();  // pfSense's, behind a 5 that somebody has typed
  unsigned killed = 0;      // logins by an empty line in pfSense's menu

  static constexpr char kUser[] = "root", kPassword[] = "correct horse";

 protected:
  void byte(char byte) override;
  virtual void shell();
  void run(const std::string& command);  // in its shell

 private:
  enum class At { getty, password, menu, reboot, shell, query, busy };
  void line(const std::string& text) override;
  void interrupt() override;
  void booted() override;
  void getty();
  void menu();
  void choose(const std::string& choice);
  void prompt();
  void ask_size(std::function<void()> then);

  Kind kind_;
  At at_ = At::getty;
  std::string name_, reply_;
  std::function<void()> then_;
  unsigned query_ = 0;
};

// Cisco IOS and Junos: a command line that prints text.
class SimulatedCli : public SimulatedDevice {
 public:
  enum class Kind { ios, junos };
  SimulatedCli(Time now, Kind kind, std::string config);
  bool somebody_is_logged_in() const override { return at_ != At::ready && at_ != At::user; }
  void log_in();
  bool pages = false;  // although it was told not to
  bool asks_on_exit = false;
  base::milliseconds pause{1200};  // before the configuration
  unsigned length() const { return length_; }
  bool stamps = true;  // its messages have their time, as a rule
  std::string message(unsigned number, std::int64_t second) const override;

  static constexpr char kUser[] = "oob", kPassword[] = "battery staple", kEnable[] = "sesame";

 private:
  enum class At { ready, user, password, exec, enable, commands, pager, confirm, exit, busy };
  void line(const std::string& text) override;
  void byte(char byte) override;
  void interrupt() override;
  void booted() override;
  void user();
  void prompt();
  void print(const std::string& text);
  void page();
  void command(const std::string& text);

  Kind kind_;
  std::string config_, name_, paged_;
  At at_ = At::ready;
  unsigned length_ = 24, wrong_ = 0;
};

// The line between both: so many bytes a second each way, messages of the kernel between any two bytes, and
// bytes damaged in both directions. All of it follows from the seed.
class SimulatedLine {
 public:
  struct Noise {
    double messages = 0;  // a second
    double damage = 0;    // of all bytes
    std::uint64_t seed = 1;
  };
  SimulatedLine(Talk& talk, SimulatedDevice& device, Noise noise, unsigned baud = 115200);
  // Until `done` or the time is over: false.
  bool carry(const std::function<bool()>& done, std::chrono::seconds limit);
  Talk::Time now() const { return now_; }
  // Called with each byte that was typed on our side, before the line damages it.
  std::function<void(char)> watch;
  std::string typed;  // all of them

 private:
  double random() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  char damaged(char byte);
  void step();

  Talk& talk_;
  SimulatedDevice& device_;
  Noise noise_;
  double bytes_a_step_, credit_out_ = 0, credit_in_ = 0;
  std::mt19937_64 random_;
  Talk::Time now_, next_message_;
  unsigned messages_ = 0;
};

}  // namespace oob::recipe

#include "tests/recipe/simulated.h"

#include <algorithm>

namespace oob::recipe {

using base::milliseconds;

// --- terminal
// -------------------------------------------------------------------------------------------------

void SimulatedDevice::say(const std::string& text) {
  for (char c : text) {
    if (c == '\n') said += '\r';
    said += c;
  }
}

void SimulatedDevice::later(milliseconds time, std::function<void()> what) {
  later_.emplace(now_ + time, std::move(what));
}

SimulatedDevice::Time SimulatedDevice::due() const {
  return later_.empty() ? Time::max() : later_.begin()->first;
}

void SimulatedDevice::pass(Time now) {
  now_ = now;
  while (!later_.empty() && later_.begin()->first <= now_) {
    auto what = std::move(later_.begin()->second);
    later_.erase(later_.begin());
    what();
  }
}

void SimulatedDevice::power_cut(milliseconds boot) {
  later_.clear();
  said.clear();
  half_.clear();
  dead_ = true;
  later(boot, [this] {
    dead_ = false;
    echo_ = true;
    raw_ = false;
    say("\nCopyright (c) 1992-2025 The Project.\nTimecounters tick every 1.000 msec\n");
    booted();
  });
}

std::string SimulatedDevice::message(unsigned number, std::int64_t) const {
  static const char* const kMessages[] = {
      "igb0: link state changed to DOWN\r\n",
      "<6>pid 1234 (php-fpm), jid 0, uid 0: exited on signal 11\r\n",
      "igb0: link state changed to UP\r\n",
      "arp: 192.0.2.1 moved from 00:00:5e:00:01:01 to 00:00:5e:00:01:02 on igb1\r\n",
  };
  return kMessages[number % std::size(kMessages)];
}

void SimulatedDevice::half_typed(const std::string& line) {
  half_ = line;
  say(line);
}

void SimulatedDevice::typed(char c) {
  if (dead_) return;
  if (raw_) return byte(c);
  if (c == '\r' || c == '\n') {
    say("\n");
    shown_ = 0;
    std::string whole;
    whole.swap(half_);
    return line(whole);
  }
  if (c == '\x03') {
    half_.clear();
    shown_ = 0;
    say("^C");
    return interrupt();
  }
  if (c == '\x15' && !takes_back_) return;
  std::size_t back = c == '\x15' ? half_.size() : (c == '\b' || c == '\x7f') && !half_.empty() ? 1 : 0;
  if (c == '\x15' || c == '\b' || c == '\x7f') {
    half_.resize(half_.size() - back);
    if (scroll_at_ > 0) back = std::min(back, shown_);
    shown_ -= std::min(back, shown_);
    for (; echo_ && back > 0; --back) said += "\b \b";
    return;
  }
  if (static_cast<unsigned char>(c) < 0x20) return;
  half_ += c;
  if (!echo_) return;
  said += c;
  if (++shown_ < scroll_at_ || scroll_at_ == 0) return;
  said += std::string(shown_, '\b') + '$' + half_.substr(half_.size() - (shown_ - 10)) + "         " +
          std::string(9, '\b');
  shown_ -= 9;
}

// --- FreeBSD and its kin
// --------------------------------------------------------------------------------------

SimulatedUnix::SimulatedUnix(Time now, Kind kind) : SimulatedDevice(now), kind_(kind) { getty(); }

bool SimulatedUnix::somebody_is_logged_in() const {
  if (at_ == At::getty || at_ == At::password) return false;
  return kind_.password || at_ == At::shell || at_ == At::query;
}

void SimulatedUnix::booted() { getty(); }

void SimulatedUnix::getty() {
  echo(true);
  raw(false);
  if (!kind_.password) {
    at_ = At::busy;
    return later(milliseconds(400), [this] { log_in(); });
  }
  at_ = At::getty;
  say("\n\nFreeBSD/amd64 (fw1.example.net) (ttyu0)\n\nlogin: ");
}

void SimulatedUnix::menu() {
  at_ = At::busy;
  // The banner is made by PHP.
  later(milliseconds(kind_.menu == Menu::pfsense ? 1500 : 300), [this] {
    at_ = At::menu;
    if (kind_.menu == Menu::pfsense)
      say("Netgate Device ID: 0123456789abcdef\n\n*** Welcome to pfSense 2.7.2-RELEASE (amd64) on fw1 ***\n\n"
          " WAN (wan)       -> igb0       -> v4: 192.0.2.2/24\n\n"
          " 0) Logout (SSH only)                  9) pfTop\n"
          " 1) Assign Interfaces                 10) Filter Logs\n"
          " 2) Set interface(s) IP address       11) Restart webConfigurator\n"
          " 3) Reset webConfigurator password    12) PHP shell + pfSense tools\n"
          " 4) Reset to factory defaults         13) Update from console\n"
          " 5) Reboot system                     14) Enable Secure Shell (sshd)\n"
          " 6) Halt system                       15) Restore recent configuration\n"
          " 7) Ping host                         16) Restart PHP-FPM\n"
          " 8) Shell\n\nEnter an option: ");
    else
      say("\n*** OPNsense.localdomain: OPNsense 24.7 ***\n\n"
          "  0) Logout                              7) Ping host\n"
          "  1) Assign interfaces                   8) Shell\n"
          "  2) Set interface IP address            9) pfTop\n"
          "  3) Reset the root password            10) Firewall log\n"
          "  4) Reset to factory defaults          11) Reload all services\n"
          "  5) Power off system                   12) Upgrade from console\n"
          "  6) Reboot system                      13) Restore a backup\n\nEnter an option: ");
  });
}

void SimulatedUnix::choose(const std::string& choice) {
  say("\n");
  bool pfsense = kind_.menu == Menu::pfsense;
  if (choice == "8") return shell();
  if (choice == "0" || (!pfsense && (choice == "exit" || choice == "logout" || choice == "quit")))
    return getty();
  if (choice.empty() && pfsense) {
    ++killed;
    return getty();
  }
  static const std::vector<std::string> kHarmful = {"1",  "2",  "3",  "4",  "5",  "6",  "7",  "9",
                                                    "10", "11", "12", "13", "14", "15", "16", "99"};
  if (std::find(kHarmful.begin(), kHarmful.end(), choice) != kHarmful.end()) forbidden.push_back(choice);
  menu();
}

void SimulatedUnix::open_reboot_menu() {
  at_ = At::reboot;
  say("5\n\npfSense will reboot. This may take one or more minutes, depending on your hardware.\n\n"
      "Do you want to proceed?\n\n    Y/y: Reboot normally\n"
      "    R/r: Reroot (Stop processes, remount disks, re-run startup sequence)\n"
      "    S: Reboot into Single User Mode (requires console access!)\n"
      "    F: Reboot and run a filesystem check\n\nEnter an option: ");
}

void SimulatedUnix::shell() {
  at_ = At::shell;
  prompt();
}

void SimulatedUnix::prompt() {
  at_ = At::shell;
  if (!kind_.tcsh) return say("# ");
  if (kind_.menu == Menu::pfsense)
    return say(
        "[\x1b[1m2.7.2-RELEASE\x1b[0m][\x1b[1mroot\x1b[0m\x1b[0;1;31m@\x1b[0;0;0m\x1b[1mfw1.example.net\x1b["
        "0m]"
        "/root\x1b[0;1;31m:\x1b[0;0;0m ");
  say("root@fw1:~ # ");
}

// resizewin(1): the terminal is flushed and raw until it has its answer, or two seconds are over.
void SimulatedUnix::ask_size(std::function<void()> then) {
  at_ = At::query;
  raw(true);
  reply_.clear();
  then_ = std::move(then);
  said +=
      "\x1b"
      "7\x1b[r\x1b[999;999H\x1b[6n";
  later(milliseconds(2000), [this, number = ++query_] {
    if (at_ != At::query || number != query_) return;
    raw(false);
    at_ = At::shell;
    then_();
  });
}

void SimulatedUnix::byte(char c) {
  reply_ += c;
  if (c != 'R' || reply_.find('\x1b') == std::string::npos) return;
  said +=
      "\x1b"
      "8";
  raw(false);
  at_ = At::shell;
  auto then = then_;
  then();
}

void SimulatedUnix::run(const std::string& command) {
  if (command == "exit" || command == "logout") {
    if (kind_.menu == Menu::none) return getty();
    return menu();
  }
  if (!command.empty()) say(command + ": Command not found.\n");
  prompt();
}

void SimulatedUnix::line(const std::string& text) {
  switch (at_) {
    case At::getty:
      if (text.empty()) return say("login: ");
      name_ = text;
      at_ = At::password;
      echo(false);
      return say("Password:");
    case At::password:
      echo(true);
      at_ = At::busy;
      if (name_ != kUser || text != kPassword)
        return later(milliseconds(800), [this] {
          say("Login incorrect\nlogin: ");
          at_ = At::getty;
        });
      return later(milliseconds(200), [this] {
        say("Last login: Mon Nov 23 07:00:00 on ttyu0\nFreeBSD 14.1-RELEASE (GENERIC)\n\nWelcome to "
            "FreeBSD!\n"
            "Edit /etc/motd.template to change this login announcement.\n");
        log_in();
      });
    case At::menu:
      return choose(text);
    case At::reboot:
      if (text == "8" || text.find_first_of("yYrRsSfF") != std::string::npos) forbidden.push_back(text);
      return menu();
    case At::shell:
      if (kind_.tcsh && kind_.menu == Menu::pfsense) return ask_size([this, text] { run(text); });
      return run(text);
    case At::query:
    case At::busy:
      return;
  }
}

void SimulatedUnix::interrupt() {
  if (at_ == At::shell) {
    say("\n");
    prompt();
  } else if (at_ == At::password) {
    getty();
  }
}

// --- routers
// --------------------------------------------------------------------------------------------------

SimulatedCli::SimulatedCli(Time now, Kind kind, std::string config)
    : SimulatedDevice(now), kind_(kind), config_(std::move(config)) {
  booted();
}

std::string SimulatedCli::message(unsigned number, std::int64_t second) const {
  if (!stamps) return SimulatedDevice::message(number, second);
  auto two = [](std::int64_t part) { return base::str(part < 10 ? "0" : "", part); };
  std::string time = base::str(two(second / 3600 % 24), ":", two(second / 60 % 60), ":", two(second % 60));
  if (kind_ == Kind::junos)
    return base::str("Nov 23 ", time, "  edge1 mib2d[", 5000 + number, "]: SNMP_TRAP_LINK_DOWN\r\n");
  return base::str("\r\n*Mar  1 ", time, ".", 100 + number % 900,
                   ": %LINK-3-UPDOWN: Interface GigabitEthernet0/", number % 48, ", changed state to up\r\n");
}

void SimulatedCli::booted() {
  length_ = 24;
  if (kind_ == Kind::junos) return user();
  at_ = At::ready;
  say("\n\nrouter1 con0 is now available\n\n\n\nPress RETURN to get started.\n\n\n");
}

void SimulatedCli::user() {
  echo(true);
  at_ = At::user;
  say(kind_ == Kind::ios ? "\n\nUser Access Verification\n\nUsername: " : "\nedge1 (ttyu0)\n\nlogin: ");
}

void SimulatedCli::log_in() {
  at_ = kind_ == Kind::ios ? At::exec : At::commands;
  prompt();
}

void SimulatedCli::prompt() {
  echo(true);
  raw(false);
  if (kind_ == Kind::junos) return say("\noob@edge1> ");
  say(at_ == At::exec ? "router1>" : "router1#");
}

void SimulatedCli::print(const std::string& text) {
  paged_ = text;
  page();
}

void SimulatedCli::page() {
  std::size_t size = 0;
  unsigned most = pages ? 24 : length_;
  for (unsigned lines = 0; size < paged_.size() && (most == 0 || lines + 1 < most); ++lines)
    size = std::min(paged_.find('\n', size), paged_.size() - 1) + 1;
  say(paged_.substr(0, size));
  paged_.erase(0, size);
  if (paged_.empty()) {
    at_ = At::commands;
    return prompt();
  }
  at_ = At::pager;
  raw(true);
  said += kind_ == Kind::ios ? " --More-- " : "---(more)---";
}

void SimulatedCli::byte(char c) {
  if (at_ == At::confirm) {
    if (c == '\r' || c == 'y') forbidden.push_back("clear counters");
    say("\n");
    at_ = At::commands;
    return prompt();
  }
  if (kind_ == Kind::ios)
    said += "\b\b\b\b\b\b\b\b\b        \b\b\b\b\b\b\b\b\b";
  else
    said += "\r                                        \r";
  if (c == ' ') return page();
  if (c == '\r') {
    std::size_t size = std::min(paged_.find('\n'), paged_.size() - 1) + 1;
    say(paged_.substr(0, size));
    paged_.erase(0, size);
    if (!paged_.empty()) {
      said += kind_ == Kind::ios ? " --More-- " : "---(more)---";
      return;
    }
  }
  at_ = At::commands;
  prompt();
}

void SimulatedCli::command(const std::string& text) {
  if (text == "exit" && asks_on_exit) {
    at_ = At::exit;
    return say("Exit with uncommitted changes? [yes,no] (yes) ");
  }
  if (text == "exit" || text == "quit") return booted();
  if (text == "reload" || text == "request system reboot") forbidden.push_back(text);
  if (text.empty() || text == "terminal width 0") return prompt();
  if (text == "terminal length 0" || text == "set cli screen-length 0") {
    length_ = 0;
    return prompt();
  }
  if (text == "terminal length 24" || text == "set cli screen-length 24") {
    length_ = 24;
    return prompt();
  }
  if (text == "terminal width 80") return prompt();
  if (text == "set cli screen-width 0") {
    say("Screen width set to 0\n");
    return prompt();
  }
  if (text == "enable" || text == "cli") return prompt();
  if (text == "show version | include Version") return print("Cisco IOS Software, Version 15.2(4)E10\n");
  if (text == "show version | match junos") return print("Junos: 23.4R1\n");
  if (text == "show running-config" || text == "show configuration | display omit | no-more") {
    at_ = At::busy;
    if (kind_ == Kind::ios) say("Building configuration...\n\n");
    return later(pause, [this] { print(config_); });
  }
  if (text == "clear counters") {
    at_ = At::confirm;
    raw(true);
    return say("Clear \"show interface\" counters on all interfaces [confirm]");
  }
  if (text == "show logging")
    return print("Log Buffer (4096 bytes):\n\n*Mar  1 00:00:07.123: %LINK-3-UPDOWN: Interface Gi0/1, up\n");
  if (text == "show startup-config") return print("startup-config is not present\n");
  if (text == "show configuration | display set | no-more")
    return print("syntax error, expecting <command>.\n");
  say("                ^\n% Invalid input detected at '^' marker.\n\n");
  prompt();
}

void SimulatedCli::line(const std::string& text) {
  switch (at_) {
    case At::ready:
      return user();
    case At::user:
      if (text.empty()) return say(kind_ == Kind::ios ? "Username: " : "login: ");
      name_ = text;
      at_ = At::password;
      echo(false);
      return say("Password: ");
    case At::password:
      at_ = At::busy;
      if (name_ != kUser || text != kPassword)
        return later(milliseconds(700), [this] {
          say(kind_ == Kind::ios ? "% Login invalid\n" : "Login incorrect\n");
          user();
        });
      return later(milliseconds(150), [this] { log_in(); });
    case At::exec:
      if (text == "enable") {
        at_ = At::enable;
        wrong_ = 0;
        echo(false);
        return say("Password: ");
      }
      if (text == "exit") return booted();
      if (!text.empty()) say("% Unknown command or computer name\n");
      return prompt();
    case At::enable:
      if (text == kEnable) {
        at_ = At::commands;
      } else if (++wrong_ < 3) {
        return say("Password: ");
      } else {
        say("% Bad secrets\n\n");
        at_ = At::exec;
      }
      return prompt();
    case At::commands:
      return command(text);
    case At::exit:
      if (text != "no") forbidden.push_back("exit with uncommitted changes: " + text);
      at_ = At::commands;
      return prompt();
    case At::confirm:
    case At::pager:
    case At::busy:
      return;
  }
}

void SimulatedCli::interrupt() {
  if (at_ == At::exit) at_ = At::commands;
  if (at_ != At::commands && at_ != At::exec) return;
  say("\n");
  prompt();
}

// --- the line
// -------------------------------------------------------------------------------------------------

SimulatedLine::SimulatedLine(Talk& talk, SimulatedDevice& device, Noise noise, unsigned baud)
    : talk_(talk),
      device_(device),
      noise_(noise),
      bytes_a_step_(baud / 10'000.0),
      random_(noise.seed),
      now_(talk.now()),
      next_message_(noise.messages > 0 ? now_ : Talk::Time::max()) {}

char SimulatedLine::damaged(char byte) {
  if (noise_.damage == 0 || random() >= noise_.damage) return byte;
  return static_cast<char>(byte ^ (1 << random_() % 8));
}

// A millisecond.
void SimulatedLine::step() {
  now_ += milliseconds(1);
  device_.pass(now_);
  if (now_ >= next_message_) {
    auto second = std::chrono::duration_cast<std::chrono::seconds>(now_.time_since_epoch()).count();
    device_.said.insert(0, device_.message(messages_++, second));
    next_message_ = now_ + milliseconds(1 + static_cast<int>(2000 * random() / noise_.messages));
  }
  credit_out_ = talk_.wants_to_type() ? credit_out_ + bytes_a_step_ : 0;
  while (credit_out_ >= 1 && talk_.wants_to_type()) {
    char byte = talk_.typed().bytes[0];
    credit_out_ -= 1;
    talk_.typed_so_far(1);
    typed += byte;
    if (watch) watch(byte);
    device_.typed(damaged(byte));
  }
  talk_.pass(now_);
  if (device_.said.empty()) {
    credit_in_ = 0;
    return;
  }
  credit_in_ += bytes_a_step_;
  std::string heard = device_.said.substr(0, static_cast<std::size_t>(credit_in_));
  device_.said.erase(0, heard.size());
  credit_in_ -= static_cast<double>(heard.size());
  for (char& byte : heard) byte = damaged(byte);
  talk_.hear(heard);
}

bool SimulatedLine::carry(const std::function<bool()>& done, std::chrono::seconds limit) {
  const Talk::Time until = now_ + limit;
  while (!done()) {
    if (now_ >= until) return false;
    if (!talk_.wants_to_type() && device_.said.empty()) {
      // Nothing happens until then.
      Talk::Time next = std::min({device_.due(), next_message_, talk_.due().value_or(until), until});
      if (next > now_ + milliseconds(1))
        now_ += std::chrono::duration_cast<milliseconds>(next - now_) - milliseconds(1);
    }
    step();
  }
  return true;
}

}  // namespace oob::recipe

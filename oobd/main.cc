#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/log.h"
#include "console/dispatcher.h"
#include "oobd/call_home_ssh.h"
#include "oobd/check.h"
#include "oobd/config.h"
#include "oobd/core_dumps.h"
#include "oobd/ctl.h"
#include "oobd/demo.h"
#include "oobd/errands.h"
#include "oobd/onion_command.h"
#include "oobd/recipe_command.h"
#include "oobd/replay.h"
#include "oobd/server.h"
#include "oobd/verify.h"
#include "serial/ports.h"
#include "ssh/front.h"
#include "ssh/reach.h"

namespace {

using oob::base::Fault;
using oob::base::str;

constexpr int kUsage = static_cast<int>(Fault::usage);
constexpr int kControl = 3;  // the descriptor on which the front, reach or errands finds the core

struct Program {
  const char *name, *synopsis, *help;
};
constexpr Program kPrograms[] = {
    {"serve", "serve [-c FILE]", "the daemon, in the foreground"},
    {"check", "check [-c FILE] [--bmc] [--uplink]",
     "reads the configuration and all it names; tells each fault. --bmc looks at every BMC as well, "
     "--uplink at this board's routes"},
    {"demo", "demo [--dir DIR] [--port N]",
     "a daemon with devices of this machine, and the ssh line to type"},
    {"ports", "ports [--json]", "the serial ports of this machine, as configuration ready to paste"},
    {"ctl", "ctl [-c FILE | --state DIR] [COMMAND…]",
     "a command of the running daemon, as root or as its user"},
    {"verify", "verify DIR [--key FILE] [--anchor FILE] [--json]",
     "checks the audit trail of a state directory, or of a copy: 0 whole, 1 not, 2 not to be read"},
    {"replay", "replay FILE [--speed X] [--idle S] [--from T]",
     "plays a recording in this terminal; keys: blank pauses, + - speed, . skips 10 s, q leaves"},
    {"recipe", "recipe check FILE… | recipe test FILE --replay RECORDING",
     "reads and proves recipes; runs one against a recording"},
    {"onion",
     "onion add USER [-c FILE] [--dir DIR] [--replace] | onion list [--dir DIR] | onion remove USER …",
     "who may find the onion service that tor keeps in DIR (/var/lib/tor/oobd); shows a new key once"},
    {"help", "help [WORD]", "this, or more on one word"},
    {"--version", "--version", "what this is"},
};

int complain(const std::string& what) {
  std::fprintf(stderr, "oobd: %s\n('oobd help' tells how)\n", what.c_str());
  return kUsage;
}

// The words after the subcommand, options taken out. Options end at the first other word when `stop_at_word`.
struct Line {
  std::string file = "/etc/oobd/oobd.toml", directory, state, key, anchor;
  unsigned port = 0;
  bool json = false, bmc = false, uplink = false;
  std::vector<std::string> words;
  std::string fault;
};

Line parse(const std::vector<std::string>& arguments, const std::string& allowed, bool stop_at_word) {
  Line line;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (stop_at_word && (!line.words.empty() || word[0] != '-')) {
      line.words.push_back(word);
      continue;
    }
    auto is = [&](const char* name, const char* letter) {
      return word == name && allowed.find(letter) != std::string::npos;
    };
    if (is("--json", "j")) {
      line.json = true;
    } else if (is("--bmc", "b")) {
      line.bmc = true;
    } else if (is("--uplink", "u")) {
      line.uplink = true;
    } else if (is("-c", "c") || is("--dir", "d") || is("--port", "p") || is("--state", "s") ||
               is("--key", "k") || is("--anchor", "a")) {
      if (i + 1 == arguments.size()) {
        line.fault = word + " needs a value";
        return line;
      }
      const std::string& value = arguments[++i];
      if (word == "-c") line.file = value;
      if (word == "--dir") line.directory = value;
      if (word == "--state") line.state = value;
      if (word == "--key") line.key = value;
      if (word == "--anchor") line.anchor = value;
      if (word == "--port" && (!oob::base::parse_number(value, line.port) || line.port > 65535)) {
        line.fault = str("--port ", value, ": not a port");
        return line;
      }
    } else if (!word.empty() && word[0] == '-') {
      line.fault = "no such option here: " + word;
      return line;
    } else {
      line.words.push_back(word);
    }
  }
  return line;
}

int ports(const Line& line) {
  auto ports = oob::serial::list_ports();
  if (!ports) {
    std::fprintf(stderr, "oobd: %s\n", ports.error().what.c_str());
    return static_cast<int>(ports.error().fault);
  }
  std::printf("%s",
              (line.json ? oob::serial::ports_json(*ports) + "\n" : oob::serial::ports_toml(*ports)).c_str());
  return 0;
}

int ctl(const Line& line) {
  std::string state = line.state;
  if (state.empty()) state = oob::read_state(line.file);
  if (state.empty()) {
    std::fprintf(stderr,
                 "oobd: %s does not say where the state is (server.state)\n"
                 "oobd: 'oobd ctl --state DIR …' needs no configuration\n",
                 line.file.c_str());
    return static_cast<int>(Fault::config);
  }
  return oob::run_ctl(state, line.words);
}

int help(const std::string& word) {
  std::string text;
  if (word.empty()) {
    text = "oobd: an out-of-band management console server\n\n";
    for (const Program& program : kPrograms)
      text += str("  oobd ", program.synopsis, "\n          ", program.help, "\n");
    text +=
        "\nThe configuration is /etc/oobd/oobd.toml unless -c names another.\nCommands by ssh or ctl:\n\n";
  }
  for (const Program& program : kPrograms)
    if (word == program.name) text += str("oobd ", program.synopsis, "\n  ", program.help, "\n");
  std::string command = oob::console::help_text(word);
  if (text.empty() && command.empty()) return complain("no such command: " + oob::base::printable(word, 60));
  std::printf("%s%s", text.c_str(), command.c_str());
  return 0;
}

// `oobd PROGRAM … --help`. What stands behind a word of ctl is the command's.
bool asks_for_help(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) return false;
  auto is_program = [&](const Program& program) { return arguments[0] == program.name; };
  if (std::none_of(std::begin(kPrograms), std::end(kPrograms), is_program)) return false;
  auto last = arguments[0] == "ctl" ? arguments.begin() + 2 : arguments.end();
  return std::any_of(arguments.begin() + 1, last,
                     [](const std::string& word) { return word == "--help" || word == "-h"; });
}

}  // namespace

int main(int count, char** values) {
  std::vector<std::string> arguments(values + (count > 0 ? 1 : 0), values + count);
  std::string what = arguments.empty() ? "" : arguments[0];
  if (what == "front" && count == 2) return oob::ssh::run_front(kControl);
  if (what == "reach" && count == 2) return oob::ssh::run_reach(kControl);
  if (what == "errands" && count == 3) return oob::run_errands(kControl, arguments[1]);
  if (what == "dial") return oob::run_dial({arguments.begin() + 1, arguments.end()});
  if (what == "pass-socket" && count == 2) return oob::run_pass_socket();
  if (what == "--version" || what == "version") {
    std::printf("%s\n", oob::version().c_str());
    return 0;
  }
  if (asks_for_help(arguments)) return help(what);
  if (what == "replay") return oob::run_replay({arguments.begin() + 1, arguments.end()});
  if (what == "recipe") return oob::run_recipe({arguments.begin() + 1, arguments.end()});
  if (what == "onion") {
    if (auto forbidden = oob::forbid_core_dumps(); !forbidden) oob::base::log(forbidden.error().what);
    return oob::run_onion({arguments.begin() + 1, arguments.end()});
  }
  const char* allowed = what == "serve"    ? "c"
                        : what == "check"  ? "cbu"
                        : what == "demo"   ? "dp"
                        : what == "ports"  ? "j"
                        : what == "ctl"    ? "cs"
                        : what == "verify" ? "jka"
                                           : "";
  Line line = parse(arguments, allowed, what == "ctl");
  bool words_allowed = what == "ctl" || what == "help" || what == "verify";
  if (!line.fault.empty()) return complain(line.fault);
  if (!words_allowed && !line.words.empty()) return complain(what + ": '" + line.words[0] + "' is too much");
  if (what == "serve" || what == "check" || what == "demo")  // they read passwords and keys
    if (auto forbidden = oob::forbid_core_dumps(); !forbidden) oob::base::log(forbidden.error().what);
  if (what == "serve") return oob::run_serve(line.file);
  if (what == "check") return oob::run_check(line.file, line.bmc, line.uplink);
  if (what == "demo") return oob::run_demo(line.directory, line.port);
  if (what == "ports") return ports(line);
  if (what == "ctl") return ctl(line);
  if (what == "verify") {
    if (line.words.size() != 1) return complain("verify: of which state directory? One, please");
    return oob::run_verify(line.words[0], line.key, line.anchor, line.json);
  }
  if (what == "help" || what == "--help" || what == "-h")
    return help(line.words.empty() ? "" : line.words[0]);
  if (what.empty())
    return complain("what? serve, check, demo, ports, ctl, verify, replay, recipe, onion, help or --version");
  return complain("no such command: " + oob::base::printable(what, 60));
}

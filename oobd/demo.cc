#include "oobd/demo.h"

#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "auth/host_key.h"
#include "base/log.h"
#include "oobd/demo_gear.h"
#include "oobd/demo_machine.h"
#include "oobd/server.h"

namespace oob {

namespace fs = std::filesystem;
using base::Result;
using base::str;

namespace {

struct Removed {  // the temporary folder goes with the demo
  std::string path;
  ~Removed() {
    std::error_code ignored;  // what can't be removed is below /tmp and named on the screen
    if (!path.empty()) fs::remove_all(path, ignored);
  }
};

std::vector<std::string> shell() {
  const passwd* me = ::getpwuid(::geteuid());
  std::string path = me && me->pw_shell && *me->pw_shell ? me->pw_shell : "/bin/sh";
  if (path.find("nologin") != std::string::npos || path.find("/false") != std::string::npos) path = "/bin/sh";
  return {path, "-l"};
}

// Something of this machine that talks without being asked: its journal, its kernel log, or its load.
std::vector<std::string> talker() {
  bool journal = fs::exists("/run/systemd/journal/socket") && fs::exists("/usr/bin/journalctl");
  if (journal) return {"journalctl", "--follow", "--lines=20", "--no-pager"};
  if (::access("/dev/kmsg", R_OK) == 0 && fs::exists("/usr/bin/dmesg")) {
    return {"/bin/sh", "-c", "dmesg --follow 2>/dev/null & while :; do uptime; sleep 5; done"};
  }
  return {"/bin/sh", "-c", "while :; do uptime; sleep 5; done"};
}

Result<> write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (!file) return base::system_error(path);
  ::chmod(path.c_str(), 0600);
  return {};
}

// The folder's files: a key for the visitor, and the configuration that lets it in. `more`: tables of further
// devices.
Result<std::string> furnish(const std::string& directory, unsigned port, const DemoGear& edge,
                            const DemoGear& log, const std::string& more) {
  std::error_code error;
  fs::create_directories(directory + "/key", error);
  if (error) return base::fail(base::Fault::config, str(directory, "/key: ", error.message()));
  ::chmod((directory + "/key").c_str(), 0700);
  Result<auth::HostKey> key = auth::HostKey::load_or_make(directory + "/key", auth::HostKeyKind::ed25519);
  if (!key) return key.error();
  Result<> keys = write(directory + "/authorized_keys", key->public_line() + " demo\n");
  if (!keys) return keys.error();
  std::string file = directory + "/oobd.toml";
  Result<> config =
      write(file, str("[server]\n"
                      "listen = [\"127.0.0.1:",
                      port,
                      "\"]\n"
                      "state  = \"state\"\n"
                      // The gear of the demo are children of this process, and would be confined with it.
                      "sandbox = false\n\n"
                      "[user.demo]\nkeys  = \"authorized_keys\"\nroles = [\"operator\"]\n\n"
                      "[role.operator]\non  = [\"*\"]\nmay = [\"watch\", \"write\", \"power\", \"snapshot\", "
                      "\"forward\", \"audit\", \"admin\"]\n\n"
                      "[device.edge1]   # a login shell of this machine\n"
                      "line  = { serial = \"",
                      edge.port(),
                      "\", baud = 115200 }\nmodel = \"linux\"\n\n"
                      "[device.board]   # what this machine says by itself\n"
                      "line = { serial = \"",
                      log.port(), "\" }\n", more));
  if (!config) return config.error();
  return file;
}

// `relay`: empty, or why there is no relay1.
void say_how(const std::string& directory, const Server& server, const std::string& address,
             const std::string& relay) {
  std::string port = address.substr(address.rfind(':') + 1);
  std::string hosts = directory + "/known_hosts", lines;
  for (const std::string& key : server.host_key_lines()) lines += str("[127.0.0.1]:", port, " ", key, "\n");
  if (Result<> written = write(hosts, lines); !written) base::log(written.error().what);
  std::string ssh =
      str("ssh -p ", port, " -i ", directory,
          "/key/host_ed25519 -o IdentitiesOnly=yes -o UserKnownHostsFile=", hosts, " demo@127.0.0.1");
  std::string about =
      relay.empty()
          ? "relay1 is a virtual machine with a BMC, switched off: 'power relay1 on', and watch it\n"
            "boot on its console (root, labpw); 'sensors relay1', 'sel relay1' ask the BMC; once it is up,\n"
            "'run relay1 -- ps' and 'snapshot relay1' go over that console."
          : str("relay1, a virtual machine with a BMC, is left out: ", relay, ".");
  std::printf(
      "\nedge1 is a login shell of this machine ('snapshot edge1' pulls its configuration), board is what "
      "it\n"
      "says by itself. %s\n"
      "In another terminal:\n\n"
      "  %s\n\nStraight to a console: add -t before and edge1 after. ^Ec . leaves it, ^Ec ? helps.\n"
      "Everything is below %s. Ctrl-C here ends the demo.\n\n",
      about.c_str(), ssh.c_str(), directory.c_str());
  std::fflush(stdout);
}

}  // namespace

int run_demo(const std::string& wanted, unsigned port) {
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(077);  // keys, passwords and what consoles say are nobody else's, whoever of us writes them
  Removed removed;
  std::string directory = wanted;
  if (directory.empty()) {
    directory = (fs::temp_directory_path() / "oobd-demo-XXXXXX").string();
    if (!::mkdtemp(directory.data())) {
      base::log(base::system_error(directory).what);
      return static_cast<int>(base::Fault::internal);
    }
    removed.path = directory;
  } else {
    std::error_code error;
    fs::create_directories(directory, error);
    directory = fs::absolute(directory, error).lexically_normal().string();
  }
  base::Loop loop;
  DemoGear edge(loop, shell()), log(loop, talker());
  for (DemoGear* gear : {&edge, &log}) {
    Result<> started = gear->start();
    if (started) continue;
    base::log(started.error().what);
    return static_cast<int>(started.error().fault);
  }
  DemoMachine relay(directory + "/relay1");
  Result<> relay_started = relay.start();
  Result<std::string> tables = relay_started ? relay.configuration("relay1") : std::string();
  std::string no_relay = !relay_started ? relay_started.error().what : !tables ? tables.error().what : "";
  Result<std::string> file = furnish(directory, port, edge, log, tables ? *tables : "");
  if (!file) {
    base::log(file.error().what);
    return static_cast<int>(file.error().fault);
  }
  Server server(loop, *file);
  base::Signals signals(loop, {SIGHUP, SIGTERM, SIGINT, SIGCHLD}, [&](int number) {
    if (number != SIGCHLD) return loop.stop();
    server.child_ended();
    edge.child_ended();
    log.child_ended();
  });
  Result<> started = server.start([&](const std::vector<std::string>& addresses) {
    say_how(directory, server, addresses.front(), no_relay);
  });
  if (!started) {
    base::log(started.error().what);
    return static_cast<int>(started.error().fault);
  }
  loop.run();
  std::printf("\nthe demo is over\n");
  return 0;
}

}  // namespace oob

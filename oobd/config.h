#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "auth/policy.h"
#include "base/result.h"
#include "base/time.h"
#include "recipe/recipe.h"

namespace oob {

// One fault of a configuration, as `oobd check` prints it: FILE:LINE:COLUMN: message.
struct ConfigFault {
  std::string file;
  unsigned line = 0, column = 0;  // from 1; 0: about the whole file
  std::string message;
  std::string text() const;  // about the whole file: FILE:1:1
};

struct SerialLine {
  std::string path;
  unsigned baud = 115200;
  std::string format = "8N1";  // 5-8, N E O M S, 1 or 2
  std::string flow = "none";   // none, rtscts, xonxoff
  bool operator==(const SerialLine&) const = default;
};
struct TcpLine {
  std::string address;  // numeric "192.0.2.40:4001", "[2001:db8::1]:4001"
  bool operator==(const TcpLine&) const = default;
};
struct TelnetLine {
  std::string address;
  std::optional<unsigned> baud;  // sent by RFC 2217 when given
  std::string format, flow;      // empty: left as the far end has it
  bool operator==(const TelnetLine&) const = default;
};
struct UnixLine {
  std::string path;
  bool operator==(const UnixLine&) const = default;
};
struct SolLine {
  std::string bmc;
  // What is written to the BMC where it has something else; left out: as it is.
  std::optional<unsigned> accumulate, threshold;    // ms, characters
  std::optional<unsigned> retries, retry_interval;  // and ms
  std::optional<unsigned> baud;
  bool operator==(const SolLine&) const = default;
};
using LineConfig = std::variant<SerialLine, TcpLine, TelnetLine, UnixLine, SolLine>;

struct DeviceConfig {
  LineConfig line;
  std::string power_bmc;      // empty: no chassis power
  std::string model;          // empty: unknown
  bool is_protected = false;  // power only by name
  bool carries_oob = false;   // it powers or carries this board's own uplink
  bool record_input = false;  // recordings of it have what was typed
  // How oobd logs in by the model's recipe; absolute paths. Empty: not given.
  struct Login {
    std::string user, password_file, enable_file;
    bool operator==(const Login&) const = default;
  };
  Login login{};
  std::vector<std::string> fetch{};  // files of its snapshots besides the recipe's: shell patterns, absolute
  // Its SSH server on the management network, for pulls while that is there. Empty host: not given.
  struct InBand {
    std::string host;                           // numeric, with its port: "192.0.2.1:22"
    std::string host_key;                       // "ssh-ed25519 AAAA…" as in known_hosts, or "SHA256:…"
    std::string user, password_file, key_file;  // absolute paths; one of the files
    bool operator==(const InBand&) const = default;
  };
  InBand ssh{};
  bool guard_power = false;           // a guard may reset it
  std::vector<std::string> alarms{};  // RE2: lines of its console that are an event, the recipe's too
  bool operator==(const DeviceConfig&) const = default;
};

struct BmcConfig {
  std::string host, user, password_file;
  int cipher_suite = 0;                        // 0: not given
  std::string kg_file;                         // empty: no Kg key
  std::string privilege;                       // user, operator, admin; empty: the least that works
  std::vector<std::uint16_t> forward = {443};  // its TCP ports that may be forwarded to
  bool operator==(const BmcConfig&) const = default;
};

struct UserConfig {
  std::string keys;  // absolute path
  std::vector<std::string> roles;
  std::string totp_file;  // absolute path; empty: none
};

// [limits]: who may come how often, before anybody is known.
struct LimitsConfig {
  std::uint32_t grace = 30;         // seconds from the connection to the end of the login
  std::uint32_t startups = 100;     // connections that have not logged in
  std::uint32_t per_source = 3;     // of those, from one IPv4 address or IPv6 /64
  std::uint32_t tries = 6;          // keys and codes on one connection
  std::uint32_t connections = 500;  // in all
  std::uint32_t per_user = 50;      // of one user
  std::uint32_t channels = 10;      // sessions and forwards on one connection
  bool penalties = true;
  bool operator==(const LimitsConfig&) const = default;
};

// [audit]: what is kept for how long, and what happens when the disk fills.
struct AuditConfig {
  bool refuse = false;          // on_audit_failure = "refuse": no new sessions while nothing can be recorded
  bool checkpoint_line = true;  // the last line of an interactive session
  std::uint64_t reserve = 16 << 20;  // bytes, for the journal alone
  // Of a kind: how long (0: for ever), how much (bytes, 0: any), and what a full disk never takes away.
  struct Kept {
    base::Micros keep = 0;
    std::uint64_t most = 0, floor = 0;
    bool operator==(const Kept&) const = default;
  };
  static constexpr base::Micros kDay = 86'400'000'000;
  Kept recordings{90 * kDay, std::uint64_t{2} << 30, 64 << 20};
  Kept transcripts{400 * kDay, 1 << 30, 64 << 20};              // of each device
  Kept journal{400 * kDay, 1 << 30, 0};                         // a full disk takes nothing of it
  unsigned disk_warn = 80, disk_shed = 90, disk_critical = 95;  // percent
  bool operator==(const AuditConfig&) const = default;
};

// [syslog]: where the journal is sent (RFC 5425).
struct SyslogConfig {
  std::string server;            // numeric "192.0.2.50:6514", "[2001:db8::50]:6514", always with its port
  std::string ca;                // absolute path: certificates (PEM) that sign the server's
  std::string name;              // that the server's certificate must have
  std::string certificate, key;  // absolute paths (PEM); both or none
  bool operator==(const SyslogConfig&) const = default;
};

// [snapshot]: configurations that are pulled by the clock, and where recipes of one's own are.
struct SnapshotConfig {
  base::Micros every = 0;   // 0: only on demand
  base::Micros spread = 0;  // the devices' turns are spread over so long
  std::string recipes;      // absolute path of a folder with NAME.recipe files; empty: none
  bool operator==(const SnapshotConfig&) const = default;
};

// [uplink.NAME]: one way from this board to the outside.
struct UplinkConfig {
  std::string interface;  // "lte0"; need not exist now
  std::vector<std::string>
      listen;  // numeric with their ports; bound to the interface. Empty: it can't be dialled
  std::vector<std::string> probe;  // "tcp:192.0.2.1:443", "icmp:192.0.2.1"; empty: as good as its interface
  bool metered = false;            // each byte costs: probed seldom, the way out only where there is no other
  bool operator==(const UplinkConfig&) const = default;
};

// [callhome.NAME]: a bastion to which this board keeps an SSH connection, for people to come back by.
struct CallHomeConfig {
  std::string bastion;   // numeric with its port: "192.0.2.7:22"
  std::string user;      // there
  std::string key_file;  // absolute path; the private key for it
  std::string host_key;  // pinned: "ssh-ed25519 AAAA…"
  std::string socket;    // absolute path of the Unix socket that appears on the bastion
  bool operator==(const CallHomeConfig&) const = default;
};

// [watch.NAME]: a BGP peering, as the board sees it.
struct WatchConfig {
  // By the console of a router ...
  std::string device;     // empty: not by a console
  std::string daemon;     // "bird", "frr", "openbgpd": whose answer is understood
  std::string neighbour;  // the protocol's name in BIRD, the peer's address in the others
  std::string command;    // what is asked there; empty: the daemon's own
  // ... or by whether addresses beyond it answer through one interface.
  std::vector<std::string> probe;  // as in UplinkConfig; all of them silent: lost
  std::string interface;
  base::Micros every = 60'000'000;
  bool operator==(const WatchConfig&) const = default;
};

// [notify.NAME]: who hears of what happens.
struct NotifyConfig {
  std::vector<std::string> events;   // names of journal events, or globs of them: "line.*"
  std::vector<std::string> devices;  // globs; of events about a device only those of these
  std::vector<std::string> program;  // what is run, and its arguments; one JSON object on its stdin
  std::string post;                  // "https://192.0.2.1/hook": where that is posted to. One of the two
  std::string ca;                    // absolute path: certificates (PEM) to trust instead of the system's
  std::string token_file;            // absolute path: sent as "Authorization: Bearer …"; empty: none
  std::uint32_t most = 30;           // an hour; what is beyond comes together in one
  bool operator==(const NotifyConfig&) const = default;
};

// [drill]
struct DrillConfig {
  base::Micros every = 0;  // 0: only on demand
  bool operator==(const DrillConfig&) const = default;
};

// The whole configuration, checked; paths are absolute.
struct Config {
  std::vector<std::string> listen;
  std::string state;
  std::string escape =
      "\x05"
      "c";                            // [server] escape, "^Ec"
  std::size_t scrollback = 4 * 1024;  // [server] scrollback, bytes kept in memory for each console
  bool rsa_host_key =
      false;  // [server] rsa_host_key: offer RSA host key to old clients (17.6 CPU ms a login)
  std::string user_ca, revoked_keys;  // absolute paths; empty: none
  enum class Unsynchronised { check, skip, refuse };
  Unsynchronised totp_unsynchronised = Unsynchronised::check;  // when the clock is not to be trusted
  bool sandbox = true;                                         // [server] sandbox: Landlock for the core
  LimitsConfig limits;
  AuditConfig audit;
  std::optional<SyslogConfig> syslog;
  SnapshotConfig snapshot;
  std::map<std::string, UplinkConfig> uplinks;
  std::map<std::string, CallHomeConfig> call_homes;
  std::map<std::string, WatchConfig> watches;
  std::map<std::string, NotifyConfig> notifies;
  DrillConfig drill;
  std::shared_ptr<const recipe::Book> recipes;  // never null
  std::map<std::string, UserConfig> users;
  std::map<std::string, auth::Role> roles;
  std::map<std::string, BmcConfig> bmcs;
  std::map<std::string, DeviceConfig> devices;
};

// Reads FILE and every file it names. Either a whole configuration or all its faults, in the order of the
// file.
struct ConfigOutcome {
  std::optional<Config> config;
  std::vector<ConfigFault> faults;
};
ConfigOutcome read_config(const std::string& file);

// The state folder alone, also of a configuration with faults elsewhere: `oobd ctl` needs no more, and a
// missing key file must not take away the last way in. Empty where it does not say.
std::string read_state(const std::string& file);

constexpr std::size_t kMostConfig = 4 * 1024 * 1024;  // bytes of a configuration file

// The same for a text that is in hand already. `file` names it in faults, and its folder is where relative
// paths begin; the files it names are seen through `files`.
class ConfigFiles;
ConfigOutcome read_config_text(const std::string& text, const std::string& file, ConfigFiles& files);

}  // namespace oob

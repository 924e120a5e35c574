#include "oobd/config_words.h"

namespace oob {
namespace {

constexpr Key kTopKeys[] = {
    {"server", Wants::table, true},  {"limits", Wants::table, false},   {"user", Wants::table, false},
    {"role", Wants::table, false},   {"bmc", Wants::table, false},      {"device", Wants::table, false},
    {"audit", Wants::table, false},  {"syslog", Wants::table, false},   {"snapshot", Wants::table, false},
    {"uplink", Wants::table, false}, {"callhome", Wants::table, false}, {"watch", Wants::table, false},
    {"notify", Wants::table, false}, {"drill", Wants::table, false},
};
constexpr Key kServerKeys[] = {
    {"listen", Wants::texts, true},
    {"state", Wants::text, true},
    {"escape", Wants::text, false},
    {"scrollback", Wants::size, false},
    {"rsa_host_key", Wants::truth, false},
    {"user_ca", Wants::text, false},
    {"revoked_keys", Wants::text, false},
    {"sandbox", Wants::truth, false},
    {"totp_unsynchronised", Wants::text, false},
};
constexpr Key kLimitsKeys[] = {
    {"grace", Wants::text, false},          {"startups", Wants::integer, false},
    {"per_source", Wants::integer, false},  {"tries", Wants::integer, false},
    {"connections", Wants::integer, false}, {"per_user", Wants::integer, false},
    {"channels", Wants::integer, false},    {"penalties", Wants::truth, false},
};
constexpr Key kAuditKeys[] = {
    {"on_audit_failure", Wants::text, false},  {"checkpoint_line", Wants::truth, false},
    {"reserve", Wants::size, false},           {"recordings_keep", Wants::text, false},
    {"recordings_most", Wants::size, false},   {"recordings_floor", Wants::size, false},
    {"transcripts_keep", Wants::text, false},  {"transcripts_most", Wants::size, false},
    {"transcripts_floor", Wants::size, false}, {"journal_keep", Wants::text, false},
    {"journal_most", Wants::size, false},      {"disk_warn", Wants::integer, false},
    {"disk_shed", Wants::integer, false},      {"disk_critical", Wants::integer, false},
};
constexpr Key kSyslogKeys[] = {
    {"server", Wants::text, true},       {"ca", Wants::text, true},   {"name", Wants::text, true},
    {"certificate", Wants::text, false}, {"key", Wants::text, false},
};
constexpr Key kSnapshotKeys[] = {
    {"every", Wants::text, false}, {"spread", Wants::text, false}, {"recipes", Wants::text, false}};
constexpr Key kUserKeys[] = {
    {"keys", Wants::text, false}, {"roles", Wants::texts, true}, {"totp_file", Wants::text, false}};
constexpr Key kRoleKeys[] = {
    {"on", Wants::texts, true},
    {"may", Wants::texts, true},
    {"second_factor", Wants::text, false},
    {"two_person", Wants::truth, false},
    {"safe", Wants::truth, false},
    {"hours", Wants::texts, false},
    {"expires", Wants::text, false},
    {"record_input", Wants::truth, false},
};
constexpr Key kBmcKeys[] = {
    {"host", Wants::text, true},          {"user", Wants::text, true},
    {"password_file", Wants::text, true}, {"cipher_suite", Wants::integer, false},
    {"kg_file", Wants::text, false},      {"privilege", Wants::text, false},
    {"forward", Wants::integers, false},
};
constexpr Key kDeviceKeys[] = {
    {"line", Wants::table, true},    {"power", Wants::table, false},
    {"model", Wants::text, false},   {"protected", Wants::truth, false},
    {"carries", Wants::text, false}, {"record_input", Wants::truth, false},
    {"login", Wants::table, false},  {"fetch", Wants::texts, false},
    {"ssh", Wants::table, false},    {"guard_power", Wants::truth, false},
    {"alarms", Wants::texts, false},
};
constexpr Key kLineKeys[] = {
    {"serial", Wants::text, false},        {"tcp", Wants::text, false},
    {"telnet", Wants::text, false},        {"unix", Wants::text, false},
    {"sol", Wants::text, false},           {"baud", Wants::integer, false},
    {"format", Wants::text, false},        {"flow", Wants::text, false},
    {"accumulate", Wants::integer, false}, {"threshold", Wants::integer, false},
    {"retries", Wants::integer, false},    {"retry_interval", Wants::integer, false},
};
constexpr Key kPowerKeys[] = {{"bmc", Wants::text, true}};
constexpr Key kLoginKeys[] = {
    {"user", Wants::text, false},
    {"password_file", Wants::text, false},
    {"enable_file", Wants::text, false},
};
constexpr Key kSshKeys[] = {
    {"host", Wants::text, true},           {"host_key", Wants::text, true},  {"user", Wants::text, true},
    {"password_file", Wants::text, false}, {"key_file", Wants::text, false},
};

constexpr Key kUplinkKeys[] = {
    {"interface", Wants::text, true},
    {"listen", Wants::texts, false},
    {"probe", Wants::texts, false},
    {"metered", Wants::truth, false},
};
constexpr Key kCallHomeKeys[] = {
    {"bastion", Wants::text, true},  {"user", Wants::text, true},   {"key_file", Wants::text, true},
    {"host_key", Wants::text, true}, {"socket", Wants::text, true},
};
constexpr Key kWatchKeys[] = {
    {"device", Wants::text, false},  {"daemon", Wants::text, false}, {"neighbour", Wants::text, false},
    {"command", Wants::text, false}, {"probe", Wants::texts, false}, {"interface", Wants::text, false},
    {"every", Wants::text, false},
};
constexpr Key kNotifyKeys[] = {
    {"events", Wants::texts, true},  {"devices", Wants::texts, false}, {"program", Wants::words, false},
    {"post", Wants::text, false},    {"ca", Wants::text, false},       {"token_file", Wants::text, false},
    {"most", Wants::integer, false},
};
constexpr Key kDrillKeys[] = {{"every", Wants::text, true}};

constexpr std::string_view kPrivilegeNames[] = {"user", "operator", "admin"};
constexpr std::string_view kLineKindNames[] = {"serial", "tcp", "telnet", "unix", "sol"};

}  // namespace

const Section kTop{"", kTopKeys};
const Section kServer{"server", kServerKeys};
const Section kLimits{"limits", kLimitsKeys};
const Section kAudit{"audit", kAuditKeys};
const Section kSyslog{"syslog", kSyslogKeys};
const Section kSnapshot{"snapshot", kSnapshotKeys};
const Section kUser{"user.NAME", kUserKeys};
const Section kRole{"role.NAME", kRoleKeys};
const Section kBmc{"bmc.NAME", kBmcKeys};
const Section kDevice{"device.NAME", kDeviceKeys};
const Section kLine{"device.NAME.line", kLineKeys};
const Section kPower{"device.NAME.power", kPowerKeys};
const Section kLogin{"device.NAME.login", kLoginKeys};
const Section kSsh{"device.NAME.ssh", kSshKeys};
const Section kUplink{"uplink.NAME", kUplinkKeys};
const Section kCallHome{"callhome.NAME", kCallHomeKeys};
const Section kWatch{"watch.NAME", kWatchKeys};
const Section kNotify{"notify.NAME", kNotifyKeys};
const Section kDrill{"drill", kDrillKeys};

namespace {
constexpr const Section* kAll[] = {&kTop,    &kServer,   &kLimits, &kAudit,  &kSyslog, &kSnapshot, &kUser,
                                   &kRole,   &kBmc,      &kDevice, &kLine,   &kPower,  &kLogin,    &kSsh,
                                   &kUplink, &kCallHome, &kWatch,  &kNotify, &kDrill};
}
const std::span<const Section* const> kSections = kAll;
const std::span<const std::string_view> kLineKinds = kLineKindNames;
const std::span<const std::string_view> kPrivileges = kPrivilegeNames;

const std::vector<std::string>& reserved_words() {
  static const std::vector<std::string> words = {
      "list",
      "attach",
      "watch",
      "log",
      "send",
      "expect",
      "run",
      "break",
      "power",
      "boot",
      "identify",
      "sensors",
      "sel",
      "snapshot",
      "snapshots",
      "guard",
      "drill",
      "show",
      "diff",
      "sessions",
      "replay",
      "export",
      "text",
      "audit",
      "checkpoint",
      "hold",
      "unhold",
      "redact",
      "journal",
      "verify",
      "who",
      "kick",
      "note",
      "status",
      "metrics",
      "help",
      "version",
      "reload",
      "grant",
      "grants",
      "revoke",
      "approve",
      // what a prompt, git, scp and sftp ask for
      "exit",
      "quit",
      "logout",
      "scp",
      "sftp",
      "sftp-server",
      "git",
      "git-upload-pack",
      "git-receive-pack",
      "git-upload-archive",
      "rsync",
  };
  return words;
}

}  // namespace oob

#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "auth/authorized_keys.h"
#include "oobd/config.h"
#include "oobd/config_faults.h"
#include "oobd/config_files.h"
#include "oobd/config_tree.h"

namespace oob {

// Turns one document into a Config. Goes on after a fault, so that all are told at once, but not with a value
// that is at fault, so that each is told once.
class ConfigReader {
 public:
  // `files` outlives it.
  ConfigReader(const std::string& file, ConfigFiles& files);
  // Once.
  ConfigOutcome read(std::string_view text);

 private:
  void check_named(const Node& root);
  void read_server(const Member& server);
  void read_trust(const Node& server);
  void read_limits(const Member& limits);
  void read_audit(const Member& audit);
  void read_size(const Node& table, std::string_view key, std::int64_t least, std::int64_t most,
                 std::uint64_t& bytes);
  void read_keep(const Node& table, std::string_view key, base::Micros& keep);
  void read_levels(const Node& audit);
  void read_syslog(const Member& syslog);
  void read_snapshot(const Member& snapshot);
  // What [snapshot] recipes names, and what is part of the program; before any device.
  void read_recipes(const Node& root);
  recipe::Book::Recipes read_own_recipes(const Node& folder);
  void check_model(const Node& model);
  // Each in the source that bears its name.
  void read_uplink(const Member& uplink);
  void read_call_home(const Member& call_home);
  void read_watch(const Member& watch);  // after the devices
  void read_notify(const Member& notify);
  void read_notify_program(const Node& table, NotifyConfig& config);
  void read_notify_post(const Node& table, NotifyConfig& config);
  void read_drill(const Member& drill);
  void read_alarms(const Node& device, DeviceConfig& config);
  void read_user(const Member& user);
  void check_second_factor(const Member& user);
  void read_role_terms(const Node& role, auth::Role& config);
  std::vector<std::uint16_t> read_ports(const Node& list);
  void read_role(const Member& role);
  void read_bmc(const Member& bmc);
  void read_device(const Member& device);
  void read_way_in(const Node& device, DeviceConfig& config);
  void read_login(const Node& login, DeviceConfig::Login& config);
  void read_fetch(const Node& device, DeviceConfig& config);
  void read_ssh(const Node& ssh, DeviceConfig::InBand& config);
  std::string read_typed_user(const Node& value);
  std::string read_typed_secret(const Node& value, std::string_view key);
  void read_line(const Member& line, const std::string& device, LineConfig& config);
  void read_terms(const Node& line, std::optional<unsigned>& baud, std::string& format, std::string& flow);
  void read_keys(const Node& value, const std::string& path);
  // Where a value "credential:NAME" or a path leads; empty with a fault.
  std::string secret_path(const Node& value, std::string_view key);
  std::string read_secret(const Node& value, std::string_view key);
  // The text of a file that decides who comes in, and its path; without a text there is a fault already.
  std::optional<std::string> read_trusted(const Node& value, std::string_view key, std::size_t most,
                                          std::string& file);
  void add_faults(const Node& file, const std::vector<auth::KeyFault>& faults);
  void read_sol_terms(const Node& line, SolLine& sol);

  static constexpr std::size_t kMostReason = 5000;  // bytes of a message with a path in it

  // The value of `key`, or null where it is missing or at fault already.
  const Node* get(const Node& table, std::string_view key, Node::Kind kind) const;
  const Node* text(const Node& table, std::string_view key) const {
    return get(table, key, Node::Kind::text);
  }
  // The texts of a list.
  std::vector<const Node*> texts(const Node& table, std::string_view key) const;
  // The members of the top table `key` that are tables themselves.
  std::vector<const Member*> tables(const Node& root, std::string_view key) const;
  // The path a value means: relative ones begin at the configuration's folder.
  std::string path(const Node& value);
  void refer_to_bmc(const Node& value);
  // Writes down whose `what` is; a second owner is a fault at `value`.
  void own(std::map<std::string, std::string>& owners, const std::string& what, const std::string& device,
           const Node& value, std::string_view key);

  std::string folder_;            // absolute
  std::filesystem::path beside_;  // the folder as the caller named it, for faults in other files
  ConfigFiles& files_;
  ConfigFaults faults_;
  Config config_;
  // Names that are there, even if what is behind them is at fault.
  std::set<std::string> roles_, bmcs_;
  std::set<std::string> keys_read_;
  std::set<std::string> own_with_faults_;                  // recipes of one's own
  std::map<std::string, std::string> serial_of_, sol_of_;  // who has the path, the BMC's SOL: a device
};

}  // namespace oob

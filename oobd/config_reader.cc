#include "oobd/config_reader.h"

#include <filesystem>

#include "auth/authorized_keys.h"
#include "oobd/config_values.h"

namespace oob {
namespace {

std::string folder_of(const std::string& file) {
  std::error_code error;
  std::filesystem::path whole = std::filesystem::absolute(file, error);
  return (error ? std::filesystem::path(file) : whole).parent_path().string();
}

}  // namespace

ConfigReader::ConfigReader(const std::string& file, ConfigFiles& files)
    : folder_(folder_of(file)),
      beside_(std::filesystem::path(file).parent_path()),
      files_(files),
      faults_(file) {}

ConfigOutcome ConfigReader::read(std::string_view text) {
  ConfigOutcome outcome;
  Tree tree = parse_tree(text);
  if (tree.fault) {
    faults_.add(tree.fault->place, tree.fault->message);
    outcome.faults = faults_.take();
    return outcome;
  }
  faults_.check_table(tree.root, Place{}, kTop, "the configuration");
  check_named(tree.root);
  for (const Member* role : tables(tree.root, "role")) roles_.insert(role->key);
  for (const Member* bmc : tables(tree.root, "bmc")) bmcs_.insert(bmc->key);

  if (get(tree.root, "server", Node::Kind::table)) read_server(*tree.root.member("server"));
  if (get(tree.root, "limits", Node::Kind::table)) read_limits(*tree.root.member("limits"));
  if (get(tree.root, "audit", Node::Kind::table)) read_audit(*tree.root.member("audit"));
  if (get(tree.root, "syslog", Node::Kind::table)) read_syslog(*tree.root.member("syslog"));
  if (get(tree.root, "snapshot", Node::Kind::table)) read_snapshot(*tree.root.member("snapshot"));
  read_recipes(tree.root);
  for (const Member* user : tables(tree.root, "user")) read_user(*user);
  for (const Member* role : tables(tree.root, "role")) read_role(*role);
  for (const Member* user : tables(tree.root, "user")) check_second_factor(*user);
  for (const Member* bmc : tables(tree.root, "bmc")) read_bmc(*bmc);
  for (const Member* device : tables(tree.root, "device")) read_device(*device);
  for (const Member* uplink : tables(tree.root, "uplink")) read_uplink(*uplink);
  for (const Member* call_home : tables(tree.root, "callhome")) read_call_home(*call_home);
  for (const Member* watch : tables(tree.root, "watch")) read_watch(*watch);
  for (const Member* notify : tables(tree.root, "notify")) read_notify(*notify);
  if (get(tree.root, "drill", Node::Kind::table)) read_drill(*tree.root.member("drill"));

  outcome.faults = faults_.take();
  if (outcome.faults.empty()) outcome.config = std::move(config_);
  return outcome;
}

// Below these every key is a name, and behind it is a table.
void ConfigReader::check_named(const Node& root) {
  for (std::string_view key : {"user", "role", "bmc", "device", "uplink", "callhome", "watch", "notify"}) {
    const Node* all = get(root, key, Node::Kind::table);
    if (!all) continue;
    for (const Member& member : all->members) {
      if (member.value.kind == Node::Kind::table) continue;
      faults_.add(member.place, base::str(in_quotes(member.key), " is directly below [", key, "]: write [",
                                          key, ".NAME] for each ", key));
    }
  }
}

void ConfigReader::read_server(const Member& server) {
  const Node& table = server.value;
  faults_.check_table(table, table.place, kServer, "[server]");
  for (const Node* address : texts(table, "listen")) {
    if (faults_.check(address->place, check_server_listen(address->text)))
      config_.listen.push_back(address->text);
  }
  if (const Node* state = text(table, "state")) {
    config_.state = path(*state);
    if (std::string fault = files_.state_fault(config_.state); !fault.empty()) {
      faults_.add(state->place, base::str("state ", in_quotes(state->text), " ", fault));
    }
  }
  if (const Node* escape = text(table, "escape")) {
    base::Result<std::string> parsed = parse_escape(escape->text);
    if (faults_.check(escape->place, parsed)) config_.escape = *parsed;
  }
  if (const Member* size = table.member("scrollback")) {
    const Node& value = size->value;
    if (value.kind == Node::Kind::integer || (value.kind == Node::Kind::text && !value.text.empty())) {
      base::Result<std::size_t> bytes =
          value.kind == Node::Kind::text ? parse_scrollback(value.text) : check_scrollback(value.integer);
      if (faults_.check(value.place, bytes)) config_.scrollback = *bytes;
    }
  }
  if (const Node* rsa = get(table, "rsa_host_key", Node::Kind::truth)) config_.rsa_host_key = rsa->truth;
  if (const Node* sandbox = get(table, "sandbox", Node::Kind::truth)) config_.sandbox = sandbox->truth;
  read_trust(table);
}

void ConfigReader::read_user(const Member& user) {
  const Node& table = user.value;
  faults_.check(user.place, check_user_name(user.key));
  // With a CA for all users the name alone is enough.
  if (!table.member("keys") && config_.user_ca.empty())
    faults_.add(table.place, base::str("[user.", base::printable(user.key, 80), "] has no 'keys'"));
  faults_.check_table(table, table.place, kUser, base::str("[user.", base::printable(user.key, 80), "]"));
  UserConfig config;
  if (const Node* keys = text(table, "keys")) {
    config.keys = path(*keys);
    read_keys(*keys, config.keys);
  }
  for (const Node* role : texts(table, "roles")) {
    config.roles.push_back(role->text);
    if (roles_.count(role->text)) continue;
    faults_.add(role->place, base::str("no role ", in_quotes(role->text), hint(role->text, roles_)));
  }
  if (const Node* file = text(table, "totp_file")) config.totp_file = read_secret(*file, "totp_file");
  config_.users[user.key] = std::move(config);
}

void ConfigReader::read_keys(const Node& value, const std::string& path) {
  if (!keys_read_.insert(path).second) return;
  base::Result<std::string> text = files_.read_keys(path, auth::kMostKeyFile);
  if (!text)
    return faults_.add(value.place, base::str("keys: ", base::printable(text.error().what, kMostReason)));
  add_faults(value, auth::parse_authorized_keys(*text).faults);
}

void ConfigReader::add_faults(const Node& file, const std::vector<auth::KeyFault>& faults) {
  for (const auth::KeyFault& fault : faults) {
    faults_.add(file.place, ConfigFault{base::printable((beside_ / file.text).string(), kMostReason),
                                        fault.line, fault.column, fault.message});
  }
}

void ConfigReader::read_role(const Member& role) {
  const Node& table = role.value;
  faults_.check(role.place, check_name(role.key));
  faults_.check_table(table, table.place, kRole, base::str("[role.", base::printable(role.key, 80), "]"));
  auth::Role config;
  for (const Node* glob : texts(table, "on")) {
    if (faults_.check(glob->place, check_glob(glob->text))) config.on.push_back(glob->text);
  }
  for (const Node* name : texts(table, "may")) {
    auth::Action action{};
    if (auth::action_named(name->text, action)) {
      config.may.insert(action);
      continue;
    }
    std::vector<std::string_view> known;
    for (auth::Action each : auth::kActions) known.push_back(auth::name_of(each));
    faults_.add(name->place, base::str("no action ", in_quotes(name->text), hint(name->text, known)));
  }
  read_role_terms(table, config);
  config_.roles[role.key] = std::move(config);
}

const Node* ConfigReader::get(const Node& table, std::string_view key, Node::Kind kind) const {
  const Member* member = table.member(key);
  if (!member || member->value.kind != kind) return nullptr;
  if (kind == Node::Kind::text && member->value.text.empty()) return nullptr;
  return &member->value;
}

std::vector<const Node*> ConfigReader::texts(const Node& table, std::string_view key) const {
  std::vector<const Node*> found;
  const Node* list = get(table, key, Node::Kind::array);
  if (!list) return found;
  for (const Node& item : list->items) {
    if (item.kind == Node::Kind::text && !item.text.empty()) found.push_back(&item);
  }
  return found;
}

std::vector<const Member*> ConfigReader::tables(const Node& root, std::string_view key) const {
  std::vector<const Member*> found;
  const Node* all = get(root, key, Node::Kind::table);
  if (!all) return found;
  for (const Member& member : all->members) {
    if (member.value.kind == Node::Kind::table) found.push_back(&member);
  }
  return found;
}

std::string ConfigReader::path(const Node& value) {
  if (value.text.starts_with('~')) {
    faults_.add(value.place,
                base::str("path ", in_quotes(value.text), " begins with '~', which means nothing here"));
  }
  std::filesystem::path whole = (std::filesystem::path(folder_) / value.text).lexically_normal();
  if (!whole.has_filename() && whole.has_relative_path()) whole = whole.parent_path();  // "state/"
  return whole.string();
}

}  // namespace oob

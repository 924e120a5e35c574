#include "oobd/config_reader.h"

#include <algorithm>
#include <filesystem>

#include "auth/authorized_keys.h"
#include "oobd/config_values.h"
#include "serial/settings.h"

namespace oob {
namespace {

constexpr std::size_t kMostReason = 5000;  // bytes of a message with a path in it

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
  for (const Member* user : tables(tree.root, "user")) read_user(*user);
  for (const Member* role : tables(tree.root, "role")) read_role(*role);
  for (const Member* bmc : tables(tree.root, "bmc")) read_bmc(*bmc);
  for (const Member* device : tables(tree.root, "device")) read_device(*device);

  outcome.faults = faults_.take();
  if (outcome.faults.empty()) outcome.config = std::move(config_);
  return outcome;
}

// Below user, role, bmc and device every key is a name, and behind it is a table.
void ConfigReader::check_named(const Node& root) {
  for (std::string_view key : {"user", "role", "bmc", "device"}) {
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
    if (faults_.check(address->place, check_listen(address->text))) config_.listen.push_back(address->text);
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
}

void ConfigReader::read_user(const Member& user) {
  const Node& table = user.value;
  faults_.check(user.place, check_user_name(user.key));
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
  config_.users[user.key] = std::move(config);
}

void ConfigReader::read_keys(const Node& value, const std::string& path) {
  if (!keys_read_.insert(path).second) return;
  base::Result<std::string> text = files_.read_keys(path);
  if (!text)
    return faults_.add(value.place, base::str("keys: ", base::printable(text.error().what, kMostReason)));
  for (const auth::KeyFault& fault : auth::parse_authorized_keys(*text).faults) {
    faults_.add(value.place, ConfigFault{base::printable((beside_ / value.text).string(), kMostReason),
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
  config_.roles[role.key] = std::move(config);
}

void ConfigReader::read_bmc(const Member& bmc) {
  const Node& table = bmc.value;
  faults_.check(bmc.place, check_name(bmc.key));
  faults_.check_table(table, table.place, kBmc, base::str("[bmc.", base::printable(bmc.key, 80), "]"));
  BmcConfig config;
  if (const Node* host = text(table, "host")) {
    faults_.check(host->place, check_bmc_host(host->text));
    config.host = host->text;
  }
  if (const Node* user = text(table, "user")) {
    faults_.check(user->place, check_bmc_user(user->text));
    config.user = user->text;
  }
  if (const Node* file = text(table, "password_file")) {
    config.password_file = path(*file);
    read_password(*file, config.password_file);
  }
  if (const Node* suite = get(table, "cipher_suite", Node::Kind::integer)) {
    faults_.check(suite->place, check_cipher_suite(suite->integer));
    config.cipher_suite = static_cast<int>(suite->integer);
  }
  config_.bmcs[bmc.key] = std::move(config);
}

void ConfigReader::read_password(const Node& value, const std::string& path) {
  base::Result<std::string> text = files_.read_secret(path);
  if (!text)
    return faults_.add(value.place,
                       base::str("password_file: ", base::printable(text.error().what, kMostReason)));
  base::Result<> right = check_password(*text);
  if (!right)
    faults_.add(value.place,
                base::str("password_file: ", base::printable(path, kMostReason), ": ", right.error().what));
}

void ConfigReader::read_device(const Member& device) {
  const Node& table = device.value;
  faults_.check(device.place, check_device_name(device.key));
  faults_.check_table(table, table.place, kDevice,
                      base::str("[device.", base::printable(device.key, 80), "]"));
  DeviceConfig config;
  if (get(table, "line", Node::Kind::table)) read_line(*table.member("line"), device.key, config.line);
  if (const Node* power = get(table, "power", Node::Kind::table)) {
    faults_.check_table(*power, power->place, kPower, "'power'");
    if (const Node* bmc = text(*power, "bmc")) {
      refer_to_bmc(*bmc);
      config.power_bmc = bmc->text;
    }
  }
  if (const Node* model = text(table, "model")) {
    if (std::find(kModels.begin(), kModels.end(), model->text) == kModels.end()) {
      faults_.add(model->place, base::str("no model ", in_quotes(model->text), hint(model->text, kModels)));
    }
    config.model = model->text;
  }
  config_.devices[device.key] = std::move(config);
}

void ConfigReader::read_line(const Member& line, const std::string& device, LineConfig& config) {
  const Node& table = line.value;
  faults_.check_table(table, table.place, kLine, "'line'");
  const Member* kind = nullptr;
  for (const Member& member : table.members) {
    if (std::find(kLineKinds.begin(), kLineKinds.end(), member.key) == kLineKinds.end()) continue;
    if (kind) {
      faults_.add(member.place,
                  base::str("'line' has both '", kind->key, "' and '", member.key, "': a line is one thing"));
    } else {
      kind = &member;
    }
  }
  if (!kind) return faults_.add(table.place, "'line' has none of serial, tcp, telnet, unix and sol");
  bool tuned = kind->key == "serial" || kind->key == "telnet";
  for (std::string_view key : {"baud", "format", "flow"}) {
    const Member* member = table.member(key);
    if (!member || tuned) continue;
    faults_.add(member->place, base::str("'", key, "' does not go with '", kind->key, "'",
                                         kind->key == "tcp" ? ": telnet with RFC 2217 sets it" : ""));
  }
  const Node* value = text(table, kind->key);
  if (!value) return;
  if (kind->key == "serial") {
    SerialLine serial;
    serial.path = path(*value);
    std::optional<unsigned> baud;
    read_terms(table, baud, serial.format, serial.flow);
    if (baud) serial.baud = *baud;
    own(serial_of_, files_.real(serial.path), device, *value, "serial");
    config = std::move(serial);
  } else if (kind->key == "tcp") {
    faults_.check(value->place, serial::check_endpoint(value->text));
    config = TcpLine{value->text};
  } else if (kind->key == "telnet") {
    faults_.check(value->place, serial::check_endpoint(value->text));
    TelnetLine telnet{value->text, std::nullopt, "", ""};
    read_terms(table, telnet.baud, telnet.format, telnet.flow);
    config = std::move(telnet);
  } else if (kind->key == "unix") {
    UnixLine socket{path(*value)};
    faults_.check(value->place, check_socket_path(socket.path));
    config = std::move(socket);
  } else {
    refer_to_bmc(*value);
    own(sol_of_, value->text, device, *value, "sol");
    config = SolLine{value->text};
  }
}

void ConfigReader::read_terms(const Node& line, std::optional<unsigned>& baud, std::string& format,
                              std::string& flow) {
  if (const Node* value = get(line, "baud", Node::Kind::integer)) {
    // Far outside of unsigned is as wrong as 0 is.
    bool small = value->integer >= 0 && value->integer <= UINT32_MAX;
    unsigned asked = small ? static_cast<unsigned>(value->integer) : 0;
    base::Result<> right = serial::check_baud(asked);
    if (!right && !small) {
      faults_.add(value->place, base::str("baud ", value->integer, " is out of range"));
    } else if (faults_.check(value->place, right)) {
      baud = asked;
    }
  }
  if (const Node* value = text(line, "format")) {
    if (faults_.check(value->place, serial::check_format(value->text))) format = value->text;
  }
  if (const Node* value = text(line, "flow")) {
    if (faults_.check(value->place, serial::check_flow(value->text))) flow = value->text;
  }
}

void ConfigReader::own(std::map<std::string, std::string>& owners, const std::string& what,
                       const std::string& device, const Node& value, std::string_view key) {
  auto [owner, first] = owners.emplace(what, device);
  if (first) return;
  faults_.add(value.place, base::str("devices ", in_quotes(owner->second), " and ", in_quotes(device),
                                     " have the same ", key, " line ", in_quotes(value.text)));
}

void ConfigReader::refer_to_bmc(const Node& value) {
  if (bmcs_.count(value.text)) return;
  faults_.add(value.place, base::str("no BMC ", in_quotes(value.text), hint(value.text, bmcs_)));
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

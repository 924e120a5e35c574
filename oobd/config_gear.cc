// BMCs, devices and their lines.
#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>

#include "auth/totp.h"
#include "oobd/config_reader.h"
#include "oobd/config_values.h"
#include "serial/settings.h"

namespace oob {
namespace {

base::Result<> check_totp(base::Bytes text) {
  base::Result<auth::Totp> totp = auth::Totp::parse(text);
  if (!totp) return totp.error();
  return {};
}

}  // namespace

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
  if (const Node* file = text(table, "password_file"))
    config.password_file = read_secret(*file, "password_file");
  if (const Node* file = text(table, "kg_file")) config.kg_file = read_secret(*file, "kg_file");
  if (const Node* level = text(table, "privilege")) {
    if (std::find(kPrivileges.begin(), kPrivileges.end(), level->text) == kPrivileges.end()) {
      faults_.add(level->place,
                  base::str("no privilege ", in_quotes(level->text), hint(level->text, kPrivileges)));
    }
    config.privilege = level->text;
  }
  if (const Node* suite = get(table, "cipher_suite", Node::Kind::integer)) {
    faults_.check(suite->place, check_cipher_suite(suite->integer));
    config.cipher_suite = static_cast<int>(suite->integer);
  }
  if (const Node* ports = get(table, "forward", Node::Kind::array)) config.forward = read_ports(*ports);
  config_.bmcs[bmc.key] = std::move(config);
}

// "credential:NAME" is a file that the service manager hands over (systemd.exec(5), LoadCredential=).
std::string ConfigReader::secret_path(const Node& value, std::string_view key) {
  constexpr std::string_view kCredential = "credential:";
  if (!value.text.starts_with(kCredential)) return path(value);
  std::string name = value.text.substr(kCredential.size());
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder && !name.empty() && name.find('/') == std::string::npos) return base::str(folder, "/", name);
  faults_.add(value.place, base::str(key, ": ", in_quotes(value.text),
                                     folder ? " names no credential"
                                            : ": the service manager has handed over no credentials "
                                              "(LoadCredential= in the unit)"));
  return {};
}

// The path of a file with a password, code secret or Kg key in it.
std::string ConfigReader::read_secret(const Node& value, std::string_view key) {
  std::string file = secret_path(value, key);
  if (file.empty()) return file;
  base::Result<std::string> text = files_.read_secret(file);
  if (!text) {
    faults_.add(value.place, base::str(key, ": ", base::printable(text.error().what, kMostReason)));
    return file;
  }
  base::Result<> right = key == "kg_file"     ? check_kg(*text)
                         : key == "totp_file" ? check_totp(*text)
                                              : check_password(*text);
  OPENSSL_cleanse(text->data(), text->size());
  if (!right)
    faults_.add(value.place,
                base::str(key, ": ", base::printable(file, kMostReason), ": ", right.error().what));
  return file;
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
  if (const Node* truth = get(table, "protected", Node::Kind::truth)) config.is_protected = truth->truth;
  if (const Node* input = get(table, "record_input", Node::Kind::truth)) config.record_input = input->truth;
  if (const Node* carries = text(table, "carries")) {
    if (carries->text != "oob") {
      faults_.add(carries->place, base::str("carries ", in_quotes(carries->text),
                                            ": only \"oob\" is known, this board's own uplink"));
    }
    config.carries_oob = true;
  }
  if (const Node* model = text(table, "model")) {
    check_model(*model);
    config.model = model->text;
  }
  read_way_in(table, config);
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
  bool tuned = kind->key == "serial" || kind->key == "telnet", sol = kind->key == "sol";
  for (std::string_view key :
       {"baud", "format", "flow", "accumulate", "threshold", "retries", "retry_interval"}) {
    const Member* member = table.member(key);
    bool for_sol = key != "format" && key != "flow", for_port = key == "baud" || !for_sol;
    if (!member || (tuned && for_port) || (sol && for_sol)) continue;
    faults_.add(member->place,
                base::str("'", key, "' does not go with '", kind->key, "'",
                          kind->key == "tcp" && for_port ? ": telnet with RFC 2217 sets it" : ""));
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
    SolLine over{value->text, {}, {}, {}, {}, {}};
    read_sol_terms(table, over);
    config = std::move(over);
  }
}

// What IPMI 2.0, 26.3 can hold: parameters 3 and 4 count in steps, 6 knows these rates alone.
void ConfigReader::read_sol_terms(const Node& line, SolLine& sol) {
  struct Term {
    std::string_view key;
    std::optional<unsigned>& value;
    unsigned least, most, step;
    const char* unit;
  };
  const Term terms[] = {
      {"accumulate", sol.accumulate, 5, 1275, 5, " ms"},
      {"threshold", sol.threshold, 1, 255, 1, " characters"},
      {"retries", sol.retries, 0, 7, 1, ""},
      {"retry_interval", sol.retry_interval, 10, 2550, 10, " ms"},
  };
  for (const Term& term : terms) {
    const Node* value = get(line, term.key, Node::Kind::integer);
    if (!value) continue;
    bool right =
        value->integer >= term.least && value->integer <= term.most && value->integer % term.step == 0;
    if (!right) {
      faults_.add(value->place,
                  base::str(term.key, " ", value->integer, ": ", term.least, " to ", term.most, term.unit,
                            term.step > 1 ? base::str(" in steps of ", term.step) : ""));
      continue;
    }
    term.value = static_cast<unsigned>(value->integer);
  }
  if (const Node* value = get(line, "baud", Node::Kind::integer)) {
    constexpr std::int64_t kRates[] = {9600, 19200, 38400, 57600, 115200};
    if (std::find(std::begin(kRates), std::end(kRates), value->integer) == std::end(kRates)) {
      faults_.add(value->place,
                  base::str("baud ", value->integer, ": a BMC knows 9600, 19200, 38400, 57600 and 115200"));
    } else {
      sol.baud = static_cast<unsigned>(value->integer);
    }
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

}  // namespace oob

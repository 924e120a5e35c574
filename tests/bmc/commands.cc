#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "tests/bmc/completion.h"
#include "tests/bmc/parts.h"

namespace oob::test {

namespace {

constexpr unsigned kUser = 2, kOperator = 3, kAdministrator = 4;

// Appendix G, as far as these commands go.
unsigned needed_privilege(unsigned netfn, unsigned command) {
  switch (netfn << 8 | command) {
    case 0x0002:  // Chassis Control
    case 0x0004:  // Chassis Identify
    case 0x0006:  // Set Power Restore Policy
    case 0x0008:  // Set System Boot Options
    case 0x0009:
    case 0x0426:  // Set Sensor Thresholds
    case 0x0a44:  // Add SEL Entry
    case 0x0a46:
    case 0x0a47:  // Clear SEL
    case 0x0a49:
    case 0x0c22:
      return kOperator;
    case 0x0602:  // Cold Reset
    case 0x0603:
    case 0x0c21:
      return kAdministrator;
    default:
      return kUser;
  }
}

bool open_to_all(unsigned netfn, unsigned command) {
  return netfn == 6 && (command == 0x37 || command == 0x38 || command == 0x54);
}

}  // namespace

void Bmc::Parts::message(Bytes bytes, Session* session, const Reply& reply) {
  std::optional<LanRequest> request = read_request(bytes);
  if (!request) {
    ++bmc.seen.bad_packets;
    return;
  }
  Faults& faults = bmc.faults;
  ++bmc.seen.commands[{request->netfn, request->command}];
  if (!session && request->netfn == 6 && request->command == 0x38) {
    ++bmc.seen.capabilities;
    if (faults.no_capabilities) return;
  }
  CommandFault* fault = nullptr;
  using Kind = CommandFault::Kind;
  for (CommandFault& each : faults.commands) {
    bool meant = (each.netfn < 0 || each.netfn == static_cast<int>(request->netfn)) &&
                 (each.command < 0 || each.command == static_cast<int>(request->command));
    if (!meant || !strikes(each.times)) continue;
    fault = &each;
    break;
  }
  if (fault && fault->kind == Kind::ignore) return;
  std::string answer;
  if (fault && fault->kind == Kind::refuse)
    answer = code(fault->completion);
  else if (fault && fault->kind == Kind::lie)
    answer = done();
  else
    answer = run(*request, session);
  base::milliseconds wait{0};
  if (fault && fault->kind == Kind::lose_answer) return;
  if (fault && fault->kind == Kind::short_data && answer.size() > fault->bytes + 1)
    answer.resize(fault->bytes + 1);
  if (fault && fault->kind == Kind::slow) wait = fault->delay;
  std::erase_if(faults.commands, [](const CommandFault& each) { return each.times == 0; });

  if (strikes(faults.unasked)) {
    LanRequest other = *request;
    other.rq_seq = (other.rq_seq + 32) % 64;
    reply(response_message(other, done({1, 2, 3, 4}), false, false), wait);
  }
  if (strikes(faults.old_rq_seq)) request->rq_seq = (request->rq_seq + 63) % 64;
  if (strikes(faults.wrong_command)) request->command ^= 0x40;
  bool wrong = strikes(faults.wrong_checksum), wrong_header = strikes(faults.wrong_header_checksum);
  std::string out = response_message(*request, answer, wrong, wrong_header);
  if (strikes(faults.two_responses)) reply(out, wait);
  reply(std::move(out), wait);
}

void Bmc::Parts::after_answer() {
  if (closing != 0) {
    if (Session* session = sessions.find(closing)) sessions.close(*session);
    closing = 0;
  }
  if (resetting) {
    resetting = false;
    reset(options.reset_takes);
  }
}

std::string Bmc::Parts::run(const LanRequest& request, Session* session) {
  if (!session && !open_to_all(request.netfn, request.command)) return code(kPrivilege);
  if (session && session->privilege < needed_privilege(request.netfn, request.command))
    return code(kPrivilege);
  if (request.lun != 0) return code(kInvalidCommand);
  switch (request.netfn) {
    case 0x00:
      return chassis.run(request.command, request.data);
    case 0x04:
      return sensors.run(request.command, request.data);
    case 0x06:
      return application(request.command, request.data, session);
    case 0x0a:
      if (request.command >= 0x20 && request.command <= 0x28)
        return sensors.run_repository(request.command, request.data);
      return log.run(request.command, request.data);
    case 0x0c:
      return transport(request.command, request.data);
    default:
      return code(kInvalidCommand);
  }
}

std::string Bmc::Parts::application(unsigned command, Bytes data, Session* session) {
  switch (command) {
    case 0x37:
      return done(options.guid);  // Get System GUID
    case 0x38:
      return authentication_capabilities(data);
    case 0x54:
      return cipher_suites(data);
    default:
      break;
  }
  if (!session) return code(kPrivilege);
  switch (command) {
    case 0x01:  // Get Device ID: firmware 1.73, IPMI 2.0, manufacturer 7154 (the IPMI forum)
      return done({0x20, 0x01, 0x01, 0x73, 0x02, static_cast<char>(0xbf), static_cast<char>(0xf2), 0x1b, 0x00,
                   0x42, 0x00, 0, 0, 0, 0});
    case 0x02:  // Cold Reset
    case 0x03:
      resetting = true;
      return done();
    case 0x04:
      return done({0x55, 0});  // Get Self Test Results
    case 0x08:
      return done(options.guid);
    case 0x3b:
      return set_privilege(data, *session);
    case 0x3c:
      return close_session(data, *session);
    case 0x3d:
      return session_info(data, *session);
    case 0x42:  // Get Channel Info: 802.3 LAN, IPMB protocol, multi-session
      if (data.size() != 1) return code(kLength);
      if ((get8(data, 0) & 0x0f) != 1 && (get8(data, 0) & 0x0f) != 0x0e) return code(kInvalidField);
      return done({1, 4, 1, static_cast<char>(0x80 | std::min(63u, bmc.seen.sessions)),
                   static_cast<char>(0xf2), 0x1b, 0, 0, 0});
    case 0x48:
      return activate(data, *session);
    case 0x49:
      return deactivate(data, *session);
    case 0x4a:
      return activation_status(data);
    case 0x4b:
      return instance_info(data);
    case 0x4d:
      return done({2, 0, 0, 0});  // Get User Payload Access: SOL
    case 0x4e:
      return done({3, 0, 0x3f, 0, 0, 0, 0, 0});  // Get Channel Payload Support: IPMI, SOL, handshake
    case 0x4f:
      return data.size() == 2 ? done({0x10}) : code(kLength);  // Get Channel Payload Version: 1.0
    default:
      return code(kInvalidCommand);
  }
}

// 22.13
std::string Bmc::Parts::authentication_capabilities(Bytes data) const {
  if (data.size() != 2) return code(kLength);
  unsigned channel = get8(data, 0) & 0x0f;
  if (channel != 0x0e && channel != 1) return code(kInvalidField);
  if ((get8(data, 1) & 0x0f) > 4 || (get8(data, 1) & 0x0f) == 0) return code(kInvalidField);
  bool extended = get8(data, 0) & 0x80;
  bool anonymous = bmc.faults.accept_anonymous;
  unsigned logins = (options.kg.empty() ? 0 : 0x20) | 0x04 | (anonymous ? 0x01 : 0);
  return done({1, static_cast<char>(extended ? 0x80 : 0), static_cast<char>(logins),
               static_cast<char>(extended ? 2 : 0), 0, 0, 0, 0});
}

// 22.15.1: records of five bytes, 16 bytes an answer; or all algorithms, without saying which go together.
std::string Bmc::Parts::cipher_suites(Bytes data) const {
  if (data.size() != 3) return code(kLength);
  std::string records;
  std::string seen;
  for (unsigned suite : options.suites) {
    std::optional<Algorithms> is = suite_algorithms(suite);
    if (!is) continue;
    std::string algorithms{static_cast<char>(is->authentication), static_cast<char>(0x40 | is->integrity),
                           static_cast<char>(0x80 | is->confidentiality)};
    if (get8(data, 2) & 0x80) {
      records += static_cast<char>(0xc0);
      records += static_cast<char>(suite);
      records += algorithms;
    } else {
      for (char algorithm : algorithms)
        if (records.find(algorithm) == std::string::npos) records += algorithm;
    }
  }
  std::size_t from = std::min<std::size_t>((get8(data, 2) & 0x3f) * 16u, records.size());
  return done({1}) + records.substr(from, 16);
}

// 22.18
std::string Bmc::Parts::set_privilege(Bytes data, Session& session) {
  if (data.size() != 1) return code(kLength);
  unsigned wanted = get8(data, 0) & 0x0f;
  if (wanted == 1 || wanted > 4) return code(kInvalidField);
  if (wanted > session.limit) return code(0x81);  // above the limit of user or channel
  if (wanted != 0) session.privilege = wanted;
  return done({static_cast<char>(session.privilege)});
}

// 22.19
std::string Bmc::Parts::close_session(Bytes data, Session& session) {
  if (data.size() != 4 && data.size() != 5) return code(kLength);
  std::uint32_t id = get32(data, 0);
  if (id != session.id && session.privilege < kAdministrator) return code(kPrivilege);
  if (!sessions.find(id)) return code(0x87);  // no such session
  closing = id;
  ++bmc.seen.sessions_closed;
  return done();
}

// 22.20
std::string Bmc::Parts::session_info(Bytes data, Session& session) {
  if (data.empty()) return code(kLength);
  std::vector<Session*> active = sessions.active();
  Session* about = nullptr;
  unsigned index = get8(data, 0);
  if (index == 0) {
    about = &session;
  } else if (index == 0xfe) {
    if (data.size() != 2) return code(kLength);
    for (Session* each : active)
      if (each->handle == get8(data, 1)) about = each;
  } else if (index == 0xff) {
    if (data.size() != 5) return code(kLength);
    about = sessions.find(get32(data, 1));
  } else if (index <= active.size()) {
    about = active[index - 1];
  }
  std::string out =
      done({static_cast<char>(about ? about->handle : 0), static_cast<char>(std::min(63u, options.sessions)),
            static_cast<char>(active.size())});
  if (!about) return out;
  out +=
      {static_cast<char>(about->user_number), static_cast<char>(about->privilege), 0x11};  // RMCP+, channel 1
  if (about->from.address.ss_family != AF_INET) return out;
  const auto& from = reinterpret_cast<const sockaddr_in&>(about->from.address);
  out.append(reinterpret_cast<const char*>(&from.sin_addr), 4);
  out.append(6, '\0');
  put16(out, ntohs(from.sin_port));
  return out;
}

std::string Bmc::Parts::transport(unsigned command, Bytes data) {
  if (command == 0x21) {  // Set SOL Configuration Parameters
    if (data.size() < 3) return code(kLength);
    unsigned number = get8(data, 1);
    std::string now;
    if (!sol.parameter(number, now)) return code(0x80);
    if (number == 7 || number == 8) return code(0x82);  // read-only
    return sol.set_parameter(number, data.substr(2)) ? done() : code(kLength);
  }
  if (command == 0x22) {  // Get SOL Configuration Parameters
    if (data.size() != 4) return code(kLength);
    std::string out = done({0x11});
    if (get8(data, 0) & 0x80) return out;
    return sol.parameter(get8(data, 1), out) ? out : code(0x80);
  }
  return code(kInvalidCommand);
}

}  // namespace oob::test

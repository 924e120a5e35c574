#include "tests/bmc/completion.h"
#include "tests/bmc/parts.h"

namespace oob::test {

namespace {

constexpr unsigned kSol = 1;
// The session ID that "another session" has (Faults::sol.active_elsewhere).
constexpr std::uint32_t kElsewhere = 0x0d0e0a0f;

}  // namespace

// 24.1
std::string Bmc::Parts::activate(Bytes data, Session& session) {
  SolFaults& faults = bmc.faults.sol;
  if (data.size() != 6) return code(kLength);
  if ((get8(data, 0) & 0x3f) != kSol || (get8(data, 1) & 0x0f) != 1) return code(kInvalidField);
  if (strikes(faults.refuse)) return code(faults.completion);
  std::string enabled;
  sol.parameter(1, enabled);
  if (!(get8(enabled, 0) & 1)) return code(0x81);
  if (faults.active_elsewhere || sol.active()) return code(0x80);
  bool encrypt = get8(data, 2) & 0x80;
  if (encrypt && session.keys.algorithms.confidentiality == 0) return code(0x83);
  sol_owner = session.id;
  sol.start([this, id = session.id](std::string payload) {
    if (Session* still = sessions.find(id)) send_in_session(*still, kSol, payload);
  });
  ++bmc.seen.sol.activations;
  std::string out = done({0, 0, 0, 0});
  put16(out, faults.inbound_size >= 0 ? static_cast<unsigned>(faults.inbound_size) : options.sol_inbound);
  put16(out, faults.outbound_size >= 0 ? static_cast<unsigned>(faults.outbound_size) : options.sol_outbound);
  unsigned told = faults.port >= 0 ? static_cast<unsigned>(faults.port) : port;
  put16(out, faults.port_swapped ? (told & 0xff) << 8 | told >> 8 : told);
  put16(out, 0xffff);  // no VLAN
  return out;
}

// 24.2
std::string Bmc::Parts::deactivate(Bytes data, Session& session) {
  SolFaults& faults = bmc.faults.sol;
  if (data.size() != 6) return code(kLength);
  if ((get8(data, 0) & 0x3f) != kSol || (get8(data, 1) & 0x0f) != 1) return code(kInvalidField);
  if (!sol.active() && !faults.active_elsewhere) return code(0x80);  // already deactivated
  ++bmc.seen.sol.deactivations;
  if (faults.deactivate_lies) return done();
  faults.active_elsewhere = false;
  sol_gone(sol_owner != session.id);
  return done();
}

void Bmc::Parts::sol_gone(bool tell) {
  if (tell) sol.say_deactivated();
  sol.stop();
  sol_owner = 0;
}

// 24.4
std::string Bmc::Parts::activation_status(Bytes data) const {
  if (data.size() != 1) return code(kLength);
  if (get8(data, 0) != kSol) return code(kInvalidField);
  return done({1, static_cast<char>(sol.active() || bmc.faults.sol.active_elsewhere ? 1 : 0), 0});
}

// 24.5
std::string Bmc::Parts::instance_info(Bytes data) const {
  if (data.size() != 2) return code(kLength);
  if (get8(data, 0) != kSol || get8(data, 1) != 1) return code(kInvalidField);
  std::uint32_t owner = bmc.faults.sol.active_elsewhere ? kElsewhere : sol.active() ? sol_owner : 0;
  if (bmc.faults.sol.hide_owner) owner = 0;
  std::string out = done();
  put32(out, owner);
  out += '\x01';  // serial port 1
  out.append(7, '\0');
  return out;
}

}  // namespace oob::test

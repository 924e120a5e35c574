// What a stranger may send to port 623's other end: the first byte chooses the suite, the rest is the
// datagram.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "ipmi/rakp.h"
#include "tests/ipmi/captured.h"

namespace {

using namespace oob;
using base::Bytes;

void must(bool holds) {
  if (!holds) std::abort();
}

bool inside(Bytes part, Bytes whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void try_packet(const ipmi::SessionKeys& keys, Bytes datagram) {
  auto packet = ipmi::decode_packet(datagram, ipmi::auth_code_size(keys.suite));
  if (!packet) return;
  must(inside(packet->payload, datagram));
  must(inside(packet->covered, datagram));
  must(inside(packet->auth_code, datagram));
  must(!packet->authenticated || packet->auth_code.size() == ipmi::auth_code_size(keys.suite));
  auto message = ipmi::unseal(keys, *packet);
  if (!message) return;
  must(packet->authenticated && packet->encrypted);
  must(message->size() + 17 <= packet->payload.size());
  auto again = ipmi::seal(keys, packet->type, packet->session, packet->sequence, *message);
  must(static_cast<bool>(again));
  auto second = ipmi::decode_packet(*again, ipmi::auth_code_size(keys.suite));
  must(second && ipmi::unseal(keys, *second) && *ipmi::unseal(keys, *second) == *message);
}

// Signed as the peer would sign it, so that what lies behind the auth code is reached too.
void try_signed(const ipmi::SessionKeys& keys, Bytes encrypted) {
  if (encrypted.size() > ipmi::kMostDatagram) return;
  auto sealed = ipmi::seal(keys, ipmi::PayloadType::sol, 1, 1, encrypted);
  must(static_cast<bool>(sealed));
  auto packet = ipmi::decode_packet(*sealed, ipmi::auth_code_size(keys.suite));
  if (sealed->size() > ipmi::kMostDatagram) return must(!packet);
  must(static_cast<bool>(packet));
  auto message = ipmi::unseal(keys, *packet);
  must(message && *message == encrypted);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const ipmi::SessionKeys suite3 = test::keys_of(test::captured_suite_3());
  static const ipmi::SessionKeys suite17 = test::keys_of(test::captured_suite_17());
  Bytes datagram(reinterpret_cast<const char*>(data) + 1, size - 1);
  const ipmi::SessionKeys& keys = data[0] % 2 == 0 ? suite3 : suite17;
  try_packet(keys, datagram);
  try_signed(keys, datagram);
  auto message = ipmi::decode_v15(datagram);
  must(!message || inside(*message, datagram));
  return 0;
}

// IPMI messages out of a session's packets.
#include <cstdint>
#include <cstdlib>

#include "ipmi/wire.h"

namespace {

using namespace oob;
using base::Bytes;

void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes message(reinterpret_cast<const char*>(data), size);
  auto strict = ipmi::decode_message(message, ipmi::Checksums::checked);
  auto lax = ipmi::decode_message(message, ipmi::Checksums::ignored);
  must(!strict || lax);
  if (!lax) return 0;
  must(lax->netfn % 2 == 1 && lax->netfn < 64 && lax->sequence < 64 && lax->data.size() == size - 8);
  must(!ipmi::completion_text(lax->completion).empty());
  // A request of the same content must be one whose checksums hold, and no response.
  std::string request = ipmi::encode_message({ipmi::NetFn::app, lax->command, lax->data}, lax->sequence);
  auto back = ipmi::decode_message(request, ipmi::Checksums::checked);
  must(!back);
  request[1] = static_cast<char>(request[1] | 4);
  request[2] = static_cast<char>(request[2] - 4);
  back = ipmi::decode_message(request, ipmi::Checksums::checked);
  must(request.size() < 8 ? !back : back && back->command == lax->command && back->sequence == lax->sequence);
  return 0;
}

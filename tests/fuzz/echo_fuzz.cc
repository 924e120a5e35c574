#include <cstdint>
#include <cstdlib>

#include "uplink/echo.h"

// What comes in on an ICMP socket: anybody's packets.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oob::uplink;
  std::string_view packet(reinterpret_cast<const char*>(data), size);
  for (EchoFamily family : {EchoFamily::v4, EchoFamily::v6}) {
    for (bool with_header : {false, true}) {
      auto echo = echo_reply(family, packet, with_header);
      if (!echo) continue;
      if (!packet.ends_with(echo->data)) std::abort();
      // A request of the same has the same size, and is not taken for a reply.
      std::string request = echo_request(family, *echo);
      if (request.size() != echo->data.size() + 8 || echo_reply(family, request, false)) std::abort();
    }
  }
  return 0;
}

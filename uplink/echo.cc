#include "uplink/echo.h"

namespace oob::uplink {

namespace {

constexpr std::size_t kHeader = 8;  // type, code, checksum, identifier, sequence
constexpr std::uint8_t kProtocolIcmp = 1;

unsigned char at(base::Bytes packet, std::size_t place) { return static_cast<unsigned char>(packet[place]); }

std::uint16_t number_at(base::Bytes packet, std::size_t place) {
  return static_cast<std::uint16_t>(at(packet, place) << 8 | at(packet, place + 1));
}

void put(std::string& packet, std::size_t place, std::uint16_t number) {
  packet[place] = static_cast<char>(number >> 8);
  packet[place + 1] = static_cast<char>(number & 0xff);
}

// RFC 1071: the sum of a packet with its right checksum is 0xffff.
std::uint16_t sum_of(base::Bytes packet) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < packet.size(); i += 2)
    sum += i + 1 < packet.size() ? number_at(packet, i) : static_cast<std::uint32_t>(at(packet, i) << 8);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace

std::string echo_request(EchoFamily family, const Echo& echo) {
  std::string packet(kHeader, '\0');
  packet[0] = static_cast<char>(family == EchoFamily::v4 ? 8 : 128);
  put(packet, 4, echo.identifier);
  put(packet, 6, echo.sequence);
  packet += echo.data;
  if (family == EchoFamily::v4) put(packet, 2, static_cast<std::uint16_t>(~sum_of(packet)));
  return packet;
}

std::optional<Echo> echo_reply(EchoFamily family, base::Bytes packet, bool with_header) {
  if (with_header) {
    constexpr std::size_t kLeastIp = 20;
    if (packet.size() < kLeastIp || at(packet, 0) >> 4 != 4 || at(packet, 9) != kProtocolIcmp) return {};
    std::size_t size = (at(packet, 0) & 0x0fU) * 4;
    if (size < kLeastIp || packet.size() < size) return {};
    packet.remove_prefix(size);
  }
  if (packet.size() < kHeader) return {};
  if (at(packet, 0) != (family == EchoFamily::v4 ? 0 : 129) || at(packet, 1) != 0) return {};
  if (family == EchoFamily::v4 && sum_of(packet) != 0xffff) return {};
  return Echo{number_at(packet, 4), number_at(packet, 6), std::string(packet.substr(kHeader))};
}

}  // namespace oob::uplink

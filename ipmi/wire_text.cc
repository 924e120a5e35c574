#include <algorithm>
#include <iterator>

#include "ipmi/wire.h"

namespace oob::ipmi {
namespace {

struct Text {
  std::uint8_t code;
  const char* text;
};

// IPMI 2.0, table 13-15.
constexpr Text kStatus[] = {
    {0x00, "no errors"},
    {0x01, "insufficient resources to create a session"},
    {0x02, "invalid session ID"},
    {0x03, "invalid payload type"},
    {0x04, "invalid authentication algorithm"},
    {0x05, "invalid integrity algorithm"},
    {0x06, "no matching authentication payload"},
    {0x07, "no matching integrity payload"},
    {0x08, "inactive session ID"},
    {0x09, "invalid role"},
    {0x0a, "unauthorized role or privilege level requested"},
    {0x0b, "insufficient resources to create a session at the requested role"},
    {0x0c, "invalid name length"},
    {0x0d, "unauthorized name"},
    {0x0e, "unauthorized GUID"},
    {0x0f, "invalid integrity check value"},
    {0x10, "invalid confidentiality algorithm"},
    {0x11, "no cipher suite match with the proposed security algorithms"},
    {0x12, "illegal or unrecognized parameter"},
};

// IPMI 2.0, table 5-2.
constexpr Text kCompletion[] = {
    {0x00, "command completed normally"},
    {0xc0, "node busy"},
    {0xc1, "invalid command"},
    {0xc2, "command invalid for given LUN"},
    {0xc3, "timeout while processing command"},
    {0xc4, "out of space"},
    {0xc5, "reservation canceled or invalid"},
    {0xc6, "request data truncated"},
    {0xc7, "request data length invalid"},
    {0xc8, "request data field length limit exceeded"},
    {0xc9, "parameter out of range"},
    {0xca, "cannot return number of requested data bytes"},
    {0xcb, "requested sensor, data or record not present"},
    {0xcc, "invalid data field in request"},
    {0xcd, "command illegal for specified sensor or record type"},
    {0xce, "command response could not be provided"},
    {0xcf, "cannot execute duplicated request"},
    {0xd0, "command response could not be provided: SDR repository in update mode"},
    {0xd1, "command response could not be provided: device in firmware update mode"},
    {0xd2, "command response could not be provided: BMC initialization in progress"},
    {0xd3, "destination unavailable"},
    {0xd4, "insufficient privilege level"},
    {0xd5, "command not supported in present state"},
    {0xd6, "command sub-function disabled or unavailable"},
    {0xff, "unspecified error"},
};

template <std::size_t Size>
const char* find(const Text (&table)[Size], std::uint8_t code) {
  const Text* found =
      std::find_if(std::begin(table), std::end(table), [&](const Text& one) { return one.code == code; });
  return found == std::end(table) ? nullptr : found->text;
}

// As the standard writes numbers: "D4h".
std::string standard_hex(std::uint8_t code) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  return {kHex[code >> 4], kHex[code & 15], 'h'};
}

}  // namespace

const char* name_of(Privilege privilege) {
  switch (privilege) {
    case Privilege::none:
      return "none";
    case Privilege::callback:
      return "callback";
    case Privilege::user:
      return "user";
    case Privilege::op:
      return "operator";
    case Privilege::admin:
      return "administrator";
    case Privilege::oem:
      return "OEM";
  }
  return "reserved";
}

std::string status_text(std::uint8_t status) {
  if (const char* text = find(kStatus, status)) return text;
  return base::str("unknown status ", standard_hex(status));
}

std::string completion_text(std::uint8_t completion) {
  const char* text = find(kCompletion, completion);
  if (!text && completion >= 0x80 && completion <= 0xbe) text = "command-specific refusal";
  if (!text && completion >= 0x01 && completion <= 0x7e) text = "OEM refusal";
  return base::str(text ? text : "unknown completion code", " (", standard_hex(completion), ")");
}

}  // namespace oob::ipmi

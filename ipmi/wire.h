#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

// What goes over UDP port 623 between us and a BMC, as bytes: RMCP (ASF 2.0, 3.2), the RMCP+ session header
// (IPMI 2.0 rev 1.1, 13.6, table 13-8), the messages that set a session up (13.17 to 13.24) and IPMI LAN
// messages (13.8). Pure: no sockets, no keys, no clock. Every decode() looks at bytes of a stranger; an Error
// has Fault::failed and says what is wrong with the packet.
namespace oob::ipmi {

using base::Bytes;
using base::Result;

constexpr std::size_t kMostDatagram = 1500;  // longer ones are not read whole, so they do not parse

enum class PayloadType : std::uint8_t {  // table 13-16
  ipmi = 0x00,
  sol = 0x01,
  open_session_request = 0x10,
  open_session_response = 0x11,
  rakp1 = 0x12,
  rakp2 = 0x13,
  rakp3 = 0x14,
  rakp4 = 0x15,
};

enum class Privilege : std::uint8_t { none = 0, callback = 1, user = 2, op = 3, admin = 4, oem = 5 };
const char* name_of(Privilege privilege);  // "operator"

// Algorithm numbers of tables 13-17, 13-18 and 13-19.
struct Suite {
  std::uint8_t id = 0;  // table 22-20
  std::uint8_t authentication = 0, integrity = 0, confidentiality = 0;
  bool same_algorithms(const Suite& other) const {
    return authentication == other.authentication && integrity == other.integrity &&
           confidentiality == other.confidentiality;
  }
};
constexpr Suite kSuite0{0, 0, 0, 0};
constexpr Suite kSuite3{3, 1, 1, 1};    // RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128
constexpr Suite kSuite17{17, 3, 4, 1};  // RAKP-HMAC-SHA256, HMAC-SHA256-128, AES-CBC-128

// --- the session header --------------------------------------------------------------------------------

// An RMCP+ packet as it came: what is encrypted still is, and nothing has been verified.
struct Packet {
  PayloadType type = PayloadType::ipmi;
  bool encrypted = false, authenticated = false;
  std::uint32_t session = 0, sequence = 0;
  Bytes payload;    // these point into the datagram
  Bytes covered;    // what the auth code is over: from the auth type to the next header (13.28.4)
  Bytes auth_code;  // the rest; empty unless authenticated
};

// Takes a datagram apart. `auth_code_size`: of the session's integrity algorithm; used for authenticated
// packets only. A pad of more than 4 bytes is taken if it is whole (some BMCs pad to 16).
Result<Packet> decode_packet(Bytes datagram, std::size_t auth_code_size);

// A packet outside a session: session id and sequence 0, neither encrypted nor authenticated.
std::string encode_plain(PayloadType type, Bytes payload);

// Everything that comes before the auth code: RMCP header, session header, payload, integrity pad, pad length
// and next header. Append the auth code over the result without its first 4 bytes (the RMCP header).
std::string encode_for_signing(PayloadType type, std::uint32_t session, std::uint32_t sequence,
                               Bytes encrypted_payload);

// IPMI 1.5 format with authentication type none: for what is asked before a session (22.13, 22.15).
std::string encode_v15(Bytes message);
Result<Bytes> decode_v15(Bytes datagram);  // the message inside; the view points into the datagram

// --- setting a session up --------------------------------------------------------------------------------

struct OpenSessionRequest {  // table 13-9
  std::uint8_t tag = 0;
  Privilege privilege = Privilege::user;  // the highest one that will be asked for
  std::uint32_t console_session = 0;      // our id, not 0
  Suite suite;
  std::string encode() const;
};
struct OpenSessionResponse {  // table 13-10
  std::uint8_t tag = 0, status = 0;
  Privilege privilege = Privilege::none;
  std::uint32_t console_session = 0, bmc_session = 0;
  Suite suite;                                               // the algorithms; id is 0
  static Result<OpenSessionResponse> decode(Bytes payload);  // with an error status there may be no ids: 0
};
struct Rakp1 {  // table 13-11
  std::uint8_t tag = 0;
  std::uint32_t bmc_session = 0;
  std::string console_random;  // 16 bytes
  std::uint8_t role = 0;       // requested privilege, with kNameOnly
  std::string user;            // up to 16 bytes
  std::string encode() const;
};
constexpr std::uint8_t kNameOnly = 0x10;  // look the user up by name alone
struct Rakp2 {                            // table 13-12
  std::uint8_t tag = 0, status = 0;
  std::uint32_t console_session = 0;
  std::string bmc_random, guid, auth_code;  // 16, 16 and what is left
  static Result<Rakp2> decode(Bytes payload);
};
struct Rakp3 {  // table 13-13
  std::uint8_t tag = 0, status = 0;
  std::uint32_t bmc_session = 0;
  std::string auth_code;
  std::string encode() const;
};
struct Rakp4 {  // table 13-14
  std::uint8_t tag = 0, status = 0;
  std::uint32_t console_session = 0;
  std::string integrity_check;
  static Result<Rakp4> decode(Bytes payload);
};
// Table 13-15, for people: "no cipher suite match with the proposed security algorithms".
std::string status_text(std::uint8_t status);

// --- IPMI messages -----------------------------------------------------------------------------------------

// Network functions (table 5-1), of requests; a response has the next odd number.
enum class NetFn : std::uint8_t {
  chassis = 0x00,
  sensor_event = 0x04,
  app = 0x06,
  storage = 0x0a,
  transport = 0x0c,
};

struct Request {
  NetFn netfn = NetFn::app;
  std::uint8_t command = 0;
  std::string data;
  std::uint8_t lun = 0;  // 0 to 3: whom inside the BMC it is for
};
// A LAN message to the BMC (20h) from remote console software (81h), 13.8. `sequence`: 0 to 63.
std::string encode_message(const Request& request, std::uint8_t sequence);

struct Response {
  std::uint8_t netfn = 0;  // odd
  std::uint8_t command = 0, sequence = 0, completion = 0;
  std::string data;  // after the completion code
};
enum class Checksums { checked, ignored };
// Some firmware has wrong checksums inside packets whose auth code is right (X9SCM and others): there they
// may be ignored.
Result<Response> decode_message(Bytes message, Checksums checksums);
// Table 5-2, for people: "insufficient privilege level (D4h)".
std::string completion_text(std::uint8_t completion);

// --- integers --------------------------------------------------------------------------------------------

// Least significant byte first, as all of IPMI.
void put16(std::string& to, std::uint16_t value);
void put32(std::string& to, std::uint32_t value);
// REQUIRES: at + size <= bytes.size().
std::uint8_t get8(Bytes bytes, std::size_t at);
std::uint16_t get16(Bytes bytes, std::size_t at);
std::uint32_t get32(Bytes bytes, std::size_t at);

}  // namespace oob::ipmi

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"

// The bytes of RMCP, RMCP+ and LAN messages (13.1 to 13.8, 13.28, 13.29), from the BMC's side.
namespace oob::test {

using base::Bytes;

// Least significant byte first, as IPMI has it.
void put16(std::string& to, std::uint32_t value);
void put32(std::string& to, std::uint32_t value);
std::uint32_t get16(Bytes from, std::size_t at);  // REQUIRES: at + 2 <= from.size()
std::uint32_t get32(Bytes from, std::size_t at);  // REQUIRES: at + 4 <= from.size()
inline std::uint8_t get8(Bytes from, std::size_t at) { return static_cast<std::uint8_t>(from[at]); }

// Numbers of table 13-17, 13-18 and 13-19.
struct Algorithms {
  unsigned authentication = 0;   // 0 none, 1 HMAC-SHA1, 3 HMAC-SHA256
  unsigned integrity = 0;        // 0 none, 1 HMAC-SHA1-96, 4 HMAC-SHA256-128
  unsigned confidentiality = 0;  // 0 none, 1 AES-CBC-128
  bool operator==(const Algorithms&) const = default;
};
// Table 22-20; nothing for a suite that is not known here.
std::optional<Algorithms> suite_algorithms(unsigned suite);

// HMAC by the authentication algorithm; empty for "none".
std::string keyed_hash(unsigned authentication, Bytes key, Bytes message);
// The Integrity Check Value of RAKP 4 is the hash cut to this (13.28.1, 13.28.1b).
std::size_t check_value_size(unsigned authentication);
std::string random_bytes(std::size_t size);
bool same_secret(Bytes a, Bytes b);  // in constant time

struct Keys {
  Algorithms algorithms;
  std::string k1;  // of integrity
  std::string k2;  // of confidentiality: its first 16 bytes
};

// One datagram, taken apart; the views live as long as it does.
struct Datagram {
  bool rmcp_plus = false;       // else IPMI 1.5 format
  unsigned authentication = 0;  // 1.5: authentication type
  unsigned payload_type = 0;    // 0 IPMI, 1 SOL, 10h to 15h the handshake
  bool encrypted = false;
  bool authenticated = false;
  std::uint32_t session = 0;
  std::uint32_t sequence = 0;
  Bytes payload;
  Bytes whole;              // from the authentication type on
  std::size_t trailer = 0;  // where in `whole` the payload ends
};
std::optional<Datagram> read_datagram(Bytes bytes);
// Is it an ASF presence ping (13.2.3)? Then this is the pong.
std::optional<std::string> pong(Bytes bytes);
// The payload in clear text, when its authentication and encryption are what `keys` ask for.
std::optional<std::string> open_payload(const Datagram& datagram, const Keys& keys);

// What is wrong with a packet that is sealed.
struct Seal {
  bool strip_authenticated = false;
  bool strip_encrypted = false;
  bool wrong_code = false;
  bool pad_16 = false;
  bool pad_too_long = false;
  bool wrong_pad = false;
};
std::string seal_packet(const Keys& keys, unsigned payload_type, std::uint32_t session,
                        std::uint32_t sequence, Bytes payload, const Seal& wrong);
// Outside sessions: in IPMI 1.5 format, or RMCP+ with session ID 0.
std::string bare_packet(bool rmcp_plus, unsigned payload_type, Bytes payload);

// A request as it came (13.8). Needs right checksums.
struct LanRequest {
  unsigned netfn = 0;
  unsigned lun = 0;
  unsigned command = 0;
  unsigned bmc_address = 0x20;
  unsigned rq_address = 0x81;
  unsigned rq_seq = 0;
  unsigned rq_lun = 0;
  Bytes data;
};
std::optional<LanRequest> read_request(Bytes message);
// The response to it; `answer` begins with the completion code.
std::string response_message(const LanRequest& to, Bytes answer, bool wrong_checksum,
                             bool wrong_header_checksum);

}  // namespace oob::test

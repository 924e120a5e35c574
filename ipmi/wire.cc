#include "ipmi/wire.h"

#include <cassert>

namespace oob::ipmi {
namespace {

constexpr Bytes kRmcp("\x06\x00\xff\x07", 4);  // ASF 2.0, 3.2.2: version, reserved, no acknowledgement, IPMI
constexpr std::uint8_t kNoAuthentication = 0x00, kRmcpPlus = 0x06;  // table 13-8, auth types
constexpr std::uint8_t kNextHeader = 0x07;
constexpr std::uint8_t kEncrypted = 0x80, kAuthenticated = 0x40;
constexpr std::size_t kSessionHeader = 16, kV15Header = 14;  // both with RMCP's
constexpr std::uint8_t kBmcAddress = 0x20, kConsole = 0x81;  // 5.5: slave and software ids

base::Error broken(std::string what) { return base::fail(base::Fault::failed, std::move(what)); }

void put8(std::string& to, unsigned value) { to += static_cast<char>(value); }

Result<> check_rmcp(Bytes datagram, std::size_t header) {
  if (datagram.size() > kMostDatagram) return broken(base::str("packet of ", datagram.size(), " bytes"));
  if (datagram.size() < header)
    return broken(base::str("packet of ", datagram.size(), " bytes, its header has ", header));
  // Reserved and sequence number say nothing to us, and firmware has been seen to fill them as it likes.
  if (datagram[0] != kRmcp[0]) return broken("not RMCP version 6");
  if (datagram[3] != kRmcp[3]) return broken("RMCP, but no IPMI message");
  return {};
}

std::string header(PayloadType type, unsigned bits, std::uint32_t session, std::uint32_t sequence,
                   Bytes payload) {
  assert(payload.size() <= 0xffff);
  std::string packet(kRmcp);
  put8(packet, kRmcpPlus);
  put8(packet, static_cast<unsigned>(type) | bits);
  put32(packet, session);
  put32(packet, sequence);
  put16(packet, static_cast<std::uint16_t>(payload.size()));
  packet += payload;
  return packet;
}

std::uint8_t checksum(Bytes bytes) {  // 13.8: two's complement
  unsigned sum = 0;
  for (char byte : bytes) sum += static_cast<std::uint8_t>(byte);
  return static_cast<std::uint8_t>(0x100 - (sum & 0xff));
}

// One of the three algorithm records of tables 13-9 and 13-10.
void put_algorithm(std::string& to, unsigned record, std::uint8_t algorithm) {
  put8(to, record);
  to.append(2, '\0');
  put8(to, 8);
  put8(to, algorithm);
  to.append(3, '\0');
}

// Tag and status, which all answers of the set-up begin with. An answer that says no may end anywhere after.
Result<> check_size(const char* what, Bytes payload, std::uint8_t status, std::size_t least) {
  if (status == 0 && payload.size() < least)
    return broken(base::str(what, " of ", payload.size(), " bytes, at least ", least, " belong to it"));
  return {};
}

Result<> take_status(const char* what, Bytes payload, std::uint8_t& tag, std::uint8_t& status) {
  if (payload.size() < 2) return broken(base::str(what, " of ", payload.size(), " bytes"));
  tag = get8(payload, 0);
  status = get8(payload, 1);
  return {};
}

}  // namespace

// --- the session header --------------------------------------------------------------------------------

Result<Packet> decode_packet(Bytes datagram, std::size_t auth_code_size) {
  if (auto rmcp = check_rmcp(datagram, kSessionHeader); !rmcp) return rmcp.error();
  if (get8(datagram, 4) != kRmcpPlus) return broken("not an RMCP+ packet");
  Packet packet;
  std::uint8_t type = get8(datagram, 5);
  packet.encrypted = (type & kEncrypted) != 0;
  packet.authenticated = (type & kAuthenticated) != 0;
  packet.type = static_cast<PayloadType>(type & 0x3f);
  packet.session = get32(datagram, 6);
  packet.sequence = get32(datagram, 10);
  std::size_t size = get16(datagram, 14);
  Bytes rest = datagram.substr(kSessionHeader);
  if (size > rest.size())
    return broken(base::str("payload of ", size, " bytes in a packet that has ", rest.size()));
  packet.payload = rest.substr(0, size);
  rest.remove_prefix(size);
  if (!packet.authenticated) {
    // One byte may follow: the legacy pad (table 13-8) for network chips that mishandle some lengths.
    if (rest.size() > 1) return broken(base::str(rest.size(), " bytes after the payload"));
    packet.covered = datagram.substr(4);
    return packet;
  }
  if (rest.size() < auth_code_size + 2) return broken("packet without a whole session trailer");
  std::size_t pad = rest.size() - auth_code_size - 2;
  if (get8(rest, pad) != pad) return broken("integrity pad of a wrong length");
  if (get8(rest, pad + 1) != kNextHeader) return broken("wrong next header");
  packet.auth_code = rest.substr(pad + 2);
  packet.covered = datagram.substr(4, datagram.size() - 4 - auth_code_size);
  return packet;
}

std::string encode_plain(PayloadType type, Bytes payload) { return header(type, 0, 0, 0, payload); }

std::string encode_for_signing(PayloadType type, std::uint32_t session, std::uint32_t sequence,
                               Bytes encrypted_payload) {
  std::string packet = header(type, kEncrypted | kAuthenticated, session, sequence, encrypted_payload);
  // 13.28.4: from the auth type to the next header it must be a multiple of 4; RMCP's header is 4 itself.
  std::size_t pad = (4 - (packet.size() + 2) % 4) % 4;
  packet.append(pad, '\xff');
  put8(packet, static_cast<unsigned>(pad));
  put8(packet, kNextHeader);
  return packet;
}

std::string encode_v15(Bytes message) {
  assert(message.size() <= 0xff);
  std::string packet(kRmcp);
  put8(packet, kNoAuthentication);
  packet.append(8, '\0');  // sequence and session: outside one
  put8(packet, static_cast<unsigned>(message.size()));
  packet += message;
  return packet;
}

Result<Bytes> decode_v15(Bytes datagram) {
  if (auto rmcp = check_rmcp(datagram, kV15Header); !rmcp) return rmcp.error();
  if (get8(datagram, 4) != kNoAuthentication) return broken("not an IPMI 1.5 packet without authentication");
  std::size_t size = get8(datagram, 13);
  Bytes rest = datagram.substr(kV15Header);
  if (size > rest.size())
    return broken(base::str("message of ", size, " bytes in a packet that has ", rest.size()));
  if (rest.size() - size > 1) return broken(base::str(rest.size() - size, " bytes after the message"));
  return rest.substr(0, size);
}

// --- setting a session up --------------------------------------------------------------------------------

std::string OpenSessionRequest::encode() const {
  std::string payload;
  put8(payload, tag);
  put8(payload, static_cast<unsigned>(privilege));
  payload.append(2, '\0');
  put32(payload, console_session);
  put_algorithm(payload, 0, suite.authentication);
  put_algorithm(payload, 1, suite.integrity);
  put_algorithm(payload, 2, suite.confidentiality);
  return payload;
}

Result<OpenSessionResponse> OpenSessionResponse::decode(Bytes payload) {
  constexpr const char* kWhat = "open session response";
  OpenSessionResponse response;
  if (auto begin = take_status(kWhat, payload, response.tag, response.status); !begin) return begin.error();
  if (auto whole = check_size(kWhat, payload, response.status, 36); !whole) return whole.error();
  if (payload.size() >= 8) response.console_session = get32(payload, 4);
  if (response.status != 0) return response;
  response.privilege = static_cast<Privilege>(get8(payload, 2) & 0x0f);
  response.bmc_session = get32(payload, 8);
  for (unsigned record = 0; record < 3; ++record)
    if (get8(payload, 12 + 8 * record) != record)
      return broken(base::str(kWhat, ": algorithm ", record, " is not where it belongs"));
  response.suite.authentication = get8(payload, 16) & 0x3f;
  response.suite.integrity = get8(payload, 24) & 0x3f;
  response.suite.confidentiality = get8(payload, 32) & 0x3f;
  if (response.bmc_session == 0) return broken(base::str(kWhat, ": the BMC's session id is 0"));
  return response;
}

std::string Rakp1::encode() const {
  assert(console_random.size() == 16 && user.size() <= 16);
  std::string payload;
  put8(payload, tag);
  payload.append(3, '\0');
  put32(payload, bmc_session);
  payload += console_random;
  put8(payload, role);
  payload.append(2, '\0');
  put8(payload, static_cast<unsigned>(user.size()));
  payload += user;
  return payload;
}

Result<Rakp2> Rakp2::decode(Bytes payload) {
  Rakp2 message;
  if (auto begin = take_status("RAKP 2", payload, message.tag, message.status); !begin) return begin.error();
  if (auto whole = check_size("RAKP 2", payload, message.status, 40); !whole) return whole.error();
  if (payload.size() >= 8) message.console_session = get32(payload, 4);
  if (message.status != 0) return message;
  message.bmc_random = payload.substr(8, 16);
  message.guid = payload.substr(24, 16);
  message.auth_code = payload.substr(40);
  return message;
}

std::string Rakp3::encode() const {
  std::string payload;
  put8(payload, tag);
  put8(payload, status);
  payload.append(2, '\0');
  put32(payload, bmc_session);
  if (status == 0) payload += auth_code;
  return payload;
}

Result<Rakp4> Rakp4::decode(Bytes payload) {
  Rakp4 message;
  if (auto begin = take_status("RAKP 4", payload, message.tag, message.status); !begin) return begin.error();
  if (auto whole = check_size("RAKP 4", payload, message.status, 8); !whole) return whole.error();
  if (payload.size() >= 8) message.console_session = get32(payload, 4);
  if (message.status == 0) message.integrity_check = payload.substr(8);
  return message;
}

// --- IPMI messages -----------------------------------------------------------------------------------------

std::string encode_message(const Request& request, std::uint8_t sequence) {
  std::string message;
  put8(message, kBmcAddress);
  put8(message, static_cast<unsigned>(request.netfn) << 2 | (request.lun & 3u));
  put8(message, checksum(message));
  put8(message, kConsole);
  put8(message, (sequence & 0x3fu) << 2);
  put8(message, request.command);
  message += request.data;
  put8(message, checksum(Bytes(message).substr(3)));
  return message;
}

Result<Response> decode_message(Bytes message, Checksums checksums) {
  if (message.size() < 8) return broken(base::str("IPMI response of ", message.size(), " bytes"));
  if (checksums == Checksums::checked &&
      (checksum(message.substr(0, 3)) != 0 || checksum(message.substr(3)) != 0))
    return broken("IPMI response with a wrong checksum");
  Response response;
  response.netfn = get8(message, 1) >> 2;
  if (response.netfn % 2 == 0) return broken("an IPMI request where a response is due");
  response.sequence = get8(message, 4) >> 2;
  response.command = get8(message, 5);
  response.completion = get8(message, 6);
  response.data = message.substr(7, message.size() - 8);
  return response;
}

// --- integers --------------------------------------------------------------------------------------------

void put16(std::string& to, std::uint16_t value) {
  put8(to, value & 0xffu);
  put8(to, value >> 8);
}

void put32(std::string& to, std::uint32_t value) {
  put16(to, static_cast<std::uint16_t>(value));
  put16(to, static_cast<std::uint16_t>(value >> 16));
}

std::uint8_t get8(Bytes bytes, std::size_t at) {
  assert(at < bytes.size());
  return static_cast<std::uint8_t>(bytes[at]);
}

std::uint16_t get16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(get8(bytes, at) | get8(bytes, at + 1) << 8);
}

std::uint32_t get32(Bytes bytes, std::size_t at) {
  return get16(bytes, at) | static_cast<std::uint32_t>(get16(bytes, at + 2)) << 16;
}

}  // namespace oob::ipmi

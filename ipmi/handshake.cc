#include "ipmi/handshake.h"

namespace oob::ipmi {

using base::str;

namespace {

// Ids that nobody can guess. (An error may come without our id: what it says is believed only when it is said
// twice, or harmless.)
std::uint32_t random_session() {
  std::uint32_t id = 0;
  while (id == 0) id = get32(random_bytes(4), 0);
  return id;
}

}  // namespace

Handshake::Handshake(SessionTerms terms) : terms_(std::move(terms)), tag_(get8(random_bytes(1), 0)) {
  exchange_.suite = terms_.suite;
  exchange_.console_session = random_session();
  exchange_.console_random = random_bytes(16);
  exchange_.role = static_cast<std::uint8_t>(terms_.privilege) | kNameOnly;
  exchange_.user = terms_.user;
  OpenSessionRequest request;
  request.tag = tag_;
  request.privilege = terms_.privilege;
  request.console_session = exchange_.console_session;
  request.suite = terms_.suite;
  packet_ = encode_plain(PayloadType::open_session_request, request.encode());
}

bool Handshake::take(Bytes datagram) {
  Result<Packet> packet = decode_packet(datagram, 0);
  // Before the session stands nothing is signed or encrypted, and nothing has a session id (13.6).
  if (!packet || packet->session != 0 || packet->encrypted || packet->authenticated) return false;
  if (step_ == Step::open_session && packet->type == PayloadType::open_session_response) {
    Result<OpenSessionResponse> response = OpenSessionResponse::decode(packet->payload);
    return response && response->tag == tag_ && opened(*response);
  }
  if (step_ == Step::rakp1 && packet->type == PayloadType::rakp2) {
    Result<Rakp2> rakp2 = Rakp2::decode(packet->payload);
    return rakp2 && rakp2->tag == tag_ && authenticated(*rakp2);
  }
  if (step_ == Step::rakp3 && packet->type == PayloadType::rakp4) {
    Result<Rakp4> rakp4 = Rakp4::decode(packet->payload);
    return rakp4 && rakp4->tag == tag_ && finished(*rakp4);
  }
  return false;
}

bool Handshake::opened(const OpenSessionResponse& response) {
  if (response.status != 0)
    return ours_or_none(response.console_session) && refused(response.status, "Open Session");
  if (response.console_session != exchange_.console_session || response.bmc_session == 0) return false;
  if (!response.suite.same_algorithms(terms_.suite)) {
    const Suite& got = response.suite;
    bool open = got.authentication == 0 || got.integrity == 0 || got.confidentiality == 0;
    return fail(Refusal::downgrade,
                open ? str("asked for cipher suite ", static_cast<int>(terms_.suite.id),
                           ", the BMC answered with a session that is not protected (algorithms ",
                           static_cast<int>(got.authentication), ", ", static_cast<int>(got.integrity), ", ",
                           static_cast<int>(got.confidentiality), "): refused")
                     : str("asked for cipher suite ", static_cast<int>(terms_.suite.id),
                           ", the BMC changed it (algorithms ", static_cast<int>(got.authentication), ", ",
                           static_cast<int>(got.integrity), ", ", static_cast<int>(got.confidentiality),
                           "): refused"));
  }
  exchange_.bmc_session = response.bmc_session;
  Rakp1 rakp1;
  rakp1.tag = ++tag_;
  rakp1.bmc_session = exchange_.bmc_session;
  rakp1.console_random = exchange_.console_random;
  rakp1.role = exchange_.role;
  rakp1.user = exchange_.user;
  packet_ = encode_plain(PayloadType::rakp1, rakp1.encode());
  step_ = Step::rakp1;
  return true;
}

bool Handshake::authenticated(const Rakp2& rakp2) {
  if (rakp2.status != 0) return ours_or_none(rakp2.console_session) && refused(rakp2.status, "RAKP 2");
  if (rakp2.console_session != exchange_.console_session) return false;
  exchange_.bmc_random = rakp2.bmc_random;
  exchange_.guid = rakp2.guid;
  // A peer that does not know the password gets no RAKP 3, which would give it a hash of ours to guess at.
  std::string expected = rakp2_code(exchange_, terms_.password);
  if (expected.empty() || !same(expected, rakp2.auth_code))
    return fail(Refusal::credentials, str("wrong password for user '", base::printable(terms_.user), "'"));
  keys_ = session_keys(exchange_, terms_.password, terms_.kg);
  Rakp3 rakp3;
  rakp3.tag = ++tag_;
  rakp3.bmc_session = exchange_.bmc_session;
  rakp3.auth_code = rakp3_code(exchange_, terms_.password);
  packet_ = encode_plain(PayloadType::rakp3, rakp3.encode());
  terms_.password.wipe();
  step_ = Step::rakp3;
  return true;
}

bool Handshake::finished(const Rakp4& rakp4) {
  if (rakp4.status != 0) return ours_or_none(rakp4.console_session) && refused(rakp4.status, "RAKP 4");
  if (rakp4.console_session != exchange_.console_session) return false;
  std::string expected = rakp4_code(exchange_, keys_);
  bool right = !expected.empty() && same(expected, rakp4.integrity_check);
  keys_.sik.wipe();
  // RAKP 2 has proved that the password is right: what is left is the other key.
  if (!right)
    return fail(Refusal::credentials,
                terms_.kg.empty() ? "the BMC wants a Kg key: kg_file names it" : "wrong Kg key (kg_file)");
  terms_.kg.wipe();
  step_ = Step::done;
  return true;
}

// Table 13-15.
bool Handshake::refused(std::uint8_t status, const char* where) {
  Refusal refusal = Refusal::none;
  std::string more;
  switch (status) {
    case 0x01:
    case 0x0b:
      refusal = Refusal::full;
      break;
    case 0x04:
    case 0x05:
    case 0x10:
    case 0x11:
      refusal = step_ == Step::open_session ? Refusal::suite : Refusal::none;
      break;
    case 0x0a:
      refusal = step_ == Step::open_session ? Refusal::suite_or_privilege : Refusal::privilege;
      break;
    case 0x09:
      refusal = Refusal::privilege;
      break;
    case 0x0c:
    case 0x0d:
      refusal = Refusal::credentials;
      more = str(": no user '", base::printable(terms_.user), "'");
      break;
    case 0x0f:
      refusal = Refusal::credentials;
      more = ": wrong password";
      break;
    default:
      break;
  }
  if (refusal == Refusal::privilege || refusal == Refusal::suite_or_privilege)
    more = str(": privilege '", name_of(terms_.privilege), "' for user '", base::printable(terms_.user), "'");
  return fail(refusal, str(where, ": ", status_text(status), more));
}

bool Handshake::fail(Refusal refusal, std::string why) {
  refusal_ = refusal;
  why_ = std::move(why);
  step_ = Step::failed;
  terms_.password.wipe();
  terms_.kg.wipe();
  keys_ = SessionKeys();
  return true;
}

}  // namespace oob::ipmi

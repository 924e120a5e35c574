#pragma once

#include <string>

#include "ipmi/secret.h"
#include "ipmi/wire.h"

// The arithmetic of RMCP+ authentication (IPMI 2.0 rev 1.1, 13.28 to 13.32), pure. Everything that is random
// is given.
namespace oob::ipmi {

// What both sides know once RAKP 2 is here.
struct Exchange {
  Suite suite;
  std::uint32_t console_session = 0, bmc_session = 0;
  std::string console_random, bmc_random, guid;  // 16 bytes each
  std::uint8_t role = 0;
  std::string user;
};

// Keys of a session that is up.
struct SessionKeys {
  Suite suite;
  Secret k1;   // signs
  Secret aes;  // encrypts: the first 16 bytes of K2
  Secret sik;  // dropped once RAKP 4 was verified
};

// All codes and keys are empty for algorithms other than those of suites 3 and 17, and when OpenSSL fails: an
// empty code must never be taken for a match.

// The auth code that RAKP 2 must carry (13.21), under the user's password.
std::string rakp2_code(const Exchange& exchange, const Secret& password);
// The one we send in RAKP 3 (13.22).
std::string rakp3_code(const Exchange& exchange, const Secret& password);
// SIK, K1 and K2 (13.31, 13.32). `kg`: empty means the password stands in for it.
SessionKeys session_keys(const Exchange& exchange, const Secret& password, const Secret& kg);
// The integrity check value that RAKP 4 must carry (13.23), cut to the algorithm's length.
std::string rakp4_code(const Exchange& exchange, const SessionKeys& keys);

std::size_t auth_code_size(const Suite& suite);  // 12 or 16; 0 for algorithms that we do not speak

// A whole packet of a session: payload encrypted (13.29, AES-CBC-128 with a fresh random IV), signed.
// Fault::internal when OpenSSL fails.
Result<std::string> seal(const SessionKeys& keys, PayloadType type, std::uint32_t session,
                         std::uint32_t sequence, Bytes payload);

// Verifies and decrypts a packet that decode_packet() took apart. Refuses packets that are not both signed
// and encrypted, whatever they say. The padding is checked (13.29); some BMCs pad a whole block, which is
// taken.
Result<std::string> unseal(const SessionKeys& keys, const Packet& packet);

// `size` bytes from OpenSSL's generator. Without random numbers nothing can be done safely: it ends the
// program.
std::string random_bytes(std::size_t size);

}  // namespace oob::ipmi

#include <cstdint>
#include <cstdlib>

#include "auth/krl.h"
#include "auth/public_key.h"
#include "auth/revocation.h"

namespace {

void demand(bool right) {
  if (!right) std::abort();
}

}  // namespace

// Files of revocations: text, and KRLs wherever they come from.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oob;
  std::string_view content(reinterpret_cast<const char*>(data), size);
  auth::RevocationFile file = auth::parse_revocations(content);
  demand(file.faults.size() <= auth::kMostRevocationFaults);
  for (const auth::KeyFault& fault : file.faults) {
    demand(!fault.message.empty() && fault.message.size() < 1000);
    demand(!auth::is_krl(content) || fault.line == 0);
    for (char c : fault.message) demand(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  }
  std::string key(content.substr(0, 60)), ca(content.substr(size / 2, 60));
  for (std::uint64_t serial : {0ull, 1ull, 7ull, 1ull << 32, ~0ull}) {
    std::string why = file.revoked.why({key, ca, serial, content.substr(0, 20)});
    demand(why.size() < 100);
    // Serial 0 is no number: what is revoked of it must be revoked by more than its serial.
    if (serial == 0) demand(why.find("serial") == std::string::npos);
    // What a plain key is revoked by, its certificates are too.
    if (!file.revoked.why({key, {}, 0, {}}).empty()) demand(!why.empty());
  }
  return 0;
}

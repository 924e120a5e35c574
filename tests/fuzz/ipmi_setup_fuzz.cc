// What a BMC, or whoever says to be one, answers while a session is set up.
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
  Bytes payload(reinterpret_cast<const char*>(data), size);
  if (auto opened = ipmi::OpenSessionResponse::decode(payload)) {
    must(opened->status != 0 || (opened->bmc_session != 0 && size >= 36));
    must(opened->status == 0 || opened->bmc_session == 0);
    must(!ipmi::status_text(opened->status).empty());
  }
  if (auto rakp2 = ipmi::Rakp2::decode(payload)) {
    must(rakp2->status != 0 ? rakp2->auth_code.empty() && rakp2->bmc_random.empty()
                            : rakp2->bmc_random.size() == 16 && rakp2->guid.size() == 16 &&
                                  rakp2->auth_code.size() == size - 40);
  }
  if (auto rakp4 = ipmi::Rakp4::decode(payload))
    must(rakp4->integrity_check.size() == (rakp4->status == 0 ? size - 8 : 0));
  return 0;
}

// A secret file of any bytes: codes of the right length, or a fault that is printable and says little.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "auth/totp.h"

namespace {

void must(bool held) {
  if (!held) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using oob::auth::Totp;
  std::string text(reinterpret_cast<const char*>(data), size);
  auto totp = Totp::parse(text);
  if (!totp) {
    must(!totp.error().what.empty() && totp.error().what.size() < 100);
    for (unsigned char c : totp.error().what) must(c >= 0x20 && c < 0x7f);
    return 0;
  }
  must(totp->digits() == 6 || totp->digits() == 8);
  for (std::int64_t step : {std::int64_t{0}, std::int64_t{59'833'333}, Totp::step_at(INT64_MAX)}) {
    std::string code = totp->code(step);
    must(code.size() == static_cast<std::size_t>(totp->digits()));
    must(totp->is(code, step));
  }
  Totp moved = std::move(*totp);
  must(moved.code(1) == Totp::parse(text)->code(1));
  return 0;
}

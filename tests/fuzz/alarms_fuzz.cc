// What a console says, looked through for alarms: any bytes. What is passed over as many lines must have none
// in any of them.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "auth/journal_line.h"
#include "console/alarms.h"
#include "console/clean_line.h"
#include "console/console_tail.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oob::console;
  using oob::base::Bytes;
  static const auto kPatterns =
      AlarmPatterns::make({"^%BGP-5-ADJCHANGE: .* Down", "\\bfan [0-9]+ [^x]ailed", "a.b", "[[:space:]]z"});
  if (!kPatterns) std::abort();
  Bytes whole(reinterpret_cast<const char*>(data), size);
  bool may_match = (*kPatterns)->may_match(whole);
  for (Bytes rest = whole; !rest.empty();) {
    std::size_t end = rest.find('\n');
    std::string clean;
    clean_line(rest.substr(0, end), clean);
    if ((*kPatterns)->match(clean) && !may_match) std::abort();
    rest.remove_prefix(end == Bytes::npos ? rest.size() : end + 1);
  }
  std::string tail = console_tail(whole, 20);
  if (tail.size() > oob::auth::kMostJournalText) std::abort();
  for (unsigned char c : tail)
    if ((c < 0x20 && c != '\n') || c == 0x7f) std::abort();
  return 0;
}

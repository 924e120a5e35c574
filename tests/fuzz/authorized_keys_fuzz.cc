#include <cstdint>
#include <cstdlib>

#include "auth/authorized_keys.h"
#include "auth/private_key.h"

namespace {

void demand(bool right) {
  if (!right) std::abort();
}

}  // namespace

// What operators paste into key files, what clients send as keys, and host key files.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oob;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auth::AuthorizedKeys found = auth::parse_authorized_keys(text);
  for (const auth::AuthorizedKey& line : found.keys) {
    demand(line.line >= 1 && line.terms.fingerprint == line.key.fingerprint());
    auto again = auth::parse_key_blob(line.key.blob);
    demand(again && again->type == line.key.type && again->bits == line.key.bits);
    demand(line.is_ca || line.principals.empty());
    for (const std::string& principal : line.principals) demand(!principal.empty());
    if (line.from) {
      line.from->matches("192.0.2.9");
      line.from->matches("2001:db8::9");
      line.from->matches(text.substr(0, 64));
    }
  }
  for (const auth::KeyFault& fault : found.faults) {
    demand(!fault.message.empty() && fault.message.size() < 1000);
    for (char c : fault.message) demand(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  }
  for (const auth::PublicKey& ca : auth::parse_ca_keys(text).keys) demand(auth::is_whole_key(ca.blob));
  if (auto key = auth::parse_key_blob(text)) {
    demand(auth::is_whole_key(text));
    std::string shown = key->text();
    std::size_t space = shown.find(' ');
    auto again = auth::parse_key_text(shown.substr(0, space), shown.substr(space + 1));
    demand(again && again->blob == text);
  }
  if (auto list = auth::AddressList::parse(text.substr(0, 512))) {
    list->matches("192.0.2.9");
    list->matches("::ffff:192.0.2.9");
    list->matches("fe80::1%eth0");
  }
  auth::public_blob_of(text);
  return 0;
}

#include <cstdint>
#include <cstdlib>

#include "auth/certificate.h"

namespace {

void demand(bool right) {
  if (!right) std::abort();
}

}  // namespace

// What a client may send as its certificate, before anybody has looked at it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oob;
  std::string_view blob(reinterpret_cast<const char*>(data), size);
  auto marks = auth::marks_of_certificate(blob);
  auto read = auth::parse_certificate(blob);
  if (!read) {
    demand(!read.error().what.empty() && read.error().what.size() < 1000);
    for (char c : read.error().what) demand(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    return 0;
  }
  demand(auth::is_certificate(blob) && marks);
  demand(marks->key == read->key.blob && marks->ca == read->ca.blob && marks->serial == read->serial &&
         marks->key_id == read->key_id);
  demand(!auth::is_certificate(read->key.blob) && !auth::is_certificate(read->ca.blob));
  demand(auth::parse_key_blob(read->key.blob) && auth::parse_key_blob(read->ca.blob));
  demand(read->principals.size() <= auth::kMostPrincipals);
  demand(blob.starts_with(read->signed_part) && blob.ends_with(read->signature));
  for (base::Micros now : {base::Micros(-1), base::Micros(0), base::Micros(1'800'000'000'000'000)}) {
    std::string why = read->out_of_time(now);
    demand(why.size() < 400);
  }
  for (char c : read->text()) demand(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  if (read->source) read->source->matches("192.0.2.9");
  auth::check_ca_signature(*read);
  return 0;
}

// Any bytes, in pieces of any size, are recorded so that they come back exactly; any bytes are read as a
// recording's lines, and what is taken for an event is one.
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "audit/cast.h"
#include "auth/public_key.h"

namespace {

using namespace oob::audit;
using oob::base::Bytes;

void check(bool well) {
  if (!well) std::abort();
}

void round_trip(Bytes bytes) {
  std::string out, back, raw;
  CastEncoder encoder;
  Bytes rest = bytes;
  for (oob::base::Micros time = 0; !rest.empty(); ++time) {
    std::size_t size = 1 + static_cast<unsigned char>(rest[0]) % 7;
    encoder.device(out, time, rest.substr(0, size));
    rest.remove_prefix(std::min(size, rest.size()));
  }
  encoder.flush(out, 0);
  bool is_raw = false;
  for (Bytes lines = out; !lines.empty(); lines.remove_prefix(lines.find('\n') + 1)) {
    Bytes line = lines.substr(0, lines.find('\n'));
    auto event = CastEvent::parse(line);
    check(event.has_value());
    boost::system::error_code error;
    boost::json::value value = boost::json::parse(line, error);
    check(!error && value.at(2).as_string() == event->text);
    if (event->code == 'b') {
      check(oob::auth::decode_base64(event->text, raw));
      is_raw = true;
    } else {
      back += std::exchange(is_raw, false) ? raw : event->text;
    }
  }
  check(back == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(reinterpret_cast<const char*>(data), size);
  round_trip(bytes);
  for (Bytes line : {bytes, bytes.substr(0, bytes.find('\n'))}) {
    auto event = CastEvent::parse(line);
    boost::system::error_code error;
    if (event) {
      boost::json::value value = boost::json::parse(line, error);
      check(!error && value.at(2).as_string() == event->text);
    }
    auto header = CastHeader::parse(line);
    if (!header) continue;
    std::string again = header->line();
    again.pop_back();
    auto second = CastHeader::parse(again);
    check(second && second->line() == header->line());
  }
  return 0;
}

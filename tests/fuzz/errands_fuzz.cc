// What the core and its child for errands say to each other.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "oobd/errands_wire.h"

namespace {

void require(bool what) {
  if (!what) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oob::errands;
  std::string_view packet(reinterpret_cast<const char*>(data), size);
  if (auto order = Order::decode(packet)) {
    for (const std::string* text : {&order->name, &order->event, &order->device, &order->interface})
      require(text->size() <= kMostText && text->find('\0') == std::string::npos);
    require(order->encode() == packet);
  }
  if (auto end = End::decode(packet)) require(end->words.find('\n') == std::string::npos);
  return 0;
}

// What the core and the front say to each other: frames in any pieces, and every message.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/wire.h"

namespace {

using oob::base::Bytes;
namespace wire = oob::base::wire;

void must(bool holds) {
  if (!holds) std::abort();
}

// What decodes encodes to something that decodes to the same.
template <class Message>
void try_message(Bytes bytes) {
  auto message = Message::decode(bytes);
  if (!message) return;
  std::string again = message->encode();
  auto second = Message::decode(again);
  must(static_cast<bool>(second));
  must(second->encode() == again);
}

// Frames must be the same whatever pieces they come in.
std::string frames_of(Bytes bytes, std::size_t piece) {
  wire::Frames frames;
  std::string told;
  while (true) {
    wire::Frame kind{};
    Bytes payload;
    auto there = frames.next(kind, payload);
    if (!there) return told + "broken";
    if (*there) {
      must(payload.size() <= wire::kMostPayload);
      wire::add_frames(told, kind, payload);
    } else {
      must(frames.held() <= wire::kMostPayload + 5);
      if (bytes.empty()) return told;
      frames.feed(bytes.substr(0, piece));
      bytes.remove_prefix(std::min(piece, bytes.size()));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(reinterpret_cast<const char*>(data), size);
  std::string whole = frames_of(bytes, size + 1);
  must(frames_of(bytes, 1) == whole);
  must(frames_of(bytes, 7) == whole);
  try_message<wire::Setup>(bytes);
  try_message<wire::Ready>(bytes);
  try_message<wire::Code>(bytes);
  try_message<wire::Forward>(bytes);
  try_message<wire::Opened>(bytes);
  try_message<wire::Figures>(bytes);
  try_message<wire::Listen>(bytes);
  try_message<wire::Ask>(bytes);
  try_message<wire::Verdict>(bytes);
  try_message<wire::Drop>(bytes);
  try_message<wire::OpenSession>(bytes);
  try_message<wire::Closed>(bytes);
  try_message<wire::Remark>(bytes);
  try_message<wire::Open>(bytes);
  return 0;
}

// What whoever is behind a bastion's socket says to the core, in any pieces: the same key or none.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "oobd/host_key_look.h"

namespace {

using oob::HostKeyLook;
using oob::base::Bytes;

std::string look(Bytes bytes, std::size_t piece) {
  HostKeyLook look(std::string(48, 'r'));
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    auto answer = look.feed(bytes.substr(at, piece));
    if (!answer) return "broken";
    if (!look.key().empty()) break;
  }
  return look.key();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(reinterpret_cast<const char*>(data), size);
  // Whole, what follows the key is not looked at; in pieces, it never comes.
  if (look(bytes, 1) != look(bytes, 7)) std::abort();
  (void)look(bytes, size + 1);
  return 0;
}

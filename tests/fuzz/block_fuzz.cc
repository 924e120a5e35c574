// Whatever a device says in place of an answer: only what carries its own checksum is one, it lies within
// what was heard, and its bytes are of the range they are for.
#include <cstdint>
#include <cstdlib>

#include "recipe/block.h"
#include "recipe/gunzip.h"
#include "recipe/shell_words.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oob::recipe;
  oob::base::Bytes heard(reinterpret_cast<const char*>(data), size);
  std::vector<std::size_t> places;
  std::string clean = without_messages(heard, places);
  if (clean.size() != places.size() || clean.find_first_of("\r\n") != std::string::npos) std::abort();
  for (std::size_t i = 0; i < clean.size(); ++i)
    if (heard[places[i]] != clean[i]) std::abort();

  // The fuzzer can't make checksums: what it says is put into an answer, and again as it is.
  std::string body = "7 0 2 " + clean;
  std::string answer = oob::base::str("<n ", body, ' ', cksum(body), ' ', body.size(), '>');
  for (const std::string& said : {answer, std::string(heard)}) {
    auto found = find_answer(said, "n");
    if (!found) continue;
    if (found->words.empty() || found->end > said.size()) std::abort();
    auto bytes = from_base64(found->words.data() + 1, found->words.data() + found->words.size());
    if (!bytes) continue;
    Blocks blocks(150);
    auto range = blocks.next();
    if (!range) std::abort();
    if (blocks.got(*range, *bytes) != (bytes->size() == 150)) std::abort();
    blocks.lost(*range);
  }
  auto unpacked = gunzip(heard, 1000);
  if (unpacked && unpacked->size() > 1000) std::abort();
  return 0;
}

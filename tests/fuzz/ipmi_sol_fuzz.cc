// What a BMC sends as Serial over LAN, in any order and at any time: memory stays bounded, every answer is a
// packet, nothing is read past a mark, and what was acknowledged can be read.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "ipmi/sol_stream.h"

namespace {

using oob::base::Bytes;
using oob::ipmi::SolStream;
using std::chrono::milliseconds;

void demand(bool holds) {
  if (!holds) std::abort();
}

struct Run {
  SolStream stream{28};
  SolStream::Time now{};
  std::uint64_t heard = 0, kept = 0;
  bool flooded = false;

  void send() {
    for (int packets = 0; auto packet = stream.packet(now); ++packets) {
      demand(packets < 4);
      demand(packet->size() >= 4 && packet->size() <= 4 + 28);
      bool data = packet->size() > 4 || ((*packet)[3] & 0x10);
      demand(data == ((*packet)[0] != 0));
      demand(((*packet)[0] & ~0x0f) == 0 && ((*packet)[1] & ~0x0f) == 0);
    }
  }
  void read(std::size_t most) {
    char to[4096];
    while (stream.next_mark()) {
    }
    std::size_t size = stream.read(to, std::min(most, sizeof to), now);
    demand(size <= most);
    heard += size;
    demand(heard + stream.held() >= kept);  // what was taken once is not dropped
    kept = heard + stream.held();
  }
  void check() {
    demand(stream.held() <= SolStream::kMostHeld);
    demand(stream.room() <= SolStream::kMostOut);
    demand(heard + stream.held() >= kept);
    kept = heard + stream.held();
  }
};

}  // namespace

// The input is a list of deeds: a byte that says what, one that says how much, and perhaps as many bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes input(reinterpret_cast<const char*>(data), size);
  Run run;
  run.flooded = !input.ends_with("flood");
  while (input.size() >= 2) {
    unsigned deed = static_cast<unsigned char>(input[0]) % 8, amount = static_cast<unsigned char>(input[1]);
    input.remove_prefix(2);
    Bytes bytes = input.substr(0, amount);
    switch (deed) {
      case 0:
      case 1:
        run.stream.receive(bytes, run.now);
        input.remove_prefix(bytes.size());
        break;
      case 2:
        run.read(amount * 16);
        break;
      case 3:
        run.stream.write(bytes);
        input.remove_prefix(bytes.size());
        break;
      case 4:
        run.stream.send_break();
        break;
      case 5:
        run.now += milliseconds(amount * 20);
        run.stream.tick(run.now);
        break;
      case 6:
        // A flood in order, so that the buffer fills within a short input; seldom, as it takes long.
        for (unsigned i = 0; !run.flooded && i < 2 * amount; ++i) {
          std::string packet{static_cast<char>(i % 15 + 1), 0, 0, 0};
          run.stream.receive(packet + std::string(255, static_cast<char>(i)), run.now);
          run.check();
        }
        run.flooded = amount > 0;
        break;
      default:
        break;
    }
    run.send();
    run.check();
  }
  for (int i = 0; i < 1000 && run.stream.something_to_read(); ++i) run.read(4096);
  demand(run.stream.held() == 0);
  return 0;
}

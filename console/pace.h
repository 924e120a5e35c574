#pragma once

#include <memory>
#include <vector>

#include "base/loop.h"

namespace oob::console {

class Archive;

// When to read: consoles that talk while nobody types are read together every 20 ms (5 ms when they are
// fast), far inside the kernel's 4 KiB buffer, so that the cost per megabyte falls as the load grows. One for
// all consoles.
class Pace {
 public:
  static constexpr base::milliseconds kSlow{20};
  static constexpr base::milliseconds kFast{5};
  static constexpr base::milliseconds kMany{80};
  static constexpr std::size_t kManyFrom = 384;  // consoles that talk at once

  // What is read at a tick. Implemented by Console.
  class Reader {
   public:
    enum class Next { slow, fast, leave };
    virtual Next tick() = 0;  // may not call join() or leave()

   protected:
    ~Reader() = default;
  };

  Pace(base::Loop& loop, Archive& archive);
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;

  // `reader` is ticked until its tick() says leave, or leave() is called. REQUIRES: not joined already.
  void join(Reader& reader, bool fast);
  void leave(Reader& reader);

  // Room for one read(), shared by all consoles since only one reads at a time.
  static constexpr std::size_t kScratch = 64 * 1024;
  char* scratch() { return scratch_.get(); }

 private:
  void arm();
  void tick();

  Archive& archive_;
  std::unique_ptr<char[]> scratch_ = std::make_unique<char[]>(kScratch);
  base::Timer timer_;
  std::vector<Reader*> slow_, fast_;
  base::Clock::time_point slow_due_;
};

}  // namespace oob::console

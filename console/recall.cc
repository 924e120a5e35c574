#include "console/recall.h"

#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "console/console.h"
#include "console/segments.h"

namespace oob::console {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

Recall::Recall(Core& core, std::size_t most, base::milliseconds patience)
    : core_(core), most_(most), patience_(patience), limit_(core.loop) {}

void Recall::drop() {
  life_.renew();
  limit_.cancel();
  done_ = nullptr;
}

void Recall::begin(const Console& console, std::function<void()> done) {
  drop();
  older_.clear();
  trouble_.clear();
  std::size_t held = console.recent(most_).size();
  std::optional<std::uint64_t> end = console.oldest_in_files();
  reaches_to_ = console.oldest();
  joins_ = end.has_value();
  done_ = std::move(done);
  if (held >= most_ / 2 || (end && *end == 0)) return came(std::string());
  auto hanging = console.hanging_reads();
  if (*hanging > 0) return came(fail(Fault::unavailable, "the disk does not answer"));
  struct Reading {
    Result<std::string> bytes = std::string();
    bool is_late = false;
  };
  auto reading = std::make_shared<Reading>();
  limit_.after(patience_, [this, reading, hanging] {
    reading->is_late = true;
    ++*hanging;
    life_.renew();
    came(fail(Fault::unavailable, "the disk does not answer"));
  });
  core_.blocking.run(
      [reading, directory = core_.transcripts, device = console.device(), most = most_ - held,
       end = end.value_or(std::numeric_limits<std::uint64_t>::max())] {
        reading->bytes = bytes_before(directory, device, end, most);
      },
      [reading, hanging, came = life_.wrap([this, reading] { this->came(reading->bytes); })]() mutable {
        if (reading->is_late) --*hanging;
        came();
      });
}

void Recall::came(const Result<std::string>& bytes) {
  limit_.cancel();
  if (bytes) {
    older_ = *bytes;
  } else {
    trouble_ = base::printable(bytes.error().what);
  }
  if (auto done = std::exchange(done_, nullptr)) done();
}

Result<std::string> Recall::said(const Console& console) const {
  std::string recent = console.recent(most_);
  if (!trouble_.empty()) {
    if (recent.find('\n') != std::string::npos) return recent;
    return fail(Fault::unavailable, str("what ", console.device(), " said before can't be read: ", trouble_));
  }
  // Else there is more in memory than was read before, or a hole between them.
  if (console.oldest() != reaches_to_ || recent.size() >= most_) return recent;
  // Where bytes were lost, the files may have some of what is in memory too.
  base::Bytes older = older_;
  if (!joins_ && older.ends_with(recent)) older.remove_suffix(recent.size());
  return str(older, recent);
}

}  // namespace oob::console

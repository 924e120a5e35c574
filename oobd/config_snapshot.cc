// Configurations that are pulled by the clock.
#include <algorithm>

#include "base/time.h"
#include "oobd/config_reader.h"
#include "oobd/config_values.h"

namespace oob {
namespace {

constexpr base::Micros kMinute = 60'000'000, kHour = 60 * kMinute;
constexpr base::Micros kOftenest = 10 * kMinute, kSeldomest = 52 * 7 * 24 * kHour;

}  // namespace

void ConfigReader::read_snapshot(const Member& snapshot) {
  const Node& table = snapshot.value;
  faults_.check_table(table, table.place, kSnapshot, "[snapshot]");
  SnapshotConfig& config = config_.snapshot;
  if (const Node* every = text(table, "every")) {
    base::Result<base::Micros> span = base::parse_span(every->text);
    if (!span || (*span != 0 && (*span < kOftenest || *span > kSeldomest)))
      return faults_.add(every->place,
                         base::str("every ", in_quotes(every->text),
                                   " is not a time of \"10m\" to \"52w\", or \"0\" for only on demand"));
    config.every = *span;
  }
  config.spread = std::min(config.every / 4, kHour);
  if (const Node* spread = text(table, "spread")) {
    base::Result<base::Micros> span = base::parse_span(spread->text);
    if (!span || *span < 0 || *span > config.every)
      return faults_.add(spread->place,
                         base::str("spread ", in_quotes(spread->text), " is not a time up to 'every'"));
    config.spread = *span;
  }
}

}  // namespace oob

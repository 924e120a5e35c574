// The drill by the clock.
#include "base/time.h"
#include "oobd/config_reader.h"
#include "oobd/config_values.h"

namespace oob {
namespace {

constexpr base::Micros kAnHour = 3'600'000'000LL;
constexpr base::Micros kOftenestDrill = kAnHour, kSeldomestDrill = 52 * 7 * 24 * kAnHour;

}  // namespace

void ConfigReader::read_drill(const Member& drill) {
  const Node& table = drill.value;
  faults_.check_table(table, table.place, kDrill, "[drill]");
  const Node* every = text(table, "every");
  if (!every) return;
  base::Result<base::Micros> span = base::parse_span(every->text);
  if (!span || (*span != 0 && *span < kOftenestDrill) || *span > kSeldomestDrill) {
    return faults_.add(every->place,
                       base::str("every ", in_quotes(every->text),
                                 " is not a time of \"1h\" to \"52w\", or \"0\" for only on demand"));
  }
  config_.drill.every = *span;
}

}  // namespace oob

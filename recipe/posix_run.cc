#include <utility>

#include "recipe/posix_reader.h"
#include "recipe/pull.h"

namespace oob::recipe {

using base::Error;
using base::milliseconds;
using base::Result;
using base::str;
using base::Task;

namespace {

Task<Result<Ran>> run_with(PosixReader& reader, const Talk& talk, std::string quiet, std::string unquiet,
                           std::string command, milliseconds limit) {
  Result<> begun = co_await reader.begin(std::move(quiet), std::move(unquiet));
  if (!begun) co_return begun.error();
  Result<int> status = co_await reader.run(std::move(command), limit);
  bool late = reader.ended_late();
  if (!status && !late) co_return status.error();
  PosixReader::ToldBytes nobody = [](std::uint64_t, std::uint64_t) {};
  std::string path = reader.output();
  Result<PosixReader::File> out = co_await reader.read(std::move(path), kMostPrinted, nobody);
  if (!out) co_return talk.wrap("its output", out.error());
  path = reader.errors();
  Result<PosixReader::File> err = co_await reader.read(std::move(path), kMostPrinted, nobody);
  if (!err) co_return talk.wrap("its errors", err.error());
  Ran ran{std::move(out->bytes), std::move(err->bytes), late ? kLate : *status, late,
          !late || reader.has_ended()};
  co_return ran;
}

}  // namespace

std::string late_text(milliseconds limit, bool ended) {
  std::string span = limit.count() % 1000 ? str(limit.count(), " ms") : str(limit.count() / 1000, " s");
  return str("it did not end within ", span, ended ? ", and was ended" : ", and may still run on the device");
}

Task<Result<Ran>> run_posix(Visit* visit, Talk& talk, const Recipe& recipe, std::string command,
                            milliseconds limit) {
  PosixReader reader(visit, talk);
  std::string quiet = recipe.quiet, unquiet = recipe.unquiet;
  Result<Ran> ran =
      co_await run_with(reader, talk, std::move(quiet), std::move(unquiet), std::move(command), limit);
  if (!ran) talk.leaving();
  Result<> ended = co_await reader.end();
  if (!ended) co_return reader.not_ended(ran ? Error() : ran.error(), ended.error());
  co_return ran;
}

}  // namespace oob::recipe

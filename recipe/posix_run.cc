#include <utility>

#include "recipe/posix_reader.h"
#include "recipe/pull.h"

namespace oob::recipe {

using base::Error;
using base::Fault;
using base::milliseconds;
using base::Result;
using base::str;
using base::Task;

namespace {

// One command, while it is run.
struct Run {
  PosixReader& reader;
  const Talk& talk;
  std::string quiet, unquiet, command;
  milliseconds limit;
  MayRun may_run;
};

Task<Result<Ran>> run_with(Run& run) {
  PosixReader& reader = run.reader;
  Result<> begun = co_await reader.begin(run.quiet, run.unquiet);
  if (!begun) co_return begun.error();
  Result<> reads = co_await reader.find_tools();
  if (!reads && (!run.may_run || reads.error().fault != Fault::failed)) co_return reads.error();
  Result<> prepared = co_await reader.prepare_runs();
  if (!prepared) co_return prepared.error();
  if (run.may_run) {
    Task<Result<>> asking = run.may_run();
    Result<> may = co_await asking;
    if (!may) co_return may.error();
  }
  Result<int> status = co_await reader.run(run.command, run.limit);
  const bool late = reader.ended_late();
  if (!status && !late) co_return status.error();
  Ran ran;
  ran.status = late ? kLate : *status;
  ran.late = late;
  ran.ended = !late || reader.has_ended();
  if (!reads) {
    ran.unread = reads.error().what;
    co_return ran;
  }
  PosixReader::ToldBytes nobody = [](std::uint64_t, std::uint64_t) {};
  std::string path = reader.output();
  Result<PosixReader::File> out = co_await reader.read(std::move(path), kMostPrinted, nobody);
  if (!out) co_return run.talk.wrap("its output", out.error());
  path = reader.errors();
  Result<PosixReader::File> err = co_await reader.read(std::move(path), kMostPrinted, nobody);
  if (!err) co_return run.talk.wrap("its errors", err.error());
  ran.out = std::move(out->bytes);
  ran.err = std::move(err->bytes);
  co_return ran;
}

}  // namespace

std::string late_text(milliseconds limit, bool ended) {
  std::string span = limit.count() % 1000 ? str(limit.count(), " ms") : str(limit.count() / 1000, " s");
  return str("it did not end within ", span, ended ? ", and was ended" : ", and may still run on the device");
}

Task<Result<Ran>> run_posix(Visit* visit, Talk& talk, const Recipe& recipe, std::string command,
                            milliseconds limit, MayRun may_run) {
  PosixReader reader(visit, talk);
  Run run{reader, talk, recipe.quiet, recipe.unquiet, std::move(command), limit, std::move(may_run)};
  Result<Ran> ran = co_await run_with(run);
  if (!ran) talk.leaving();
  Result<> ended = co_await reader.end();
  if (!ended) co_return reader.not_ended(ran ? Error() : ran.error(), ended.error());
  co_return ran;
}

}  // namespace oob::recipe

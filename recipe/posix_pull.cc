#include <algorithm>
#include <set>
#include <utility>

#include "recipe/posix_reader.h"
#include "recipe/pull.h"

namespace oob::recipe {

using base::Bytes;
using base::Error;
using base::Fault;
using base::milliseconds;
using base::Result;
using base::str;
using base::Task;

namespace {

constexpr milliseconds kCommand{5 * 60000};
constexpr std::uint64_t kMostVersion = 64 * 1024, kMostErrors = 64 * 1024;
constexpr std::size_t kMostFiles = 4000;

Bytes first_line(Bytes text) {
  text = text.substr(0, text.find('\n'));
  return text.substr(0, text.find('\r'));
}

// What the recipe says about the end of a file.
bool ends_right(const Fetch& fetch, Bytes bytes) {
  if (fetch.end && !bytes.ends_with(*fetch.end)) return false;
  if (!fetch.end_line) return true;
  if (bytes.ends_with('\n')) bytes.remove_suffix(1);
  std::size_t line = bytes.rfind('\n');
  return fetch.end_line->search(line == Bytes::npos ? bytes : bytes.substr(line + 1));
}

// One pull, while it lasts.
class Pull {
 public:
  Pull(PosixReader& reader, const Talk& talk, const Recipe& recipe, std::vector<Fetch>& fetches,
       const ToldProgress& told)
      : reader_(reader), talk_(talk), recipe_(recipe), fetches_(fetches), told_(told) {}
  Task<Result<>> all();
  Pulled take() { return std::move(pulled_); }

 private:
  Task<Result<>> version();
  Task<Result<>> expand(Fetch fetch);
  Task<Result<>> one(Fetch fetch);
  Task<Result<>> run(Fetch fetch);
  PosixReader::ToldBytes progress(std::string name) const;

  PosixReader& reader_;
  const Talk& talk_;
  const Recipe& recipe_;
  std::vector<Fetch>& fetches_;
  const ToldProgress& told_;
  Pulled pulled_;
  std::set<std::string> names_;
  unsigned number_ = 0;
};

PosixReader::ToldBytes Pull::progress(std::string name) const {
  return [this, name = std::move(name)](std::uint64_t done, std::uint64_t of) {
    if (told_) told_(Progress{name, done, of, number_, static_cast<unsigned>(fetches_.size())});
  };
}

Task<Result<>> Pull::all() {
  Result<> versioned = co_await version();
  if (!versioned) co_return versioned.error();
  // Patterns become files first, so that it is known how many there are.
  std::vector<Fetch> given = std::exchange(fetches_, {});
  for (Fetch& fetch : given) {
    if (fetch.kind != Fetch::Kind::files) {
      fetches_.push_back(std::move(fetch));
      continue;
    }
    std::string pattern = fetch.source;
    Result<> expanded = co_await expand(std::move(fetch));
    if (!expanded) co_return talk_.wrap(pattern, expanded.error());
  }
  for (const Fetch& fetch : fetches_) {
    ++number_;
    // The first of a name counts: a pattern may name a file again.
    if (!names_.insert(fetch.name).second) continue;
    Fetch copy = fetch;
    Result<> fetched = co_await one(std::move(copy));
    if (!fetched) co_return talk_.wrap(base::printable(fetch.name), fetched.error());
  }
  auto by_name = [](const PulledFile& a, const PulledFile& b) { return a.name < b.name; };
  std::sort(pulled_.files.begin(), pulled_.files.end(), by_name);
  std::sort(pulled_.absent.begin(), pulled_.absent.end());
  co_return Result<>();
}

// Nothing depends on it: it may be unknown.
Task<Result<>> Pull::version() {
  if (recipe_.device_version.empty()) co_return Result<>();
  std::string command = recipe_.device_version;
  Result<int> status = co_await reader_.run(std::move(command), kCommand);
  if (!status && status.error().fault == Fault::unavailable) co_return status.error();
  if (!status || *status != 0) co_return Result<>();
  std::string path = reader_.output();
  PosixReader::ToldBytes nobody = [](std::uint64_t, std::uint64_t) {};
  Result<PosixReader::File> file = co_await reader_.read(std::move(path), kMostVersion, std::move(nobody));
  if (!file && file.error().fault == Fault::unavailable) co_return file.error();
  if (file) pulled_.device_version = base::printable(first_line(file->bytes));
  co_return Result<>();
}

Task<Result<>> Pull::expand(Fetch fetch) {
  if (!is_shell_pattern(fetch.source))
    co_return fail(Fault::config, "it is not a shell pattern of plain characters");
  std::string pattern = fetch.source;
  for (std::size_t at; (at = pattern.find("//")) != std::string::npos;) pattern.erase(at, 1);
  Result<PosixReader::File> file = co_await reader_.list(std::move(pattern));
  if (!file) co_return file.error();
  constexpr Bytes kBehind = "\n//\n";
  Bytes rest = file->bytes;
  while (!rest.empty()) {
    std::size_t size = rest.find(kBehind);
    if (size == Bytes::npos) co_return fail(Fault::failed, "the device lists half a name");
    Bytes path = rest.substr(0, size);
    rest.remove_prefix(size + kBehind.size());
    if (!path.starts_with('/') || path.size() < 2 || path.back() == '/')
      co_return fail(Fault::failed, str("'", base::printable(path), "' is no absolute path"));
    auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
    if (std::any_of(path.begin(), path.end(), is_control)) {
      pulled_.absent.push_back(str(base::printable(path.substr(1)), " (its name has control characters)"));
      continue;
    }
    Fetch found = fetch;
    found.kind = Fetch::Kind::file;
    found.source = path;
    found.name = path.substr(1);
    // It may have gone since it was listed.
    found.optional = true;
    fetches_.push_back(std::move(found));
    if (fetches_.size() > kMostFiles)
      co_return fail(Fault::failed, str("it names more than ", kMostFiles, " files"));
  }
  co_return Result<>();
}

Task<Result<>> Pull::one(Fetch fetch) {
  std::string path = fetch.source;
  if (fetch.kind == Fetch::Kind::command) {
    Fetch command = fetch;
    Result<> ran = co_await run(std::move(command));
    if (!ran && fetch.optional && ran.error().fault == Fault::failed) {
      pulled_.absent.push_back(fetch.name);
      co_return Result<>();
    }
    if (!ran) co_return ran.error();
    path = reader_.output();
  }
  PosixReader::ToldBytes told = progress(fetch.name);
  Result<PosixReader::File> file = co_await reader_.read(std::move(path), fetch.most, std::move(told));
  if (!file) co_return file.error();
  if (file->absent) {
    if (!fetch.optional) co_return fail(Fault::failed, str(base::printable(fetch.source), " is not there"));
    pulled_.absent.push_back(fetch.name);
    co_return Result<>();
  }
  if (file->closed) {
    if (!fetch.optional)
      co_return fail(Fault::failed, str(base::printable(fetch.source), " is not readable"));
    pulled_.absent.push_back(str(fetch.name, " (not readable)"));
    co_return Result<>();
  }
  bool cut = !ends_right(fetch, file->bytes);
  PulledFile pulled{fetch.name, std::move(file->bytes), std::move(file->sha256), Grade::device, fetch.parse,
                    cut};
  pulled_.files.push_back(std::move(pulled));
  co_return Result<>();
}

Task<Result<>> Pull::run(Fetch fetch) {
  std::string command = fetch.source;
  Result<int> status = co_await reader_.run(std::move(command), kCommand);
  if (!status) co_return status.error();
  if (*status == 0) co_return Result<>();
  std::string said, path = reader_.errors();
  PosixReader::ToldBytes told = progress(fetch.name);
  Result<PosixReader::File> file = co_await reader_.read(std::move(path), kMostErrors, std::move(told));
  if (!file && file.error().fault == Fault::unavailable) co_return file.error();
  if (file && !file->bytes.empty()) said = str(": ", base::printable(first_line(file->bytes)));
  co_return fail(Fault::failed,
                 str("'", base::printable(fetch.source), "' ended with status ", *status, said));
}

}  // namespace

Task<Result<Pulled>> pull_posix(Visit* visit, Talk& talk, const Recipe& recipe, std::vector<Fetch> more,
                                ToldProgress told) {
  std::uint64_t before = talk.bytes_heard() + talk.bytes_typed();
  std::vector<Fetch> fetches = recipe.fetches;
  fetches.insert(fetches.end(), more.begin(), more.end());
  PosixReader reader(visit, talk);
  Pull pull(reader, talk, recipe, fetches, told);
  std::string quiet = recipe.quiet, unquiet = recipe.unquiet;
  Result<> done = co_await reader.begin(std::move(quiet), std::move(unquiet));
  if (done) {
    Result<> tools = co_await reader.find_tools();
    done = std::move(tools);
  }
  if (done) {
    Result<> all = co_await pull.all();
    done = std::move(all);
  }
  if (!done) talk.leaving();
  Result<> ended = co_await reader.end();
  if (!ended) co_return reader.not_ended(done ? Error() : done.error(), ended.error());
  if (!done) co_return done.error();
  Pulled pulled = pull.take();
  pulled.method = "posix-block";
  pulled.retries = reader.retries();
  pulled.wire_bytes = talk.bytes_heard() + talk.bytes_typed() - before;
  co_return pulled;
}

}  // namespace oob::recipe

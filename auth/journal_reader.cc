#include "auth/journal_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "auth/journal_names.h"
#include "base/fd.h"

namespace oob::auth {

using base::fail;
using base::Fault;
using base::Fd;
using base::Result;
using base::str;

namespace {
constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kMostWithoutLf = 8 << 20;  // no line is that long: there is no sense in reading on
}  // namespace

struct JournalReader::State {
  std::string directory;
  std::vector<std::uint64_t> files;  // by the number of their first record, ascending
  std::size_t at = 0;                // the file that is read
  Fd file;                           // open once something was read of it
  std::string buffer;                // read and not yet given
  std::size_t given = 0;             // of the buffer
  std::uint64_t n = 0, line = 0;     // of the next line; lines given of this file
  std::uint64_t offset = 0, before = 0;

  Result<> rescan() {
    Result<std::vector<std::uint64_t>> found = journal_numbers(directory);
    if (!found) return found.error();
    // The oldest may have been removed meanwhile; what is read already is no concern any more.
    std::uint64_t current = files.empty() ? 0 : files[at];
    std::vector<std::uint64_t> kept;
    if (!files.empty()) kept.push_back(current);
    for (std::uint64_t first : *found) {
      if (files.empty() || first > current) kept.push_back(first);
    }
    files = std::move(kept);
    at = 0;
    return {};
  }

  std::string path() const { return directory + "/" + journal_name(files[at]); }

  void enter(std::size_t which) {
    before += offset;
    at = which;
    file.reset();
    buffer.clear();
    given = 0;
    line = 0;
    offset = 0;
    n = files[which];
  }

  // Reads on in the current file; false at its end.
  Result<bool> fill() {
    if (!file) {
      file.reset(::open(path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
      if (!file) return base::system_error(path());
    }
    buffer.erase(0, given);
    given = 0;
    if (buffer.size() > kMostWithoutLf)
      return fail(Fault::failed, str(path(), ": no line ends in the ", buffer.size(), " bytes from ",
                                     offset - buffer.size()));
    std::size_t held = buffer.size();
    buffer.resize(held + kPiece);
    ssize_t got;
    do {
      got = ::pread(file.get(), buffer.data() + held, kPiece, static_cast<off_t>(offset));
    } while (got < 0 && errno == EINTR);
    buffer.resize(held + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) return base::system_error(path());
    offset += static_cast<std::uint64_t>(got);
    return got > 0;
  }

  // Where the next LF is; npos at the end of the file.
  Result<std::size_t> line_end() {
    std::size_t searched = 0;
    while (true) {
      std::size_t end = buffer.find('\n', given + searched);
      if (end != std::string::npos) return end;
      searched = buffer.size() - given;
      Result<bool> more = fill();
      if (!more) return more.error();
      if (!*more) return std::string::npos;
    }
  }

  // Goes to the file that follows the current one, which was read to its end; false if there is none.
  Result<bool> next_file() {
    if (at + 1 == files.size()) {
      if (Result<> scanned = rescan(); !scanned) return scanned.error();
      if (at + 1 == files.size()) return false;
      // What was written into this file before the next one began came after it was read, perhaps.
      Result<std::size_t> end = line_end();
      if (!end) return end.error();
      if (*end != std::string::npos) return true;
    }
    std::uint64_t next = files[at + 1];
    if (given < buffer.size())
      return fail(Fault::failed,
                  str(path(), ": its last line is torn, and ", journal_name(next), " follows"));
    if (next != n)
      return fail(Fault::failed,
                  str(journal_name(next), " follows ", journal_name(files[at]), ", which ends before ", n));
    enter(at + 1);
    return true;
  }
};

JournalReader::JournalReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
JournalReader::~JournalReader() = default;

Result<std::unique_ptr<JournalReader>> JournalReader::open(const std::string& directory) {
  auto state = std::make_unique<State>();
  state->directory = directory;
  if (Result<> scanned = state->rescan(); !scanned) return scanned.error();
  if (state->files.empty()) return fail(Fault::missing, str(directory, ": there is no journal"));
  state->n = state->files[0];
  std::unique_ptr<JournalReader> reader(new JournalReader(std::move(state)));
  reader->first_ = reader->state_->n;
  return reader;
}

std::uint64_t JournalReader::first() const { return first_; }

Result<> JournalReader::seek(std::uint64_t n) {
  if (n < first_)
    return fail(Fault::missing, str("record ", n, " is not there any more: the first is ", first_));
  Result<std::vector<std::uint64_t>> found = journal_numbers(state_->directory);
  if (!found) return found.error();
  auto after = std::upper_bound(found->begin(), found->end(), n);
  if (after == found->begin()) return fail(Fault::missing, str("record ", n, " is not there any more"));
  state_->files = std::move(*found);
  state_->enter(static_cast<std::size_t>(after - state_->files.begin()) - 1);
  std::string line;
  Place place;
  while (state_->n < n) {
    Result<bool> more = next(line, place);
    if (!more) return more.error();
    if (!*more) return fail(Fault::missing, str("there is no record ", n, ": they end before ", state_->n));
  }
  return {};
}

Result<bool> JournalReader::next(std::string& line, Place& place) {
  while (true) {
    Result<std::size_t> end = state_->line_end();
    if (!end) return end.error();
    if (*end != std::string::npos) {
      line.assign(state_->buffer, state_->given, *end - state_->given);
      state_->given = *end + 1;
      place = {journal_name(state_->files[state_->at]), ++state_->line, state_->n++};
      return true;
    }
    Result<bool> further = state_->next_file();
    if (!further) return further.error();
    if (!*further) return false;
  }
}

void JournalReader::forget_ahead() {
  state_->offset -= state_->buffer.size() - state_->given;
  state_->buffer.clear();
  state_->given = 0;
}

Result<std::uint64_t> JournalReader::readable_after(const std::string& directory, std::uint64_t n) {
  Result<std::vector<std::uint64_t>> found = journal_numbers(directory);
  if (!found) return found.error();
  std::string line;
  Place place;
  for (auto each = std::upper_bound(found->begin(), found->end(), n); each != found->end(); ++each) {
    Result<std::unique_ptr<JournalReader>> reader = open(directory);
    if (!reader || !(*reader)->seek(*each)) continue;
    Result<bool> got = (*reader)->next(line, place);
    if (got && *got) return *each;
  }
  return fail(Fault::missing, str("behind record ", n, " no file can be read"));
}

std::uint64_t JournalReader::torn() const { return state_->buffer.size() - state_->given; }

std::uint64_t JournalReader::bytes() const {
  std::uint64_t all = 0;
  struct stat status;
  Result<std::vector<std::uint64_t>> found = journal_numbers(state_->directory);
  if (!found) return 0;
  for (std::uint64_t first : *found) {
    if (::stat((state_->directory + "/" + journal_name(first)).c_str(), &status) == 0)
      all += static_cast<std::uint64_t>(status.st_size);
  }
  return all;
}

std::uint64_t JournalReader::bytes_read() const { return state_->before + state_->offset; }

}  // namespace oob::auth

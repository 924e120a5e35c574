#include "auth/journal_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "auth/journal_line.h"

namespace oob::auth {

using base::Bytes;
using base::fail;
using base::Fault;
using base::Fd;
using base::Result;
using base::str;

namespace {

Result<> journal_error(std::string_view doing, int number = errno) {
  return fail(Fault::journal, base::system_error(doing, number).what);
}

std::string name_of_file(std::uint64_t first) {
  char name[32];
  std::snprintf(name, sizeof name, "%012llu.jsonl", static_cast<unsigned long long>(first));
  return name;
}

Result<> sync_directory(const std::string& path) {
  Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) < 0) return journal_error(path);
  return {};
}

// Makes it, or checks that only its owner can get in.
Result<> own_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return sync_directory(path.substr(0, path.rfind('/')));
  if (errno != EEXIST) return journal_error(path);
  struct stat status;
  if (::lstat(path.c_str(), &status) < 0) return journal_error(path);
  if (!S_ISDIR(status.st_mode)) return fail(Fault::journal, str(path, ": not a folder"));
  if (status.st_mode & 077) return fail(Fault::journal, str(path, ": others can get in; chmod 0700 it"));
  return {};
}

Result<bool> last_file(const std::string& directory, std::uint64_t& first) {
  DIR* open = ::opendir(directory.c_str());
  if (!open) return journal_error(directory).error();
  bool any = false;
  while (dirent* entry = ::readdir(open)) {
    std::string_view name = entry->d_name;
    std::uint64_t number;
    if (!name.ends_with(".jsonl") || !base::parse_number(name.substr(0, name.size() - 6), number) ||
        name_of_file(number) != name)
      continue;
    if (!any || number > first) first = number;
    any = true;
  }
  ::closedir(open);
  return any;
}

}  // namespace

Result<std::unique_ptr<JournalFiles>> JournalFiles::open(const std::string& directory) {
  std::unique_ptr<JournalFiles> files(new JournalFiles(directory + "/journal"));
  if (Result<> found = files->find_end(); !found) return found.error();
  return files;
}

Result<> JournalFiles::find_end() {
  if (Result<> own = own_directory(directory_); !own) return own;
  std::uint64_t first = 0;
  Result<bool> any = last_file(directory_, first);
  if (!any) return any.error();
  if (!*any) return {};
  return read_end(directory_ + "/" + name_of_file(first), first);
}

// Looks for the last whole record from the end of the file backwards; all that follows it was torn by a
// crash: a part of a line, or blocks that were never filled.
Result<> JournalFiles::read_end(const std::string& path, std::uint64_t first) {
  file_.reset(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  struct stat status;
  if (!file_ || ::fstat(file_.get(), &status) < 0) return journal_error(path);
  std::uint64_t size = static_cast<std::uint64_t>(status.st_size);
  std::uint64_t from = size - std::min<std::uint64_t>(size, kMostTorn + kMostJournalLine);
  std::string tail(size - from, '\0');
  for (std::size_t done = 0; done < tail.size();) {
    ssize_t n = ::pread(file_.get(), tail.data() + done, tail.size() - done, static_cast<off_t>(from + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return journal_error(path);
    if (n == 0) return fail(Fault::journal, str(path, ": somebody else writes it"));
    done += static_cast<std::size_t>(n);
  }
  std::uint64_t whole = 0;  // where the last record ends; the front of the file if there is none
  next_number_ = first;
  for (std::size_t end = tail.rfind('\n'); end != std::string::npos;) {
    std::size_t before = end == 0 ? std::string::npos : tail.rfind('\n', end - 1);
    std::size_t start = before == std::string::npos ? 0 : before + 1;
    std::uint64_t number;
    if ((start > 0 || from == 0) && journal_number(Bytes(tail).substr(start, end - start), number) &&
        number >= first) {
      whole = from + end + 1;
      next_number_ = number + 1;
      break;
    }
    end = before;
  }
  if (size - whole > kMostTorn)
    return fail(Fault::journal,
                str(path, ": the last ", size - whole,
                    " bytes are no journal records: more than a crash "
                    "tears, so nothing was changed; look at the disk, then move the file away"));
  size_ = whole;
  if (whole == size) return {};
  dropped_ = static_cast<std::int64_t>(size - whole);
  if (::ftruncate(file_.get(), static_cast<off_t>(whole)) < 0 || ::fdatasync(file_.get()) < 0)
    return journal_error(path);
  return {};
}

Result<> JournalFiles::begin(std::uint64_t number) {
  std::string path = directory_ + "/" + name_of_file(number);
  // It can be there already, empty, when the first write into it failed.
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return journal_error("journal");
  struct stat status;
  if (::fstat(file.get(), &status) < 0) return journal_error("journal");
  if (status.st_size != 0) return fail(Fault::journal, str("journal: ", path, ": somebody else wrote it"));
  if (Result<> synced = sync_directory(directory_); !synced) return synced;
  file_ = std::move(file);
  size_ = 0;
  return {};
}

Result<> JournalFiles::append(Bytes lines) {
  while (!lines.empty()) {
    ssize_t n = ::pwrite(file_.get(), lines.data(), lines.size(), static_cast<off_t>(size_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return journal_error("journal");
    size_ += static_cast<std::uint64_t>(n);
    lines.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<> JournalFiles::sync() {
  if (file_ && ::fdatasync(file_.get()) < 0) return journal_error("journal");
  return {};
}

Result<> JournalFiles::truncate(std::uint64_t size) {
  if (::ftruncate(file_.get(), static_cast<off_t>(size)) < 0) return journal_error("journal");
  size_ = size;
  return {};
}

}  // namespace oob::auth

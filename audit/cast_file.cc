#include "audit/cast_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "audit/library.h"

namespace oob::audit {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr int kFlags = O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;
constexpr std::size_t kReadAtOnce = 64 * 1024;
constexpr int kMostNames = 1000;  // that are tried for one recording

Result<> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) return base::system_error(path);
  return {};
}

Result<> sync_folder(const std::string& path) {
  base::Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | kFlags));
  if (!folder || ::fsync(folder.get()) < 0) return base::system_error(path);
  return {};
}

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

// The folders between `directory` and a file below it, and itself.
Result<> make_folders(const std::string& directory, const std::string& below) {
  Result<> made = make_folder(directory);
  for (std::size_t at = below.find('/'); made && at != std::string::npos; at = below.find('/', at + 1))
    made = make_folder(str(directory, "/", below.substr(0, at)));
  return made;
}

// "", "b", … "z", "bb", "bc", …
std::string letters(int number) {
  std::string text;
  for (; number > 0; number = (number - 1) / 25)
    text.insert(text.begin(), static_cast<char>('b' + (number - 1) % 25));
  return text;
}

// False: the name is taken.
Result<bool> make_new(const std::string& path, base::Fd& file) {
  file.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | kFlags, 0600));
  if (file) return true;
  if (errno == EEXIST) return false;
  return base::system_error(path);
}

}  // namespace

Result<std::shared_ptr<CastFile>> CastFile::create(const std::string& directory, CastHeader& header) {
  std::string time = base::rfc3339(header.started, base::Precision::seconds);  // 2026-11-22T16:03:11Z
  std::string base = str(time.substr(0, 4), time.substr(5, 2), time.substr(8, 2), "-", time.substr(11, 2),
                         time.substr(14, 2), time.substr(17, 2), "-", header.session);
  Result<> made = make_folders(directory, recording_path(base));
  if (made) made = make_folder(str(directory, "/open"));
  if (!made) return made.error();
  for (int number = 0; number < kMostNames; ++number) {
    std::string id = base + letters(number), path = str(directory, "/", recording_path(id));
    std::string open = str(directory, "/open/", id);
    base::Fd marker;
    Result<bool> is_new = make_new(open, marker);
    if (!is_new) return is_new.error();
    if (!*is_new) continue;
    std::shared_ptr<CastFile> one(new CastFile(path, open));
    is_new = make_new(path, one->file_);
    if (!is_new || !*is_new) ::unlink(open.c_str());
    if (!is_new) return is_new.error();
    if (!*is_new) continue;
    header.id = id;
    Result<> written = one->append(header.line());
    if (written) written = one->sync();
    if (written) written = sync_folder(parent_of(path));
    if (written) written = sync_folder(parent_of(open));
    if (written) return one;
    ::unlink(path.c_str());
    ::unlink(open.c_str());
    return written.error();
  }
  return fail(Fault::failed, str(directory, ": no free name for ", base));
}

Result<> CastFile::append(base::Bytes lines) {
  if (torn_ && ::ftruncate(file_.get(), static_cast<off_t>(size_)) < 0) return base::system_error(path_);
  torn_ = false;
  std::size_t done = 0;
  while (done < lines.size()) {
    ssize_t n =
        ::pwrite(file_.get(), lines.data() + done, lines.size() - done, static_cast<off_t>(size_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ENOSPC;
    if (n > 0) {
      done += static_cast<std::size_t>(n);
      continue;
    }
    base::Error error = base::system_error(path_);
    torn_ = done > 0 && ::ftruncate(file_.get(), static_cast<off_t>(size_)) < 0;
    return error;
  }
  sum_->add(lines);
  size_ += lines.size();
  return {};
}

std::optional<CastMark> CastFile::mark() {
  if (size_ == marked_) return std::nullopt;
  CastMark mark{marked_, size_, base::hex(sum_->digest())};
  sum_ = std::make_unique<base::Sha256>();
  marked_ = size_;
  return mark;
}

Result<> CastFile::sync() const {
  if (::fdatasync(file_.get()) < 0) return base::system_error(str(path_, ": sync"));
  return {};
}

Result<> CastFile::finish() const {
  Result<> done;
  if (::fchmod(file_.get(), 0400) < 0) done = base::system_error(path_);
  if (::unlink(open_.c_str()) < 0 && errno != ENOENT) done = base::system_error(open_);
  return done;
}

Result<RecoveredCast> recover_cast(const std::string& directory, const std::string& id) {
  RecoveredCast found;
  std::string path = str(directory, "/", recording_path(id));
  base::Fd file(::open(path.c_str(), O_RDWR | kFlags));
  if (!file && errno == EACCES) file.reset(::open(path.c_str(), O_RDONLY | kFlags));  // it is closed already
  if (!file && errno == ENOENT) return found;
  struct stat about {};
  if (!file || ::fstat(file.get(), &about) < 0) return base::system_error(path);
  if (!S_ISREG(about.st_mode)) return fail(Fault::failed, str(path, ": not a regular file"));
  // Everything up to the last LF counts; the sum is taken of that alone.
  base::Sha256 sum;
  std::string piece(kReadAtOnce, '\0'), rest;
  std::uint64_t at = 0;
  while (true) {
    ssize_t n = ::pread(file.get(), piece.data(), piece.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::system_error(path);
    if (n == 0) break;
    at += static_cast<std::uint64_t>(n);
    base::Bytes bytes(piece.data(), static_cast<std::size_t>(n));
    std::size_t end = bytes.rfind('\n');
    if (end == base::Bytes::npos) {
      rest += bytes;
      continue;
    }
    sum.add(rest);
    sum.add(bytes.substr(0, end + 1));
    found.size = at - (bytes.size() - end - 1);
    rest = bytes.substr(end + 1);
  }
  found.cut = at - found.size;
  if (found.size == 0) {
    if (::unlink(path.c_str()) < 0) return base::system_error(path);
    return found;
  }
  if (found.cut > 0 && ::ftruncate(file.get(), static_cast<off_t>(found.size)) < 0)
    return base::system_error(path);
  if (::fsync(file.get()) < 0 || ::fchmod(file.get(), 0400) < 0) return base::system_error(path);
  found.sha256 = base::hex(sum.digest());
  return found;
}

Result<std::string> set_aside(const std::string& directory, const std::string& id) {
  std::string from = str(directory, "/", recording_path(id)), name = str("strange/", id);
  struct stat about {};
  bool there = ::lstat(from.c_str(), &about) == 0;
  if (!there && errno != ENOENT) return base::system_error(from);
  bool taken = ::lstat(str(directory, "/", name).c_str(), &about) == 0;
  if (!there) return taken ? name : std::string();
  std::string to = name;
  for (int number = 2; taken && number < kMostNames; ++number) {
    to = str(name, ".", number);
    taken = ::lstat(str(directory, "/", to).c_str(), &about) == 0;
  }
  if (taken) return fail(Fault::failed, str(directory, "/", name, ": no free name"));
  Result<> made = make_folder(directory + "/strange");
  if (!made) return made.error();
  if (::rename(from.c_str(), str(directory, "/", to).c_str()) < 0) return base::system_error(from);
  made = sync_folder(directory + "/strange");
  if (made) made = sync_folder(parent_of(from));
  if (!made) return made.error();
  return to;
}

void forget_open(const std::string& directory, const std::string& id) {
  ::unlink(str(directory, "/open/", id).c_str());
}

}  // namespace oob::audit

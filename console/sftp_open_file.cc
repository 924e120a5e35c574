#include "console/sftp_open_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/disk.h"
#include "console/dispatcher.h"
#include "console/segments.h"

namespace oob::console {

using base::fail;
using base::Fault;
using base::Result;

namespace {

constexpr std::uint64_t kFarthestRead = std::uint64_t{1} << 62;

SftpAttributes attributes_of(const struct stat& about) {
  SftpAttributes found;
  found.size = static_cast<std::uint64_t>(about.st_size);
  found.modified = about.st_mtim.tv_sec * 1'000'000LL + about.st_mtim.tv_nsec / 1000;
  return found;
}

// What is removed must not be read for as long as somebody keeps it open.
Result<SftpAttributes> look_at(int file) {
  struct stat about {};
  if (::fstat(file, &about) < 0) return base::system_error("look at the file");
  if (about.st_nlink == 0) return fail(Fault::missing, "it has been removed");
  return attributes_of(about);
}

}  // namespace

Result<> SftpRight::may() const { return still_may(core, visitor, action, device); }

Result<base::Fd> open_to_read(const std::string& path) {
  base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat about {};
  if (!file && errno != ENOENT) return base::system_error("open the file");
  if (!file || ::fstat(file.get(), &about) < 0 || !S_ISREG(about.st_mode))
    return fail(Fault::missing, "no such file");
  return file;
}

Result<std::vector<SftpEntry>> transcript_files(const std::string& folder) {
  std::vector<SftpEntry> entries;
  Result<std::vector<std::uint64_t>> starts = segment_starts(folder);
  if (!starts) return fail(Fault::failed, "the folder can't be read");
  for (std::uint64_t start : *starts) {
    for (const char* ending : {".idx", ".log"}) {
      std::string name = segment_name(start, ending);
      struct stat about {};
      if (::lstat((folder + "/" + name).c_str(), &about) == 0 && S_ISREG(about.st_mode))
        entries.push_back({name, attributes_of(about)});
    }
  }
  return entries;
}

Result<SftpAttributes> transcript_file(const std::string& folder, const std::string& name) {
  base::Error none = fail(Fault::missing, "no such file");
  std::uint64_t start = 0;
  std::string_view ending = name.size() > 4 ? std::string_view(name).substr(name.size() - 4) : "";
  if (ending != ".log" && ending != ".idx") return none;
  if (!base::parse_number(std::string_view(name).substr(0, name.size() - 4), start)) return none;
  if (name != segment_name(start, ending == ".log" ? ".log" : ".idx")) return none;
  struct stat about {};
  if (::lstat((folder + "/" + name).c_str(), &about) < 0 || !S_ISREG(about.st_mode)) return none;
  return attributes_of(about);
}

// --- on the disk
// --------------------------------------------------------------------------------------------------

FileOnDisk::FileOnDisk(SftpRight right, base::Fd file)
    : right_(std::move(right)), file_(std::make_shared<const base::Fd>(std::move(file))) {}

void FileOnDisk::about(SftpFiles::Done<SftpAttributes> done) {
  auto answer = std::make_shared<Result<SftpAttributes>>(SftpAttributes{});
  right_.core.blocking.run([answer, file = file_] { *answer = look_at(file->get()); },
                           [answer, done = std::move(done)] { done(std::move(*answer)); });
}

void FileOnDisk::read(std::uint64_t offset, std::uint32_t most, SftpFiles::Done<std::string> done) {
  if (offset >= kFarthestRead) return done(std::string());
  auto answer = std::make_shared<Result<std::string>>(std::string());
  auto call = [answer, offset, most, file = file_] {
    Result<SftpAttributes> there = look_at(file->get());
    if (!there) {
      *answer = there.error();
      return;
    }
    std::string bytes(most, '\0');
    ssize_t size = ::pread(file->get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (size < 0) {
      *answer = base::system_error("read the file");
      return;
    }
    bytes.resize(static_cast<std::size_t>(size));
    *answer = std::move(bytes);
  };
  right_.core.blocking.run(std::move(call), [answer, done = std::move(done)] { done(std::move(*answer)); });
}

// --- in memory
// ----------------------------------------------------------------------------------------------------

Lent::Lent(std::shared_ptr<std::uint64_t> of_all, std::shared_ptr<std::uint64_t> of_visit,
           std::uint64_t bytes)
    : of_all_(std::move(of_all)), of_visit_(std::move(of_visit)), bytes_(bytes) {
  *of_all_ += bytes_;
  *of_visit_ += bytes_;
}

Lent::~Lent() {
  *of_all_ -= bytes_;
  *of_visit_ -= bytes_;
}

FileInMemory::FileInMemory(SftpRight right, std::string bytes, base::Micros modified,
                           std::shared_ptr<const Lent> lent)
    : right_(std::move(right)), bytes_(std::move(bytes)), modified_(modified), lent_(std::move(lent)) {}

void FileInMemory::about(SftpFiles::Done<SftpAttributes> done) {
  done(SftpAttributes{.size = bytes_.size(), .modified = modified_});
}

void FileInMemory::read(std::uint64_t offset, std::uint32_t most, SftpFiles::Done<std::string> done) {
  if (offset >= bytes_.size()) return done(std::string());
  done(bytes_.substr(static_cast<std::size_t>(offset), most));
}

}  // namespace oob::console

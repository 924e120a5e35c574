#include "console/segment_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "console/segments.h"
#include "console/time_index.h"

namespace oob::console {
namespace {

constexpr std::size_t kMostWaiting = 64;
constexpr std::size_t kOneByOne = 8;  // more unsynced files than this: one call for the whole file system
constexpr std::chrono::seconds kRetryAfter{1};
constexpr int kFlags = O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;

// Writes until all is written or a call fails; answers how much was.
std::size_t write_all(int fd, base::Bytes bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ENOSPC;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

base::Result<> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) < 0 && errno != EEXIST) return base::system_error(path);
  return {};
}

}  // namespace

void Unsynced::add(const std::shared_ptr<SegmentFiles>& files) {
  std::lock_guard lock(mutex_);
  if (std::exchange(files->unsynced, true)) return;
  files_.push_back(files);
}

base::Result<> Unsynced::sync() {
  std::vector<std::shared_ptr<SegmentFiles>> files;
  {
    std::lock_guard lock(mutex_);
    files.swap(files_);
    // Before the calls, so that what is written during them counts again.
    for (const auto& each : files) each->unsynced = false;
  }
  base::Result<> result;
#ifdef __linux__
  if (files.size() > kOneByOne) {
    if (::syncfs(files.front()->log.get()) < 0)
      return base::system_error(base::str(files.front()->path, ": sync"));
    for (const auto& each : files) each->folder.reset();
    return result;
  }
#endif
  for (const auto& each : files) {
    base::Fd index;
    {
      std::lock_guard lock(each->mutex);
      if (each->index) index.reset(::fcntl(each->index.get(), F_DUPFD_CLOEXEC, 0));
    }
    bool well = ::fdatasync(each->log.get()) == 0 && (!index || ::fdatasync(index.get()) == 0) &&
                (!each->folder || ::fsync(each->folder.get()) == 0);
    if (!well && result) result = base::system_error(base::str(each->path, ": sync"));
    each->folder.reset();
  }
  return result;
}

std::string SegmentWriter::path(const char* ending) const {
  return folder_ + "/" + segment_name(start_, ending);
}

base::Result<> SegmentWriter::open_segment(std::uint64_t start, bool fresh) {
  auto files = std::make_shared<SegmentFiles>();
  base::Fd folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return base::system_error(folder_);
  std::string log = segment_name(start, ".log");
  files->path = folder_ + "/" + log;
  files->log.reset(::openat(folder.get(), log.c_str(), kFlags | O_RDWR | (fresh ? O_CREAT : 0), 0600));
  if (!files->log) return base::system_error(files->path);
  struct stat about {};
  if (::fstat(files->log.get(), &about) < 0) return base::system_error(files->path);
  if (!S_ISREG(about.st_mode))
    return base::fail(base::Fault::failed, base::str(files->path, ": not a regular file"));
  files->folder = std::move(folder);
  files_ = std::move(files);
  start_ = start;
  end_ = start + static_cast<std::uint64_t>(about.st_size);
  index_size_ = 0;
  index_retry_at_ = {};
  seal_what_a_crash_left();
  return {};
}

void SegmentWriter::seal_what_a_crash_left() {
  if (!marked_) return;
  std::uint64_t from = std::max(*std::exchange(marked_, std::nullopt), start_);
  if (from >= end_) return;
  from = std::max(from, end_ - std::min(end_, most_resumed_));
  std::string piece(64 * 1024, '\0');
  while (from < end_) {
    std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), end_ - from));
    ssize_t size = ::pread(files_->log.get(), piece.data(), most, static_cast<off_t>(from - start_));
    if (size <= 0) return;  // verify will tell that no mark covers it
    seal_.add(from, base::Bytes(piece.data(), static_cast<std::size_t>(size)), base::Clock::now());
    from += static_cast<std::uint64_t>(size);
  }
}

base::Result<> SegmentWriter::open_index() {
  base::Fd index(::open(path(".idx").c_str(), kFlags | O_RDWR | O_CREAT, 0600));
  if (!index) return base::system_error(path(".idx"));
  base::Result<IndexRepair> repaired = repair_index(index.get(), end_);
  if (!repaired) return base::wrap(path(".idx"), repaired.error());
  std::lock_guard lock(files_->mutex);
  files_->index = std::move(index);
  index_size_ = repaired->size;
  if (repaired->lost > 0) wait({end_, base::wall_now(), "gap", std::to_string(repaired->lost)});
  return {};
}

base::Result<> SegmentWriter::ready() {
  if (files_) {
    // A folder that somebody deleted takes bytes that nobody will ever read.
    struct stat about {};
    if (::fstat(files_->log.get(), &about) == 0 && about.st_nlink > 0) return {};
    files_.reset();
    wait({end_, base::wall_now(), "start", "the segment before was deleted"});
  }
  std::size_t slash = folder_.rfind('/');
  base::Result<> made = make_folder(folder_.substr(0, slash));
  if (made) made = make_folder(folder_);
  if (!made) return made;
  base::Result<std::vector<std::uint64_t>> starts = segment_starts(folder_);
  if (!starts) return starts.error();
  std::uint64_t known = end_;
  if (!starts->empty()) {
    base::Result<> opened = open_segment(starts->back(), false);
    if (!opened || end_ >= known) return opened;
    files_.reset();  // shorter than what was written: it was cut, and its offsets are used up
  }
  return open_segment(known, true);
}

void SegmentWriter::lose(std::size_t bytes, base::Micros when) {
  if (lost_ == 0) lost_since_ = when;
  lost_ += bytes;
  lost_now_ += bytes;
}

// Bounded: of many, the stamps go first, then what came last; gaps stay.
void SegmentWriter::wait(Waiting line) {
  if (waiting_.size() >= kMostWaiting) {
    auto of_little_use = [](const Waiting& w) { return w.kind == "at"; };
    auto victim = std::find_if(waiting_.begin(), waiting_.end(), of_little_use);
    if (victim == waiting_.end() && line.kind != "gap") return;
    waiting_.erase(victim == waiting_.end() ? waiting_.end() - 1 : victim);
  }
  auto place = waiting_.end();
  if (line.kind == "gap") {  // before what happened at the same place: it was lost before it
    place = std::find_if(waiting_.begin(), waiting_.end(),
                         [&](const Waiting& w) { return w.offset >= line.offset; });
    std::uint64_t more, before;
    if (place != waiting_.end() && place->kind == "gap" && place->offset == line.offset &&
        base::parse_number(line.text, more) && base::parse_number(place->text, before)) {
      place->text = std::to_string(before + more);
      return;
    }
  }
  waiting_.insert(place, std::move(line));
}

base::Result<> SegmentWriter::failed(base::Error error) {
  trouble_ = error.what;
  retry_at_ = base::Clock::now() + kRetryAfter;
  return error;
}

// An index that can't be written never keeps bytes from being written: its lines wait.
void SegmentWriter::write_index() {
  auto now = base::Clock::now();
  if (waiting_.empty() || now < index_retry_at_) return;
  index_retry_at_ = now + kRetryAfter;  // if it fails
  index_trouble_.clear();
  if (!files_->index) {
    base::Result<> opened = open_index();
    if (!opened) {
      index_trouble_ = opened.error().what;
      return;
    }
  }
  std::string lines;
  for (const Waiting& line : waiting_) lines += format({line.offset, line.time, line.kind, line.text});
  std::size_t done = write_all(files_->index.get(), lines);
  if (done == lines.size()) {
    index_size_ += done;
    waiting_.clear();
    index_retry_at_ = {};
    return;
  }
  index_trouble_ = base::system_error(path(".idx")).what;
  if (done > 0) cut_index(index_size_);  // a torn line must not run into the next one
}

void SegmentWriter::cut_index(std::uint64_t size) {
  bool cut = ::ftruncate(files_->index.get(), static_cast<off_t>(size)) == 0;
  index_size_ = size;
  std::lock_guard lock(files_->mutex);
  if (!cut) files_->index.reset();  // opening it anew repairs it
}

// The index lines that wait go first, so that whoever reads along finds the stamp of what it reads.
base::Result<> SegmentWriter::write_piece(base::Bytes piece) {
  std::uint64_t index_before = index_size_;
  std::vector<Waiting> lines = waiting_;
  write_index();
  std::size_t done = write_all(files_->log.get(), piece);
  int number = errno;
  seal_.add(end_, piece.substr(0, done), base::Clock::now());
  end_ += done;
  unsynced_->add(files_);
  if (done == piece.size()) return {};
  base::Error error = base::system_error(path(".log"), number);
  if (!lines.empty() && waiting_.empty()) {  // the lines speak of bytes that are not there
    cut_index(index_before);
    waiting_ = std::move(lines);
  }
  for (Waiting& line : waiting_) line.offset = std::min(line.offset, end_);
  return error;
}

base::Result<> SegmentWriter::write(base::Bytes bytes, const std::vector<Mark>& marks, base::Micros began) {
  lost_now_ = 0;
  base::Result<> result;
  bool resting = !trouble_.empty() && base::Clock::now() < retry_at_;
  std::size_t done = 0;  // of `bytes`
  auto next = marks.begin();
  base::Micros time = began;
  if (resting) {
    result = base::fail(base::Fault::failed, trouble_);
  } else if (base::Result<> open = files_ && marks.empty() && trouble_.empty() ? base::Result<>() : ready();
             !open) {
    result = failed(open.error());
  } else {
    trouble_.clear();
    if (lost_ > 0) wait({end_, lost_since_, "gap", std::to_string(std::exchange(lost_, 0))});
    do {
      if (done < bytes.size() && end_ - start_ >= segment_size_) {
        result = open_segment(end_, true);
        if (!result) break;
        wait({end_, time, "at", ""});
      }
      std::uint64_t room = segment_size_ - std::min(segment_size_, end_ - start_);
      base::Bytes piece =
          bytes.substr(done, static_cast<std::size_t>(std::min<std::uint64_t>(room, bytes.size())));
      bool last = done + piece.size() == bytes.size();
      for (; next != marks.end() && (last || next->at < done + piece.size()); ++next) {
        time = std::max(time, next->time);
        wait({end_ + (next->at - done), next->time, next->kind, next->text});
      }
      std::uint64_t before = end_;
      result = write_piece(piece);
      done += static_cast<std::size_t>(end_ - before);
    } while (result && done < bytes.size());
    if (!result) result = failed(result.error());
  }
  if (done < bytes.size()) {
    // Stamps of what is lost go with it; the marks of what happened stay, at the place where it is missing.
    lose(bytes.size() - done, base::wall_now());
    for (; next != marks.end(); ++next)
      if (next->kind != "at") wait({end_, next->time, next->kind, next->text});
  } else {
    for (; next != marks.end(); ++next) wait({end_, next->time, next->kind, next->text});
  }
  if (result && !index_trouble_.empty()) result = base::fail(base::Fault::failed, index_trouble_);
  return result;
}

}  // namespace oob::console

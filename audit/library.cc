#include "audit/library.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "auth/public_key.h"

namespace oob::audit {

using base::fail;
using base::Fault;
using base::Micros;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kScanAtOnce = 64 * 1024;
constexpr std::string_view kEnding = ".cast";

bool digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<base::Fd> open_file(const std::string& path) {
  base::Fd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat about {};
  if (!file || ::fstat(file.get(), &about) < 0) return base::system_error(path);
  if (!S_ISREG(about.st_mode)) return fail(Fault::failed, str(path, ": not a regular file"));
  return file;
}

// Bytes from `at` on, as many as there are.
bool read_at(int fd, std::uint64_t at, std::string& to, std::size_t size) {
  std::size_t before = to.size(), done = 0;
  to.resize(before + size);
  while (done < size) {
    ssize_t n = ::pread(fd, to.data() + before + done, size - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      to.resize(before + done);
      return n == 0;
    }
    done += static_cast<std::size_t>(n);
  }
  return true;
}

// The time of the last whole line that is an event.
Micros last_time(int fd, std::uint64_t size) {
  for (std::uint64_t span : {std::uint64_t{4096}, std::uint64_t{2 * kMostCastLine}}) {
    std::string tail;
    std::uint64_t from = size - std::min(size, span);
    if (!read_at(fd, from, tail, static_cast<std::size_t>(size - from))) return 0;
    std::string_view rest = tail;
    while (true) {
      std::size_t end = rest.rfind('\n');
      if (end == std::string_view::npos || end == 0) break;
      std::size_t start = rest.rfind('\n', end - 1);
      if (start == std::string_view::npos) break;  // the first line of all is the header
      Result<CastEvent> event = CastEvent::parse(rest.substr(start + 1, end - start - 1));
      if (event) return event->time;
      rest = rest.substr(0, start + 1);
    }
  }
  return 0;
}

Result<Recording> look_at(const std::string& directory, const std::string& id) {
  Recording recording;
  recording.path = recording_path(id);
  std::string path = str(directory, "/", recording.path);
  Result<std::unique_ptr<CastReader>> reader = CastReader::open(path);
  if (!reader) return reader.error();
  recording.header = (*reader)->header();
  if (recording.header.id != id) return fail(Fault::failed, str(path, ": its header says another id"));
  Result<base::Fd> file = open_file(path);
  if (!file) return file.error();
  struct stat about {};
  if (::fstat(file->get(), &about) < 0) return base::system_error(path);
  recording.bytes = static_cast<std::uint64_t>(about.st_size);
  recording.length = last_time(file->get(), recording.bytes);
  recording.live = ::access(str(directory, "/open/", id).c_str(), F_OK) == 0;
  recording.held = ::access(str(directory, "/holds/", id).c_str(), F_OK) == 0;
  return recording;
}

// The names in a folder for which `fits`; none where it can't be read.
template <class Fits>
std::vector<std::string> names(const std::string& folder, Fits fits) {
  std::vector<std::string> found;
  std::error_code error;
  for (std::filesystem::directory_iterator each(folder, error), end; !error && each != end;
       each.increment(error))
    if (std::string name = each->path().filename().string(); fits(name)) found.push_back(std::move(name));
  return found;
}

// The ids of all files, of days that are not before `day` ("20261122").
std::vector<std::string> all_ids(const std::string& directory, const std::string& day) {
  std::vector<std::string> ids;
  auto of = [](std::size_t size) {
    return [size](const std::string& name) { return name.size() == size && digits(name); };
  };
  for (const std::string& y : names(directory, of(4))) {
    for (const std::string& m : names(str(directory, "/", y), of(2))) {
      for (const std::string& d : names(str(directory, "/", y, "/", m), of(2))) {
        std::string date = y + m + d;
        if (date < day) continue;
        for (std::string& name : names(str(directory, "/", y, "/", m, "/", d), [&](const std::string& name) {
               return name.starts_with(date) && name.ends_with(kEnding) &&
                      is_recording_id(std::string_view(name).substr(0, name.size() - kEnding.size()));
             }))
          ids.push_back(name.substr(0, name.size() - kEnding.size()));
      }
    }
  }
  std::sort(ids.begin(), ids.end(), [](const auto& a, const auto& b) { return id_before(a, b); });
  return ids;
}

// "" or 17 and "b" of "20261122-160311-17b".
std::pair<std::string_view, std::string_view> number_of(std::string_view id) {
  std::string_view rest = id.substr(std::min<std::size_t>(16, id.size()));
  std::size_t end = std::min(rest.find_first_not_of("0123456789"), rest.size());
  return {rest.substr(0, end), rest.substr(end)};
}

}  // namespace

bool is_recording_id(std::string_view id) {
  if (id.size() < 17 || id.size() > 48 || id[8] != '-' || id[15] != '-') return false;
  auto [number, letters] = number_of(id);
  return digits(id.substr(0, 8)) && digits(id.substr(9, 6)) && digits(number) &&
         std::all_of(letters.begin(), letters.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

bool id_before(std::string_view a, std::string_view b) {
  if (a.substr(0, 16) != b.substr(0, 16)) return a < b;
  auto [number_a, letters_a] = number_of(a);
  auto [number_b, letters_b] = number_of(b);
  if (number_a != number_b)
    return number_a.size() != number_b.size() ? number_a.size() < number_b.size() : number_a < number_b;
  return letters_a.size() != letters_b.size() ? letters_a.size() < letters_b.size() : letters_a < letters_b;
}

std::string recording_path(std::string_view id) {
  return str(id.substr(0, 4), "/", id.substr(4, 2), "/", id.substr(6, 2), "/", id, kEnding);
}

Result<std::vector<Recording>> list_recordings(const std::string& directory, Micros since,
                                               std::size_t* damaged) {
  if (damaged) *damaged = 0;
  std::vector<Recording> list;
  std::error_code error;
  std::filesystem::directory_iterator readable(directory, error);
  if (error) {
    if (error == std::errc::no_such_file_or_directory) return list;  // nothing was recorded yet
    return base::system_error(directory, error.value());
  }
  std::string day = base::rfc3339(std::max<Micros>(since, 0));
  for (const std::string& id :
       all_ids(directory, str(day.substr(0, 4), day.substr(5, 2), day.substr(8, 2)))) {
    Result<Recording> one = look_at(directory, id);
    if (!one) {
      if (damaged) ++*damaged;
    } else if (one->header.started >= since) {
      list.push_back(std::move(*one));
    }
  }
  return list;
}

Result<Recording> find_recording(const std::string& directory, const std::string& id) {
  std::string path = is_recording_id(id) ? str(directory, "/", recording_path(id)) : std::string();
  if (!path.empty() && ::access(path.c_str(), F_OK) == 0) return look_at(directory, id);
  std::vector<std::string> fitting;
  if (!id.empty())
    for (std::string& each : all_ids(directory, ""))
      if (each.starts_with(id)) fitting.push_back(std::move(each));
  if (fitting.empty()) return fail(Fault::missing, str("no such recording: ", base::printable(id, 60)));
  if (fitting.size() > 1)
    return fail(Fault::usage, str("more than one recording begins with ", id, ": ", fitting[0], ", ",
                                  fitting[1], fitting.size() > 2 ? " …" : ""));
  return look_at(directory, fitting[0]);
}

Result<std::unique_ptr<CastReader>> CastReader::open(const std::string& path) {
  Result<base::Fd> file = open_file(path);
  if (!file) return file.error();
  std::unique_ptr<CastReader> reader(new CastReader(std::move(*file), path));
  std::string_view first;
  Result<bool> there = reader->line(first);
  if (!there) return there.error();
  if (!*there) return fail(Fault::failed, str(path, ": no header of a recording"));
  Result<CastHeader> header = CastHeader::parse(first);
  if (!header) return base::wrap(path, header.error());
  reader->header_ = std::move(*header);
  return reader;
}

base::Error CastReader::broken(const std::string& why) const {
  return fail(Fault::failed, str(path_, ": at byte ", at_, ": ", why));
}

// The next whole line without its LF; valid until the next call.
Result<bool> CastReader::line(std::string_view& line) {
  std::size_t looked = used_;
  while (true) {
    std::size_t end = buffer_.find('\n', looked);
    bool damage = (end == std::string::npos ? buffer_.size() : end) - used_ >= kMostCastLine;
    if (end != std::string::npos || damage) {
      if (end == std::string::npos) end = buffer_.size() - 1;
      line = std::string_view(buffer_).substr(used_, end - used_);
      at_ = offset_;
      offset_ += end + 1 - used_;
      used_ = end + 1;
      if (damage) return broken("a line that is too long");
      return true;
    }
    buffer_.erase(0, used_);
    used_ = 0;
    looked = buffer_.size();
    if (!read_at(file_.get(), offset_ + looked, buffer_, kScanAtOnce)) return base::system_error(path_);
    if (buffer_.size() == looked) return false;
  }
}

Result<bool> CastReader::next(Item& item) {
  while (true) {
    std::string_view text;
    Result<bool> there = line(text);
    if (!there || !*there) return there;
    Result<CastEvent> event = CastEvent::parse(text);
    if (!event) return broken(event.error().what);
    if (event->code == 'b') {
      has_raw_ = auth::decode_base64(event->text, raw_);
      if (!has_raw_) return broken("no base64");
      continue;
    }
    if (event->code == 'e' && event->text == "{\"ev\":\"own\"}") {
      own_ = true;
      continue;
    }
    item.at = at_;
    item.raw.clear();
    item.event = std::move(*event);
    bool bytes = item.event.code == 'o' || item.event.code == 'i';
    item.own = item.event.code == 'o' && std::exchange(own_, false);
    if (bytes) item.raw = std::exchange(has_raw_, false) ? std::move(raw_) : item.event.text;
    return true;
  }
}

}  // namespace oob::audit

#include "notice/position.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/bytes.h"
#include "base/whole_file.h"

namespace oob::notice {

using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::string_view kFirstLine = "oobd notify position 1\n";
constexpr std::size_t kMostPosition = 4096;

}  // namespace

Position::Position(std::string state, const std::string& name, std::shared_ptr<Position> before)
    : folder_(std::move(state) + "/notify"),
      file_(str(folder_, '/', name, ".position")),
      before_(std::move(before)) {}

Result<std::optional<Place>> Position::read() {
  std::lock_guard lock(mutex_);
  remove_before();
  struct stat status;
  if (::stat(file_.c_str(), &status) < 0 && errno == ENOENT) return std::optional<Place>();
  Result<std::string> whole = base::read_whole(file_, kMostPosition);
  if (!whole) return base::wrap(file_, whole.error());
  auto damaged = base::fail(Fault::failed, str(file_, ": damaged"));
  std::string_view rest = *whole;
  if (!rest.starts_with(kFirstLine) || !rest.ends_with('\n') || rest.size() == kFirstLine.size())
    return damaged;
  rest.remove_prefix(kFirstLine.size());
  rest.remove_suffix(1);
  std::size_t blank = rest.find(' ');
  Place place;
  if (blank == 0 || blank == std::string_view::npos || !base::parse_number(rest.substr(blank + 1), place.n))
    return damaged;
  place.origin = rest.substr(0, blank);
  return std::optional<Place>(std::move(place));
}

Result<> Position::write(const Place& place) {
  if (forgotten_) return {};  // at once: who is being destroyed asks this of the loop
  std::lock_guard lock(mutex_);
  if (forgotten_) return {};
  remove_before();
  if (::mkdir(folder_.c_str(), 0700) < 0 && errno != EEXIST) return base::system_error(folder_);
  return base::write_whole(file_, str(kFirstLine, place.origin, ' ', place.n, '\n'), 0600);
}

void Position::forget() { forgotten_ = true; }

void Position::remove() {
  std::lock_guard lock(mutex_);
  if (std::exchange(removed_, true)) return;  // what is there now is another's
  remove_before();
  ::unlink(file_.c_str());
}

void Position::remove_before() {
  if (before_) before_->remove();
  before_.reset();
}

}  // namespace oob::notice

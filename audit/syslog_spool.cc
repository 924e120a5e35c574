#include "audit/syslog_spool.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <system_error>

#include "audit/syslog_message.h"
#include "auth/signed_note.h"
#include "base/whole_file.h"

namespace oob::audit {

using auth::JournalReader;
using auth::Record;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::string_view kFirstLine = "oobd syslog position 1\n";
constexpr std::string_view kSetAside = "journal.lost-";
constexpr std::size_t kMostPosition = 4096;

std::string position_folder(const std::string& state) { return state + "/syslog"; }
std::string position_file(const std::string& state) { return position_folder(state) + "/position"; }

// Of a life by its files: record 0 says it; where retention has removed that, any checkpoint.
std::string origin_of(const std::string& directory) {
  std::string line;
  JournalReader::Place place;
  Result<std::unique_ptr<JournalReader>> reader = JournalReader::open(directory);
  if (reader && (*reader)->first() == 0) {
    Result<bool> got = (*reader)->next(line, place);
    if (got && *got) {
      if (Result<Record> record = Record::parse(line); record && record->ev == "journal.begin")
        if (const std::string* origin = record->text("origin")) return *origin;
    }
  }
  std::ifstream file(directory + "/checkpoints", std::ios::binary);
  std::string text(kMostPosition, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  std::size_t size = 0;
  Result<auth::SignedNote> note = auth::SignedNote::parse(text, size);
  return note ? note->checkpoint.origin : std::string();
}

}  // namespace

Result<std::optional<SyslogPlace>> read_position(const std::string& state) {
  const std::string path = position_file(state);
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return std::optional<SyslogPlace>();
    return base::system_error(path);
  }
  std::ostringstream all;
  all << file.rdbuf();
  std::string text = all.str();
  auto damaged = base::fail(Fault::failed, str(path, ": damaged"));
  std::string_view rest = text;
  if (text.size() > kMostPosition || !rest.starts_with(kFirstLine) || !rest.ends_with('\n')) return damaged;
  rest.remove_prefix(kFirstLine.size());
  rest.remove_suffix(rest.empty() ? 0 : 1);
  std::size_t blank = rest.find(' ');
  SyslogPlace place;
  if (blank == 0 || blank == std::string_view::npos || !base::parse_number(rest.substr(blank + 1), place.n))
    return damaged;
  place.origin = rest.substr(0, blank);
  return std::optional<SyslogPlace>(std::move(place));
}

Result<> write_position(const std::string& state, const SyslogPlace& place) {
  const std::string folder = position_folder(state);
  if (::mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST) return base::system_error(folder);
  return base::write_whole(position_file(state), str(kFirstLine, place.origin, ' ', place.n, '\n'), 0600);
}

SyslogSpool::SyslogSpool(std::string state, std::string hostname)
    : state_(std::move(state)), hostname_(std::move(hostname)) {}

std::vector<SyslogSpool::Life> SyslogSpool::lives() const {
  std::vector<Life> found;
  std::error_code error;
  for (std::filesystem::directory_iterator each(state_, error), end; !error && each != end;
       each.increment(error)) {
    std::string name = each->path().filename().string();
    Life life;
    if (!name.starts_with(kSetAside) ||
        !base::parse_number(std::string_view(name).substr(kSetAside.size()), life.number))
      continue;
    life.directory = each->path().string();
    life.origin = origin_of(life.directory);
    if (!life.origin.empty()) found.push_back(std::move(life));
  }
  std::sort(found.begin(), found.end(), [](const Life& a, const Life& b) { return a.number < b.number; });
  return found;
}

SyslogPlace SyslogSpool::life_after(const std::string& origin, const std::string& current) const {
  std::vector<Life> all = lives();
  auto here = std::find_if(all.begin(), all.end(), [&](const Life& life) { return life.origin == origin; });
  if (here == all.end() || ++here == all.end()) return {current, 0};
  return {here->origin, 0};
}

Result<> SyslogSpool::open(const std::string& directory, const SyslogPlace& from, Piece& piece) {
  reader_.reset();
  Result<std::unique_ptr<JournalReader>> opened = JournalReader::open(directory);
  if (!opened) return opened.error();
  at_ = from;
  if ((*opened)->first() > at_.n) {
    piece.lost = {at_.origin, at_.n, (*opened)->first(), "its files were removed before it was sent"};
    at_.n = piece.next.n = (*opened)->first();
  }
  if (Result<> sought = (*opened)->seek(at_.n); !sought) return sought;
  reader_ = std::move(*opened);
  return {};
}

void SyslogSpool::add(Piece& piece, const std::string& line, std::uint64_t n) const {
  Result<Record> record = Record::parse(line);
  std::string message = record ? syslog_record(*record, hostname_)
                               : syslog_damaged(n, line, record.error().what, base::wall_now(), hostname_);
  piece.frames += syslog_frame(message);
  piece.next.n = n + 1;
  piece.messages.push_back({piece.next, piece.frames.size(), record ? record->wall : 0});
}

// False: there is no more, for now.
Result<bool> SyslogSpool::fill(Piece& piece, std::uint64_t end) {
  std::string line;
  JournalReader::Place place;
  while (piece.frames.size() < kPiece && at_.n < end) {
    Result<bool> got = reader_->next(line, place);
    if (!got) {
      reader_.reset();
      return got.error();
    }
    if (!*got) return false;
    add(piece, line, place.n);
    at_.n = place.n + 1;
  }
  reader_->forget_ahead();
  return true;
}

// Of the journal as it is written now.
Result<SyslogSpool::Piece> SyslogSpool::unread(Piece piece, const base::Error& error, std::uint64_t end,
                                               bool beyond) {
  const bool again = passed_ && passed_->origin == piece.next.origin && piece.next.n >= passed_->from &&
                     piece.next.n < passed_->to;
  if (!beyond && !again) return error;
  Result<std::uint64_t> next = JournalReader::readable_after(state_ + "/journal", piece.next.n);
  if (!next || *next >= end) return error;
  const std::uint64_t first = piece.lost ? piece.lost->from : piece.next.n;
  passed_ = {piece.next.origin, piece.next.n, *next, error.what};
  piece.lost = {piece.next.origin, first, *next, error.what};
  piece.next.n = *next;
  return piece;
}

Result<SyslogSpool::Piece> SyslogSpool::read(SyslogPlace from, const std::string& current, std::uint64_t end,
                                             bool beyond) {
  if (from.origin.empty()) from.origin = current;
  bool is_current = from.origin == current;
  std::string directory = state_ + "/journal";
  // A position beyond the end is one of another copy of this journal.
  if (is_current) from.n = std::min(from.n, end);
  Piece piece;
  piece.next = from;
  if (is_current && from.n == end) return piece;
  bool going_on = reader_ && at_ == from;
  if (!is_current) {
    end = std::numeric_limits<std::uint64_t>::max();
    if (!going_on) {
      std::vector<Life> all = lives();
      auto life =
          std::find_if(all.begin(), all.end(), [&](const Life& l) { return l.origin == from.origin; });
      if (life == all.end()) {
        piece.lost = {from.origin, from.n, from.n, "the rest of that journal is not there any more"};
        piece.next = {current, 0};
        return piece;
      }
      directory = life->directory;
    }
  }
  if (!going_on) {
    if (Result<> opened = open(directory, from, piece); !opened) {
      if (is_current) return unread(std::move(piece), opened.error(), end, beyond);
      piece.lost = {from.origin, from.n, from.n, opened.error().what};
      piece.next = life_after(from.origin, current);
      return piece;
    }
  }
  Result<bool> filled = fill(piece, end);
  if (piece.messages.empty() && going_on && (!filled || (is_current && !*filled))) {
    // Files have come or gone meanwhile: looked at anew.
    reader_.reset();
    return read(from, current, end, beyond);
  }
  if (!filled && piece.messages.empty()) {
    if (is_current) return unread(std::move(piece), filled.error(), end, beyond);
    piece.lost = {from.origin, from.n, from.n, filled.error().what};
    piece.next = life_after(from.origin, current);
    return piece;
  }
  if (filled && !*filled && !is_current && piece.messages.empty()) {
    reader_.reset();
    piece.next = life_after(from.origin, current);
  }
  return piece;
}

}  // namespace oob::audit

#include "auth/good_sources.h"

#include <algorithm>
#include <unordered_set>

#include "auth/trusted_file.h"
#include "base/log.h"
#include "base/peer_address.h"
#include "base/whole_file.h"

namespace oob::auth {

using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::string_view kFirstLine = "oobd good sources 1";
constexpr std::size_t kMostFile = 1024 * 1024;
constexpr std::size_t kMostWord = 256;

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kMostWord &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c != '\x7f'; });
}

// A source is what base::source_of() makes, and it makes itself again.
bool is_source(const std::string& text) {
  if (text == "?") return false;
  if (!text.ends_with("/64")) return base::source_of(str(text, ":0")) == text;
  return base::source_of(str("[", text.substr(0, text.size() - 3), "]:0")) == text;
}

}  // namespace

GoodSources::GoodSources(base::Loop& loop, base::Blocking& blocking, std::string path)
    : path_(std::move(path)), blocking_(blocking), timer_(loop) {}

GoodSources::~GoodSources() = default;

Result<> GoodSources::load() {
  Result<TrustedFile> file = TrustedFile::open(path_, 077, kMostFile);
  if (!file && file.error().fault == Fault::missing) return {};
  Result<std::string> text = file ? file->read() : Result<std::string>(file.error());
  if (!text) return text.error();
  std::size_t damaged = parse(*text);
  if (damaged) return base::fail(Fault::config, str(path_, ": ", damaged, " damaged lines passed over"));
  return {};
}

std::string GoodSources::text() const {
  std::string text = str(kFirstLine, "\n");
  for (const Good& good : goods_)
    text += str(base::rfc3339(good.at, base::Precision::seconds), " ", good.source, " ", good.fingerprint,
                " ", good.user, "\n");
  return text;
}

std::size_t GoodSources::parse(std::string_view text) {
  std::vector<Good> read;
  std::size_t damaged = 0;
  bool first = true;
  base::split(text, '\n', [&](std::string_view line) {
    if (first) {
      first = false;
      damaged += line != kFirstLine;
      return;
    }
    if (line.empty() || read.size() > kMost) return;
    std::vector<std::string> words;
    base::split(line, ' ', [&](std::string_view word) {
      if (words.size() < 5) words.emplace_back(word);
    });
    bool sound = words.size() == 4 && is_source(words[1]) && words[2].starts_with("SHA256:") &&
                 is_word(words[2]) && is_word(words[3]);
    Result<base::Micros> at = sound ? base::parse_time(words[0], 0) : base::fail(Fault::config, "");
    if (!at) {
      ++damaged;
      return;
    }
    read.push_back({words[3], words[2], words[1], *at});
  });
  for (auto good = read.rbegin(); good != read.rend(); ++good) put(std::move(*good));
  return damaged;
}

void GoodSources::put(Good good) {
  goods_.remove_if(
      [&](const Good& old) { return old.user == good.user && old.fingerprint == good.fingerprint; });
  goods_.push_front(std::move(good));
  std::size_t of_user = 0;
  goods_.remove_if([&, user = goods_.front().user](const Good& each) {
    return each.user == user && ++of_user > kMostOfUser;
  });
  if (goods_.size() > kMost) goods_.pop_back();
}

void GoodSources::note(const std::string& user, const std::string& fingerprint, const std::string& source,
                       base::Micros now) {
  // What the file could not hold is not kept either.
  if (!is_word(user) || !is_word(fingerprint) || !is_source(source)) return;
  put({user, fingerprint, source, now});
  write_soon();
}

void GoodSources::keep_users(const std::function<bool(const std::string&)>& known) {
  if (goods_.remove_if([&](const Good& good) { return !known(good.user); }) > 0) write_soon();
}

bool GoodSources::is_good(const std::string& user, const std::string& source) const {
  return std::any_of(goods_.begin(), goods_.end(),
                     [&](const Good& good) { return good.user == user && good.source == source; });
}

std::vector<std::string> GoodSources::sources() const {
  std::vector<std::string> all;
  std::unordered_set<std::string> seen;
  for (const Good& good : goods_)
    if (seen.insert(good.source).second) all.push_back(good.source);
  return all;
}

void GoodSources::write_soon() {
  changed_ = true;
  if (!timer_.waiting() && !writing_) timer_.after(kWrite, [this] { write(); });
}

void GoodSources::write() {
  changed_ = false;
  writing_ = true;
  auto result = std::make_shared<Result<>>();
  blocking_.run([result, path = path_, text = text()] { *result = base::write_whole(path, text, 0600); },
                life_.wrap([this, result] {
                  writing_ = false;
                  std::string trouble = *result ? "" : result->error().what;
                  if (!trouble.empty() && trouble != trouble_) base::log(trouble);
                  trouble_ = std::move(trouble);
                  if (changed_) write_soon();
                }));
}

// A write that is under way has an older text: it may not come after this one, so this one gives way.
void GoodSources::flush() {
  timer_.cancel();
  if (!changed_ || writing_) return;
  changed_ = false;
  if (Result<> written = base::write_whole(path_, text(), 0600); !written) base::log(written.error().what);
}

}  // namespace oob::auth

#include "snapshot/veil.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <re2/re2.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace oob::snapshot {

using base::Bytes;
using recipe::Hidden;

namespace {

constexpr std::size_t kTag = 4;  // bytes

using Range = std::pair<std::size_t, std::size_t>;  // where it begins, and where what follows does

// Where the group (0: all) of each match is.
std::vector<Range> matches(Bytes bytes, const re2::RE2& expression, int group) {
  std::vector<Range> ranges;
  re2::StringPiece all(bytes.data(), bytes.size()), found[2];
  for (std::size_t at = 0; at <= bytes.size();) {
    if (!expression.Match(all, at, bytes.size(), re2::RE2::UNANCHORED, found, group + 1)) break;
    // A group that took no part: all that matched, rather than nothing, is what is meant.
    const re2::StringPiece& piece = found[group].data() ? found[group] : found[0];
    auto begin = static_cast<std::size_t>(piece.data() - bytes.data());
    if (!piece.empty()) ranges.emplace_back(begin, begin + piece.size());
    at = static_cast<std::size_t>(found[0].data() - bytes.data()) + std::max<std::size_t>(found[0].size(), 1);
  }
  return ranges;
}

// The bytes with `instead` of each range in its place; of those that overlap, of both together.
template <class Instead>
std::string replaced(Bytes bytes, std::vector<Range> ranges, Instead instead) {
  std::sort(ranges.begin(), ranges.end());
  std::string done;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < ranges.size();) {
    auto [begin, end] = ranges[i];
    for (++i; i < ranges.size() && ranges[i].first < end; ++i) end = std::max(end, ranges[i].second);
    done.append(bytes.substr(kept, begin - kept));
    done += instead(bytes.substr(begin, end - begin));
    kept = end;
  }
  done.append(bytes.substr(kept));
  return done;
}

bool ends_name(char c) { return c == '>' || c == '/' || c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Where the text of each element of this name is.
std::vector<Range> texts_of(Bytes bytes, const std::string& element) {
  std::string open = "<" + element, close = "</" + element;
  std::vector<Range> ranges;
  for (std::size_t at = bytes.find(open); at != Bytes::npos; at = bytes.find(open, at)) {
    at += open.size();
    if (at >= bytes.size() || !ends_name(bytes[at])) continue;
    std::size_t end = bytes.find('>', at);
    if (end == Bytes::npos) break;
    at = end + 1;
    if (bytes[end - 1] == '/') continue;
    std::size_t closed = bytes.find(close, at);
    while (closed != Bytes::npos && closed + close.size() < bytes.size() &&
           !ends_name(bytes[closed + close.size()]))
      closed = bytes.find(close, closed + 1);
    // Without its end, the rest of the file may be the secret.
    if (closed == Bytes::npos) closed = bytes.size();
    if (closed == at) continue;
    ranges.emplace_back(at, closed);
    at = closed;
  }
  return ranges;
}

}  // namespace

Veil::Veil() {
  std::string key(32, '\0');
  // Without random numbers there is no tag rather than one that could be undone (see tag()).
  if (RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), static_cast<int>(key.size())) != 1)
    key.clear();
  key_ = base::Secret(key);
  base::wipe(key);
}

std::string Veil::tag(Bytes secret) const {
  unsigned char sum[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (key_.empty() ||
      !HMAC(EVP_sha256(), key_.view().data(), static_cast<int>(key_.view().size()),
            reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), sum, &length))
    return "[secret]";
  return base::str("[secret ", base::hex(Bytes(reinterpret_cast<char*>(sum), kTag)), "]");
}

std::string Veil::masked(const recipe::Recipe& recipe, std::string_view name, std::string bytes) const {
  // All are found before one is masked: what one pattern leaves is not what the next one was made for.
  std::vector<Range> secrets;
  auto take = [&](const std::vector<Range>& found) {
    secrets.insert(secrets.end(), found.begin(), found.end());
  };
  for (const Hidden& hidden : recipe.hidden) {
    if (hidden.kind != Hidden::Kind::secret || !base::glob_match(hidden.files, name)) continue;
    if (hidden.pattern && hidden.pattern->expression) {
      const re2::RE2& expression = *hidden.pattern->expression;
      take(matches(bytes, expression, expression.NumberOfCapturingGroups() > 0 ? 1 : 0));
    }
    for (const std::string& element : hidden.xml) take(texts_of(bytes, element));
  }
  return replaced(bytes, std::move(secrets), [this](Bytes secret) { return tag(secret); });
}

std::string Veil::quiet(const recipe::Recipe& recipe, std::string_view name, std::string bytes) const {
  // First, for a pattern of secrets was made for the file as it is.
  bytes = masked(recipe, name, std::move(bytes));
  for (const Hidden& hidden : recipe.hidden)
    if (hidden.kind == Hidden::Kind::oscillating && hidden.pattern && hidden.pattern->expression &&
        base::glob_match(hidden.files, name))
      bytes = replaced(bytes, matches(bytes, *hidden.pattern->expression, 0),
                       [](Bytes) { return std::string_view(); });
  return bytes;
}

}  // namespace oob::snapshot

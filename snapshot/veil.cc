#include "snapshot/veil.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <re2/re2.h>

namespace oob::snapshot {

using base::Bytes;
using recipe::Hidden;

namespace {

constexpr std::size_t kTag = 4;  // bytes

// Writes `bytes` anew, with `instead` of each match's group (0: of all of it) in its place.
template <class Instead>
void replace(std::string& bytes, const re2::RE2& expression, int group, Instead instead) {
  std::string done;
  re2::StringPiece all(bytes), found[2];
  std::size_t at = 0, kept = 0;
  while (at <= bytes.size() &&
         expression.Match(all, at, bytes.size(), re2::RE2::UNANCHORED, found, group + 1)) {
    auto whole = static_cast<std::size_t>(found[0].data() - bytes.data());
    // A group that took no part: all that matched, rather than nothing, is what is meant.
    const re2::StringPiece& piece = found[group].data() ? found[group] : found[0];
    auto begin = static_cast<std::size_t>(piece.data() - bytes.data());
    if (begin >= kept && !piece.empty()) {
      done.append(bytes, kept, begin - kept);
      done += instead(Bytes(piece.data(), piece.size()));
      kept = begin + piece.size();
    }
    at = whole + std::max<std::size_t>(found[0].size(), 1);
  }
  done.append(bytes, kept);
  bytes = std::move(done);
}

bool ends_name(char c) { return c == '>' || c == '/' || c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

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

void Veil::mask(std::string& bytes, const recipe::Pattern& pattern) const {
  if (!pattern.expression) return;
  int group = pattern.expression->NumberOfCapturingGroups() > 0 ? 1 : 0;
  replace(bytes, *pattern.expression, group, [this](Bytes secret) { return tag(secret); });
}

void Veil::mask_element(std::string& bytes, const std::string& element) const {
  std::string open = "<" + element, close = "</" + element, done;
  std::size_t kept = 0;
  for (std::size_t at = bytes.find(open); at != std::string::npos; at = bytes.find(open, at)) {
    at += open.size();
    if (at >= bytes.size() || !ends_name(bytes[at])) continue;
    std::size_t end = bytes.find('>', at);
    if (end == std::string::npos) break;
    at = end + 1;
    if (bytes[end - 1] == '/') continue;
    std::size_t closed = bytes.find(close, at);
    while (closed != std::string::npos && closed + close.size() < bytes.size() &&
           !ends_name(bytes[closed + close.size()]))
      closed = bytes.find(close, closed + 1);
    // Without its end, the rest of the file may be the secret.
    if (closed == std::string::npos) closed = bytes.size();
    if (closed == at) continue;
    done.append(bytes, kept, at - kept);
    done += tag(Bytes(bytes).substr(at, closed - at));
    kept = at = closed;
  }
  done.append(bytes, kept);
  bytes = std::move(done);
}

std::string Veil::masked(const recipe::Recipe& recipe, std::string_view name, std::string bytes) const {
  for (const Hidden& hidden : recipe.hidden) {
    if (hidden.kind != Hidden::Kind::secret || !base::glob_match(hidden.files, name)) continue;
    if (hidden.pattern) mask(bytes, *hidden.pattern);
    for (const std::string& element : hidden.xml) mask_element(bytes, element);
  }
  return bytes;
}

std::string Veil::quiet(const recipe::Recipe& recipe, std::string_view name, std::string bytes) const {
  // First, for a pattern of secrets was made for the file as it is.
  bytes = masked(recipe, name, std::move(bytes));
  for (const Hidden& hidden : recipe.hidden)
    if (hidden.kind == Hidden::Kind::oscillating && hidden.pattern && hidden.pattern->expression &&
        base::glob_match(hidden.files, name))
      replace(bytes, *hidden.pattern->expression, 0, [](Bytes) { return std::string_view(); });
  return bytes;
}

}  // namespace oob::snapshot

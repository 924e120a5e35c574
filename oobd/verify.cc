#include "oobd/verify.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "audit/verify.h"
#include "snapshot/kept.h"

namespace oob {

using base::Result;
using base::str;

namespace {

constexpr int kNotWhole = 1, kUnread = 2;

int unread(const std::string& what) {
  std::fprintf(stderr, "oobd: %s\n", what.c_str());
  return kUnread;
}

Result<std::string> read(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.good() && !file.eof()) return base::system_error(path);
  return text;
}

// How far it is, for whoever waits at a terminal: a line that is written over.
bool show(std::uint64_t done, std::uint64_t all, const char* phase, std::string& shown) {
  std::string now = str("verify: ", phase, " ", all == 0 ? 100 : done * 100 / all, "%");
  if (now == shown) return true;
  std::fprintf(stderr, "\r%s\x1b[K", now.c_str());
  shown = std::move(now);
  return true;
}

}  // namespace

int run_verify(const std::string& directory, const std::string& key, const std::string& anchor, bool json) {
  audit::VerifyOptions options;
  options.state = directory;
  options.snapshots = snapshot::read_kept;
  if (!key.empty()) {
    Result<std::string> text = read(key);
    if (!text) return unread(text.error().what);
    Result<std::vector<auth::NoteKey>> keys = audit::parse_note_keys(*text);
    if (!keys) return unread(str(key, ": ", keys.error().what));
    options.keys = std::move(*keys);
  }
  if (!anchor.empty()) {
    Result<std::string> text = read(anchor);
    if (!text) return unread(text.error().what);
    options.anchor_text = *text + "\n";  // an empty file remembers nothing, and that is a fault too
  }
  std::string shown;
  if (::isatty(STDERR_FILENO))
    options.progress = [&shown](std::uint64_t done, std::uint64_t all, const char* phase) {
      return show(done, all, phase, shown);
    };
  Result<audit::VerifyReport> report = audit::verify(options);
  if (!shown.empty()) std::fputs("\r\x1b[K", stderr);
  if (!report) return unread(report.error().what);
  std::fputs((json ? report->json() : report->text()).c_str(), stdout);
  return report->whole() ? 0 : kNotWhole;
}

}  // namespace oob

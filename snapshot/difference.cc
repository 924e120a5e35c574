#include "snapshot/difference.h"

#include "snapshot/git.h"

namespace oob::snapshot {

using base::Bytes;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kLookedAt = 8000;  // as git does, to tell text from other bytes

bool binary(Bytes bytes) { return bytes.substr(0, kLookedAt).find('\0') != Bytes::npos; }

Result<GitPatch> patch_of(std::optional<Bytes> from, std::optional<Bytes> to) {
  git_diff_options options{};
  git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
  options.flags = GIT_DIFF_FORCE_TEXT;
  auto data = [](const std::optional<Bytes>& side) -> const char* {
    if (!side) return nullptr;
    return side->empty() ? "" : side->data();
  };
  GitPatch patch;
  if (git_patch_from_buffers(Out(patch), data(from), from ? from->size() : 0, nullptr, data(to),
                             to ? to->size() : 0, nullptr, &options) < 0)
    return git_failure("compare");
  return patch;
}

struct Page {
  std::string& text;
  std::size_t most;
  bool full = false;
};

int on_line(const git_diff_delta*, const git_diff_hunk*, const git_diff_line* line, void* to) {
  auto* page = static_cast<Page*>(to);
  if (line->origin == GIT_DIFF_LINE_FILE_HDR) return 0;  // ours stand there
  if (page->text.size() + line->content_len + 1 > page->most) {
    page->full = true;
    return GIT_EUSER;
  }
  if (line->origin == GIT_DIFF_LINE_CONTEXT || line->origin == GIT_DIFF_LINE_ADDITION ||
      line->origin == GIT_DIFF_LINE_DELETION)
    page->text += line->origin;
  page->text.append(line->content, line->content_len);
  return 0;
}

// What is after a name with a space in it ends it, for patch(1).
std::string header(const char* mark, const char* side, const std::string& path, bool there) {
  if (!there) return str(mark, " /dev/null\n");
  return str(mark, " ", side, "/", path, path.find(' ') == std::string::npos ? "\n" : "\t\n");
}

std::string told(const std::optional<Side>& side) {
  if (!side) return "nothing";
  return str(side->size, " bytes, sha256 ", side->sha256);
}

}  // namespace

Result<Lines> count_lines(std::optional<Bytes> from, std::optional<Bytes> to) {
  if ((from && binary(*from)) || (to && binary(*to))) return Lines{};
  Result<GitPatch> patch = patch_of(from, to);
  if (!patch) return patch.error();
  std::size_t added = 0, removed = 0;
  if (git_patch_line_stats(nullptr, &added, &removed, patch->get()) < 0) return git_failure("compare");
  return Lines{added, removed};
}

Result<bool> add_difference(std::string& diff, const std::string& path, const std::optional<Side>& from,
                            const std::optional<Side>& to, std::size_t most) {
  if (from && to && from->bytes == to->bytes) return true;
  Page page{diff, most};
  if ((from && binary(from->bytes)) || (to && binary(to->bytes))) {
    diff += str("Binary file ", path, " differs: ", told(from), " -> ", told(to), "\n");
  } else {
    Result<GitPatch> patch = patch_of(from ? std::optional(from->bytes) : std::nullopt,
                                      to ? std::optional(to->bytes) : std::nullopt);
    if (!patch) return patch.error();
    diff += header("---", "a", path, from.has_value());
    diff += header("+++", "b", path, to.has_value());
    if (git_patch_print(patch->get(), on_line, &page) < 0 && !page.full) return git_failure("compare");
  }
  page.full = page.full || diff.size() > most;
  if (page.full) {
    if (!diff.ends_with('\n')) diff += '\n';
    diff += str("[oobd: the rest of the diff is left out: it is longer than ", most, " bytes]\n");
  }
  return !page.full;
}

}  // namespace oob::snapshot

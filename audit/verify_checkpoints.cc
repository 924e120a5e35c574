#include "audit/verify_checkpoints.h"

#include <fcntl.h>
#include <re2/re2.h>
#include <unistd.h>

#include <algorithm>

#include "auth/public_key.h"
#include "base/bytes.h"

namespace oob::audit {

namespace {

// Far more than one checkpoint takes.
constexpr std::size_t kNotesAtOnce = 64 * 1024, kMostNote = 8 * 1024;

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

bool unhex(std::string_view text, std::string& bytes) {
  if (text.size() % 2 != 0) return false;
  bytes.clear();
  for (std::size_t i = 0; i < text.size(); i += 2) {
    int high = nibble(text[i]), low = nibble(text[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes += static_cast<char>(high << 4 | low);
  }
  return true;
}

bool unbase64(std::string_view text, std::string& bytes) {
  return auth::decode_base64(text, bytes) && base::base64(bytes) == text;
}

std::vector<Anchor> find_anchors(std::string_view text) {
  static const RE2 note("(?m)^(\\S+)\n([0-9]{1,18})\n([A-Za-z0-9+/]{43}=)\n\n\xe2\x80\x94 ");
  static const RE2 brief("(^|[^A-Za-z0-9_+/=.\\-])([0-9]{1,18}) ([A-Za-z0-9+/]{43}=)");
  std::vector<Anchor> anchors;
  auto add = [&](std::string origin, std::string_view size, std::string_view root) {
    Anchor anchor;
    anchor.origin = std::move(origin);
    if (base::parse_number(size, anchor.size) && unbase64(root, anchor.root))
      anchors.push_back(std::move(anchor));
  };
  std::string origin;
  re2::StringPiece size, root, before, rest(text.data(), text.size());
  auto view = [](const re2::StringPiece& piece) { return std::string_view(piece.data(), piece.size()); };
  while (RE2::FindAndConsume(&rest, note, &origin, &size, &root)) add(origin, view(size), view(root));
  rest = re2::StringPiece(text.data(), text.size());
  while (RE2::FindAndConsume(&rest, brief, &before, &size, &root)) add("", view(size), view(root));
  std::stable_sort(anchors.begin(), anchors.end(),
                   [](const Anchor& a, const Anchor& b) { return a.size < b.size; });
  auto same = [](const Anchor& a, const Anchor& b) {
    return a.size == b.size && a.root == b.root && a.origin == b.origin;
  };
  anchors.erase(std::unique(anchors.begin(), anchors.end(), same), anchors.end());
  return anchors;
}

CheckpointFile::CheckpointFile(const std::string& path)
    : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}

void CheckpointFile::fill() {
  if (buffer_.size() - at_ >= kMostNote) return;
  buffer_.erase(0, at_);
  at_ = 0;
  while (file_ && buffer_.size() < kMostNote) {
    std::size_t had = buffer_.size();
    buffer_.resize(had + kNotesAtOnce);
    ssize_t got = ::read(file_.get(), buffer_.data() + had, kNotesAtOnce);
    buffer_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) fault_ = base::system_error("read").what;
    if (got <= 0) return;
  }
}

const auth::SignedNote* CheckpointFile::peek() {
  if (note_) return &*note_;
  fill();
  if (at_ == buffer_.size()) return nullptr;
  base::Result<auth::SignedNote> note =
      auth::SignedNote::parse(base::Bytes(buffer_).substr(at_, kMostNote), size_);
  if (!note) {
    fault_ = note.error().what;
    return nullptr;
  }
  note_ = std::move(*note);
  fault_.clear();
  return &*note_;
}

void CheckpointFile::take() {
  at_ += size_;
  note_.reset();
  ++taken_;
}

std::uint64_t CheckpointFile::left() {
  fill();
  return note_ ? 0 : buffer_.size() - at_;
}

}  // namespace oob::audit

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/signed_note.h"
#include "base/fd.h"

namespace oob::audit {

// Whole bytes of hex or of padded base64 (RFC 4648) in their one form; false for anything else.
bool unhex(std::string_view text, std::string& bytes);
bool unbase64(std::string_view text, std::string& bytes);

// A checkpoint that somebody remembers.
struct Anchor {
  std::string origin;  // empty: only its size and root are known
  std::uint64_t size = 0;
  std::string root;  // 32 raw bytes
  bool fits = false, too_old = false;
};
// All in a text: signed notes, and each "SIZE ROOT". In order of their sizes.
std::vector<Anchor> find_anchors(std::string_view text);

// The checkpoints of one life, in order, while more may be appended.
class CheckpointFile {
 public:
  explicit CheckpointFile(const std::string& path);
  bool there() const { return static_cast<bool>(file_); }
  // The next one, left in place until taken. Null at the end, and at what is none.
  const auth::SignedNote* peek();
  void take();
  std::uint64_t number() const { return taken_; }  // of notes taken
  std::uint64_t left();                            // bytes after them that are no note
  const std::string& fault() const { return fault_; }

 private:
  void fill();
  base::Fd file_;
  std::string buffer_, fault_;
  std::optional<auth::SignedNote> note_;
  std::size_t at_ = 0, size_ = 0;  // of what is not taken, and of note_
  std::uint64_t taken_ = 0;
};

}  // namespace oob::audit

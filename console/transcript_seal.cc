#include "console/transcript_seal.h"

namespace oob::console {

void TranscriptSeal::add(std::uint64_t at, base::Bytes bytes, base::Clock::time_point now) {
  if (bytes.empty()) return;
  if (hash_ && at != to_) finish();
  if (!hash_) {
    hash_.emplace();
    from_ = at;
    began_ = now;
  }
  hash_->add(bytes);
  to_ = at + bytes.size();
  if (to_ - from_ >= kBytes) finish();
}

void TranscriptSeal::look(base::Clock::time_point now) {
  if (hash_ && now - began_ >= kAfter) finish();
}

void TranscriptSeal::finish() {
  if (!hash_) return;
  done_.push_back({from_, to_, base::hex(hash_->digest())});
  hash_.reset();
}

}  // namespace oob::console

#include "audit/input_record.h"

#include <re2/re2.h>

#include <algorithm>

namespace oob::audit {
namespace {

using base::Bytes;
using base::Micros;

constexpr std::size_t kMostTail = 256;
constexpr Bytes kEndsOfPrompts = "#$%>:?";

bool line_end(char c) { return c == '\r' || c == '\n'; }

}  // namespace

// Of the last line of the output, as it looks: without sequences and other controls. A message of the kernel
// that broke into the line ("Password: [   12.345678] eth0: link up") takes no prompt away.
bool InputRecord::asks_for_a_secret() const {
  static const RE2 sequence(R"(\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x1f\x7f])");
  static const RE2 secret(
      R"((?i)(passw(or)?[dt]|passphrase|pass ?phrase|passcode|kennwort|mot de passe|contrase|\bpin\b|secret|token|verification code|one-time|otp).*[:?>]\s*(\[ *\d+\.\d+\]|$))");
  std::string line = tail_;
  RE2::GlobalReplace(&line, sequence, "");
  return RE2::PartialMatch(line, secret);
}

// Arrows and other keys that send sequences are controls all through (ECMA-48, 5.4; SS3 and one byte).
bool InputRecord::is_control(char byte, Escape& escape) {
  auto c = static_cast<unsigned char>(byte);
  switch (escape) {
    case Escape::begun:
      escape = byte == '[' || byte == 'O' ? Escape::sequence : Escape::none;
      if (escape == Escape::sequence) return true;
      break;
    case Escape::sequence:
      if (c >= 0x40 && c < 0x7f) escape = Escape::none;
      if (c >= 0x20 && c < 0x7f) return true;
      escape = Escape::none;
      break;
    case Escape::none:
      break;
  }
  if (c == 0x1b) escape = Escape::begun;
  return c < 0x20 || c == 0x7f;
}

InputRecord::Decided InputRecord::typed(Bytes bytes, Micros now) {
  Decided before = decide(now);
  bool waiting = std::any_of(keys_.begin(), keys_.end(), [](const Key& key) {
    return key.state == Key::waits || key.state == Key::may_be_shown;
  });
  if (!waiting) seam_ = Seam::yes;
  for (char byte : bytes) {
    secret_ = secret_ || asked_ || prompt_;
    bool control = is_control(byte, escape_);
    keys_.push_back({byte, now, control ? Key::control : secret_ ? Key::secret : Key::waits});
    if (!line_end(byte)) continue;
    secret_ = asked_ = false;
    answered_ = true;
  }
  if (keys_.size() > kMostHeld) {
    end_run(Key::shown);
    for (; next_ < keys_.size() - kMostHeld; ++next_)
      if (keys_[next_].state == Key::waits) keys_[next_].state = Key::secret;
  }
  Decided after = decide(now);
  return {before.text + after.text, before.masked + after.masked};
}

InputRecord::Decided InputRecord::output(Bytes bytes, Micros now) {
  Decided before = decide(now);  // what has waited too long is not looked for any more
  for (char byte : bytes) look_for_echo(byte);
  look_for_prompts(bytes, now);
  Decided after = decide(now);
  return {before.text + after.text, before.masked + after.masked};
}

void InputRecord::look_for_echo(char byte) {
  if (is_control(byte, shown_)) {
    end_run(Key::shown);
    if (line_end(byte)) seam_ = Seam::perhaps;
    return;
  }
  while (next_ < keys_.size() && keys_[next_].state != Key::waits) ++next_;
  char before = std::exchange(before_, byte);
  if (seam_ != Seam::no && next_ < keys_.size() && keys_[next_].byte == byte) {
    keys_[next_].state = seam_ == Seam::yes ? Key::shown : Key::may_be_shown;
    run_ += seam_ == Seam::perhaps;
    return;
  }
  end_run(Key::waits);  // a word of something else began like what was typed
  seam_ = byte == ' ' && kEndsOfPrompts.find(before) != Bytes::npos ? Seam::perhaps : Seam::no;
}

// What may be an echo is one, or none.
void InputRecord::end_run(Key::State state) {
  for (std::size_t i = 0; run_ > 0 && i < keys_.size(); ++i) {
    if (keys_[i].state != Key::may_be_shown) continue;
    keys_[i].state = state;
    if (state == Key::waits) next_ = std::min(next_, i);
    --run_;
  }
}

void InputRecord::look_for_prompts(Bytes bytes, Micros now) {
  auto stands = [this] {
    if (std::exchange(prompt_, false) && !answered_) asked_ = true;
  };
  while (!bytes.empty()) {
    std::size_t size = bytes.find_first_of("\r\n");
    Bytes piece = bytes.substr(0, size);
    bytes.remove_prefix(std::min(bytes.size(), piece.size() + (size != Bytes::npos)));
    if (!piece.empty()) {
      tail_ += piece;
      if (tail_.size() > kMostTail) tail_.erase(0, tail_.size() - kMostTail);
      if (asks_for_a_secret()) {
        if (!std::exchange(prompt_, true)) {
          prompt_at_ = now;
          answered_ = false;
        }
      } else if (now - prompt_at_ < kPrompt) {
        prompt_ = false;
      } else {
        stands();
      }
    }
    if (size == Bytes::npos) break;
    stands();
    tail_.clear();
  }
}

InputRecord::Decided InputRecord::pass(Micros now) { return decide(now); }

InputRecord::Decided InputRecord::finish() {
  end_run(Key::shown);
  for (Key& key : keys_)
    if (key.state == Key::waits) key.state = Key::secret;
  return decide(0);
}

std::optional<Micros> InputRecord::due() const {
  if (keys_.empty()) return std::nullopt;
  return keys_.front().time + kEcho;
}

// In the order of typing: what still waits holds up what was typed after it.
InputRecord::Decided InputRecord::decide(Micros now) {
  Decided decided;
  while (!keys_.empty()) {
    Key& key = keys_.front();
    if (key.state == Key::may_be_shown) {
      if (now - key.time < kEcho) break;
      key.state = Key::shown;
      --run_;
    }
    if (key.state == Key::waits) {
      if (!unseen_ && now - key.time < kEcho) break;
      unseen_ = true;
      key.state = Key::secret;
    }
    bool masked = key.state == Key::secret || (key.state == Key::shown && unseen_);
    decided.text += masked ? '*' : key.byte;
    decided.masked += masked;
    if (line_end(key.byte)) unseen_ = false;
    keys_.pop_front();
    if (next_ > 0) --next_;
  }
  return decided;
}

}  // namespace oob::audit

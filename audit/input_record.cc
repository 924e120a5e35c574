#include "audit/input_record.h"

#include <re2/re2.h>

#include <algorithm>

namespace oob::audit {
namespace {

using base::Bytes;
using base::Micros;

constexpr std::size_t kMostTail = 256;

bool line_end(char c) { return c == '\r' || c == '\n'; }

}  // namespace

// Of the last line of the output, as it looks: without sequences and other controls.
bool InputRecord::asks_for_a_secret() const {
  static const RE2 sequence(R"(\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x1f\x7f])");
  static const RE2 secret(
      R"((?i)(passw(or)?[dt]|passphrase|pass ?phrase|passcode|kennwort|mot de passe|contrase|\bpin\b|secret|token|verification code|one-time|otp).*[:?>]\s*$)");
  std::string line = tail_;
  RE2::GlobalReplace(&line, sequence, "");
  return RE2::PartialMatch(line, secret);
}

// Arrows and other keys that send sequences are controls all through (ECMA-48, 5.4; SS3 and one byte).
bool InputRecord::is_control(char byte) {
  auto c = static_cast<unsigned char>(byte);
  switch (escape_) {
    case Escape::begun:
      escape_ = byte == '[' || byte == 'O' ? Escape::sequence : Escape::none;
      if (escape_ == Escape::sequence) return true;
      break;
    case Escape::sequence:
      if (c >= 0x40 && c < 0x7f) escape_ = Escape::none;
      if (c >= 0x20 && c < 0x7f) return true;
      escape_ = Escape::none;
      break;
    case Escape::none:
      break;
  }
  if (c == 0x1b) escape_ = Escape::begun;
  return c < 0x20 || c == 0x7f;
}

InputRecord::Decided InputRecord::typed(Bytes bytes, Micros now) {
  bool look = true;
  for (char byte : bytes) {
    if (std::exchange(look, false)) secret_ = secret_ || asks_for_a_secret();
    bool control = is_control(byte);
    keys_.push_back({byte, now, control ? Key::control : secret_ ? Key::secret : Key::waits});
    if (!line_end(byte)) continue;
    secret_ = false;
    look = true;
  }
  while (keys_.size() > kMostHeld && next_ < keys_.size()) {
    if (keys_[next_].state == Key::waits) keys_[next_].state = Key::secret;
    ++next_;
  }
  return decide(now);
}

InputRecord::Decided InputRecord::output(Bytes bytes, Micros now) {
  Decided before = decide(now);  // what has waited too long is not looked for any more
  for (char byte : bytes) {
    while (next_ < keys_.size() && keys_[next_].state != Key::waits) ++next_;
    if (next_ == keys_.size()) break;
    if (keys_[next_].byte == byte) keys_[next_].state = Key::shown;
  }
  Bytes last = bytes.substr(bytes.size() - std::min(bytes.size(), kMostTail));
  std::size_t end = last.find_last_of("\r\n");
  if (end != Bytes::npos) {
    tail_ = last.substr(end + 1);
  } else {
    tail_ += last;
    if (tail_.size() > kMostTail) tail_.erase(0, tail_.size() - kMostTail);
  }
  Decided after = decide(now);
  return {before.text + after.text, before.masked + after.masked};
}

InputRecord::Decided InputRecord::pass(Micros now) { return decide(now); }

InputRecord::Decided InputRecord::finish() {
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

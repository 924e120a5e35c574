#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "auth/policy.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"
#include "console/core.h"
#include "console/line.h"
#include "console/recall.h"

namespace oob::console {

// What brings the bytes of a dialogue to a device and back. Owned by the dialogue.
class Carrier {
 public:
  // There is something to look at: comes from the middle of others' work, so note it and look later.
  using Stir = std::function<void()>;
  virtual ~Carrier() = default;

  // `ready` is called once, later, from the loop: from now on it may be typed; or why not.
  virtual void begin(std::function<void(base::Result<>)> ready) = 0;
  // What the device has said last. What comes from next() then begins behind it.
  virtual std::string screen() = 0;
  struct Piece {
    base::Bytes bytes;          // valid until next() is called again; empty: nothing new
    std::uint64_t skipped = 0;  // bytes before them that were lost
  };
  // What the device says. An Error: nothing is heard or typed any more.
  virtual base::Result<Piece> next() = 0;
  // Takes what fits, perhaps nothing; then Stir follows when there is room again.
  virtual base::Result<std::size_t> type(base::Bytes bytes) = 0;
  // What is typed at the end when somebody takes the keyboard away.
  virtual void last_words(const std::string& text) = 0;
};

// A console, with its keyboard. Where nobody knows whether a line is half typed there, since neither memory
// nor the transcript can tell, it begins by force alone: else Fault::unavailable.
class ConsoleCarrier : public Carrier, private Watcher {
 public:
  struct Terms {
    std::string device;
    std::string name;  // as others on the console see it
    auth::Grant grant;
    base::milliseconds wait{};  // for the keyboard; 0: Fault::busy at once
    bool force = false;
    bool is_look = false;  // as of Writer
    // Somebody has taken the keyboard: comes from the middle of the console's work.
    std::function<void(const std::string& by)> displaced = [](const std::string&) {};
  };
  static constexpr std::size_t kScreen = 16 * 1024;          // bytes
  static constexpr std::chrono::milliseconds kRecall{5000};  // for the disk, to read what was said before

  // `remark`: words for who waits.
  ConsoleCarrier(Core& core, Terms terms, Stir stir, std::function<void(const std::string&)> remark);
  ~ConsoleCarrier() override;

  void begin(std::function<void(base::Result<>)> ready) override;
  std::string screen() override;
  base::Result<Piece> next() override;
  base::Result<std::size_t> type(base::Bytes bytes) override;
  void last_words(const std::string& text) override;

  // Null when it is gone, or before begin() has its answer.
  Console* console() const { return attachment_ ? attachment_->console() : nullptr; }
  // Who has taken the keyboard away; empty: nobody.
  const std::string& displaced_by() const { return displaced_by_; }
  // A remark to everybody on the console.
  void announce(const std::string& what);

 private:
  void more() override { stir_(); }
  void told(const std::string&) override { stir_(); }
  void offered() override;
  void displaced(const std::string& by) override;
  void writable() override { stir_(); }
  void gone(const std::string& why) override;
  void claim();
  void recalled();
  void answer(const base::Result<>& result);

  Core& core_;
  Terms terms_;
  Stir stir_;
  std::function<void(const std::string&)> remark_;
  std::function<void(base::Result<>)> ready_;
  base::Timer patience_;
  std::unique_ptr<Attachment> attachment_;
  std::unique_ptr<Writer> writer_;  // goes before the attachment
  std::size_t given_ = 0;           // bytes of the attachment that next() gave out last
  std::string displaced_by_, gone_;
  Recall recall_{core_, kScreen, kRecall};
  base::Life life_;
};

// A line that nobody else is on.
class LineCarrier : public Carrier {
 public:
  LineCarrier(base::Loop& loop, std::unique_ptr<Line> line, Stir stir);
  ~LineCarrier() override;

  void begin(std::function<void(base::Result<>)> ready) override;
  std::string screen() override { return {}; }
  base::Result<Piece> next() override;
  base::Result<std::size_t> type(base::Bytes bytes) override;
  void last_words(const std::string&) override {}  // nobody takes it away

 private:
  static constexpr std::chrono::seconds kOpening{20};  // a Line answers within 15

  base::Timer patience_;
  std::unique_ptr<Line> line_;
  Stir stir_;
  std::function<void(base::Result<>)> ready_;
  std::string buffer_;
  base::Life life_;
};

}  // namespace oob::console

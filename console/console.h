#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/policy.h"
#include "base/loop.h"
#include "console/ear.h"
#include "console/line.h"
#include "console/pace.h"
#include "console/scrollback.h"
#include "console/transcript.h"
#include "console/watcher.h"

namespace oob::console {

class Attachment;
class Writer;

// How to ask for the keyboard: only if it is free; taken from whoever has it; beside whoever has it.
enum class Claim { if_free, force, join };

// A line that is held open all the time, the last it said, its transcript, who watches, and at most one who
// types (others only by joining). Owned by its Device; its watchers come and go by Attachments.
class Console final : private Pace::Reader {
 public:
  enum class State { closed, opening, up, down };

  // What the rest of the program does when something happened here that the audit trail should know.
  using Event = std::function<void(const char* event, const std::string& text)>;

  struct Surroundings {
    base::Loop& loop;
    Pace& pace;
    Archive& archive;
    std::size_t scrollback;  // bytes kept while nobody watches
    Event event;
  };
  static constexpr std::size_t kScrollbackWatched = 256 * 1024;
  static constexpr base::milliseconds kOffer{
      20'000};  // how long a free keyboard is kept for the next in the queue

  // A device that starts talks, and is not to be stopped in its boot loader by a key.
  static constexpr base::milliseconds kBeforeWords{2000};

  // Between two remarks that a line which stays down does so for another reason now.
  static constexpr base::milliseconds kReasons{10'000};

  Console(Surroundings surroundings, std::string device, std::unique_ptr<Line> line);
  // Tells every watcher that it is gone().
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  // Opens the line, and again for ever after each loss: after 1, 2, 4 … 30 s, or at once when the line says
  // that it may be back.
  void start();
  // Closes and opens the line now, on somebody's order.
  void reopen();
  // Lets the line go and takes another; its people stay. For a reload that changed it.
  void replace_line(std::unique_ptr<Line> line);
  // Tells all watchers gone(`why`) and lets go of them.
  void dismiss(const std::string& why);

  // Follows the console from now on. `name` is shown to others.
  std::unique_ptr<Attachment> attach(Watcher& watcher, std::string name);

  const std::string& device() const { return device_; }
  State state() const { return state_; }
  const std::string& why_down() const { return why_down_; }
  std::string describe() const { return line_->describe(); }
  Offset end() const { return scrollback_.end(); }
  base::Micros last_output() const { return last_output_; }  // 0: nothing yet
  std::string writer() const;                                // the name of who types, or empty
  std::vector<std::string> watchers() const;                 // the names of all who are attached
  // Who types is a look of the daemon's own, which is over within kLook: whoever comes then waits for it.
  bool is_looked_at() const;
  static constexpr base::milliseconds kLook{100'000};
  std::size_t watcher_count() const { return attached_.size(); }
  // The last bytes that may be shown, at most as many as memory holds.
  std::string recent(std::size_t most) const;
  // Where in the transcript's files the oldest byte of recent() is; empty while that is not known.
  std::optional<std::uint64_t> oldest_in_files() const;
  Offset oldest() const { return scrollback_.begin(); }  // of the bytes that memory holds
  // How many reads of its transcript somebody has waited for in vain and are still under way (Recall).
  const std::shared_ptr<unsigned>& hanging_reads() const { return hanging_reads_; }
  Transcript& transcript() { return *transcript_; }

  // Tells everybody on the console, except the one given.
  void announce(const std::string& what, const Attachment* except = nullptr);

  // Hears all that is read from now on; replaces the one before. Null: nobody does.
  void ear(std::unique_ptr<Ear> ear) { ear_ = std::move(ear); }

  // Why nobody knows that the device is as a dialogue found it: it may be logged in. Empty: nothing of the
  // kind. Forgotten when a person leaves who has typed something since; then `seen_to` is called.
  const std::string& left_open() const { return left_open_; }
  void left_open(std::string why, std::function<void()> seen_to = nullptr);

 private:
  friend class Attachment;
  friend class Writer;

  Next tick() override;
  std::size_t pull();
  bool take_marks();
  bool outruns_the_log() const;
  void open();
  void opened(const base::Result<>& result);
  void went_down(const base::Error& error);
  void wait_for_bytes();
  void readable();
  void typed();
  void shown();
  void tell_room();
  void wait_for_room();
  bool say_last_words();
  void keep_last_words();
  void fit_scrollback();

  base::Result<std::unique_ptr<Writer>> claim(Attachment& attachment, Claim how);
  void release(Writer& writer);
  void detach(Attachment& attachment);
  void offer_next();
  void withdraw_offer();

  Surroundings in_;
  std::string device_;
  std::unique_ptr<Line> line_;
  std::unique_ptr<Transcript> transcript_;
  Scrollback scrollback_;
  State state_ = State::closed;
  std::string why_down_;
  std::optional<std::string> told_down_;         // that reason without its digits; empty: the next is told
  base::Clock::time_point reason_changed_at_{};  // when it was last told that the reason is another
  base::Micros last_output_ = 0;

  base::Timer retry_;
  unsigned failures_ = 0;
  bool reopening_ = false;  // on somebody's order
  bool paced_ = false;      // on the Pace's list
  unsigned empty_ticks_ = 0;
  base::Clock::time_point typed_at_{}, asked_at_{}, read_at_{}, crowded_since_{};

  std::vector<Attachment*> attached_;
  Writer* writer_ = nullptr;
  std::vector<Writer*> joined_;
  // Of who lost the keyboard, or the line in the middle of something: they go out before the next one's first
  // key, or when the line is up again and has been quiet for kBeforeWords.
  std::string last_words_;
  std::size_t said_ = 0;  // of them
  base::Timer words_timer_;
  std::string left_open_;
  std::deque<Attachment*> queue_;  // who asked for the keyboard while it was taken
  Attachment* offered_to_ = nullptr;
  base::Timer offer_timer_;
  std::function<void()> seen_to_;  // what left_open() brought
  std::unique_ptr<Ear> ear_;
  std::shared_ptr<unsigned> hanging_reads_ = std::make_shared<unsigned>(0);
};

// One watcher's place on a console, and its own position in what the console said. Owned by the watcher; the
// console may go first: then console() is null.
class Attachment {
 public:
  ~Attachment();
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

  Console* console() const { return console_; }
  const std::string& name() const { return name_; }

  struct Piece {
    base::Bytes bytes;          // valid until the console reads again; empty: nothing new
    std::uint64_t skipped = 0;  // bytes this watcher missed before them because it was too slow
  };
  // What comes next; take() says how much of it was used.
  Piece next();
  void take(std::size_t size) { position_ += size; }
  // Bytes to come that are ready.
  std::uint64_t waiting() const;

  // The right to type, to be given back before this Attachment goes; or Fault::busy naming who has it: then
  // the attachment is in the queue for an offer (unless `how` was force or join). Fault::unavailable when the
  // console is gone. The Grant is for Action::write on this device, or, in a dialogue, Action::snapshot.
  base::Result<std::unique_ptr<Writer>> claim(const auth::Grant& grant, Claim how);
  void leave_queue();

 private:
  friend class Console;
  friend class Writer;
  Attachment(Console& console, Watcher& watcher, std::string name);
  Console* console_;
  Watcher& watcher_;
  std::string name_;
  Offset position_;
  bool wants_room_ = false;
  bool has_seen_to_it_ = false;  // a person who has typed since the console was left open
};

// The right to type on a console while it lives. It may lose the right before (Watcher::displaced) or its
// console (Watcher::gone): live() is false then and write() answers Fault::busy.
class Writer {
 public:
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  bool live() const { return console_ != nullptr; }
  bool joined() const { return joined_; }
  // Takes what fits now, perhaps nothing; then Watcher::writable() follows when there is room again.
  // Fault::unavailable while the line is down: what is typed then is lost, as on any unplugged console.
  base::Result<std::size_t> write(base::Bytes bytes);
  base::Result<> send_break(unsigned milliseconds);
  // What is typed, in one piece and before their first key, when somebody forces the keyboard away. Replaces
  // what was given before; more than kMostLastWords is nothing.
  static constexpr std::size_t kMostLastWords = 1024;
  void last_words(base::Bytes text) { last_words_ = text.size() <= kMostLastWords ? text : base::Bytes(); }
  // What is typed is a look of the daemon's own (Ear).
  void is_look(bool is) { is_look_ = is; }

 private:
  friend class Console;
  Writer(Console& console, Attachment& attachment, bool joined);
  Console* console_;
  Attachment& attachment_;
  bool joined_;
  bool is_look_ = false;
  std::string last_words_;
};

}  // namespace oob::console

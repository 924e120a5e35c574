#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/life.h"
#include "base/loop.h"
#include "console/confirm.h"
#include "console/core.h"
#include "console/escape.h"
#include "console/job.h"
#include "console/recall.h"
#include "console/recorded_visit.h"
#include "console/safe_output.h"

namespace oob::console {

// One person on one console: `attach`. What the console says goes to their terminal, what they type goes to
// the line if they have the keyboard, and the escape gives them the rest. By the escape they may go on to
// another device. A `safe` one shows what the console says through SafeOutput; so does one whose policy wants
// it.
class AttachJob : public Job, private Watcher {
 public:
  enum class Wish { write_if_free, watch, force, join };

  AttachJob(Core& core, Visitor& visitor, JobIo& io, const Device& device, Wish wish, bool safe = false);
  ~AttachJob() override;

  void start() override;
  std::size_t typed(base::Bytes bytes) override;
  void ended() override;
  void room() override;
  void send_break(unsigned milliseconds) override;
  void recheck() override;
  bool wants_keys() const override { return true; }
  bool interactive() const override { return true; }

 private:
  static constexpr std::size_t kMostPending = 64 * 1024;  // typed, not yet taken by the line
  static constexpr std::chrono::seconds kStalled{30};
  // With a disk that hangs, for the record that somebody took the keyboard (nobody types without it where
  // that is refused) and for what the console said before.
  static constexpr std::chrono::seconds kPatience{2};
  static constexpr std::size_t kReplay = 32 * 1024;   // bytes looked at for a screen or a replay
  static constexpr std::chrono::seconds kAnswer{60};  // for a question about power
  static constexpr std::size_t kMostRemarks = 32;     // waiting for room on the person's terminal

  // What the escape machine finds in the person's typing.
  struct Keys : Escape::Sink {
    explicit Keys(AttachJob& job) : job_(job) {}
    void typed(base::Bytes run) override { job_.type(run); }
    bool command(Escape::Command command, std::string_view text) override { return job_.obey(command, text); }
    void echo(base::Bytes text) override { job_.io_.raw(text); }
    AttachJob& job_;
  };

  // Watcher
  void more() override { pump(); }
  void told(const std::string& what) override { say(what); }
  void offered() override;
  void displaced(const std::string& by) override;
  void writable() override { flush_typed(); }
  void gone(const std::string& why) override;
  bool is_person() const override { return true; }

  void enter(const std::string& device, Wish wish);
  void arrive(Wish wish, const std::string& unrecorded);
  bool obey(Escape::Command command, std::string_view text);
  void obey_text(Escape::Command command, std::string_view text);
  void offer_power();
  void power_key(std::string_view key);
  void power_answer(std::string_view text);
  void limit_answer();
  void tell_power();
  void do_power();
  void claim(Claim how);
  void watch_only();
  void type(base::Bytes run);
  void flush_typed();
  void give_up_typing();
  void pump();
  void say(const std::string& remark);
  void replay(unsigned lines);
  void show_screen();
  void settle();
  void recall(std::function<void(std::string older)> then);
  std::string who_is_here() const;
  base::Result<auth::Grant> grant_for(Claim how);
  bool may_write() const;
  void commit_writer(Claim how);
  void writer_written(std::uint64_t taking, const base::Result<>& written);
  void note(const char* event, const std::string& text = "");
  void leave(int status);
  void depart(int status = kDone);

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  std::string device_;
  Wish wish_;
  const bool asked_safe_;
  Escape escape_;
  Keys keys_{*this};
  RecordedVisit visit_{core_, visitor_, io_};
  std::unique_ptr<Attachment> attachment_;
  std::unique_ptr<Writer> writer_;   // goes before the attachment
  std::string pending_;              // typed bytes the line has not taken yet
  std::deque<std::string> remarks_;  // to be shown between the console's bytes
  Recall recall_{core_, kReplay, kPatience};
  bool recalling_ = false;            // by it: nothing is shown meanwhile
  std::optional<SafeOutput> safe_;    // for what this console says
  std::string screen_;                // the last screenful, to be shown before what is live
  base::Clock::time_point hinted_{};  // when it was last said that typing goes nowhere
  int lost_ = kDone;                  // why something that was typed went nowhere: an exit status
  bool breaking_ = false;             // a break waits for the journal, and typing for the break
  std::uint64_t taking_ = 0;   // the keyboard was taken and that waits for the journal, and typing for it
  std::uint64_t takings_ = 0;  // their number
  base::Timer taking_timer_;
  std::optional<PowerAction> power_;  // waits for a yes, or for its device's name
  Confirmation confirmation_;         // of it; without a name a 'y' is enough
  base::Timer answer_;                // for the question about power
  base::Timer stalled_;               // after the end of input, for a line that takes nothing
  std::optional<int> leaving_;        // a status: gone once the pending bytes are out
  bool entering_ = false;             // the visit is not written down yet: nothing is shown, nothing taken
  bool after_look_ = false;           // the keyboard is taken when the look that has it is over
  bool ended_ = false;                // … and nothing more will be typed
  bool left_ = false;
  bool refused_ = false;  // typed() took nothing for want of room to echo
  base::Life stay_;       // on this console
  base::Life life_;
};

}  // namespace oob::console

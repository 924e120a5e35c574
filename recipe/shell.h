#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "recipe/shell_words.h"
#include "recipe/talk.h"
#include "recipe/visit.h"

namespace oob::recipe {

// Ends a shell of ours, and is nothing to any other, nor to a login: OOBD is set in ours alone.
constexpr char kEndShell[] = "${OOBD:+exit}";

// Visit::arrive(), also from a shell of ours that a daemon which was killed has left there: it has neither
// prompt nor echo. For posix-block devices.
base::Task<base::Result<>> arrive_from_shell(Visit& visit, Talk& talk, std::string screen);

// A POSIX shell on the device that runs only what has arrived whole.
//
// It is a child of the shell that the Visit has arrived at, without prompts; functions in it make it so:
// `f WORDS` answers "<NONCE WORDS CRC LENGTH>", `k NUMBER CRC LENGTH TEXT` runs TEXT if its cksum is right,
// `a` gathers the pieces of a longer one. They are carried as text, compared by cksum, and only then defined.
// So what noise makes of a line that is typed is at worst a command that does not exist: nothing that could
// do harm ever stands in a line in the clear, nor does a function's name that is one damaged byte away. Every
// command can be asked again, because it is written so that a second time changes nothing.
//
// Where nothing answers any more it may have gone with a restart of the device. So what has not been answered
// is asked again a few times alone, not while something else comes, and not at all behind words of a restart.
// From then on Visit looks where the device is, and a new shell is started behind a prompt alone.
//
// Without a Visit the Talk is a shell already, on a clean way without a terminal; the same is done in it.
class Shell {
 public:
  static constexpr base::milliseconds kQuick{6000};      // for commands that end at once
  static constexpr base::milliseconds kSlow{5 * 60000};  // for those that read a whole file

  // All outlive it. `visit` may be null.
  Shell(Visit* visit, Talk& talk);

  base::Task<base::Result<>> begin();
  // Runs `text` in it; answers the words that `text` gives to `f $1`, which must be its last command.
  // Fault::unavailable: no answer in time. A text must be safe to run again.
  base::Task<base::Result<Words>> ask(std::string text, base::milliseconds limit);
  // The same; no words at all when `limit` is over: then it was told Ctrl-C, and is ready for more.
  base::Task<base::Result<Words>> wait_for(std::string text, base::milliseconds limit);
  // Terminal and directory as they were, and the shell ended. What end() says on the device before that
  // (`clean`) must answer "gone", or "anew" where it does not know what to undo: then `anew` must. Goes on if
  // the shell has died, in a new one.
  base::Task<base::Result<>> end(std::string clean, std::string anew);

  // For what has a framing of its own (posix_pull): types a line of plain words; the next answer, or no words
  // when nothing has come for as long as the device has ever needed, and longer after `again` lost ones.
  void type_line(base::Bytes line);
  base::Task<base::Result<Words>> answer(unsigned again);
  // After both were lost: to where the shell answers again.
  base::Task<base::Result<>> recover();

  unsigned next_number() { return ++number_; }
  void asked_again() { ++retries_; }
  unsigned retries() const { return retries_; }
  const std::string& nonce() const { return nonce_; }

 private:
  enum class Place { ours, other, unknown };
  base::Task<base::Result<>> start();
  base::Task<base::Result<>> find_sum();
  base::Task<base::Result<>> define();
  base::Task<base::Result<>> define_all();
  base::Task<base::Result<>> define_one(char name, std::string text);
  base::Task<base::Result<Words>> ask_raw(std::string line, std::string tag);
  base::Task<base::Result<Words>> ask_any(std::string text, base::milliseconds limit, bool once);
  base::Task<base::Result<Words>> ask_line(char function, std::string text, base::milliseconds limit,
                                           bool once);
  base::Task<base::Result<Words>> answer_within(base::milliseconds quiet);
  base::Task<base::Result<>> carry(std::string text);
  base::Task<base::Result<>> still_there();
  base::Result<> not_gone();
  base::Error lost(std::string_view why);
  base::Task<base::Result<>> find_prompt(base::milliseconds limit);
  void answered();
  base::Task<base::Result<>> interrupt_line();
  base::Task<base::Result<Place>> probe(unsigned again);
  base::Task<base::Result<>> leave();
  base::milliseconds patience(unsigned again = 0) const;
  void learn(base::milliseconds took);
  base::Error dense() const;

  Visit* visit_;
  Talk& talk_;
  Sum sum_ = Sum::cksum;
  std::string nonce_, enter_;
  std::string terminal_;  // what `stty -g` said before anything was changed
  unsigned number_ = 0, retries_ = 0, answers_ = 0;
  base::milliseconds latency_{120};  // of commands that end at once
  std::uint64_t wire_before_;
  bool started_ = false, defined_ = false, alive_ = false;
  bool defining_ = false, set_up_ = false;  // the latter: in the shell that runs now
  bool mute_ = false;                       // it echoes nothing, and has no prompt
  bool lost_ = false;                       // as far as that can be known, it has gone
  unsigned unanswered_ = 0;                 // so often something was typed since it answered last
  Talk::Time answered_at_;                  // that was then
};

}  // namespace oob::recipe

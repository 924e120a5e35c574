#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "base/task.h"
#include "recipe/recipe.h"
#include "recipe/restart.h"
#include "recipe/screen.h"
#include "recipe/talk.h"

namespace oob::recipe {

// What a recipe's {user}, {secret} and {enable} stand for. Empty: not configured.
struct Credentials {
  std::string user;
  base::Secret secret, enable;
};

// Answers what a device asks its terminal (Recipe::answers), also when a query comes in pieces. Each once;
// not more than kMostASecond, so that two machines don't talk each other to death.
class TerminalAnswers {
 public:
  static constexpr unsigned kMostASecond = 10;
  TerminalAnswers(Talk& talk, const Recipe& recipe) : talk_(talk), recipe_(recipe) {}
  void hear(base::Bytes bytes);

 private:
  Talk& talk_;
  const Recipe& recipe_;
  std::string pending_;  // the end of what was heard, which may be the beginning of a query
  Talk::Time second_{};
  unsigned answered_ = 0;  // since second_
};

// From however a console was found to where commands are run, and back. Recognises every state before it
// types anything but a carriage return; answers the device's terminal queries meanwhile, as long as it lives.
// A line is typed without its Enter first: that follows when the device has echoed it as it was typed, else
// it is taken back (Ctrl-U). Talk, Recipe and Credentials outlive it.
class Visit {
 public:
  // For all of arrive() and of leave(), and how long somebody may say nothing known until they get a carriage
  // return.
  static constexpr base::milliseconds kArriving{120'000}, kLeaving{28'000}, kPatience{2000};

  Visit(Talk& talk, const Recipe& recipe, const Credentials& credentials);
  ~Visit();
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  // Ends in a `work` state. `screen`: what the console has said last, before anything is typed now; may be
  // empty. Fault::unavailable: the device does not answer, or something is there that the recipe does not
  // know (the text has its last line); Fault::denied: user or password were refused; Fault::missing: none is
  // configured. After an error leave() is to be called as well.
  base::Task<base::Result<>> arrive(std::string screen);
  // Back to the state it was found at, where that is a `home` state or a work state, else to a `home` state.
  // An Error: the console is left open, and the text says in which state. Calls Talk::leaving().
  base::Task<base::Result<>> leave();

  // One line typed where commands are run, and what was said up to the next prompt: as lines with \n, without
  // echo and prompt. For command lines without a shell (text-twice). Fault::usage: the recipe forbids that
  // line. After another error settle() is to be called.
  enum class For {
    reading,  // without the lines of Recipe::noise; a pager is answered as the recipe says
    running,  // every line; a pager is paged through
  };
  base::Task<base::Result<std::string>> ask(std::string line, base::milliseconds limit,
                                            For what = For::reading);
  // One line typed there, for what leads elsewhere: true when it was entered, false when the device has
  // echoed something else, and it was taken back.
  base::Task<base::Result<bool>> enter(std::string line);
  // We have switched the terminal's echo off, and not on again: silence is what a line is answered with,
  // though the device has echoed before.
  void echo_is_off(bool off) { echo_off_ = off; }
  // Typed by leave() where commands are run, if somebody's session was found open: what was set for the
  // visit.
  void undo_when_left(std::vector<std::string> lines) { undo_ = std::move(lines); }
  // To a `work` state again, from wherever a lost or damaged line has led. While a device says that it starts
  // nothing is typed, and no Ctrl-C behind that.
  base::Task<base::Result<>> settle(base::milliseconds limit);

  // For a Shell, which alone knows its answers. One came: there is a shell of ours, and no restart.
  void answered();
  // None comes any more: it may have gone, and what is there now is unknown.
  void lost_shell() { shell_lost_ = true; }
  // What has come since the last one.
  const RestartSigns& signs() const { return signs_; }
  // At which other state than a work state the device is since then; null: at none that is known.
  const State* elsewhere() const;

  // Carriage returns were met with silence, and nothing has come since: not even a screen that the recipe
  // does not know.
  bool is_silent() const { return silent_; }
  // Whether the device was found where commands are run, so that somebody has left it logged in.
  bool found_open() const { return found_open_; }
  // Before arrive(). A visit before this one has left the device open, and nobody has seen to it since: where
  // it is found logged in it is logged out, and found_open() is false.
  void ours(bool ours) { ours_ = ours; }
  const std::string& prompt() const { return prompt_; }  // the last line of the work state, without controls
  const std::vector<std::string>& path() const {
    return path_;
  }  // names of the states that were recognised, in order
  // The lines of Recipe::noise that were left out of the last answer, sorted.
  const std::vector<std::string>& dropped() const { return dropped_; }
  // Something was spoilt on the line, or came unasked, since it was arrived at.
  bool noisy() const { return noisy_ || !unasked_.empty(); }
  // One of these lines has come before without being asked for, behind a prompt: the kernel's, say.
  bool has_unasked(std::string_view text) const;
  // Is told how many bytes of an answer came so far, while ask() waits for the rest.
  void on_answer(std::function<void(std::uint64_t)> told) { told_ = std::move(told); }

 private:
  using Time = Talk::Time;
  static constexpr base::milliseconds kLeastQuiet{100};
  // Bytes that come later than this behind a state did not belong to it: they are somebody else's (the
  // kernel's).
  static constexpr base::milliseconds kBehind{50};
  enum class Typed { entered, taken_back };
  struct Find {
    Time until;
    bool may_be_there = false;  // what is on the screen now counts
    bool ours = false;          // what runs there is ours: Ctrl-C before any carriage return
  };

  base::Task<base::Result<const State*>> find(Find how);
  base::Task<base::Result<>> get_to_work(Find how);
  base::Task<base::Result<Typed>> go_on(const State& state, std::string text);
  base::Task<base::Result<Typed>> type_line(const State& state, std::string line, std::string enter);
  base::Task<base::Result<std::string>> answer(Time until);
  void hear(base::Bytes bytes);
  const State* seen() const;  // at which state the screen is, if something came since what was typed last
  const State* work_state() const;
  base::Result<> may_type(const State& state, std::string_view text) const;
  base::Result<> credentials_for(std::string_view text) const;
  void type_filled(std::string_view text);
  void typed(const State* at);
  void take_back();
  bool is_taken_back() const;
  bool stops(bool first, unsigned stopped, std::string_view at) const;
  void disturbed();
  Time starting_until() const;
  bool may_stop() const;
  base::Error begun() const;
  base::Error unknown(std::string_view doing) const;
  std::string where() const;
  bool behind_text() const;
  bool lost_prompt() const;
  void note_unasked(std::string_view lines);
  std::string printed(std::string_view text, bool disturbed);
  bool at_learned_prompt() const;
  std::size_t prompt_in(std::string_view text) const;
  bool is_prompt_like(std::string_view line) const;
  bool is_noise(std::string_view line) const;
  std::string_view without_enters(std::string_view text, std::size_t before) const;
  std::string without_noise(std::string_view text);

  Talk& talk_;
  const Recipe& recipe_;
  const Credentials& credentials_;
  Recognition recognition_;
  TerminalAnswers answers_;
  Screen screen_;
  std::unique_ptr<Screen> answer_;  // what is said to a question, while one is asked
  bool answer_follows_echo_ = false;
  For for_ = For::reading;  // of that question
  // So many times three seconds a device may say nothing in the middle of an answer.
  unsigned most_pauses_ = 6;
  bool idle_ = false;  // an answer has come to its end, and nothing was typed since
  std::string idle_said_;
  std::vector<std::string> dropped_, undo_;
  std::set<std::string, std::less<>> unasked_;  // lines that came then
  std::function<void(std::uint64_t)> told_;

  std::string found_;  // the state it was found at; empty: none was recognised
  bool found_open_ = false, ours_ = false;
  std::string prompt_, work_;  // of the work state, and its name
  std::vector<std::string> path_;

  bool entered_ = false;       // something other than a carriage return was typed
  bool half_typed_ = false;    // a line of ours has no Enter yet, and was not seen to be gone
  std::string half_typed_at_;  // the state it was typed at
  std::size_t half_typed_size_ = 0, erased_ = 0;  // its bytes, and how many were rubbed out since Ctrl-U
  std::string rubbed_;                            // the end of what came since, to find them
  bool echo_off_ = false;                         // by us
  bool echoes_ = false;                           // something of ours was echoed
  bool running_ = false;                          // a question of ours may still be under way
  std::string typed_at_;                          // the state in which was typed last; empty: an unknown one
  std::uint64_t heard_when_typed_ = 0;
  Time typed_when_{};
  std::string last_unknown_;   // the last line when a carriage return was typed last
  bool refused_ = false;       // it was, once
  bool secret_given_ = false;  // and no work state was seen since
  std::string since_secret_;   // what was said then, to look for a refusal
  bool noisy_ = false;         // what was shown or echoed was spoilt
  bool silent_ = false;        // as is_silent() says
  RestartSigns signs_;         // since a state was recognised, a line entered, or a Shell answered
  bool shell_lost_ = false;    // as lost_shell() says, and no state was recognised since
  base::milliseconds quiet_;   // how long a state must stay to count; less on a noisy line
};

}  // namespace oob::recipe

#include "recipe/shell.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <random>
#include <utility>

namespace oob::recipe {

using base::Bytes;
using base::Fault;
using base::milliseconds;
using base::Result;
using base::str;
using base::Task;

namespace {

// POSIX.1-2017, 11.1.3: a canonical line may be limited to 255 bytes.
constexpr std::size_t kMostLine = 199, kPiece = 145;
// 32 MiB twice in base64, and as much again for noise.
constexpr std::uint64_t kMostWire = 192ull << 20;
constexpr std::size_t kMostUnread = 256 * 1024;
constexpr unsigned kMostWaits = 20, kMostWaitsForAHead = 3;  // for an answer, while other things come
constexpr unsigned kMostTries = 40, kMostCarried = 5, kMostBehind = 3;
// For a prompt; the latter where the shell before it has gone, and where is not known.
constexpr milliseconds kPrompt{8000}, kGone{25'000};
constexpr milliseconds kMostPatience{12000};

// Carried as text, so they must not hold a quote of their own. $1 is the number of a command, with the name
// of the function that answers it, so that a name which was damaged into another is found out. Those four
// that are typed (f k a b) have one letter; all others have more, since noise must not reach them by one
// damaged byte.
constexpr const char* kAnswerFunction =
    R"sh(f(){ set -- "$*" $(printf %s "$*"|cksum);printf "<%s %s %s %s>\n" "$N" "$1" "$2" "$3";};E=f)sh";
constexpr const char* kRunFunction =
    R"sh(k(){ set -- "$@" $(printf %s "$1 $4"|cksum);if [ "$2.$3" = "$5.$6" ];then set -- k$1 "$(printf %b "$4")";eval "$2";else f k$1 ?;fi;};E=k)sh";
// Adds the piece $5 to W if it is number $4: what is longer than a line comes in such pieces.
constexpr const char* kCarryFunction =
    R"sh(a(){ set -- "$@" $(printf %s "$1 $4 $5"|cksum);[ "$2.$3" = "$6.$7" ]&&{ [ $4 = 0 ]&&W=&&w=0;[ $w = $4 ]&&W=$W$(printf %b "$5")&&w=$((w+1));};f a$1 $w;};E=a)sh";
// Runs W if its cksum is $2: a Ctrl-C may have come between any two words of a().
constexpr const char* kWholeFunction =
    R"sh(o_whole(){ set -- $1 $2 $(printf %s "$W"|cksum);if [ "$2" = "$3.$4" ];then eval "$W";else f $1 parts;fi;};E=o_whole)sh";

std::string new_nonce() {
  std::random_device random;
  std::string nonce(1, static_cast<char>('a' + random() % 26));
  while (nonce.size() < 7) nonce += "abcdefghijklmnopqrstuvwxyz0123456789"[random() % 36];
  return nonce;
}

// `function NUMBER CRC LENGTH TEXT`, the checksum being of what stands before and behind it.
std::string command_line(Sum kind, char function, unsigned number, Bytes rest) {
  std::string proved = str(number, ' ', rest);
  // The shell takes one backslash of two away before anybody computes the checksum.
  std::string plain;
  for (std::size_t at = 0; at < proved.size(); ++at) {
    plain += proved[at];
    if (proved[at] == '\\') ++at;
  }
  return str(function, ' ', number, ' ', sum_of(kind, plain), ' ', plain.size(), ' ', rest);
}

bool is_terminal_setting(Bytes word) {
  return !word.empty() && word.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz:=-") == Bytes::npos;
}

}  // namespace

Task<Result<>> arrive_from_shell(Visit& visit, Talk& talk, std::string screen) {
  Result<> there = co_await visit.arrive(std::move(screen));
  if (there || !visit.is_silent()) co_return there;
  // Without a Ctrl-C, which might stop somebody's program.
  talk.type(str("\r", kEndShell, "\r"));
  std::string nothing;
  Result<> again = co_await visit.arrive(std::move(nothing));
  co_return again;
}

Shell::Shell(Visit* visit, Talk& talk)
    : visit_(visit),
      talk_(talk),
      nonce_(new_nonce()),
      enter_(visit ? "\r" : "\n"),
      wire_before_(talk.bytes_heard() + talk.bytes_typed()),
      answered_at_(talk.now()) {}

// How long an answer may take that was asked for `again` times in vain: a device that is slow, and has not
// answered yet, can't be told from a line that loses every answer.
milliseconds Shell::patience(unsigned again) const {
  milliseconds usual = std::clamp(4 * latency_, milliseconds(500), milliseconds(5000));
  return std::min(usual * (1 << std::min(again / 2, 5u)), kMostPatience);
}

// What a command that ends at once has taken.
void Shell::learn(milliseconds took) { latency_ = (3 * latency_ + took) / 4; }

void Shell::type_line(Bytes line) {
  assert(line.size() <= kMostLine);
  talk_.type(str(line, enter_));
}

// --- answers

Task<Result<Words>> Shell::answer(unsigned again) { return answer_within(patience(again)); }

// The next answer; no words when nothing of use has come for `quiet`.
Task<Result<Words>> Shell::answer_within(milliseconds quiet) {
  std::size_t before = 0;
  unsigned waits = 0;
  while (true) {
    std::optional<Answer> found;
    std::size_t looked = 0;
    std::function<bool()> enough = [&] {
      Bytes heard = talk_.heard();
      bool worth = heard.find('>', looked) != Bytes::npos;
      looked = heard.size();
      if (worth) found = find_answer(heard, nonce_);
      return found.has_value();
    };
    Result<bool> came = co_await talk_.until(std::move(enough), quiet);
    if (!came) co_return came.error();
    if (found) {
      talk_.drop(found->end);
      ++answers_;
      answered();
      co_return std::move(found->words);
    }
    if (talk_.bytes_heard() + talk_.bytes_typed() - wire_before_ > kMostWire)
      co_return fail(Fault::unavailable, str("more than ", kMostWire >> 20, " MiB have passed the line"));
    // A kernel that talks all the time must not keep the wait for an answer that was lost. Linux's lines are
    // known by their time; of others more comes for ever, so waits are counted, fewer before an answer
    // begins.
    std::vector<std::size_t> places;
    const std::string clean = without_messages(talk_.heard(), places);
    const std::size_t size = clean.size();
    const bool begun = clean.find(str('<', nonce_, ' ')) != std::string::npos;
    // Damaged, it is an answer all the same: of nobody else.
    if (begun && visit_ && visit_->signs().sign().empty()) answered();
    if (size <= before || size > kMostUnread || ++waits > (begun ? kMostWaits : kMostWaitsForAHead)) {
      talk_.drop_all();
      co_return Words();
    }
    before = size;
  }
}

// A line that is typed as it is, before there are checksums: nothing it may become does harm.
Task<Result<Words>> Shell::ask_raw(std::string line, std::string tag) {
  unsigned bare = 0;
  for (unsigned tries = 0; tries < kMostTries; ++tries) {
    if (tries) {
      ++retries_;
      Result<> interrupted = co_await interrupt_line();
      if (!interrupted) co_return interrupted.error();
    }
    ++number_;
    type_line(line);
    const Talk::Time typed = talk_.now();
    std::size_t unproved = 0;
    std::string head = str('<', nonce_, ' ', tag, ' ');
    std::optional<Answer> found;
    std::function<bool()> enough = [&] {
      std::vector<std::size_t> places;
      std::string clean = without_messages(talk_.heard(), places);
      found = find_answer(talk_.heard(), nonce_);
      std::size_t at = clean.find(head);
      unproved = at == std::string::npos ? 0 : clean.find(" >", at) == std::string::npos ? 0 : 1;
      return found.has_value() || unproved;
    };
    milliseconds limit = patience(tries);
    Result<bool> came = co_await talk_.until(std::move(enough), limit);
    if (!came) co_return came.error();
    if (found) {
      talk_.drop(found->end);
      answered();
      if (found->words[0] != tag) continue;
      ++answers_;
      learn(std::chrono::duration_cast<milliseconds>(talk_.now() - typed));
      co_return std::move(found->words);
    }
    if (unproved && ++bare == 3)
      co_return fail(Fault::failed, "the device has neither cksum nor gzip, tail and od to prove words by");
  }
  co_return dense();
}

Task<Result<Words>> Shell::ask(std::string text, milliseconds limit) {
  return ask_any(std::move(text), limit, false);
}

Task<Result<Words>> Shell::wait_for(std::string text, milliseconds limit) {
  return ask_any(std::move(text), limit, true);
}

Task<Result<Words>> Shell::ask_any(std::string text, milliseconds limit, bool once) {
  constexpr std::size_t kOverhead = 40;
  std::string typed = encoded(text);
  const bool fits = typed.size() + kOverhead <= kMostLine;
  if (!fits) typed = encoded(str("o_whole $1 ", sum_of(sum_, text), '.', text.size()));
  for (unsigned tries = 0; tries < kMostCarried; ++tries) {
    if (!fits) {
      Result<> carried = co_await carry(text);
      if (!carried) co_return carried.error();
    }
    std::string line = typed;
    Result<Words> words = co_await ask_line('k', std::move(line), limit, once);
    if (!words || fits || words->size() != 1 || words->front() != "parts") co_return words;
  }
  co_return dense();
}

// Into the variable W.
Task<Result<>> Shell::carry(std::string text) {
  Bytes left = text;
  for (unsigned piece = 0, tries = 0; !left.empty();) {
    std::size_t size = fits_encoded(left, kPiece);
    std::string rest = str(piece, ' ', encoded(left.substr(0, size)));
    Result<Words> count = co_await ask_line('a', std::move(rest), kQuick, false);
    if (!count) co_return count.error();
    unsigned there = 0;
    bool told = count->size() == 1 && base::parse_number(count->front(), there);
    if (told && there == piece + 1) {
      left.remove_prefix(size);
      ++piece;
      tries = 0;
      continue;
    }
    if (++tries > kMostTries) co_return dense();
    ++retries_;
    if (!told || there == piece) continue;
    // The shell counts from the beginning again: it was defined anew, or is another.
    left = text;
    piece = 0;
  }
  co_return Result<>();
}

// One command until it is answered. What finds out soon that a command or its answer was lost is a second,
// empty one typed behind it: commands are answered in their order.
Task<Result<Words>> Shell::ask_line(char function, std::string text, milliseconds limit, bool once) {
  talk_.drop_all();
  std::vector<unsigned> numbers;
  unsigned behind = 0, recovered = 0;
  bool typed = false;
  Talk::Time began = talk_.now(), at = began;
  milliseconds interval = patience();
  while (true) {
    if (!typed) {
      if (numbers.size() == kMostTries) co_return dense();
      if (!numbers.empty()) ++retries_;
      numbers.push_back(next_number());
      type_line(command_line(sum_, function, numbers.back(), text));
      typed = true;
      at = talk_.now();
    }
    milliseconds wait = interval;
    if (once)
      wait =
          std::clamp(std::chrono::ceil<milliseconds>(began + limit - talk_.now()), milliseconds(1), interval);
    Result<Words> words = co_await answer_within(wait);
    if (!words) co_return words.error();
    if (!words->empty()) {
      auto [by, number] = answered_by(words->front());
      bool asked = std::find(numbers.begin(), numbers.end(), number) != numbers.end();
      if (by != function || !asked || (words->size() == 2 && words->back() == "?")) {
        // It, or the one behind it, was read as something else: lost.
        if (number < numbers.back()) continue;
        typed = false;
        behind = 0;
        interval = patience();
        // Others are answered: what should answer this one is not what it was.
        if (numbers.size() == kMostTries / 2 && !defining_) {
          Result<> again = co_await define();
          if (!again) co_return again.error();
        }
        continue;
      }
      if (numbers.size() == 1 && limit <= kQuick)
        learn(std::chrono::duration_cast<milliseconds>(talk_.now() - at));
      words->erase(words->begin());
      co_return words;
    }
    bool over = talk_.now() - began >= (once ? limit : limit * (1 << recovered));
    // A few lines of a kernel while a command ran say nothing of what is asked from now on.
    if (over && limit > kQuick) answered_at_ = talk_.now();
    if (over || (!once && limit <= kQuick && behind >= 2)) {
      Result<> back = co_await recover();
      if (!back) co_return back.error();
      if (once) co_return Words();
      if (++recovered == 5) co_return dense();
      behind = 0;
      began = talk_.now();
      interval = patience(2 * recovered);
      typed = false;
      continue;
    }
    interval = std::min(2 * interval, milliseconds(20000));
    // More of them would tell nothing new, and a device that restarts would get them. What was to restart it
    // is waited for all the same: it may boot meanwhile.
    const bool restarts = visit_ && !visit_->signs().sign().empty();
    if (restarts ? once : behind == kMostBehind) continue;
    Result<> there = co_await still_there();
    if (!there) co_return there.error();
    type_line(str("f ", next_number()));
    ++behind;
  }
}

// --- beginning

Task<Result<>> Shell::begin() {
  Result<> started = co_await start();
  if (!started) co_return started.error();
  alive_ = true;
  Result<> defined = co_await define();
  if (!defined) co_return defined.error();
  if (visit_) {
    // Echo and line ends as they are read best, and no key that noise could press: not stop (XOFF), end of
    // file, suspend, quit. Interrupt stays.
    std::string stty = "stty -echo -onlcr;stty -ixon eof undef susp undef quit undef 2>/dev/null;f $1 ok";
    visit_->echo_is_off(true);
    Result<Words> set = co_await ask(std::move(stty), kQuick);
    if (!set) co_return set.error();
    mute_ = true;
  }
  co_return Result<>();
}

// A shell of our own, so that what we set in it ends with it. It has no prompt: where there is one, it is not
// ours. No history, no start-up files.
Task<Result<>> Shell::start() {
  if (!visit_) {
    type_line(str("N=", nonce_));
    for (unsigned tries = 0; tries < 8; ++tries) {
      Result<Place> place = co_await probe(tries);
      if (!place) co_return place.error();
      if (*place == Place::ours) co_return Result<>();
    }
    co_return fail(Fault::unavailable, "no shell answers");
  }
  // A second time: it may still be there. Else only from where it is not: behind a prompt that is seen now.
  for (unsigned tries = 0; started_ && !lost_ && tries < 3; ++tries) {
    Result<> interrupted = co_await interrupt_line();
    if (!interrupted) break;
    Result<Place> place = co_await probe(2 * tries);
    if (!place) co_return place.error();
    if (*place == Place::ours) co_return Result<>();
  }
  if (started_) {
    milliseconds limit = kGone;
    Result<> prompt = co_await find_prompt(limit);
    if (!prompt) co_return wrap("start /bin/sh on the device", prompt.error());
    lost_ = false;
  }
  answered();
  started_ = true;
  set_up_ = mute_ = false;
  for (unsigned tries = 0; tries < 6; ++tries) {
    // Its trap undoes all else. Each time: where the line had to be taken back they are gone.
    talk_.last_words(str("\x03\r", kEndShell, "\r"));
    std::string line = str("env PS1= PS2= ENV= HISTFILE= OOBD=1 N=", nonce_, " /bin/sh");
    ++number_;
    // It is the one line of ours that another shell reads: entered only as it was echoed.
    Result<bool> entered = co_await visit_->enter(std::move(line));
    if (!entered) co_return entered.error();
    bool other = !*entered;
    for (unsigned probes = 0; probes < 6 && !other; ++probes) {
      milliseconds quiet{100}, limit{1500};
      Result<bool> still = co_await talk_.silence(quiet, limit);
      if (!still) co_return still.error();
      if (probes) {
        Result<> interrupted = co_await interrupt_line();
        if (!interrupted) co_return interrupted.error();
      }
      Result<Place> place = co_await probe(probes);
      if (!place) co_return place.error();
      if (*place == Place::ours) co_return Result<>();
      other = *place == Place::other;
    }
    ++retries_;
    milliseconds limit = kPrompt;
    Result<> settled = co_await find_prompt(limit);
    if (!settled) co_return wrap("start /bin/sh on the device", settled.error());
  }
  co_return fail(Fault::unavailable, "/bin/sh does not start on the device");
}

// Whether the device has a cksum; where it has none, one is made of gzip, as good for this. Its definition
// stands before the first words that it proves: damaged, it proves nothing. Patterns and overwriting are off
// from the first line on: what noise leaves unquoted then names and makes no file.
Task<Result<>> Shell::find_sum() {
  std::string line = R"sh(set -fC;S=C;echo "<$N $S $(printf %s "$S"|cksum)>")sh", tag = "C";
  std::string made = R"sh(cksum(){ echo $(gzip -c|tail -c 8|od -An -tu4);};)sh" + line;
  Result<Words> words = co_await ask_raw(std::move(line), tag);
  if (words) co_return Result<>();
  if (words.error().fault != Fault::failed) co_return words.error();
  sum_ = Sum::gzip;
  Result<Words> again = co_await ask_raw(std::move(made), std::move(tag));
  if (!again) co_return again.error();
  co_return Result<>();
}

Task<Result<>> Shell::define() {
  defining_ = true;
  Result<> defined = co_await define_all();
  defining_ = false;
  co_return defined;
}

Task<Result<>> Shell::define_all() {
  Result<> sum = co_await find_sum();
  if (!sum) co_return sum.error();
  // As long as it is not known, nothing of the terminal is changed.
  for (unsigned tries = 0; visit_ && terminal_.empty(); ++tries) {
    std::string line = R"sh(S="A $(stty -g)";echo "<$N $S $(printf %s "$S"|cksum)>")sh", tag = "A";
    Result<Words> words = co_await ask_raw(std::move(line), std::move(tag));
    if (!words) co_return words.error();
    if (words->size() == 2 && is_terminal_setting(words->back())) terminal_ = words->back();
    if (tries == 5) co_return fail(Fault::failed, "the device's stty -g says nothing that can be set again");
  }
  for (char name : {'F', 'G', 'H', 'I'}) {
    const char* text = name == 'F'   ? kAnswerFunction
                       : name == 'G' ? kRunFunction
                       : name == 'H' ? kCarryFunction
                                     : kWholeFunction;
    std::string function = text;
    Result<> one = co_await define_one(name, std::move(function));
    if (!one) co_return one.error();
  }

  defined_ = true;
  // Patterns and overwriting are off: should a damaged line hold a "*" or a ">" after all, they are nothing.
  std::string settings = str("unset N OOBD PS1 PS2 ENV HISTFILE;OOBD=1;N=", nonce_,
                             ";PS1=;PS2=;set -f -C;unalias -a;w=0;f $1 ok");
  Result<Words> set = co_await ask(std::move(settings), kQuick);
  if (!set) co_return set.error();
  // No editing of lines, which some shells do even without echo.
  std::string editing = "for o in emacs vi;do (set +o $o) 2>/dev/null&&set +o $o;done;f $1 ok";
  Result<Words> plain = co_await ask(std::move(editing), kQuick);
  if (!plain) co_return plain.error();
  // Defined anew in the same shell, what is to be undone there must not be forgotten.
  if (set_up_) co_return Result<>();
  // Whatever ends the shell (a hang-up of the line too) leaves the device as it was. o_clean() is made by
  // whoever has something to undo. An hour of silence ends shells that know TMOUT.
  std::string undo = "O=$(pwd);o_clean(){ :;};o_undo(){ trap - 0;trap \"\" 1 2 15;o_clean;";
  if (visit_) undo += str("stty ", terminal_, ";");
  undo += "} 2>/dev/null;trap o_undo 0;trap \"exit 129\" 1 15;TMOUT=3600;f $1 ok";
  Result<Words> trapped = co_await ask(std::move(undo), kQuick);
  if (!trapped) co_return trapped.error();
  set_up_ = true;
  co_return Result<>();
}

// `text` in the variable `name`, and run there once it is proved: by the line that runs it, since the answer
// to the one before may be to one that was typed earlier. That it was run only the text itself can tell.
Task<Result<>> Shell::define_one(char name, std::string text) {
  const std::string function = text.substr(text.rfind('=') + 1);
  const std::string crc = str(sum_of(sum_, text)), sum = str("$(printf %s \"$", name, "\"|cksum)");
  for (unsigned tries = 0; tries < kMostTries; ++tries) {
    std::string line = str(name, '=', shell_word(text)), tag(1, name);
    // The first is the one that answers.
    line += name == 'F' ? str(";S=\"F ", sum, R"sh(";echo "<$N $S $(printf %s "$S"|cksum)>")sh")
                        : str(";f ", name, ' ', sum);
    Result<Words> words = co_await ask_raw(std::move(line), std::move(tag));
    if (!words) co_return words.error();
    if (words->size() != 3 || (*words)[1] != crc) continue;
    std::string run = str("E=;set -- ", sum, ";[ $1 = ", crc, " ]&&eval \"$", name, "\";f ", name, "E $E"),
                done = str(name, 'E');
    Result<Words> defined = co_await ask_raw(std::move(run), std::move(done));
    if (!defined) co_return defined.error();
    if (defined->size() == 2 && defined->back() == function) co_return Result<>();
  }
  co_return dense();
}

// --- ending

Task<Result<>> Shell::end(std::string clean, std::string anew) {
  // Nothing was changed yet.
  if (!defined_) {
    milliseconds limit = kGone;
    Task<Result<>> leaving = lost_ ? find_prompt(limit) : leave();
    Result<> left = co_await leaving;
    co_return left;
  }
  if (!alive_) {
    Result<> begun = co_await begin();
    if (!begun) co_return begun.error();
  }
  Result<Words> cleaned = co_await ask(std::move(clean), kSlow);
  if (cleaned && cleaned->size() == 1 && cleaned->front() == "anew")
    cleaned = co_await ask(std::move(anew), kSlow);
  if (!cleaned) co_return cleaned.error();
  bool gone = cleaned->size() == 1 && cleaned->front() == "gone";
  if (visit_) {
    std::string restore = str("stty ", terminal_, ";f $1 $(stty -g)");
    Result<Words> restored = co_await ask(std::move(restore), kQuick);
    if (!restored) co_return restored.error();
    if (restored->size() != 1 || restored->front() != terminal_)
      co_return fail(Fault::failed, "the device's terminal could not be set back");
  }
  Result<> left = co_await leave();
  if (!left) co_return left.error();
  if (!gone) co_return fail(Fault::failed, "what was made on the device could not be removed");
  co_return Result<>();
}

Task<Result<>> Shell::leave() {
  alive_ = false;
  if (!visit_ && !defined_) co_return Result<>();
  if (!visit_) {
    std::string undo = "trap - 0 1 15;unset TMOUT;set +f +C;cd \"$O\";f $1 ok";
    Result<Words> undone = co_await ask(std::move(undo), kQuick);
    if (!undone) co_return undone.error();
    talk_.drop_all();
    co_return Result<>();
  }
  for (unsigned tries = 0;; ++tries) {
    // By its nonce as well: the line that has started it may have been damaged where it sets OOBD. In another
    // shell, and cut anywhere, this is nothing or a fault of syntax.
    if (tries % 2)
      type_line(str("case $N in ", nonce_, ") exit;;esac"));
    else
      type_line(kEndShell);
    milliseconds quiet{100}, most{1000};
    Result<bool> still = co_await talk_.silence(quiet, most);
    if (!still) co_return still.error();
    // Behind a prompt: ours has none.
    milliseconds limit = milliseconds(2000) + patience(2 * tries);
    Result<> settled = co_await visit_->settle(limit);
    if (settled) break;
    if (tries == 6) co_return wrap("leave the shell on the device", settled.error());
    Result<> interrupted = co_await interrupt_line();
    if (!interrupted) co_return interrupted.error();
  }
  visit_->echo_is_off(false);
  talk_.last_words("");
  co_return Result<>();
}

}  // namespace oob::recipe

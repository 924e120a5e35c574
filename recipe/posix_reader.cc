#include "recipe/posix_reader.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "base/sha256.h"
#include "recipe/block.h"
#include "recipe/gunzip.h"
#include "recipe/pull.h"

namespace oob::recipe {

using base::Bytes;
using base::Error;
using base::Fault;
using base::milliseconds;
using base::Result;
using base::str;
using base::Task;

namespace {

// Each reads its stdin. What they make of "oob" tells whether they are there and do what they should.
constexpr const char* kEncoders[] = {"base64",         "openssl base64", "openssl enc -base64",
                                     "b64encode -r -", "uuencode -m -",  nullptr};
constexpr const char* kSums[] = {"sha256sum", "sha256 -q", "openssl dgst -sha256 -r", "shasum -a 256",
                                 nullptr};
constexpr const char* kProbe = "oob";

constexpr unsigned kMostLostInARow = 60;
constexpr unsigned kMostChanges = 5;
constexpr std::uint64_t kMostList = 256 * 1024;

// A SHA-256; the folder D, P the path and L the pattern that are read (L goes first); A: D holds the archive.
// o_read() is what is read, o_all() its archive, o_part() some of that, b() answers a block, o_pack() makes
// the archive and answers the sizes and sums of both, o_look() does so if the file is there. dd of a pipe may
// read less than it is asked for, but for single bytes. One pass tells whether it came to the file's end; all
// others must have the same sum.
constexpr const char* kFunctions = R"sh(o_sum(){ set -- $(%H);echo $1;}
o_text(){ %E;}
o_read(){ if [ "$L" ];then (set +f;for p in $L;do if [ -f "$p" ];then printf "%s\n//\n" "$p";fi;done);else cat "$P";fi;}
o_all(){ if [ "$A" ];then cat "$D/z";else o_read|gzip -9nc;fi;}
o_part(){ if [ "$A" ];then dd if="$D/z" bs=96 skip=$1 count=$2;else o_all|tail -c +$(($1*96+1))|dd bs=1 count=$(($2*96));fi 2>/dev/null;}
b(){ f b$1 $2 $3 $(o_part $2 $3|o_text);}
o_pack(){ A=;s=$(o_read|wc -c);t=$({ { o_read||echo broken >&3;}|o_sum;} 3>&1);if [ "$D" ];then o_read|gzip -9nc >|"$D/z"&&A=1;fi 2>/dev/null;f $1 $s $t $(o_all|wc -c) $(o_all|o_sum);}
o_look(){ if [ "$L" ];then o_pack $1;elif [ -f "$P" ]&&[ -r "$P" ];then o_pack $1;elif [ -f "$P" ];then f $1 closed;elif [ -e "$P" ];then f $1 odd;else f $1 absent;fi;}
f $1 ok)sh";

// What runs the command C with nothing to read, once for each number. $J is the job's outer shell, which
// leads its process group where the shell has job control; then G is set. What the command prints goes
// through o_cap(), so that it can't fill the device: cat, which keeps nothing back, with a limit of its own
// (in blocks of 512 bytes, or 1024), or head. All its writers have gone when the second o_cap() ends. Those
// that the command has left running may write for ever: as soon as it has ended itself and nothing more comes
// of it, o_late() ends the job's shell, which is all that is waited for, and they are let go on. o_late()
// itself must hold none of those pipes: redirections of a function keep what they replace open, those of exec
// do not. An empty r is of a command that has not told how it ended; j with the number is there while the job
// is waited for. Shells tell their terminal how a job has ended, with all its words: so it is a function, and
// `jobs` takes note of the end first where it can. o_done() waits, and writes a page more, which does not fit
// on a full disk. o_stop() sends a signal and waits until all of the group have gone: the outer shell goes
// first.
constexpr const char* kRunFunctions =
    R"sh(o_cap(){ { if ulimit -c 0&&ulimit -f %B;then exec cat;fi;exec head -c %C;} 2>/dev/null;}
o_late(){ s=;t=;for i in 1 2 3 4 5;do sleep 1;if [ ! -e "$D/j$1" ];then exit;fi;s=$t;t=$(wc -c <"$D/c").$(wc -c <"$D/e");if [ "$s" = "$t" ];then break;fi;done;if [ -s "$D/j$1" ];then kill -9 $(cat "$D/j$1");fi;}
o_main(){ cd "$O";exec </dev/null;{ { /bin/sh -c "$C" 3>&-;echo $? >|"$D/r";{ exec >/dev/null 2>&1 3>&-;o_late $1;}& } 2>&3|o_cap 3>&- >|"$D/c";} 3>&1|o_cap >|"$D/e";}
o_job(){ J=;G=;: >|"$D/r";: >|"$D/j$1";o_main $1& J=$!;echo $J >|"$D/j$1";if kill -0 -$J;then G=group;fi 2>/dev/null;}
o_done(){ wait $J 2>/dev/null;jobs >/dev/null 2>&1;if kill -0 $J 2>/dev/null;then f $1 runs;return;fi;rm -f "$D/j$2";J=;if (printf %4096s x >|"$D/t") 2>/dev/null&&[ $(wc -c <"$D/t") -eq 4096 ];then r=$(cat "$D/r");f $1 ${r:-none};else f $1 full;fi;}
o_stop(){ if [ "$J" ];then kill -$2 ${G:+-}$J;for i in 1 2 $3;do if kill -0 ${G:+-}$J;then sleep 1;else J=;break;fi;done;fi 2>/dev/null;jobs >/dev/null 2>&1;f $1 ${G:-alone} ${J:+runs};}
f $1 ok)sh";

// A job that nobody has waited for ends as well, by its group or alone.
constexpr const char* kClean =
    R"sh(o_clean(){ if [ "$J" ];then kill -9 -$J||kill -9 $J;J=;fi;if [ "$m" ];then m=;set +f +C;{ eval "$Q";} >/dev/null;set -f -C;fi;cd "$O";if [ "$D" ];then rm -rf "$D";fi;} 2>/dev/null;)sh";

std::string with(std::string text, std::string_view mark, std::string_view value) {
  text.replace(text.find(mark), mark.size(), value);
  return text;
}

bool parse_size(const std::string& word, std::uint64_t& size) { return base::parse_number(word, size); }

}  // namespace

bool is_shell_pattern(Bytes text) {
  constexpr Bytes kKnown = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./*?-+:,[]!@%= ";
  return !text.empty() && text.find_first_not_of(kKnown) == Bytes::npos;
}

// --- beginning and end

Task<Result<>> PosixReader::begin(std::string quiet, std::string unquiet) {
  unquiet_ = std::move(unquiet);
  Result<> begun = co_await shell_.begin();
  if (!begun) co_return begun.error();
  std::string clean =
      str("J=;m=;D=;Q=", shell_word(unquiet_), ";", kClean, "OOBC=", shell_.nonce(), ";f $1 ok");
  Result<Words> cleans = co_await shell_.ask(std::move(clean), Shell::kQuick);
  if (!cleans) co_return cleans.error();
  if (!quiet.empty()) {
    quieted_ = true;
    // Marked before it is run: an unquiet too much does no harm.
    std::string text =
        str("if [ ! \"$m\" ];then m=1;set +f +C;{ ", quiet, "\n} >/dev/null 2>&1;set -f -C;fi;f $1 ok");
    Result<Words> quieted = co_await shell_.ask(std::move(text), Shell::kQuick);
    if (!quieted) co_return quieted.error();
  }
  Result<> place = co_await find_place();
  co_return place;
}

Task<Result<>> PosixReader::end() {
  std::string clean = "o_clean;if [ \"$D\" ]&&[ -e \"$D\" ];then f $1 left;else f $1 gone;fi";
  // All of it is given where the shell is another one than the one that made the folder.
  std::string anew = str(kClean, clean);
  if (quieted_ && !unquiet_.empty()) anew = str("Q=", shell_word(unquiet_), ";m=1;", anew);
  if (!folder_.empty()) anew = str("D=", shell_word(folder_), ";", anew);
  std::string known = str("if [ \"$OOBC\" != ", shell_.nonce(), " ];then f $1 anew;else ", clean, ";fi");
  Result<> ended = co_await shell_.end(std::move(known), std::move(anew));
  co_return ended;
}

Error PosixReader::not_ended(const Error& work, const Error& end) const {
  Error why = work.what.empty() ? end : work;
  // The same has ended both: the line is down, say.
  if (!work.what.empty() && work.what.find(end.what) == std::string::npos)
    why.what += str("; then ", end.what);
  if (!folder_.empty()) why.what += str("; the temporary folder ", folder_, " may still be there");
  return why;
}

// A folder of our own: nobody else can have put something there, and what noise makes of a line falls into
// it.
Task<Result<>> PosixReader::find_place() {
  std::string name = str("/.oob.", shell_.nonce());
  std::string text =
      str("if [ ! \"$D\" ];then for d in \"$TMPDIR\" /tmp /var/tmp /dev/shm /run \"$HOME\";do "
          "if [ -d \"$d\" ]&&(umask 077;mkdir \"$d",
          name, "\"&&echo x >|\"$d", name, "/t\"&&[ -s \"$d", name, "/t\" ]) 2>/dev/null;then D=$d", name,
          ";break;fi;rm -rf \"$d", name, "\" 2>/dev/null;done;fi;");
  text += "if [ \"$D\" ];then cd \"$D\";fi;f $1 $(printf %s \"$D\"|cksum) \"$D\"";
  Result<Words> words = co_await shell_.ask(std::move(text), Shell::kQuick);
  if (!words) co_return words.error();
  if (words->size() > 3) co_return fail(Fault::failed, "the only place to write to has a blank in its name");
  if (words->size() == 3) folder_ = words->back();
  co_return Result<>();
}

Task<Result<>> PosixReader::find_tools() {
  std::string head = str("printf ", kProbe, "|");
  Result<std::string> encoder = co_await first_that_answers(kEncoders, head, false);
  if (!encoder) co_return encoder.error();
  if (encoder->empty()) {
    // They may well be there: each of them is run with 2>/dev/null.
    std::string null = "if (: >/dev/null);then f $1 fine;else f $1 odd;fi";
    Result<Words> discards = co_await shell_.ask(std::move(null), Shell::kQuick);
    if (!discards) co_return discards.error();
    if (discards->front() != "fine")
      co_return fail(Fault::failed,
                     "the device's /dev/null can't be written to, so none of its tools can be run");
    co_return fail(Fault::failed,
                   "the device has none of base64, openssl, b64encode and uuencode that works");
  }
  Result<std::string> sum = co_await first_that_answers(kSums, head, true);
  if (!sum) co_return sum.error();
  if (sum->empty())
    co_return fail(Fault::failed,
                   "the device has no tool for SHA-256 that works: sha256sum, sha256, openssl or shasum");
  std::string gzip = str(head, "gzip -9nc 2>/dev/null|gzip -dc 2>/dev/null");
  gzip = str("f $1 $(", gzip, ")");
  Result<Words> packs = co_await shell_.ask(std::move(gzip), Shell::kQuick);
  if (!packs) co_return packs.error();
  if (packs->size() != 1 || packs->front() != kProbe) co_return fail(Fault::failed, "the device has no gzip");
  std::string functions = with(with(kFunctions, "%H", *sum), "%E", *encoder);
  Result<Words> defined = co_await shell_.ask(std::move(functions), Shell::kQuick);
  if (!defined) co_return defined.error();
  co_return Result<>();
}

// The first of `tools` that makes of the probe what it should; empty: none does.
Task<Result<std::string>> PosixReader::first_that_answers(const char* const* tools, std::string head,
                                                          bool sums) {
  for (; *tools; ++tools) {
    std::string text = str("f $1 $(", head, *tools, " 2>/dev/null)");
    Result<Words> words = co_await shell_.ask(std::move(text), Shell::kQuick);
    if (!words) co_return words.error();
    bool right = false;
    if (sums) {
      right = !words->empty() && words->front() == base::hex(base::sha256(kProbe));
    } else {
      auto bytes = from_base64(words->data(), words->data() + words->size());
      right = bytes && *bytes == kProbe;
    }
    if (right) co_return std::string(*tools);
  }
  co_return std::string();
}

// --- reading

Task<Result<PosixReader::File>> PosixReader::read(std::string path, std::uint64_t most, ToldBytes told) {
  // "cat -" would read the terminal.
  if (path.starts_with('-')) path = "./" + path;
  std::string set = str("L=;P=", shell_word(path), ";");
  Result<File> file = co_await read_source(std::move(set), most, std::move(told));
  co_return file;
}

Task<Result<PosixReader::File>> PosixReader::list(std::string pattern) {
  std::string set = str("P=;L=", shell_word(pattern), ";");
  ToldBytes nobody = [](std::uint64_t, std::uint64_t) {};
  Result<File> file = co_await read_source(std::move(set), kMostList, std::move(nobody));
  co_return file;
}

Task<Result<PosixReader::File>> PosixReader::read_source(std::string set, std::uint64_t most,
                                                         ToldBytes told) {
  for (unsigned changes = 0; changes <= kMostChanges; ++changes) {
    if (changes) shell_.asked_again();
    std::string pack = str(set, "o_look $1");
    Result<Words> words = co_await shell_.ask(std::move(pack), Shell::kSlow);
    if (!words) co_return words.error();
    File file;
    if (words->size() == 1 && words->front() == "absent") {
      file.absent = true;
      co_return file;
    }
    if (words->size() == 1 && words->front() == "closed") {
      file.closed = true;
      co_return file;
    }
    if (words->size() == 1 && words->front() == "odd")
      co_return fail(Fault::failed, "it is not a regular file");
    if (std::find(words->begin(), words->end(), "broken") != words->end())
      co_return fail(Fault::failed, "it can't be read to its end: the device's cat has failed");
    std::uint64_t size = 0, packed = 0;
    if (words->size() != 4 || !parse_size((*words)[0], size) || !is_sha256((*words)[1]) ||
        !parse_size((*words)[2], packed) || !is_sha256((*words)[3]))
      co_return fail(Fault::failed, "the device's tools do not tell size and SHA-256 of it");
    if (size > most) co_return fail(Fault::failed, str("it has ", size, " bytes, more than ", most));
    // gzip makes nothing longer than this (RFC 1951, 3.2.4: 5 bytes for each stored block).
    if (packed > most + most / 1000 + 1024)
      co_return fail(Fault::failed, str("its archive has ", packed, " bytes, more than ", most));

    Result<std::string> archive = co_await fetch_archive(packed, told);
    if (!archive) co_return archive.error();
    // What the device packs anew for each block may be another file by now.
    if (base::hex(base::sha256(*archive)) != (*words)[3]) continue;
    Result<std::string> bytes = gunzip(*archive, most);
    if (!bytes) co_return bytes.error();
    file.bytes = std::move(*bytes);
    file.sha256 = base::hex(base::sha256(file.bytes));
    if (file.sha256 != (*words)[1] || file.bytes.size() != size) continue;
    std::string once_more = str(set, "f $1 $(o_read|o_sum)");
    Result<Words> after = co_await shell_.ask(std::move(once_more), Shell::kSlow);
    if (!after) co_return after.error();
    if (after->size() == 1 && after->front() == file.sha256) co_return file;
  }
  co_return fail(Fault::failed, str("it has changed ", kMostChanges + 1,
                                    " times while it was read; try again when it is left alone, or have the "
                                    "recipe read a copy: cmd NAME \"cat FILE\""));
}

// The next block is asked for while one is on its way, so that the line never waits for the device; and a
// block that is answered tells that the one before it was lost.
Task<Result<std::string>> PosixReader::fetch_archive(std::uint64_t size, ToldBytes told) {
  struct Asked {
    unsigned number;
    Blocks::Range range;
  };
  Blocks blocks(size);
  std::deque<Asked> asked;
  told(0, size);
  while (!blocks.complete()) {
    while (asked.size() < 2) {
      auto range = blocks.next();
      if (!range) break;
      asked.push_back({shell_.next_number(), *range});
      shell_.type_line(str("b ", asked.back().number, ' ', range->first, ' ', range->count));
    }
    Result<Words> words = co_await shell_.answer(blocks.lost_in_a_row());
    if (!words) co_return words.error();
    if (words->empty()) {
      for (; !asked.empty(); asked.pop_front()) {
        blocks.lost(asked.front().range);
        shell_.asked_again();
      }
      Result<> back = co_await shell_.recover();
      if (!back) co_return back.error();
    } else {
      auto [function, number] = answered_by(words->front());
      if (number == 0) continue;
      while (!asked.empty() && asked.front().number < number) {
        blocks.lost(asked.front().range);
        shell_.asked_again();
        asked.pop_front();
      }
      if (asked.empty() || asked.front().number != number) continue;
      Blocks::Range range = asked.front().range;
      asked.pop_front();
      // Its other numbers as well: a request may have been damaged into another one.
      bool right = function == 'b' && words->size() > 3 && (*words)[1] == str(range.first) &&
                   (*words)[2] == str(range.count);
      if (right) {
        auto bytes = from_base64(words->data() + 3, words->data() + words->size());
        right = bytes && blocks.got(range, *bytes);
      }
      if (!right) {
        blocks.lost(range);
        shell_.asked_again();
      }
      told(blocks.bytes_there(), size);
    }
    if (blocks.lost_in_a_row() > kMostLostInARow)
      co_return fail(Fault::unavailable, str(blocks.lost_in_a_row(), " blocks in a row were damaged, ",
                                             blocks.bytes_there(), " of ", size, " bytes came through"));
  }
  co_return blocks.take();
}

// --- commands

Task<Result<>> PosixReader::prepare_runs() {
  if (folder_.empty())
    co_return fail(Fault::failed,
                   "a command's output has nowhere to go: no folder of the device can be written to");
  if (runs_prepared_) co_return Result<>();
  std::string functions =
      with(with(kRunFunctions, "%B", str(kMostPrinted / 512 + 1)), "%C", str(kMostPrinted + 1));
  Result<Words> defined = co_await shell_.ask(std::move(functions), Shell::kQuick);
  if (!defined) co_return defined.error();
  runs_prepared_ = true;
  co_return Result<>();
}

Task<Result<int>> PosixReader::run(std::string command, milliseconds limit) {
  Result<> prepared = co_await prepare_runs();
  if (!prepared) co_return prepared.error();
  ended_late_ = ended_ = false;
  // Started once, however often it is asked for, and waited for at once: busybox's ash takes it for the end
  // of its input when a job of its own ends while it reads a line with the terminal's echo off.
  const std::string id = str(++runs_);
  std::string start = str("C=", shell_word(command), ";if [ \"$R\" != ", id, " ];then R=", id, ";o_job ", id,
                          ";fi;o_done $1 ", id);
  Result<Words> words = co_await shell_.wait_for(std::move(start), limit);
  if (!words) co_return words.error();
  if (words->empty()) {
    // What was killed counts until somebody has taken its status, which may take a while.
    for (const char* signal : {"INT", "TERM", "KILL '3 4'"}) {
      std::string stop = str("o_stop $1 ", signal);
      Result<Words> told = co_await shell_.ask(std::move(stop), Shell::kQuick);
      if (!told) co_return told.error();
      ended_ = told->size() == 1 && told->front() == "group";
      if (told->size() == 1) break;
    }
    ended_late_ = true;
    co_return fail(Fault::unavailable, late_text(limit, ended_));
  }
  int status = 0;
  if (words->size() == 1 && base::parse_number(words->front(), status) && status >= 0 && status <= 255)
    co_return status;
  if (words->front() == "full") co_return fail(Fault::failed, "the device has no room for its output");
  co_return fail(Fault::failed, "the device did not tell how it ended");
}

}  // namespace oob::recipe

#include "console/attach_job.h"

#include <algorithm>

#include "console/dispatcher.h"
#include "console/guard_commands.h"
#include "console/power_job.h"
#include "console/reports.h"
#include "console/screenful.h"

namespace oob::console {

using base::Fault;
using base::Result;
using base::str;

AttachJob::AttachJob(Core& core, Visitor& visitor, JobIo& io, const Device& device, Wish wish, bool safe)
    : core_(core),
      visitor_(visitor),
      io_(io),
      device_(device.name),
      wish_(wish),
      asked_safe_(safe),
      escape_(core.escape),
      taking_timer_(core.loop),
      answer_(core.loop),
      stalled_(core.loop) {}

AttachJob::~AttachJob() { depart(); }

void AttachJob::start() { enter(device_, wish_); }

void AttachJob::enter(const std::string& device, Wish wish) {
  device_ = device;
  visitor_.doing = "attach";
  visitor_.device = device;
  entering_ = true;
  visit_.begin(device, "attach", [this, wish](const Result<std::string>& recorded) {
    entering_ = false;
    if (recorded) return arrive(wish, *recorded);
    io_.remark(str("oobd: ", recorded.error().what));
    leave(static_cast<int>(recorded.error().fault));
  });
}

void AttachJob::arrive(Wish wish, const std::string& unrecorded) {
  const std::string device = device_;
  Device* found = core_.inventory.find(device);
  if (!found) {  // it went while the journal was written
    say(auth::Policy::no_such_device(device).what);
    return leave(static_cast<int>(Fault::missing));
  }
  Console& console = *found->console;
  safe_.reset();
  if (asked_safe_ || core_.policy->safe_for(visitor_.who, device)) safe_.emplace();
  std::string others = who_is_here();
  attachment_ = console.attach(*this, visitor_.who.user);
  note("attach");
  visit_.event(auth::Entry("attach").with("others", others));
  console.transcript().mark("attach", visitor_.who.user);
  console.announce(str(visitor_.who.user, " came"), attachment_.get());

  std::string may;
  if (!may_write() && !(wish == Wish::force && grant_for(Claim::force))) {
    may = "you may watch";
    if (wish == Wish::force || wish == Wish::join) may = "you may watch, not type";
  } else if (wish == Wish::watch) {
    may = str("watching, ", escape_.notation(), " a to type");
  } else {
    Claim how = wish == Wish::force ? Claim::force : wish == Wish::join ? Claim::join : Claim::if_free;
    Result<auth::Grant> grant = grant_for(how);
    Result<std::unique_ptr<Writer>> writer =
        grant ? attachment_->claim(*grant, how) : Result<std::unique_ptr<Writer>>(grant.error());
    if (writer) {
      writer_ = std::move(*writer);
      commit_writer(how);
      may = writer_->joined() ? "you may type, beside others" : "you may type";
    } else {
      after_look_ = console.is_looked_at();
      may = str("watching, you are next to type, ", escape_.notation(), " f forces");
    }
  }
  std::string state = console.state() == Console::State::up ? ""
                      : console.state() == Console::State::down
                          ? str(" (line down: ", base::printable(console.why_down()), ")")
                          : " (line opening)";
  if (std::string trouble = reason_of(core_.archive.trouble()); !trouble.empty())
    state += str(" (THE LOG CAN'T BE WRITTEN: ", trouble, ")");
  std::string greeting =
      str("[oobd: ", device, state, ": ", may, "; ", others.empty() ? "nobody else here" : others, "; ",
          visit_.records_input() ? "what you type is recorded; " : "",
          safe_ ? "safe: text, colours and cursor only; " : "", escape_.notation(), " ? help, ",
          escape_.notation(), " . leaves]");
  std::string guard = guard_remark(core_, device);
  if (!guard.empty()) guard = str("[oobd: ", guard, "]");
  if (io_.terminal().pty) {
    screen_ = str(unrecorded, unrecorded.empty() ? "" : "\r\n", greeting, "\r\n", guard,
                  guard.empty() ? "" : "\r\n");
  } else {
    if (!unrecorded.empty()) io_.remark(unrecorded);
    io_.remark(greeting);  // results go to stdout, remarks to stderr
    if (!guard.empty()) io_.remark(guard);
  }
  show_screen();
  if (std::exchange(refused_, false)) io_.want_input();
  if (std::exchange(ended_, false)) ended();
}

// The last screenful, as it is at this moment; the attachment goes on from there. After a start of the daemon
// memory holds little, and what came before is in the transcript.
void AttachJob::show_screen() {
  std::string recent = attachment_->console()->recent(kReplay);
  recall([this, recent](std::string older) {
    const Terminal& terminal = io_.terminal();
    older += recent;
    unsigned rows = std::max(2u, terminal.rows) - 1;  // the line above takes one
    std::string screen = terminal.pty ? screenful(older, rows, terminal.columns) : last_lines(older, 24);
    // What is live goes on where the screen ends.
    screen_ += safe_ ? safe_->pass(screen) : screen;
  });
}

// Gives `then` what the transcript has before what memory holds, or nothing where memory is enough.
void AttachJob::recall(std::function<void(std::string)> then) {
  const Console& console = *attachment_->console();
  if (!console.oldest_in_files()) {
    then("");
    return pump();
  }
  recalling_ = true;
  recall_.begin(console, [this, then = std::move(then)] {
    recalling_ = false;
    then(recall_.older());
    pump();
  });
}

std::string AttachJob::who_is_here() const {
  Device* device = core_.inventory.find(device_);
  if (!device) return "";
  std::vector<std::string> names = device->console->watchers();
  if (attachment_) {
    auto me = std::find(names.begin(), names.end(), attachment_->name());
    if (me != names.end()) names.erase(me);
  }
  if (names.empty()) return "";
  std::string writer = device->console->writer(), text = "also here: ";
  if (writer_ && writer_->live() && writer == visitor_.who.user) writer.clear();
  auto typing = std::find(names.begin(), names.end(), writer);
  if (typing != names.end()) std::rotate(names.begin(), typing, typing + 1);
  for (std::size_t i = 0; i < names.size(); ++i)
    text += str(i ? ", " : "", names[i], i == 0 && !writer.empty() && names[0] == writer ? " (typing)" : "");
  return text;
}

// Who administers a device may force its keyboard without the right to write.
Result<auth::Grant> AttachJob::grant_for(Claim how) {
  if (how == Claim::force) {
    Result<auth::Grant> admin = core_.policy->decide(visitor_.who, auth::Action::admin, device_);
    if (admin) return admin;
  }
  return decide(core_, visitor_, auth::Action::write, device_);
}

bool AttachJob::may_write() const {
  return core_.policy->decide(visitor_.who, auth::Action::write, device_).has_value();
}

void AttachJob::note(const char* event, const std::string& text) {
  auth::Entry entry = event_of(visitor_, event);
  entry.with("device", device_);
  if (!text.empty()) entry.with("text", base::printable(text));
  core_.journal.note(std::move(entry));
}

// --- to the person
// --------------------------------------------------------------------------------------------------

void AttachJob::say(const std::string& remark) {
  if (left_) return;
  if (!io_.terminal().pty) return io_.remark(str("[oobd: ", remark, "]"));
  if (remarks_.size() == kMostRemarks) remarks_.pop_front();
  remarks_.push_back(str("\r\n[oobd: ", harmless(remark), "]\r\n"));
  pump();
}

// Moves what there is room for: first what greets, then remarks and the console's bytes. While the person
// types a message of theirs, the console waits.
void AttachJob::pump() {
  while (!left_ && !entering_ && !recalling_ && io_.room() > 0 && !escape_.reading()) {
    if (!screen_.empty()) {
      std::string piece = screen_.substr(0, io_.room());
      screen_.erase(0, piece.size());
      io_.raw(piece);
      continue;
    }
    if (!remarks_.empty()) {
      std::string remark = std::move(remarks_.front());
      remarks_.pop_front();
      io_.raw(remark);
      continue;
    }
    if (!attachment_) return;
    Attachment::Piece piece = attachment_->next();
    if (piece.skipped) {
      if (safe_) safe_->restart();
      visit_.event(auth::Entry("skipped").with("bytes", static_cast<std::int64_t>(piece.skipped)));
      std::string skipped = str("[oobd: ", piece.skipped, " bytes skipped]");
      if (io_.terminal().pty) io_.raw(str("\r\n", skipped, "\r\n"));
      if (!io_.terminal().pty) io_.remark(skipped);
      continue;
    }
    if (piece.bytes.empty()) break;
    base::Bytes bytes = piece.bytes.substr(0, io_.room());
    if (safe_) {
      visit_.output(bytes, safe_->pass(bytes));
    } else {
      visit_.output(bytes, bytes);
    }
    attachment_->take(bytes.size());
  }
}

void AttachJob::offered() {
  if (std::exchange(after_look_, false))
    return core_.loop.post(life_.wrap([this] { claim(Claim::if_free); }));
  say(str("the keyboard is free and kept for you for ",
          std::chrono::duration_cast<std::chrono::seconds>(Console::kOffer).count(),
          " s: ", escape_.notation(), " a takes it"));
}

void AttachJob::displaced(const std::string& by) {
  note("writer.lost", by);
  visit_.event(auth::Entry("writer").with("how", "lost").with("by", base::printable(by)));
  say(str(by, " forced the keyboard; you are watching"));
  pending_.clear();
}

void AttachJob::gone(const std::string& why) {
  say(str(device_, ": ", why));
  core_.loop.post(life_.wrap([this] { leave(static_cast<int>(Fault::missing)); }));
}

// Nothing is typed before it is known who types.
void AttachJob::commit_writer(Claim how) {
  const char* taken = writer_->joined() ? "join" : how == Claim::force ? "force" : "take";
  visit_.event(auth::Entry("writer").with("how", taken));
  auth::Entry entry = event_of(visitor_, str("writer.", taken).c_str());
  entry.with("device", device_);
  taking_ = ++takings_;
  auto then =
      stay_.wrap([this, taking = taking_](const Result<>& written) { writer_written(taking, written); });
  core_.journal.commit(entry, [&journal = core_.journal, entry, then](const Result<>& written) mutable {
    if (!written) journal.note(entry);  // later is better than never
    then(written);
  });
  if (core_.refuse_without_audit) return;
  taking_timer_.after(kPatience, [this] { writer_written(taking_, {}); });
}

void AttachJob::writer_written(std::uint64_t taking, const Result<>& written) {
  if (taking_ != taking) return;  // taken again since, or waited for long enough
  taking_ = 0;
  taking_timer_.cancel();
  if (!written && core_.refuse_without_audit) {
    watch_only();
    lost_ = static_cast<int>(Fault::journal);
    say(str("the keyboard was let go: the audit trail can't be written: ",
            base::printable(written.error().what)));
    if (leaving_) core_.loop.post(life_.wrap([this] { leave(lost_); }));
    return;
  }
  flush_typed();
}

// What a console that was shown safely did to the terminal's modes is known, and undone.
void AttachJob::settle() {
  if (safe_ && io_.terminal().pty) io_.raw(safe_->settle());
}

void AttachJob::leave(int status) {
  if (left_) return;
  settle();
  // What is still to be shown is shown, room or not: it is one screen at most.
  for (const std::string& remark : remarks_) io_.raw(remark);
  left_ = true;
  depart(status);
  io_.finish(status);
}

void AttachJob::depart(int status) {
  if (breaking_) note("break.dropped");
  stay_.renew();  // what was asked for on this console happens on no other
  taking_ = 0;
  taking_timer_.cancel();
  core_.approvals->left(visitor_.session);
  recall_.drop();
  breaking_ = recalling_ = entering_ = false;
  power_.reset();
  answer_.cancel();
  screen_.clear();
  remarks_.clear();
  writer_.reset();
  Console* console = attachment_ ? attachment_->console() : nullptr;
  if (attachment_) visit_.event(auth::Entry("detach"));
  attachment_.reset();
  visit_.end(status);
  if (!console) return;
  note("detach");
  console->transcript().mark("detach", visitor_.who.user);
  console->announce(str(visitor_.who.user, " left"));
}

// --- from the person
// ------------------------------------------------------------------------------------------------

void AttachJob::room() {
  pump();
  if (std::exchange(refused_, false)) io_.want_input();
}

std::size_t AttachJob::typed(base::Bytes bytes) {
  if (left_ || leaving_) return bytes.size();
  if (entering_) {
    refused_ = true;
    return 0;
  }
  if (escape_.reading() && io_.room() == 0) {  // the echo of a message would have no place
    refused_ = true;
    return 0;
  }
  // Bounded: what the line does not take stays with the client once this much is waiting.
  std::size_t room = kMostPending - std::min(kMostPending, pending_.size());
  std::size_t size = escape_.feed(bytes.substr(0, room), keys_);
  if (!left_) pump();
  return left_ ? bytes.size() : size;
}

void AttachJob::type(base::Bytes run) {
  bool refused = !core_.disk.refusal.empty() && visitor_.connection != 0;
  if (writer_ && writer_->live() && !refused) {
    pending_ += run;
    flush_typed();
    return;
  }
  lost_ = static_cast<int>(refused ? Fault::journal : may_write() ? Fault::busy : Fault::denied);
  auto now = base::Clock::now();
  if (now - hinted_ < std::chrono::seconds(5)) return;
  hinted_ = now;
  if (refused) return say(core_.disk.refusal);
  say(may_write() ? str("you are watching; ", escape_.notation(), " a takes the keyboard if it is free, ",
                        escape_.notation(), " f forces it")
                  : "you may watch this console, not type on it");
}

void AttachJob::flush_typed() {
  if (!writer_ || left_ || breaking_ || taking_) return;
  bool was_full = pending_.size() >= kMostPending;
  while (!pending_.empty()) {
    Result<std::size_t> size = writer_->write(pending_);
    if (!size) {
      pending_.clear();
      lost_ = static_cast<int>(size.error().fault);
      auto now = base::Clock::now();
      if (size.error().fault == Fault::unavailable && now - hinted_ >= std::chrono::seconds(5)) {
        hinted_ = now;
        say(str(base::printable(size.error().what), "; what you type is lost"));
      }
      break;
    }
    if (*size == 0) break;
    visit_.typed(base::Bytes(pending_).substr(0, *size));
    pending_.erase(0, *size);
    stalled_.cancel();
  }
  if (pending_.empty()) {
    stalled_.cancel();
  } else if (!stalled_.waiting()) {
    stalled_.after(kStalled, [this] { give_up_typing(); });
  }
  if (pending_.empty() && leaving_) {
    core_.loop.post(life_.wrap([this] { leave(lost_); }));
  } else if (was_full && pending_.size() < kMostPending) {
    io_.want_input();
  }
}

void AttachJob::ended() {
  ended_ = entering_;
  if (entering_) return;
  escape_.finish(keys_);
  // Who only watches, watches on; a script that has typed all it had to is done.
  if (!writer_ && !io_.terminal().pty && wish_ == Wish::watch) return;
  // What of it was not typed is the answer.
  leaving_ = lost_;
  if (!writer_) return leave(lost_);
  flush_typed();
}

// While typed bytes wait for the line, no escape behind them is seen: a line that takes nothing must not lock
// a person in.
void AttachJob::give_up_typing() {
  say(str(device_, ": has taken nothing for ", kStalled.count(), " s; ", pending_.size(),
          " bytes were not typed"));
  pending_.clear();
  lost_ = static_cast<int>(Fault::unavailable);
  if (leaving_) return leave(lost_);
  io_.want_input();
}

void AttachJob::send_break(unsigned milliseconds) {
  if (!writer_ || !writer_->live()) return say("only who has the keyboard can send a break");
  // Written down first: it may halt the machine.
  auth::Entry entry = event_of(visitor_, "break");
  entry.with("device", device_).with("ms", static_cast<std::int64_t>(milliseconds));
  // What is typed after it waits for it: a break, then a letter, is one command to many a machine.
  breaking_ = true;
  core_.journal.commit(std::move(entry), stay_.wrap([this, milliseconds](const Result<>& written) {
    breaking_ = false;
    if (!written) {
      say(str("no break was sent: ", written.error().what));
    } else if (writer_) {
      Result<> sent = writer_->send_break(milliseconds);
      if (sent) visit_.event(auth::Entry("break").with("ms", static_cast<std::int64_t>(milliseconds)));
      say(sent ? "break sent" : base::printable(sent.error().what));
    }
    flush_typed();
  }));
}

void AttachJob::recheck() {
  if (left_) return;
  Result<auth::Grant> watch = core_.policy->decide(visitor_.who, auth::Action::watch, device_);
  if (!watch) {
    say("you may no longer watch this console");
    return leave(static_cast<int>(Fault::denied));
  }
  if (!safe_ && core_.policy->safe_for(visitor_.who, device_)) {
    safe_.emplace();
    say("safe from now on: text, colours and cursor only");
  }
  if (writer_ && !may_write() && !core_.policy->decide(visitor_.who, auth::Action::admin, device_)) {
    watch_only();
    say("you may no longer type here");
  }
}

void AttachJob::watch_only() {
  after_look_ = false;
  if (attachment_) attachment_->leave_queue();
  pending_.clear();
  if (!writer_) return;
  if (writer_->live()) {
    note("writer.leave");
    visit_.event(auth::Entry("writer").with("how", "leave"));
  }
  writer_.reset();
  io_.want_input();
}

void AttachJob::claim(Claim how) {
  if (!attachment_ || !attachment_->console()) return;
  if (writer_ && writer_->live() && how != Claim::force) return say("you have the keyboard");
  Result<auth::Grant> grant = grant_for(how);
  if (!grant) return say(grant.error().what);
  Result<std::unique_ptr<Writer>> writer = attachment_->claim(*grant, how);
  if (!writer)
    return say(
        str(writer.error().what, "; you are next when it is free, ", escape_.notation(), " f forces it"));
  writer_ = std::move(*writer);
  commit_writer(how);
  say("you may type");
}

bool AttachJob::obey(Escape::Command command, std::string_view text) {
  switch (command) {
    case Escape::Command::leave:
      pending_.clear();
      settle();
      if (io_.terminal().pty) say(str("left ", device_));
      leave(kDone);
      return false;
    case Escape::Command::write:
      claim(Claim::if_free);
      break;
    case Escape::Command::force:
      claim(Claim::force);
      break;
    case Escape::Command::join:
      claim(Claim::join);
      break;
    case Escape::Command::watch:
      watch_only();
      say(str("you are watching; ", escape_.notation(), " a to type"));
      break;
    case Escape::Command::replay:
      replay(Escape::kReplayLines);
      break;
    case Escape::Command::replay_more:
      replay(Escape::kReplayMoreLines);
      break;
    case Escape::Command::who: {
      std::string others = who_is_here();
      say(str(device_, ": you", writer_ && writer_->live() ? " (typing)" : "", "; ",
              others.empty() ? "nobody else" : others));
      break;
    }
    case Escape::Command::send_break:
      send_break(0);
      break;
    case Escape::Command::reopen: {
      if (!may_write()) {
        say("only who may type here can reopen the line");
        break;
      }
      note("line.reopen");
      say("opening the line");
      if (attachment_->console()) attachment_->console()->reopen();
      break;
    }
    case Escape::Command::help:
      io_.raw(str("\r\n", escape_.help()));
      break;
    case Escape::Command::power:
      offer_power();
      break;
    case Escape::Command::key:
      power_key(text);
      break;
    case Escape::Command::answer:
      power_answer(text);
      break;
    case Escape::Command::message:
    case Escape::Command::note:
    case Escape::Command::device:
      obey_text(command, text);
      break;
  }
  return !left_ && !entering_;
}

// The text has no controls and nothing that drives a terminal: the escape machine takes none.
void AttachJob::obey_text(Escape::Command command, std::string_view text) {
  Console* console = attachment_ ? attachment_->console() : nullptr;
  if (!console) return;
  if (command == Escape::Command::message) {
    note("message", std::string(text));
    visit_.event(auth::Entry("message").with("text", std::string(text)));
    console->announce(str(visitor_.who.user, ": ", text));
    return;
  }
  if (command == Escape::Command::note) {
    note("note", std::string(text));
    visit_.event(auth::Entry("note").with("text", std::string(text)));
    console->transcript().mark("note", str(visitor_.who.user, ": ", text));
    return say("noted");
  }
  std::string name(text);
  Device* other = core_.inventory.find(name);
  Result<auth::Grant> grant = other ? decide(core_, visitor_, auth::Action::watch, name)
                                    : Result<auth::Grant>(auth::Policy::no_such_device(name));
  if (!grant) return say(grant.error().what);
  if (other->console.get() == console) return say("you are on it");
  pending_.clear();
  settle();
  depart();
  io_.raw("\r\n");
  enter(name, Wish::write_if_free);
}

void AttachJob::replay(unsigned lines) {
  Console* console = attachment_ ? attachment_->console() : nullptr;
  if (!console || recalling_) return;
  std::string recent = console->recent(kReplay);
  recall([this, recent, lines](std::string older) {
    std::string last = last_lines(older + recent, lines);
    // Whole in itself: it comes between two pieces of what is live.
    if (safe_) last = SafeOutput().pass(last);
    screen_ += str("\r\n[oobd: the last ", lines, " lines]\r\n", last, "\r\n[oobd: live again]\r\n");
  });
}

}  // namespace oob::console

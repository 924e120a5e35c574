#include "console/dialogue.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/life.h"
#include "base/log.h"
#include "console/carrier.h"
#include "console/login.h"
#include "console/recorded_visit.h"
#include "console/visits_under_way.h"
#include "recipe/shell.h"

namespace oob::console {

using base::Error;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::chrono::seconds kStalled{30};  // the line takes nothing for so long: given up
constexpr base::milliseconds kReading{
    20'000};  // for the password's file, on a disk that may not answer at all

// What a dialogue has instead of a visitor's terminal: its recording.
class Unseen : public JobIo {
 public:
  void print(std::string_view) override {}
  void remark(std::string_view) override {}
  void raw(base::Bytes) override {}
  void raw_err(base::Bytes) override {}
  void device_output(base::Bytes bytes, base::Bytes) override {
    if (recorder_) recorder_->device(bytes);
  }
  void record(audit::Recorder* recorder) override { recorder_ = recorder; }
  std::size_t room() const override { return 0; }
  void want_input() override {}
  void finish(int) override {}
  const Terminal& terminal() const override { return terminal_; }

 private:
  Terminal terminal_;
  audit::Recorder* recorder_ = nullptr;
};

std::string shown(const std::string& doing) { return doing == "run" ? "command" : doing; }

}  // namespace

Result<std::shared_ptr<const recipe::Recipe>> recipe_of(const Core& core, const Device& device) {
  if (device.model.empty())
    return fail(Fault::usage, str(device.name,
                                  " has no model, so nobody knows how to log in; cure: model = \"linux\" (or "
                                  "what it is) in its [device] table"));
  auto recipe = core.recipes ? core.recipes->find(device.model) : nullptr;
  if (!recipe) return fail(Fault::config, str(device.name, ": there is no recipe for model ", device.model));
  return recipe;
}

class Dialogues::Dialogue {
 public:
  Dialogue(Dialogues& all, Core& core, std::uint64_t number, Order order, Done done)
      : number_(number),
        all_(all),
        core_(core),
        order_(std::move(order)),
        done_(std::move(done)),
        is_one_too_many_(all.dialogues_.size() >= kMost),
        leaving_(core.loop),
        limit_(core.loop),
        due_(core.loop),
        stalled_(core.loop),
        noting_(core.loop) {}
  ~Dialogue();
  Dialogue(const Dialogue&) = delete;
  Dialogue& operator=(const Dialogue&) = delete;

  std::uint64_t number() const { return number_; }
  // Each on a turn of its own, unless it has gone by then.
  void start_soon() {
    core_.loop.post(life_.wrap([this] { start(); }));
  }
  void interrupt_soon(const Error& why) {
    core_.loop.post(life_.wrap([this, why] { interrupt(why); }));
  }

 private:
  // One after the other; an Error ends it all.
  void start();
  void make_carrier();
  void record();
  void read_login();
  void note();
  void talk();
  base::Task<Result<>> converse(std::string screen);

  void stir();
  void turn();
  void hear();
  void type();
  void interrupt(const Error& why);
  void begin_leaving();
  void cut(const Error& why);
  void say_last_words();
  std::string left_open() const;
  bool saw_home() const;
  void displaced(const std::string& by);
  std::string doing() const { return str(order_.visitor.who.user, "'s ", shown(order_.doing)); }
  void set_left_open(Console& console, const std::string& text);
  void tell_left_open(const std::string& why, const std::string& text);
  void settle(const std::string& text);
  void tell_found_open();
  void finish(const Result<>& result);

  const std::uint64_t number_;
  Dialogues& all_;
  Core& core_;
  Order order_;
  Done done_;
  const bool is_one_too_many_;
  base::Clock::time_point began_ = base::Clock::now();
  std::shared_ptr<const recipe::Recipe> recipe_;
  recipe::Credentials credentials_;
  Unseen unseen_;
  RecordedVisit recording_{core_, order_.visitor, unseen_};
  std::unique_ptr<Carrier> carrier_;
  ConsoleCarrier* console_ = nullptr;  // it is one
  std::optional<recipe::Talk> talk_;
  std::optional<recipe::Visit> visit_;
  std::optional<Result<>> result_, left_;  // of the conversation; of going back
  bool stirred_ = false, typed_any_ = false, over_ = false;
  bool noted_ = false;  // it is among the visits under way
  base::Timer leaving_, limit_, due_, stalled_, noting_;
  std::optional<base::Task<Result<>>> task_;
  base::Life life_;
};

// --- the way there
// ------------------------------------------------------------------------------------------------

void Dialogues::Dialogue::start() {
  if (is_one_too_many_)
    return finish(fail(Fault::busy, str(kMost, " dialogues are under way; nothing was done")));
  if (all_.stopping_) return finish(*all_.stopping_);
  Device* device = core_.inventory.find(order_.device);
  if (!device) return finish(auth::Policy::no_such_device(order_.device));
  Result<std::shared_ptr<const recipe::Recipe>> recipe = recipe_of(core_, *device);
  if (!recipe) return finish(recipe.error());
  recipe_ = std::move(*recipe);
  make_carrier();
}

void Dialogues::Dialogue::make_carrier() {
  auto stirred = [this] { stir(); };
  if (order_.line) {
    carrier_ = std::make_unique<LineCarrier>(core_.loop, std::move(order_.line), stirred);
  } else {
    ConsoleCarrier::Terms terms{.device = order_.device,
                                .name = str(order_.visitor.who.user, " (", order_.doing, ")"),
                                .grant = order_.grant,
                                .wait = order_.wait,
                                .force = order_.force,
                                .is_look = order_.is_look,
                                .displaced = [this](const std::string& by) { displaced(by); }};
    auto carrier = std::make_unique<ConsoleCarrier>(core_, std::move(terms), stirred, order_.remark);
    console_ = carrier.get();
    carrier_ = std::move(carrier);
  }
  carrier_->begin([this](const Result<>& ready) {
    if (!ready) return finish(ready);
    record();
  });
}

void Dialogues::Dialogue::record() {
  if (over_) return;
  if (order_.is_look) return read_login();
  recording_.begin(order_.device, order_.doing, [this](const Result<std::string>& recorded) {
    if (over_) return;
    if (!recorded) return finish(recorded.error());
    if (!recorded->empty()) order_.remark(*recorded);
    read_login();
  });
}

void Dialogues::Dialogue::read_login() {
  Device* device = core_.inventory.find(order_.device);
  if (!device) return finish(auth::Policy::no_such_device(order_.device));
  credentials_.user = device->login.user;
  if (device->login.password_file.empty() && device->login.enable_file.empty()) return note();
  auto read = std::make_shared<Result<recipe::Credentials>>(fail(Fault::internal, "not read"));
  auto keep = life_.wrap([this, read] {
    if (over_) return;
    noting_.cancel();
    if (!*read) return finish(base::wrap(order_.device, read->error()));
    credentials_ = std::move(**read);
    note();
  });
  noting_.after(std::min(kReading, order_.limit), [this] {
    finish(fail(Fault::unavailable,
                str(order_.device, ": its password can't be read: the disk does not answer")));
  });
  core_.blocking.run([read, login = device->login] { *read = console::read_login(login); }, keep);
}

// It is on the disk before anything is typed, so that it is known even when the daemon is killed.
void Dialogues::Dialogue::note() {
  if (!core_.visits || !console_) return talk();
  noted_ = true;
  auto answer = life_.wrap([this](const Result<>& written) {
    if (over_ || talk_) return;
    noting_.cancel();
    if (!written) {
      std::string why = base::printable(written.error().what);
      if (core_.refuse_without_audit)
        return finish(fail(Fault::journal, str("the audit trail can't be written: ", why)));
      base::log(
          str(order_.device, ": if oobd is killed during ", doing(), ", nobody will be told of it: ", why));
    }
    talk();
  });
  noting_.after(VisitsUnderWay::kPatience,
                [answer]() mutable { answer(fail(Fault::journal, "the disk does not answer")); });
  core_.visits->begin(order_.device, doing(), answer);
}

// --- the conversation
// ---------------------------------------------------------------------------------------------

void Dialogues::Dialogue::talk() {
  if (over_) return;
  std::string screen = carrier_->screen();
  // Else the only thing that people see is "<ml906v2 128 0 e3b0c4...".
  bool by_blocks = recipe_->method == recipe::Method::posix_block;
  if (console_)
    console_->announce(str(order_.visitor.who.user, "'s ", shown(order_.doing), " types ",
                           by_blocks ? "checksummed blocks" : "here", "; ^Ec f takes the keyboard"));
  talk_.emplace(base::Clock::now());
  talk_->on_typing([this] { stir(); });
  visit_.emplace(*talk_, *recipe_, credentials_);
  visit_->ours(console_ && console_->console() && !console_->console()->left_open().empty());
  limit_.after(order_.limit, [this] {
    std::string span = base::human_span(std::chrono::microseconds(order_.limit).count());
    interrupt(fail(Fault::unavailable, str(order_.device, ": not done within ", span)));
  });
  task_.emplace(converse(std::move(screen)));
  task_->start([this](const Result<>& result) {
    result_ = result;
    stir();
  });
  stir();
}

base::Task<Result<>> Dialogues::Dialogue::converse(std::string screen) {
  Result<> result;
  if (!order_.line_is_shell) {
    bool has_shell = recipe_->method == recipe::Method::posix_block;
    base::Task<Result<>> arriving = has_shell ? recipe::arrive_from_shell(*visit_, *talk_, std::move(screen))
                                              : visit_->arrive(std::move(screen));
    result = co_await arriving;
  }
  if (result) {
    base::Task<Result<>> working = order_.work(*visit_, *talk_, *recipe_);
    result = co_await working;
  }
  begin_leaving();
  if (!order_.line_is_shell) {
    base::Task<Result<>> back = visit_->leave();
    Result<> left = co_await back;
    left_ = left;
  }
  co_return result;
}

void Dialogues::Dialogue::begin_leaving() {
  limit_.cancel();
  if (leaving_.waiting()) return;
  std::string span = base::human_span(std::chrono::microseconds(kLeaving).count());
  leaving_.after(kLeaving, [this, span] {
    cut(fail(Fault::unavailable, str(order_.device, ": did not get back within ", span)));
  });
}

void Dialogues::Dialogue::stir() {
  if (std::exchange(stirred_, true)) return;
  core_.loop.post(life_.wrap([this] {
    stirred_ = false;
    turn();
  }));
}

// Everything that resumes the conversation is in here, or in a timer's or an order's own turn.
void Dialogues::Dialogue::turn() {
  if (over_ || !talk_) return;
  auto now = base::Clock::now();
  // What is here already came in time, however late this turn is.
  if (std::optional<recipe::Talk::Time> due = talk_->due(); due && *due <= now) hear();
  talk_->pass(now);
  hear();
  type();
  if (result_ && !talk_->wants_to_type()) return finish(*result_);
  std::optional<recipe::Talk::Time> due = talk_->due();
  if (!due) return due_.cancel();
  due_.at(*due, [this] { turn(); });
}

void Dialogues::Dialogue::hear() {
  while (!result_) {
    Result<Carrier::Piece> piece = carrier_->next();
    if (!piece) return cut(piece.error());
    if (piece->skipped)
      recording_.event(auth::Entry("skipped").with("bytes", static_cast<std::int64_t>(piece->skipped)));
    if (piece->bytes.empty()) return;
    recording_.output(piece->bytes, {});
    talk_->hear(piece->bytes);
  }
}

void Dialogues::Dialogue::type() {
  carrier_->last_words(talk_->last_words());
  while (talk_->wants_to_type()) {
    recipe::Talk::Typed& typed = talk_->typed();
    Result<std::size_t> size = carrier_->type(typed.bytes);
    if (!size) return cut(size.error());
    if (*size == 0) break;
    typed_any_ = true;
    if (!typed.secret) {
      recording_.typed(base::Bytes(typed.bytes).substr(0, *size));
    } else if (*size == typed.bytes.size()) {
      recording_.typed_secret();
    }
    talk_->typed_so_far(*size);
    stalled_.cancel();
  }
  if (!talk_->wants_to_type() || stalled_.waiting()) return;
  stalled_.after(kStalled, [this] {
    cut(fail(Fault::unavailable, str(order_.device, ": takes no input since ", kStalled.count(), " s")));
  });
}

// --- the end
// ------------------------------------------------------------------------------------------------------

void Dialogues::Dialogue::interrupt(const Error& why) {
  if (over_) return;
  if (!talk_) return finish(why);
  begin_leaving();
  talk_->interrupt(why);
  stir();
}

void Dialogues::Dialogue::cut(const Error& why) {
  talk_->cut(why);
  while (talk_->wants_to_type()) talk_->typed_so_far(talk_->typed().bytes.size());  // goes nowhere
  stir();
}

// In one piece and at once, for there is nobody to wait for room.
void Dialogues::Dialogue::say_last_words() {
  if (!talk_ || talk_->last_words().empty() || !console_ || !console_->console()) return;
  if (!console_->displaced_by().empty()) return recording_.typed(talk_->last_words());  // the console did
  Result<std::size_t> size = carrier_->type(talk_->last_words());
  if (size) recording_.typed(base::Bytes(talk_->last_words()).substr(0, *size));
}

// Whether the device was seen where it may be left: silence is no proof that nobody is logged in.
bool Dialogues::Dialogue::saw_home() const {
  const std::vector<std::string>& path = visit_->path();
  return std::any_of(path.begin(), path.end(), [this](const std::string& name) {
    const recipe::State* state = recipe_->state(name);
    return state && state->home;
  });
}

// Why it is not known that the device is as it was; empty: it is.
std::string Dialogues::Dialogue::left_open() const {
  if (!typed_any_ || order_.line_is_shell) return {};
  if (!left_) return "it was cut short";
  return *left_ ? std::string() : base::printable(left_->error().what);
}

// Comes from the middle of the console's work: who has the keyboard now is to know at once that what they
// find is ours.
void Dialogues::Dialogue::displaced(const std::string& by) {
  if (over_) return;
  bool is_ours = typed_any_ && !(left_ && *left_);
  std::string text = is_ours ? str(doing(), ": ", by, " took the keyboard") : "";
  if (is_ours) set_left_open(*console_->console(), text);
  settle(text);
}

void Dialogues::Dialogue::set_left_open(Console& console, const std::string& text) {
  console.left_open(text, core_.visits ? core_.visits->seen_to(order_.device) : nullptr);
}

// `text` is `why` with what it is about.
void Dialogues::Dialogue::tell_left_open(const std::string& why, const std::string& text) {
  Console* console = console_ ? console_->console() : nullptr;
  if (!console) return;
  bool is_displaced = !console_->displaced_by().empty();
  if (why.empty()) {
    if (left_ && !is_displaced && saw_home()) console->left_open("");
    return;
  }
  // A look comes again and again, and finds the same.
  if (order_.is_look && !is_displaced && console->left_open() == text) return;
  if (is_displaced) {
    console_->announce("what was under way is cut short; press Enter to see where the device is");
  } else {
    set_left_open(*console, text);
    console_->announce(str("THE CONSOLE IS LEFT OPEN: ", why));
  }
  core_.journal.note(
      event_of(order_.visitor, "console.open").with("device", order_.device).with("text", why));
}

// What the file has of it agrees with the console; or with `text`, where that has gone.
void Dialogues::Dialogue::settle(const std::string& text) {
  if (!std::exchange(noted_, false)) return;
  Console* console = console_->console();
  core_.visits->end(order_.device, console ? console->left_open() : text);
}

void Dialogues::Dialogue::tell_found_open() {
  if (order_.line_is_shell || !visit_ || !visit_->found_open() || !left_) return;
  order_.remark(str(order_.device, " was logged in when found, and is left so"));
}

void Dialogues::Dialogue::finish(const Result<>& result) {
  if (std::exchange(over_, true)) return;
  for (base::Timer* timer : {&leaving_, &limit_, &due_, &stalled_, &noting_}) timer->cancel();
  std::string open = left_open();
  if (!open.empty()) say_last_words();
  if (open.empty()) tell_found_open();
  std::string text = open.empty() ? "" : str(doing(), ": ", open);
  tell_left_open(open, text);
  settle(text);
  if (console_ && talk_) console_->announce(str("the ", shown(order_.doing), " is over"));
  int status = result ? kDone : static_cast<int>(result.error().fault);
  auto took = std::chrono::duration_cast<base::milliseconds>(base::Clock::now() - began_);
  Ended ended{.result = result,
              .left_open = std::move(open),
              .recording = recording_.id(),
              .took = took,
              .silent = !result && visit_ && visit_->is_silent()};
  recording_.end(status);
  // Later: this may be in the middle of a call of any of its parts.
  core_.loop.post(life_.wrap([this, ended] {
    std::unique_ptr<Dialogue> self;
    for (auto at = all_.dialogues_.begin(); at != all_.dialogues_.end(); ++at)
      if (at->get() == this) {
        self = std::move(*at);
        all_.dialogues_.erase(at);
        break;
      }
    Done done = std::move(done_);
    Dialogues& all = all_;
    self.reset();
    done(ended);
    if (all.gone_ && all.dialogues_.empty()) std::exchange(all.gone_, nullptr)();
  }));
}

Dialogues::Dialogue::~Dialogue() {
  if (over_) return;
  std::string open = left_open();
  if (!open.empty()) say_last_words();
  if (!open.empty()) open = str("the daemon ended in the middle of ", doing());
  tell_left_open(open, open);
  settle(open);
  recording_.end(static_cast<int>(Fault::unavailable));
}

// --- all of them
// --------------------------------------------------------------------------------------------------

Dialogues::Dialogues() = default;
Dialogues::~Dialogues() = default;

std::uint64_t Dialogues::begin(Core& core, Order order, Done done) {
  std::uint64_t number = next_++;
  auto dialogue = std::make_unique<Dialogue>(*this, core, number, std::move(order), std::move(done));
  dialogue->start_soon();
  dialogues_.push_back(std::move(dialogue));
  return number;
}

void Dialogues::interrupt(std::uint64_t number, const Error& why) {
  for (const auto& dialogue : dialogues_)
    if (dialogue->number() == number) dialogue->interrupt_soon(why);
}

void Dialogues::leave_all(const Error& why, std::function<void()> gone) {
  stopping_ = why;
  if (dialogues_.empty()) return gone();
  gone_ = std::move(gone);
  for (const auto& dialogue : dialogues_) dialogue->interrupt_soon(why);
}

}  // namespace oob::console

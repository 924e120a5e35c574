#include "console/guard_revert.h"

#include <optional>

#include "console/core.h"
#include "console/dialogue.h"
#include "recipe/pull.h"

namespace oob::console {

using base::Result;

namespace {

constexpr base::milliseconds kRevertLogin{60'000};
constexpr base::milliseconds kRevertMay{20'000}, kRevertLook{20};
constexpr std::size_t kMostSaid = 400;

// The answer comes from outside of the conversation, which looks for it as time passes. From a good one on
// the device may have the line.
base::Task<Result<>> may_type(recipe::Talk& talk, std::function<void(Guards::Go)> typing,
                              std::shared_ptr<Reverted> how) {
  auto answer = std::make_shared<std::optional<Result<>>>();
  Guards::Go go = [answer](const Result<>& given) { *answer = given; };
  typing(std::move(go));
  std::function<bool()> answered = [answer] { return answer->has_value(); };
  const recipe::Talk::Time until = talk.now() + kRevertMay;
  while (!*answer) {
    if (talk.now() >= until)
      co_return base::fail(base::Fault::unavailable, "nothing was typed, for the disk does not answer");
    Result<bool> waited = co_await talk.until(answered, kRevertLook);
    if (!waited) co_return waited.error();
  }
  how->typed = (*answer)->has_value();
  co_return **answer;
}

base::Task<Result<>> type_revert(recipe::Visit& visit, recipe::Talk& talk, const recipe::Recipe& recipe,
                                 std::string line, std::function<void(Guards::Go)> typing,
                                 std::shared_ptr<Reverted> how) {
  // Not before: what comes first (a shell of our own, its tools) may fail, and is then tried again.
  recipe::MayRun may = [&talk, typing = std::move(typing), how] { return may_type(talk, typing, how); };
  base::Task<Result<recipe::Ran>> running =
      run_command(visit, talk, recipe, std::move(line), kRevertRun, std::move(may));
  Result<recipe::Ran> ran = co_await running;
  if (!ran) co_return ran.error();
  if (ran->late) co_return base::fail(base::Fault::unavailable, recipe::late_text(kRevertRun, ran->ended));
  how->status = ran->status;
  std::string said = ran->out + ran->err;
  how->said = said.size() > kMostSaid ? said.substr(said.size() - kMostSaid) : said;
  if (!ran->unread.empty()) how->said = base::str("(what it printed is not known: ", ran->unread, ")");
  co_return Result<>();
}

}  // namespace

std::function<void(const base::Error&)> revert_over_console(Core& core, const Guard& guard,
                                                            std::function<void(Guards::Go)> typing,
                                                            std::function<void(Reverted)> done) {
  auto how = std::make_shared<Reverted>();
  auto refuse = [&](const base::Error& why) {
    core.loop.post([done = std::move(done), why] { done({.result = why, .said = {}, .recording = {}}); });
    return nullptr;
  };
  Result<auth::Grant> grant = core.policy->decide(guard.who, auth::Action::write, guard.device);
  if (!grant) return refuse(grant.error());
  if (!core.dialogues) return refuse(base::fail(base::Fault::internal, "no consoles can be spoken to"));
  Visitor visitor;
  visitor.who = guard.who;
  visitor.since = base::wall_now();
  visitor.doing = "guard";
  visitor.device = guard.device;
  Dialogues::Order order{.visitor = visitor,
                         .grant = *grant,
                         .device = guard.device,
                         .doing = "guard",
                         .limit = kRevertLogin + kRevertMay + kRevertRun,
                         .force = true,
                         .work = [how, line = guard.revert, typing](recipe::Visit& visit, recipe::Talk& talk,
                                                                    const recipe::Recipe& recipe) {
                           return type_revert(visit, talk, recipe, line, typing, how);
                         }};
  std::uint64_t number = core.dialogues->begin(core, std::move(order),
                                               [how, done = std::move(done)](const Dialogues::Ended& ended) {
                                                 how->result = ended.result;
                                                 how->silent = ended.silent;
                                                 how->recording = ended.recording;
                                                 done(*how);
                                               });
  return [&core, number](const base::Error& why) {
    if (core.dialogues) core.dialogues->interrupt(number, why);
  };
}

}  // namespace oob::console

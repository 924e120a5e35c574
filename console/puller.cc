#include "console/puller.h"

#include <algorithm>
#include <utility>

#include "console/dialogue.h"

namespace oob::console {

using base::Error;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

// What a conversation needs and brings. It may go on when the pull it was made for has gone.
struct Load {
  std::vector<recipe::Fetch> more;
  bool bare_shell = false;  // the line is a /bin/sh without a terminal
  recipe::ToldProgress told;
  Result<recipe::Pulled> pulled = fail(Fault::unavailable, "nothing was fetched");
};

base::Task<Result<>> pull(std::shared_ptr<Load> load, recipe::Visit& visit, recipe::Talk& talk,
                          const recipe::Recipe& recipe) {
  std::vector<recipe::Fetch> more = load->more;
  recipe::ToldProgress told = load->told;
  if (recipe.method == recipe::Method::posix_block) {
    recipe::Visit* arrived = load->bare_shell ? nullptr : &visit;
    base::Task<Result<recipe::Pulled>> pulling =
        recipe::pull_posix(arrived, talk, recipe, std::move(more), std::move(told));
    Result<recipe::Pulled> pulled = co_await pulling;
    load->pulled = std::move(pulled);
  } else {
    base::Task<Result<recipe::Pulled>> pulling =
        recipe::pull_text(visit, talk, recipe, std::move(more), std::move(told));
    Result<recipe::Pulled> pulled = co_await pulling;
    load->pulled = std::move(pulled);
  }
  if (!load->pulled) co_return load->pulled.error();
  co_return Result<>();
}

// `fetch` of the configuration: there need not be any.
std::vector<recipe::Fetch> files_of(const std::vector<std::string>& patterns) {
  std::vector<recipe::Fetch> fetches;
  for (const std::string& pattern : patterns) {
    recipe::Fetch fetch;
    fetch.kind = recipe::Fetch::Kind::files;
    fetch.source = pattern;
    fetch.optional = true;
    fetches.push_back(std::move(fetch));
  }
  return fetches;
}

}  // namespace

struct DialoguePuller::Pull {
  std::uint64_t number = 0;
  Wish wish;
  Done done;
  std::uint64_t dialogue = 0;  // of Dialogues
};

DialoguePuller::DialoguePuller() = default;
DialoguePuller::~DialoguePuller() = default;

std::uint64_t DialoguePuller::begin(Core& core, Wish wish, Done done) {
  pulls_.push_back(std::make_unique<Pull>(Pull{next_++, std::move(wish), std::move(done), 0}));
  Pull& pull = *pulls_.back();
  const Device* device = core.inventory.find(pull.wish.device);
  visit(core, pull, device && device->in_band && pull.wish.way != Way::console);
  return pull.number;
}

void DialoguePuller::visit(Core& core, Pull& pull, bool in_band) {
  Device* device = core.inventory.find(pull.wish.device);
  auto recipe = device ? core.recipes->find(device->model) : nullptr;
  bool shell = recipe && recipe->method == recipe::Method::posix_block;
  auto load = std::make_shared<Load>();
  load->bare_shell = in_band && shell;
  load->told = pull.wish.told;
  if (device && shell) load->more = files_of(device->fetch);
  auto work = [load](recipe::Visit& visit, recipe::Talk& talk, const recipe::Recipe& by) {
    return oob::console::pull(load, visit, talk, by);
  };
  Dialogues::Order order{.visitor = pull.wish.visitor,
                         .grant = pull.wish.grant,
                         .device = pull.wish.device,
                         .doing = "snapshot",
                         .wait = pull.wish.wait,
                         .limit = pull.wish.limit,
                         .line = in_band ? device->in_band(shell) : nullptr,
                         .line_is_shell = load->bare_shell,
                         .work = std::move(work),
                         .remark = pull.wish.remark};
  // Found by its number: what is begun here may be interrupted and gone before it ends.
  auto ended = [this, &core, load, in_band, number = pull.number](const Dialogues::Ended& how) {
    auto at = std::find_if(pulls_.begin(), pulls_.end(),
                           [number](const auto& each) { return each->number == number; });
    if (at == pulls_.end()) return;
    Pull& pull = **at;
    bool unreachable = !how.result && how.result.error().fault == Fault::unavailable;
    if (in_band && unreachable && pull.wish.way == Way::any) {
      pull.wish.remark(str(pull.wish.device, ": not over the management network (", how.result.error().what,
                           "): over its console"));
      return visit(core, pull, false);
    }
    Brought brought{Result<recipe::Pulled>(how.result ? Error{} : how.result.error()), how.left_open,
                    how.recording, how.took};
    if (how.result) brought.pulled = std::move(load->pulled);
    if (brought.pulled && in_band) brought.pulled->method = "ssh";
    end(pull, std::move(brought));
  };
  pull.dialogue = core.dialogues->begin(core, std::move(order), life_.wrap(std::move(ended)));
}

void DialoguePuller::end(Pull& pull, Brought brought) {
  Done done = std::move(pull.done);
  std::erase_if(pulls_, [&](const auto& each) { return each.get() == &pull; });
  done(std::move(brought));
}

void DialoguePuller::interrupt(Core& core, std::uint64_t number, const Error& why) {
  for (const auto& pull : pulls_) {
    if (pull->number != number) continue;
    pull->wish.way = Way::console;  // what is cut off on the network is not begun anew on the console
    core.dialogues->interrupt(pull->dialogue, why);
    return;
  }
}

}  // namespace oob::console

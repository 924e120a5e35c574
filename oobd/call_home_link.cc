#include "oobd/call_home_link.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace oob {

using base::milliseconds;
using base::Result;

CallHomeLink::CallHomeLink(const CallHomeGround& ground, const std::string& name, unsigned place,
                           CallHomeFlow flow, CallHomeGround::Ended ended)
    : ground_(ground),
      place_(place),
      way_(std::move(flow.way)),
      paths_(call_home_paths(ground.state, name, place)),
      name_(name),
      before_(ground.riders(name)),
      flow_(::fcntl(flow.socket.get(), F_DUPFD_CLOEXEC, 0)),
      ended_(std::move(ended)) {
  errand_ = ground_.begin(name, std::move(flow.socket), place_,
                          life_.wrap([this](int status, const std::string& words) {
                            errand_ = 0;
                            check_.reset();
                            CallHomeGround::Ended told = std::move(ended_);
                            told(status, words);  // perhaps the end of this
                          }));
}

CallHomeLink::~CallHomeLink() {
  end();
  ::unlink(paths_.check.c_str());
}

void CallHomeLink::end() {
  // An ssh that waits for a dead connection would not hear a signal for a while.
  if (flow_) ::shutdown(flow_.get(), SHUT_RDWR);
  if (errand_) ground_.end(errand_);
}

std::vector<std::uint64_t> CallHomeLink::riders() const {
  std::vector<std::uint64_t> there = ground_.riders(name_);
  std::erase_if(there, [this](std::uint64_t one) {
    return std::find(before_.begin(), before_.end(), one) != before_.end();
  });
  return there;
}

void CallHomeLink::look(milliseconds limit, std::function<void(Result<>)> done) {
  check_ = std::make_unique<CallHomeCheck>(
      ground_.loop, paths_.check, ground_.own_keys, limit, [this, done = std::move(done)](Result<> result) {
        ground_.loop.post(
            [gone = std::shared_ptr<CallHomeCheck>(std::move(check_))] {});  // not within itself
        done(std::move(result));                                             // perhaps the end of this
      });
}

}  // namespace oob

#pragma once

#include <deque>
#include <functional>
#include <string>

#include "base/life.h"
#include "base/loop.h"
#include "ipmi/link.h"

namespace oob::ipmi {

// The requests to one BMC: one is under way, the rest waits in a bounded queue. Repeats what may be repeated
// with growing time-outs, finds the answer to each among late, doubled and foreign ones, and asks again when
// the BMC says that it is busy. Owned by its Bmc.
class Requests {
 public:
  using Done = std::function<void(Result<Response>)>;
  static constexpr std::size_t kMostWaiting = 64;

  struct Owner {
    virtual void send_message(Bytes message) = 0;  // in the session, once
    virtual void silent() = 0;                     // a request was sent as often as it may be: no answer
    virtual void unanswered() = 0;                 // one that goes out once had none
   protected:
    ~Owner() = default;
  };

  Requests(base::Loop& loop, Owner& owner);
  Requests(const Requests&) = delete;
  Requests& operator=(const Requests&) = delete;

  // As Link::ask(). Waits while there is no session; an empty `done`: nobody waits for the answer.
  void ask(Request request, Link::Send how, Done done);
  // A request that belongs to the opening of a session: goes out at once, before all others.
  void ask_first(Request request, Done done);

  // The session is up: requests may go out.
  void start();
  // It is gone: what was under way fails with `error`, the rest waits on.
  void stop(const base::Error& error);
  // No session will come soon: all fail.
  void fail_all(const base::Error& error);
  // Messages of parting requests that were not sent yet: the last words of a session's users.
  std::deque<std::string> last_words();

  void answered(const Response& response);
  bool idle() const { return waiting_.empty(); }

 private:
  struct Pending {
    Request request;
    Link::Send how = Link::Send::again;
    Done done;
    base::Clock::time_point deadline;
    unsigned sent = 0, busy = 0;
    bool first = false;
  };

  void next();
  void transmit();
  void no_answer();
  void finish(Result<Response> result);
  void expire();
  void drop(Pending pending, const base::Error& error);
  void answer_later(Done done, Result<Response> result);

  base::Loop& loop_;
  Owner& owner_;
  bool started_ = false;
  bool under_way_ = false;  // the front of waiting_
  std::uint8_t sequence_ = 0;
  std::deque<Pending> waiting_;
  base::Timer answer_, expiry_;
  base::Life life_;
};

}  // namespace oob::ipmi

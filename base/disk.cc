#include "base/disk.h"

#include <openssl/crypto.h>

#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

namespace oob::base {
namespace {

// Signals are for the loop's thread.
std::thread quiet_thread(std::function<void()> body) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

}  // namespace

struct Disk::State {
  explicit State(Loop& l) : loop(l) {}
  struct Job {
    std::function<void()> job, done;
  };
  Loop& loop;
  std::mutex mutex;
  std::condition_variable wake, idle;
  std::deque<Job> jobs;
  bool stopping = false, working = false;
  bool alive = true;  // read and written on the loop only
  std::thread thread;

  void work(const std::shared_ptr<State>& self) {
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [this] { return stopping || !jobs.empty(); });
      if (jobs.empty()) return;
      Job next = std::move(jobs.front());
      jobs.pop_front();
      working = true;
      lock.unlock();
      next.job();
      next.job = nullptr;
      if (next.done)
        loop.post([self, done = std::move(next.done)] {
          if (self->alive) done();
        });
      lock.lock();
      working = false;
      if (jobs.empty()) idle.notify_all();
    }
  }
};

Disk::Disk(Loop& loop) : state_(std::make_shared<State>(loop)) {
  state_->thread = quiet_thread([state = state_] { state->work(state); });
}

Disk::~Disk() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_one();
  state_->thread.join();
  state_->alive = false;
}

void Disk::run(std::function<void()> job, std::function<void()> done) {
  {
    std::lock_guard lock(state_->mutex);
    state_->jobs.push_back({std::move(job), std::move(done)});
  }
  state_->wake.notify_one();
}

void Disk::drain() {
  std::unique_lock lock(state_->mutex);
  state_->idle.wait(lock, [this] { return state_->jobs.empty() && !state_->working; });
}

struct Blocking::State : std::enable_shared_from_this<Blocking::State> {
  explicit State(Loop& l) : loop(l), timer(std::in_place, l) {}
  struct Call {
    std::function<void()> call, done;
  };
  struct Running {
    Clock::time_point since;
    bool stuck = false;
  };
  Loop& loop;
  // Looks for stuck calls. Gone before the loop is, which a stuck thread may outlive.
  std::optional<Timer> timer;
  std::deque<Call> queue;
  std::list<Running> running;
  int stuck = 0;
  std::mutex mutex;   // around posting to the loop, which may be destroyed right after ~Blocking
  bool alive = true;  // written under the mutex on the loop

  void start_more() {
    while (alive && !queue.empty() && static_cast<int>(running.size()) - stuck < kAtOnce &&
           static_cast<int>(running.size()) < kStuckAtMost) {
      Call call = std::move(queue.front());
      queue.pop_front();
      auto place = running.insert(running.end(), Running{Clock::now()});
      quiet_thread([self = shared_from_this(), call = std::move(call), place]() mutable {
        call.call();
        call.call = nullptr;
        std::lock_guard lock(self->mutex);
        if (!self->alive) return;
        self->loop.post([self, done = std::move(call.done), place] {
          if (place->stuck) --self->stuck;
          self->running.erase(place);
          if (!self->alive) return;
          done();
          self->start_more();
        });
      }).detach();
    }
    if (alive && !running.empty() && !timer->waiting()) timer->after(milliseconds(50), [this] { look(); });
  }

  void look() {
    for (Running& call : running) {
      if (!call.stuck && Clock::now() - call.since > milliseconds(100)) {
        call.stuck = true;
        ++stuck;
      }
    }
    start_more();
  }
};

// A call that is stuck may outlive main(), and be inside OpenSSL then: that must not be taken apart under it.
Blocking::Blocking(Loop& loop) : state_(std::make_shared<State>(loop)) {
  ::OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
}

Blocking::~Blocking() {
  {
    std::lock_guard lock(state_->mutex);
    state_->alive = false;
  }
  state_->timer.reset();
  state_->queue.clear();
}

void Blocking::run(std::function<void()> call, std::function<void()> done) {
  state_->queue.push_back({std::move(call), std::move(done)});
  state_->start_more();
}

}  // namespace oob::base

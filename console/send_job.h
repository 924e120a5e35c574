#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/life.h"
#include "console/core.h"
#include "console/dispatcher.h"
#include "console/job.h"
#include "console/recorded_visit.h"

namespace oob::console {

// `send D TEXT`: takes the keyboard if it is free, types the text, or all of stdin, and lets go. Also
// `break`. What is to be done is in the journal before it is done.
class SendJob : public Job, private Watcher {
 public:
  static constexpr std::chrono::seconds kStalled{30};  // the line takes nothing for so long: given up
  static constexpr std::size_t kMostPending = 64 * 1024;

  struct Work {
    std::string text;         // to be typed
    bool from_stdin = false;  // and all of stdin
    bool is_break = false;    // instead: a break of so many milliseconds
    unsigned milliseconds = 0;
  };

  SendJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments, Work work);

  void start() override;
  std::size_t typed(base::Bytes bytes) override;
  void ended() override;
  void recheck() override;

 private:
  void more() override;
  void told(const std::string& what) override { io_.remark(what); }
  void displaced(const std::string& by) override;
  void writable() override { push(); }
  void gone(const std::string& why) override;
  void offered() override;
  void arrive(const std::string& unrecorded);
  void take_keyboard();
  void begin();
  void push();
  void stop(const base::Error& error);
  void finish(int status);

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  auth::Grant grant_;
  std::string device_;
  Work work_;
  std::string pending_;
  bool begun_ = false, ended_ = false, over_ = false;
  base::Timer stalled_;
  RecordedVisit visit_{core_, visitor_, io_};
  std::unique_ptr<Attachment> attachment_;
  std::unique_ptr<Writer> writer_;
  base::Life life_;
};

}  // namespace oob::console

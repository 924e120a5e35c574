#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/life.h"
#include "console/core.h"
#include "console/job.h"
#include "console/line_editor.h"

namespace oob::console {

// `ssh oob` without a command: on a terminal a prompt with history and completion, and the list at the top;
// without one, commands from stdin, one a line. Runs one command after another, each as a Job of its own; the
// exit status is the last one's.
class PromptJob : public Job {
 public:
  PromptJob(Core& core, Visitor& visitor, JobIo& io);

  void start() override;
  std::size_t typed(base::Bytes bytes) override;
  void ended() override;
  void room() override;
  void resized() override;
  void send_break(unsigned milliseconds) override;
  void recheck() override;
  bool wants_keys() const override { return true; }
  bool interactive() const override { return true; }

 private:
  // What a command started here sees of the visitor: the same, but its end is only its own.
  class Inner : public JobIo {
   public:
    explicit Inner(PromptJob& prompt) : prompt_(prompt) {}
    void print(std::string_view text) override { prompt_.io_.print(text); }
    void remark(std::string_view text) override { prompt_.io_.remark(text); }
    void raw(base::Bytes bytes) override { prompt_.io_.raw(bytes); }
    void raw_err(base::Bytes bytes) override { prompt_.io_.raw_err(bytes); }
    void device_output(base::Bytes bytes, base::Bytes shown) override {
      prompt_.io_.device_output(bytes, shown);
    }
    void record(audit::Recorder* recorder) override { prompt_.io_.record(recorder); }
    std::size_t room() const override { return prompt_.io_.room(); }
    void want_input() override { prompt_.io_.want_input(); }
    void finish(int status) override { prompt_.finished(status); }
    const Terminal& terminal() const override { return prompt_.io_.terminal(); }

   private:
    PromptJob& prompt_;
  };

  std::size_t typed_on_terminal(base::Bytes bytes);
  std::size_t typed_lines(base::Bytes bytes);
  bool run(std::string_view line);  // false: the visit is over
  void finished(int status);
  void show();
  void leave();

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  Inner inner_{*this};
  std::optional<LineEditor> editor_;  // on a terminal
  std::string line_;                  // without one: the beginning of the next line
  bool ended_ = false, over_ = false;
  int status_ = kDone;
  std::unique_ptr<Job> job_;
  bool job_over_ = false;  // finished, but not destroyed yet
  base::Life life_;
};

}  // namespace oob::console

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/wire.h"
#include "console/core.h"
#include "console/job.h"

namespace oob::console {

// One visitor: the core's end of one session socket, from the front or from `oobd ctl`. Reads frames, starts
// the Job that was asked for, and moves its output as the socket takes it. Lives in Core::sessions and takes
// itself out.
class Session : private JobIo {
 public:
  static constexpr std::size_t kMostOut =
      32 * 1024;  // bytes waiting for the socket; then the Job has no room
  static constexpr std::size_t kMostRemarked = 256 * 1024;  // then remarks are counted and dropped
  static constexpr std::size_t kMostEver = 4 << 20;         // who is told this much without reading is let go
  static constexpr std::chrono::seconds kFarewell{2};  // for a checkpoint to go with the end of the session
  static constexpr std::chrono::seconds kLastWords{
      10};  // for a peer that does not take the end of the output

  struct Terms {
    bool has_forced_command = false;
    std::string forced_command;  // runs instead of what is asked for
    std::string device;          // "alice:edge1": its console, instead of the prompt
    std::string notice{};        // told at the beginning; empty: nothing
  };

  // The socket is non-blocking. REQUIRES: call begin() once it is in Core::sessions.
  Session(Core& core, base::Fd socket, Visitor visitor, Terms terms);
  ~Session() override;
  void begin();

  const Visitor& visitor() const { return visitor_; }
  // Shows `why` and ends the session.
  void end(const std::string& why, int status);
  // The policy has changed.
  void recheck();

 private:
  void print(std::string_view text) override;
  void remark(std::string_view text) override;
  void raw(base::Bytes bytes) override;
  void raw_err(base::Bytes bytes) override;
  void device_output(base::Bytes bytes, base::Bytes shown) override;
  void record(audit::Recorder* recorder) override { recorder_ = recorder; }
  std::size_t room() const override;
  void want_input() override;
  void finish(int status) override;
  const Terminal& terminal() const override { return terminal_; }

  void wait_readable();
  void readable();
  void take_frames();
  std::size_t type();
  void watch_for_hangup();
  bool take_frame(base::wire::Frame kind, base::Bytes payload);
  void open(base::Bytes payload);
  void put(base::wire::Frame kind, base::Bytes payload);
  void flush();
  bool done() const { return over_ || leaving_; }
  void say_farewell(const std::optional<auth::SignedNote>& checkpoint);
  void say_status(int status);
  void say_end();
  void close();

  Core& core_;
  Visitor visitor_;
  Terms terms_;
  base::Fd socket_;
  base::Watch watch_;
  base::wire::Frames frames_;
  std::string input_;  // of a data frame, not yet taken by the job
  std::string out_;    // frames the socket has not taken
  Terminal terminal_;
  std::uint64_t skipped_ = 0;  // remarks there was no room for
  audit::Recorder* recorder_ = nullptr;
  std::unique_ptr<Job> job_;
  bool opened_ = false, eof_ = false, eof_told_ = false, over_ = false, closed_ = false;
  bool interactive_ = false;  // a person on a terminal, with the prompt or a console
  bool noted_close_ = false;
  std::optional<int> leaving_;       // its status, while a checkpoint is waited for
  mutable bool wants_room_ = false;  // room() found none: the job is called when there is
  base::Timer hangup_, last_words_;
  base::Life life_;
};

// The live session with this number, or null.
Session* session_numbered(Core& core, std::uint64_t number);
// Adds and begins it.
void add_session(Core& core, base::Fd socket, Visitor visitor, Session::Terms terms);

}  // namespace oob::console

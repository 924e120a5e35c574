#pragma once

#include <memory>
#include <optional>
#include <string>

#include "audit/player.h"
#include "console/audit_stream.h"

namespace oob::console {

// `replay ID`: plays a recording. On a terminal in its time, with keys (audit::Player); without one as fast
// as the visitor takes it, unless --speed is given. --follow goes on with one that is live.
class ReplayJob : public AuditJob {
 public:
  static constexpr base::milliseconds kLook{250};  // whether a live one has grown

  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io, Arguments a);
  ReplayJob(Core& core, Visitor& visitor, JobIo& io, Arguments arguments, std::string id,
            audit::PlayOptions options);

  void start() override;
  std::size_t typed(base::Bytes bytes) override;
  void room() override { play(); }
  bool wants_keys() const override { return true; }

 private:
  struct Reading;  // what the thread works on

  void play();
  void read();
  void came(Reading& reading);
  void leave(const std::string& words);
  void finish(int status) override;

  Arguments arguments_;
  std::string id_;
  audit::PlayOptions options_;
  std::string path_;
  std::unique_ptr<audit::CastReader> reader_;
  std::unique_ptr<audit::Player> player_;
  SafeOutput safe_;  // also where all passes: it knows how to put the terminal back
  bool filter_ = false, reading_ = false, at_end_ = false, closed_ = false, said_ = false;
  base::Timer next_, look_;
};

}  // namespace oob::console

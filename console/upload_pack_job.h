#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/life.h"
#include "console/core.h"
#include "console/job.h"
#include "console/upload_pack.h"

namespace oob::console {

// `git clone ssh://oob/snapshots`: the history of the configurations that the visitor may `snapshot`, and
// nothing else of it, read only. Written down, then git-upload-pack runs between their typing and their
// output.
class UploadPackJob : public Job {
 public:
  static constexpr std::size_t kMostAtOnce = 4;
  static constexpr base::milliseconds kPatience{60'000};  // without a byte moved

  static base::Result<std::unique_ptr<Job>> make(Core& core, Visitor& visitor, JobIo& io,
                                                 const std::string& repository);
  UploadPackJob(Core& core, Visitor& visitor, JobIo& io, std::string program);

  void start() override;
  std::size_t typed(base::Bytes bytes) override;
  void ended() override;
  void room() override { pour(); }
  void recheck() override;
  bool wants_keys() const override { return true; }

 private:
  void run(const std::string& repository);
  void pour();
  void over(int status, const std::string& said);
  void stop(const base::Error& error);
  void moved();

  Core& core_;
  Visitor& visitor_;
  JobIo& io_;
  std::string program_;
  std::set<std::string> devices_;
  std::shared_ptr<const void> kept_;  // what git reads
  bool running_ = false, input_ended_ = false, over_ = false;
  base::Timer patience_;
  UploadPack pack_;
  base::Life life_;
};

// What other programs ask for by `exec` (RFC 4254, 6.5), and no person types: the Job, or a refusal with what
// to do instead. None: it is nothing of the kind.
std::optional<base::Result<std::unique_ptr<Job>>> foreign_program(Core& core, Visitor& visitor, JobIo& io,
                                                                  const std::string& line);

}  // namespace oob::console

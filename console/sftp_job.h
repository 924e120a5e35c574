#pragma once

#include "console/core.h"
#include "console/job.h"
#include "console/sftp_server.h"
#include "console/sftp_tree.h"

namespace oob::console {

// The subsystem "sftp" of one visitor: an SftpServer between their typing and their output. While there is no
// room for answers no request is taken, and so what a client sends ahead stays with the client.
class SftpJob : public Job {
 public:
  SftpJob(Core& core, Visitor& visitor, JobIo& io);

  void start() override {}
  std::size_t typed(base::Bytes bytes) override;
  void ended() override;
  void room() override { io_.want_input(); }
  void recheck() override { server_.recheck(); }
  bool wants_keys() const override { return true; }

 private:
  void answered(const std::string& packet);

  JobIo& io_;
  SftpTree tree_;
  SftpServer server_;
  bool ended_ = false, over_ = false;
};

}  // namespace oob::console

#include "console/sftp_job.h"

namespace oob::console {

SftpJob::SftpJob(Core& core, Visitor& visitor, JobIo& io)
    : io_(io), tree_(core, visitor), server_(tree_, [this](std::string packet) { answered(packet); }) {}

std::size_t SftpJob::typed(base::Bytes bytes) {
  if (over_) return bytes.size();
  if (server_.busy() || io_.room() == 0) return 0;
  base::Result<std::size_t> taken = server_.feed(bytes);
  if (taken) return *taken;
  over_ = true;
  io_.remark(base::str("oobd: sftp: ", taken.error().what));
  io_.finish(static_cast<int>(base::Fault::usage));
  return bytes.size();
}

void SftpJob::answered(const std::string& packet) {
  if (over_) return;
  io_.raw(packet);
  if (ended_) {
    over_ = true;
    return io_.finish(kDone);
  }
  io_.want_input();
}

void SftpJob::ended() {
  ended_ = true;
  if (over_ || server_.busy()) return;
  over_ = true;
  io_.finish(kDone);
}

}  // namespace oob::console

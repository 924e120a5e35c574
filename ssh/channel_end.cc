#include "ssh/channel_end.h"

#include <algorithm>

namespace oob::ssh {

ChannelEnd::ChannelEnd(ssh_channel channel) : channel_(channel) {
  ssh_callbacks_init(&callbacks_);
  callbacks_.userdata = this;
  callbacks_.channel_data_function = on_data;
  callbacks_.channel_eof_function = on_eof;
  callbacks_.channel_close_function = on_close;
  callbacks_.channel_signal_function = on_signal;
  ssh_set_channel_callbacks(channel_, &callbacks_);
}

ChannelEnd::~ChannelEnd() {
  if (!channel_) return;
  ssh_remove_channel_callbacks(channel_, &callbacks_);
  ssh_channel_free(channel_);
}

void ChannelEnd::forget() {
  if (channel_) ssh_remove_channel_callbacks(channel_, &callbacks_);
  channel_ = nullptr;
}

int ChannelEnd::on_data(ssh_session, ssh_channel, void*, std::uint32_t size, int is_stderr, void* self) {
  if (is_stderr) return static_cast<int>(size);  // no client has a stderr to send: dropped
  static_cast<ChannelEnd*>(self)->unread_ = size;
  return 0;  // stays in libssh, so that its window stays shut
}

void ChannelEnd::on_eof(ssh_session, ssh_channel, void* self) { static_cast<ChannelEnd*>(self)->eof_ = true; }

void ChannelEnd::on_close(ssh_session, ssh_channel, void* self) {
  static_cast<ChannelEnd*>(self)->closed_ = true;
}

void ChannelEnd::on_signal(ssh_session, ssh_channel, const char* name, void* self) {
  static_cast<ChannelEnd*>(self)->on_signal(name);
}

std::size_t ChannelEnd::read(std::string& scratch) {
  if (unread_ == 0) return 0;
  int size =
      ssh_channel_read_nonblocking(channel_, scratch.data(), static_cast<std::uint32_t>(scratch.size()), 0);
  if (size <= 0) {
    unread_ = 0;
    return 0;
  }
  unread_ -= std::min(unread_, static_cast<std::size_t>(size));
  return static_cast<std::size_t>(size);
}

bool ChannelEnd::may_write(ssh_session session) const {
  return !closed_ && !(ssh_get_status(session) & SSH_WRITE_PENDING);
}

std::size_t ChannelEnd::write(base::Bytes bytes, bool is_err) {
  std::size_t window = ssh_channel_window_size(channel_);
  if (window == 0) return 0;
  auto size = static_cast<std::uint32_t>(std::min(bytes.size(), window));
  int done = is_err ? ssh_channel_write_stderr(channel_, bytes.data(), size)
                    : ssh_channel_write(channel_, bytes.data(), size);
  return done > 0 ? static_cast<std::size_t>(done) : 0;
}

}  // namespace oob::ssh

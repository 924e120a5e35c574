#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/recorder.h"
#include "audit/syslog_export.h"
#include "auth/journal.h"
#include "base/disk.h"
#include "base/loop.h"
#include "console/core.h"
#include "console/rights_clock.h"

#include "oobd/config.h"
#include "oobd/disk_guard.h"
#include "oobd/door.h"
#include "oobd/gear.h"
#include "oobd/listeners.h"
#include "oobd/notify.h"

namespace oob {

// The daemon: builds every part by hand, from the configuration, and answers the front and the board. One a
// state folder. What is not there at start (devices, network addresses excepted) is tried again for ever.
class Server {
 public:
  Server(base::Loop& loop, std::string config_file);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Reads the configuration and starts everything. An Error's fault is the exit status (78 for the
  // configuration). `ready` runs once the front serves, with the addresses.
  base::Result<> start(std::function<void(const std::vector<std::string>& addresses)> ready);
  // Reads the configuration again. A faulty one changes nothing; the text says what was changed.
  base::Result<std::string> reload();
  void child_ended() {
    if (door_) door_->child_ended();
  }

  // Of the host keys that are offered: "ssh-ed25519 AAAA…".
  const std::vector<std::string>& host_key_lines() const { return host_key_lines_; }

 private:
  base::Result<Config> read();
  base::Result<> lock_state();
  base::Result<> load_host_keys();
  base::Result<> listen();
  void tell_trouble();
  void announce_log(bool failing, const std::string& trouble);
  std::string apply_devices(const Config& next);

  void start_front();
  void accept_local();
  void board_visitor(base::Fd socket);

  static constexpr std::chrono::seconds kWholeAgain{5};
  static constexpr std::size_t kMostLocal = 64;  // sessions by `oobd ctl` at once

  base::Loop& loop_;
  std::string config_file_;
  std::optional<Config> config_;
  base::Fd lock_, local_;
  std::unique_ptr<base::Watch> local_watch_;
  base::Timer accept_pause_;
  base::Timer whole_again_;
  bool told_trouble_ = false;
  base::Blocking blocking_;
  std::optional<base::Disk> disk_;  // its threads begin in the sandbox
  std::unique_ptr<auth::Journal> journal_;
  std::unique_ptr<audit::Recordings> recordings_;
  std::unique_ptr<console::Archive> archive_;
  std::unique_ptr<console::Pace> pace_;
  console::Inventory inventory_;
  std::unique_ptr<Gear> gear_;  // after the inventory, which it empties
  std::optional<console::Core> core_;
  std::optional<console::RightsClock> rights_;
  std::optional<DiskGuard> disk_guard_;
  std::unique_ptr<audit::SyslogExport> syslog_;
  std::vector<std::string> host_keys_;  // private, for the front
  std::vector<std::string> host_key_lines_, host_key_prints_;
  std::vector<Listener> listeners_;
  std::unique_ptr<Door> door_;
  std::function<void(const std::vector<std::string>&)> ready_;
};

// "oobd 0.1.0"
std::string version();

// `oobd serve`: the exit status.
int run_serve(const std::string& config_file);

}  // namespace oob

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
#include "console/history.h"
#include "console/rights_clock.h"

#include "oobd/call_home.h"
#include "oobd/check_uplink.h"
#include "oobd/config.h"
#include "oobd/disk_guard.h"
#include "oobd/door.h"
#include "oobd/drill_clock.h"
#include "oobd/drill_login.h"
#include "oobd/errands.h"
#include "oobd/gates.h"
#include "oobd/gear.h"
#include "oobd/notices.h"
#include "oobd/notify.h"
#include "oobd/snapshot_clock.h"
#include "oobd/uplink_news.h"
#include "oobd/watch_settings.h"
#include "uplink/uplinks.h"

namespace oob {

// The daemon: builds every part by hand, from the configuration, and answers the front and the board. One a
// state folder. What is not there at start, such as devices and addresses of its own, is tried again for
// ever.
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
  // For a stop: dialogues get some time to leave the devices that they are logged in to; then `done`, perhaps
  // at once. Asked again: `done` now.
  void wind_down(std::function<void()> done);
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
  void note_listener(const console::ClosedListener& listener);
  std::vector<std::string> uplink_errors() const;
  void start_errands();
  void start_call_homes();
  std::string adopt_call_homes(const Config& config);
  void tell_trouble();
  void announce_log(bool failing, const std::string& trouble);
  std::string apply_devices(const Config& next);

  void start_snapshots();
  void start_notices();
  void start_drills();
  void start_front();
  void accept_local();
  void board_visitor(base::Fd socket);

  static constexpr std::chrono::seconds kWholeAgain{5};
  static constexpr std::chrono::seconds kLeaving{3};    // for dialogues, when the daemon stops
  static constexpr std::chrono::seconds kLateLogin{2};  // the front looks at limits.grace each second
  static constexpr std::size_t kMostLocal = 64;         // sessions by `oobd ctl` at once

  base::Loop& loop_;
  std::string config_file_;
  std::optional<Config> config_;
  base::Fd lock_, local_;
  std::unique_ptr<base::Watch> local_watch_;
  base::Timer accept_pause_;
  base::Timer whole_again_, leaving_;
  bool stopping_ = false;
  bool told_trouble_ = false;
  base::Blocking blocking_;
  uplink::Uplinks uplinks_;
  std::optional<base::Disk> disk_;  // its threads begin in the sandbox
  std::unique_ptr<auth::Journal> journal_;
  std::unique_ptr<audit::Recordings> recordings_;
  std::unique_ptr<console::Archive> archive_;
  std::unique_ptr<console::Pace> pace_;
  console::Inventory inventory_;
  std::unique_ptr<Gear> gear_;  // after the inventory, which it empties
  std::unique_ptr<console::History> store_;
  std::optional<console::Core> core_;
  std::optional<console::RightsClock> rights_;
  std::optional<DiskGuard> disk_guard_;
  std::optional<SnapshotClock> snapshot_clock_;
  std::optional<console::WatchesTold> watches_told_;
  std::optional<console::Watches> watches_;
  std::unique_ptr<audit::SyslogExport> syslog_;
  std::unique_ptr<Errands> errands_;       // null: the configuration had nothing for it at the start
  std::unique_ptr<CallHomes> call_homes_;  // null: no errands
  uplink::Uplinks::Handle home_way_out_, home_uplinks_;
  std::unique_ptr<Notices> notices_;
  uplink::Uplinks::Handle way_out_changed_;
  std::optional<UplinkNews> uplink_news_;
  std::optional<UplinkCheckup> checkup_;
  std::vector<std::string> host_keys_;  // private, for the front
  std::vector<std::string> host_key_lines_, host_key_prints_;
  std::optional<Gates> gates_;
  uplink::Uplinks::Handle interfaces_changed_;
  std::unique_ptr<Door> door_;
  std::optional<DrillLogin> drill_login_;
  std::optional<DrillClock> drill_clock_;
  std::function<void(const std::vector<std::string>&)> ready_;
};

// "oobd 0.1.0"
std::string version();

// `oobd serve`: the exit status.
int run_serve(const std::string& config_file);

}  // namespace oob

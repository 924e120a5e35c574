#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/disk.h"
#include "base/loop.h"
#include "serial/fd_line.h"
#include "serial/path_watch.h"
#include "serial/tty.h"

namespace oob::serial {

// The Line of a UART or any other tty. Which of the two it is is found out at each open, because the device
// may come back as another one behind its link. What a driver can hang in runs on `blocking`, at most one
// such call a line when it opens: a dead port never piles up threads.
class TtyLine : public FdLine {
 public:
  static constexpr base::milliseconds kOpenLimit{12'000};
  // How long output may take to leave before a break. After that it is stopped by flow control and thrown
  // away.
  static constexpr base::milliseconds kDrainLimit{5'000};
  using Open = std::function<base::Result<std::unique_ptr<Tty>>(const TtySettings&)>;

  TtyLine(base::Loop& loop, base::Blocking& blocking, PathWatch& paths, TtySettings settings,
          Open open = &open_tty);
  ~TtyLine() override;
  TtyLine(const TtyLine&) = delete;
  TtyLine& operator=(const TtyLine&) = delete;

  void open(std::function<void(base::Result<>)> done) override;
  // Takes nothing while a break lasts: the UART would swallow it.
  base::Result<std::size_t> write(base::Bytes bytes) override;
  void wait_writable(std::function<void()> what) override;
  // Fault::busy while the last one lasts. A driver that can't break says so later, to the log.
  base::Result<> send_break(unsigned milliseconds) override;
  void close() override;
  void wait_return(std::function<void()> what) override;
  std::string describe() const override;

 private:
  struct Attempt;
  static void let_go(base::Blocking& blocking, std::shared_ptr<Tty> tty, std::function<void()> done);
  std::function<void()> later(std::function<void()> done);
  void begin();
  void drop_attempt();
  void opened(base::Result<> result);
  void end_break();
  void break_over(const std::optional<base::Error>& failed);

  base::Blocking& blocking_;
  PathWatch& paths_;
  const TtySettings settings_;
  const Open open_;

  // Shared with the threads that call into the driver; the last of them closes it (never the loop).
  std::shared_ptr<Tty> tty_;
  // Null once this line is destroyed, for calls that come back later.
  std::shared_ptr<TtyLine*> self_;
  int calls_ = 0;  // under way on threads, of the tty opened now or of former ones
  std::shared_ptr<Attempt> attempt_;
  std::function<void(base::Result<>)> done_;
  base::Timer limit_;

  unsigned turn_ = 0;  // counts openings: a break of a former one says nothing here
  bool breaking_ = false;
  std::function<void()> held_;  // wait_writable() while breaking_
  base::Timer break_timer_;

  PathIdentity seen_;  // as the last open() found it
  std::optional<PathWatch::Wait> return_;
};

}  // namespace oob::serial

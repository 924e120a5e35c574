#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"
#include "oobd/host_key_look.h"
#include "oobd/listeners.h"

namespace oob {

// Comes to this board's own door as anybody does, as far as the key that it shows: whether the front takes
// connections, exchanges keys, and how long that takes. Who is let in with which key it does not try.
class DrillLogin {
 public:
  using Done = std::function<void(base::Result<std::string>)>;
  static constexpr base::milliseconds kLimit{10'000}, kSlow{2'000};

  // `own`: the key blobs of this board.
  DrillLogin(base::Loop& loop, std::vector<std::string> own, base::milliseconds slow = kSlow,
             base::milliseconds limit = kLimit);
  DrillLogin(const DrillLogin&) = delete;
  DrillLogin& operator=(const DrillLogin&) = delete;

  // `address`: where the front listens, "192.0.2.1:2222", "[::]:2222", "unix:/run/…". By Way::onion it comes
  // as tor would, on a circuit of its own. Fault::unavailable: nobody, or no answer within the limit;
  // Fault::denied: another host; Fault::failed: too slow. `done` is called once, from the loop. One at a
  // time: what was under way is dropped.
  void look(const std::string& address, Listener::Way way, Done done);

 private:
  void connected();
  void send(base::Bytes bytes);
  void hear();
  void end(base::Result<> result);

  base::Loop& loop_;
  std::vector<std::string> own_;
  base::milliseconds slow_, patience_;
  std::string address_;
  Listener::Way way_ = Listener::Way::tcp;
  base::Clock::time_point since_;
  base::Fd socket_;
  std::unique_ptr<base::Watch> watch_;
  std::optional<HostKeyLook> look_;
  Done done_;
  base::Timer limit_;
  base::Life life_;
};

}  // namespace oob

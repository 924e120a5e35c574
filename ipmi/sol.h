#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "base/life.h"
#include "base/loop.h"
#include "console/line.h"
#include "ipmi/link.h"
#include "ipmi/sol_settings.h"
#include "ipmi/sol_stream.h"

namespace oob::ipmi {

// A BMC's Serial over LAN as a console's line (IPMI 2.0 rev 1.1, section 15; 24.1 to 24.5): payload type 1,
// instance 1, encrypted and authenticated, in the session of its Link. The Link outlives it.
//
// A BMC has one SOL, and most let whoever asks take it. This line takes it over when it is in use, and says
// so; what it left active itself it activates anew. Once it was taken from this line it lets the other have
// it for half a minute, then for longer and longer up to ten: otherwise two servers would take it from each
// other for ever.
class Sol final : public console::Line, private SolUser {
 public:
  static constexpr base::milliseconds kOpenLimit{14'000};
  static constexpr base::milliseconds kSettingsLimit{5'000};
  static constexpr base::milliseconds kAskEvery{45'000};      // whether the SOL is still ours
  static constexpr base::milliseconds kFirstHoldOff{30'000};  // after it was taken
  static constexpr base::milliseconds kMostHoldOff{600'000};

  // How long its waits are, for tests.
  struct Times {
    base::milliseconds open_limit = kOpenLimit, settings_limit = kSettingsLimit, ask_every = kAskEvery,
                       first_hold_off = kFirstHoldOff, takeover_pause{200}, takeover_jitter{1300};
    unsigned most_tries = SolStream::kMostTries;
  };

  // `remark` hears what people on the console should know and what is no error; it may be null.
  Sol(base::Loop& loop, Link& link, SolSettings settings, std::function<void(const std::string&)> remark);
  Sol(base::Loop& loop, Link& link, SolSettings settings, std::function<void(const std::string&)> remark,
      Times times);
  ~Sol() override;

  void open(std::function<void(base::Result<>)> done) override;
  base::Result<std::size_t> read(char* to, std::size_t most) override;
  std::optional<console::LineMark> next_mark() override;
  base::Result<std::size_t> write(base::Bytes bytes) override;
  void wait_readable(std::function<void()> what) override;
  void wait_writable(std::function<void()> what) override;
  // The BMC decides how long it is: 300 ms, nominally (table 15-4). Fault::busy while one is on its way.
  base::Result<> send_break(unsigned milliseconds) override;
  void close() override;
  void wait_return(std::function<void()> what) override;
  std::string describe() const override;

 private:
  enum class State { closed, opening, open, broken };

  void sol_packet(Bytes payload) override;
  void session_up() override;
  void session_lost(const base::Error& why) override;

  void prepare();
  void activate();
  void activated(const Result<Response>& answer);
  void in_use();
  void ask_whose_it_is();
  void told_left(std::optional<std::uint32_t> owner);
  void deactivate_and_try_again();
  void came_up(const Response& answer);
  void fail_open(base::Error error);
  void break_off(std::string why);
  void no_answer();
  void taken(std::string why);
  void let_go();

  void ask_whose();
  void ask_later();
  void told_active(const Result<Response>& answer);
  void told_owner(const Result<Response>& answer);

  void drive();
  void wake();
  void say(const std::string& what);
  base::milliseconds up_to(base::milliseconds most);

  base::Loop& loop_;
  Link& link_;
  SolParameters parameters_;
  const bool set_parameters_;
  const std::function<void(const std::string&)> remark_;
  const Times times_;
  std::minstd_rand random_;

  State state_ = State::closed;
  std::string why_;  // while broken
  std::function<void(base::Result<>)> opened_;
  std::function<void()> readable_, writable_, return_;
  std::optional<SolStream> stream_;  // while open or broken
  base::Timer limit_, settings_limit_, pause_, stream_timer_, ask_timer_;
  std::string last_trouble_;  // with the parameters

  bool maybe_active_ = false;       // the BMC may hold an activation of ours that nobody uses
  bool waits_for_session_ = false;  // open() does, for a session that is being opened
  bool asking_ = false;             // Activate Payload is under way
  bool took_over_ = false;          // in this open()
  bool asked_again_ = false;        // likewise
  bool tried_both_ = false;         // kinds of alerts, likewise
  bool deferred_ = false;           // ask with serial alerts deferred
  bool unanswered_ = false;         // the BMC took no input any more: that is why it was broken off
  std::uint32_t active_in_ = 0;     // the session of the activation that there is, or may be
  // Since the SOL was taken from us.
  base::milliseconds hold_off_{0};  // the next one doubles it
  base::Clock::time_point let_have_until_{}, up_since_{};

  // What this BMC has told of who has the SOL, since the activation.
  bool tells_owner_ = true;
  bool told_once_ = false;
  std::uint32_t owner_ = 0;  // what it said first

  std::optional<base::Life> run_;  // of the callbacks of one open()
  base::Life life_;
};

}  // namespace oob::ipmi

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "audit/syslog_trust.h"
#include "base/fd.h"
#include "base/life.h"
#include "base/loop.h"
#include "base/result.h"

namespace oob::audit {

// One connection to a collector: TLS over TCP as a client (RFC 5425), from the connect to the first fault.
//
// RFC 5425 acknowledges nothing. What is taken for arrived:
// - TLS 1.3: what was written before a KeyUpdate that asks for one, once the answer is there (RFC 8446,
//   4.6.3): the other side's TLS has read all before it.
// - else (TLS 1.2, or a collector that leaves such requests unanswered): what its kernel has acknowledged, a
//   second after it was written.
class SyslogLink {
 public:
  struct Limits {
    base::milliseconds connect{10'000}, handshake{10'000};
    base::milliseconds stalled{30'000};   // nothing is taken, or read, meanwhile
    base::milliseconds unanswered{5000};  // then a KeyUpdate is taken for one that never will be answered
    base::milliseconds settled{1000};     // since written, where only the kernel acknowledges
    base::milliseconds ask{200};          // at least so long between two KeyUpdates
    base::milliseconds ask_again{1000};   // where one is unanswered: some answer with their next read
  };
  struct Calls {
    std::function<void()> up;                      // the server is who it should be
    std::function<void(std::uint64_t)> delivered;  // the first so many bytes of all that were sent
    std::function<void()> room;                    // queued() has become smaller
    std::function<void(base::Error)> down;         // the last; may destroy the link
  };

  // Begins to connect, by this network interface alone (base/bind_device.h); empty: as the routing table
  // says. The loop outlives it.
  SyslogLink(base::Loop& loop, SyslogTrust trust, Limits limits, Calls calls, std::string interface = {});
  // Without waiting: what was not written is not sent; a close_notify goes if the socket takes it.
  ~SyslogLink();
  SyslogLink(const SyslogLink&) = delete;
  SyslogLink& operator=(const SyslogLink&) = delete;

  bool is_up() const { return up_; }
  void send(base::Bytes bytes);  // REQUIRES: is_up(). Bounded by whoever looks at queued().
  std::size_t queued() const { return out_.size() - out_at_; }
  std::uint64_t sent() const { return written_ + queued(); }  // bytes of all send()s
  std::uint64_t delivered() const { return delivered_; }

 private:
  using Time = base::Clock::time_point;
  // After the first `plain` bytes, `wire` bytes had gone into the socket.
  struct Mark {
    std::uint64_t plain = 0, wire = 0;
    Time when;
  };

  void start();
  void connected();
  void shake();
  void established();
  void pump();
  bool read();
  bool write();
  bool ask();
  void look();
  void arm();
  void confirm(std::uint64_t plain);
  bool went_wrong(int returned, std::string_view doing);
  std::string why_handshake(int returned) const;
  void fail(std::string why);
  static void on_message(int is_write, int version, int type, const void* bytes, std::size_t size, SSL* ssl,
                         void* link);

  base::Loop& loop_;
  const SyslogTrust trust_;
  const Limits limits_;
  Calls calls_;
  const std::string interface_;
  base::Fd socket_;
  std::unique_ptr<base::Watch> watch_;
  std::string certificate_trouble_;
  SslPtr ssl_;
  base::Timer limit_, tick_;
  bool up_ = false, over_ = false;

  std::string out_;
  std::size_t out_at_ = 0;
  bool write_wants_ = false;  // an SSL_write that must be done again with the same bytes
  bool pumping_ = false;
  std::uint64_t written_ = 0, delivered_ = 0;  // bytes of send()s
  std::deque<Mark> marks_;                     // written, not delivered
  Time progress_;  // the last time that something was taken, while something waits

  enum class Asking { never, unknown, answered } asking_ = Asking::unknown;
  // The bytes before each unanswered KeyUpdate. The first answer is that of the first, or (one may stand for
  // several) of a later one: so nothing is taken for read that was not.
  std::deque<std::uint64_t> asks_;
  std::size_t heard_ = 0;    // bytes of application data
  bool ask_unsent_ = false;  // the last of them is not in the socket yet
  unsigned answers_ = 0;     // seen, not looked at
  Time asked_at_, first_asked_at_;
  base::Life life_;
};

}  // namespace oob::audit

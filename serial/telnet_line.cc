#include "serial/telnet_line.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace oob::serial {

using base::Error;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kChunk = 1024;  // of bytes that need escaping
constexpr int kMostRounds = 8;        // reads in a row that brought commands only

}  // namespace

TelnetLine::TelnetLine(base::Loop& loop, TelnetSettings settings,
                       std::function<void(const std::string&)> remark)
    : TcpLine(loop, settings.address),
      settings_(std::move(settings)),
      remark_(std::move(remark)),
      telnet_(settings_),
      break_timer_(loop) {}

void TelnetLine::connected() {
  telnet_ = Telnet(settings_);
  refused_.clear();
  telnet_.start();
  flush_later();
}

Result<std::size_t> TelnetLine::read(char* to, std::size_t most) {
  for (int round = 0; round < kMostRounds; ++round) {
    Result<std::size_t> got = TcpLine::read(to, most);
    if (!got) return got;
    std::size_t kept = telnet_.receive(to, *got);
    if (!telnet_.pending().empty()) flush_later();
    if (telnet_.has_remark()) tell_remarks();
    if (undecided_ && telnet_.com_port() != Telnet::ComPort::asked) begin_break();
    if (kept > 0) return kept;
  }
  return Error{Fault::again, {}};
}

// Sends what the protocol wants to be sent before data. Fault::again: some is left.
Result<> TelnetLine::flush() {
  std::string& pending = telnet_.pending();
  while (!pending.empty()) {
    Result<std::size_t> sent = TcpLine::write(pending);
    if (!sent) return sent.error();
    pending.erase(0, *sent);
  }
  return {};
}

// The same when nobody is there to take an error: a broken connection is told by the next read() or write().
void TelnetLine::flush_later() {
  Result<> flushed = flush();
  if (!flushed && flushed.error().fault == Fault::again) wait_for_room();
}

void TelnetLine::wait_for_room() {
  TcpLine::wait_writable([this] {
    if (!telnet_.pending().empty()) {
      Result<> flushed = flush();
      if (!flushed && flushed.error().fault == Fault::again) return wait_for_room();
    }
    if (breaking_) return;
    auto what = std::exchange(writable_, nullptr);
    if (what) what();
  });
}

Result<std::size_t> TelnetLine::write(base::Bytes bytes) {
  if (breaking_) return Error{Fault::again, {}};
  if (Result<> flushed = flush(); !flushed) return flushed.error();
  auto special = std::find_if(bytes.begin(), bytes.end(), [this](char c) { return telnet_.doubled(c); });
  auto plain = static_cast<std::size_t>(special - bytes.begin());
  if (plain == bytes.size() || plain >= kChunk) return TcpLine::write(bytes.substr(0, plain));

  char chunk[kChunk];
  Telnet::Encoded made = telnet_.encode(bytes, chunk, sizeof chunk);
  Result<std::size_t> sent = TcpLine::write({chunk, made.size});
  if (!sent || *sent == made.size) return sent ? Result<std::size_t>(made.taken) : sent;
  // Cut short: of a pair that was cut in two, the second half goes first next time.
  char again[kChunk];
  Telnet::Encoded whole = telnet_.encode(bytes, again, *sent);
  if (whole.size < *sent) {
    telnet_.pending() += chunk[*sent];
    ++whole.taken;
    wait_for_room();  // the caller may have nothing more to write
  }
  return whole.taken;
}

void TelnetLine::wait_writable(std::function<void()> what) {
  writable_ = std::move(what);
  if (!breaking_) wait_for_room();
}

void TelnetLine::tell_remarks() {
  std::string text = telnet_.take_remark();
  refused_ += refused_.empty() ? text : str("; ", text);
  if (remark_) {
    remark_(text);
  } else {
    base::log(str("telnet ", address(), ": ", text));
  }
}

Result<> TelnetLine::send_break(unsigned milliseconds) {
  if (breaking_) return fail(Fault::busy, "the last break is still being sent");
  breaking_ = true;
  break_time_ = break_time(milliseconds);
  undecided_ = telnet_.com_port() == Telnet::ComPort::asked;
  if (undecided_) {
    break_timer_.after(kDecisionLimit, [this] { begin_break(); });
  } else {
    begin_break();
  }
  return {};
}

void TelnetLine::begin_break() {
  undecided_ = false;
  if (telnet_.com_port() == Telnet::ComPort::agreed) {
    telnet_.break_on();
  } else {
    telnet_.break_command();
  }
  flush_later();
  break_timer_.after(break_time_, [this] { end_break(); });
}

void TelnetLine::end_break() {
  breaking_ = false;
  if (telnet_.com_port() == Telnet::ComPort::agreed) telnet_.break_off();
  flush_later();
  if (writable_) wait_for_room();
}

void TelnetLine::close() {
  writable_ = nullptr;
  breaking_ = undecided_ = false;
  break_timer_.cancel();
  TcpLine::close();
}

std::string TelnetLine::describe() const {
  std::string text = str("telnet ", address());
  if (settings_.baud) text += str(" ", *settings_.baud);
  if (!settings_.format.empty()) text += str(" ", settings_.format);
  if (!settings_.flow.empty() && settings_.flow != "none") text += str(" ", settings_.flow);
  if (!refused_.empty()) text += str(" (", refused_, ")");
  return text;
}

}  // namespace oob::serial

#include "ssh/connection.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>

#include "base/unix_socket.h"

namespace oob::ssh {

using base::Bytes;
using base::Clock;
using base::Fault;
using base::Result;
using base::str;
using base::wire::Control;

namespace {
// What one pump() may take before others have their turn.
constexpr int kTurns = 64;                               // of at most 4 KiB input each
constexpr std::size_t kMostOutput = 4 * Channel::kTurn;  // of output
constexpr base::milliseconds kLongest{
    5};  // small packets cost much more than their bytes: 4 KiB are 100 answers
// What a stranger may send: six keys or certificates and a key exchange are far less.
constexpr std::uint64_t kMostBeforeLogin = 512 * 1024;
// Answers that may wait for TCP. Output is not among them, it stays with the core (Channel::to_client), and
// typed bytes are not answered; so only who asks and asks and never reads comes to this.
constexpr std::uint64_t kMostUnsent = 256 * 1024;
constexpr const char* kOtherLayout = "this SSH library is not laid out as expected";
}  // namespace

Connection::Connection(House& house, std::uint64_t id, Origin origin)
    : house_(house),
      id_(id),
      origin_(std::move(origin)),
      login_(
          house.setup().most_tries, [this](base::wire::Ask question) { return ask(std::move(question)); },
          [this](base::wire::Code code) { return tell_code(std::move(code)); }) {}

Connection::~Connection() { finish(); }

Result<> Connection::start(ssh_bind bind, base::Fd socket) {
  accepted_ = heard_ = asked_alive_ = used_ = Clock::now();
  dup_.reset(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
  if (!dup_) return base::system_error("duplicate a connection's descriptor");
  session_ = ssh_new();
  event_ = ssh_event_new();
  if (!session_ || !event_) return base::fail(Fault::internal, "no memory for a session");
  Noting noting(notes_);
  int accepted = ssh_bind_accept_fd(bind, session_, socket.get());
  if (ssh_get_fd(session_) == socket.get()) socket.release();  // libssh closes it, also after a failure
  if (accepted != SSH_OK) return base::fail(Fault::internal, str("begin a session: ", ssh_get_error(bind)));
  ssh_set_blocking(session_, 0);
  ssh_set_auth_methods(session_, SSH_AUTH_METHOD_PUBLICKEY);  // else libssh's own failures offer passwords
  ssh_set_counters(session_, &socket_bytes_, &packets_);
  ssh_handle_key_exchange(session_);  // once, to begin; pump() goes on
  if (ssh_event_add_session(event_, session_) != SSH_OK)
    return base::fail(Fault::internal, str("begin a session: ", ssh_get_error(session_)));
  watch_ = std::make_unique<base::Watch>(house_.loop(), dup_.get());
  pump_soon();
  return {};
}

// --- the driver
// -----------------------------------------------------------------------------------------------------

void Connection::pump_soon() {
  if (pump_posted_) return;
  pump_posted_ = true;
  house_.loop().post([weak = weak_from_this()] {
    if (auto self = weak.lock()) {
      self->pump_posted_ = false;
      self->pump();
    }
  });
}

void Connection::pump() {
  if (pumping_ || !session_) return;
  auto self = shared_from_this();
  pumping_ = true;
  Noting noting(notes_);
  bool more = true;
  std::size_t output = 0;
  const Clock::time_point begun = Clock::now();
  for (int i = 0; i < kTurns && more && output < kMostOutput && !ending_ && alive(); ++i) {
    if (i > 0 && Clock::now() - begun > kLongest) break;
    more = take_in();
    if (!ending_ && alive()) look_at_bounds();
    if (ending_ || !alive()) break;
    std::uint64_t taken = socket_bytes_.in_bytes;
    std::size_t written = serve_channels();
    output += written;
    if (socket_bytes_.in_bytes != taken) more = true;  // libssh took packets in while it wrote
    // A write that filled its turn or did not get through to TCP at once may go on now.
    if (written >= Channel::kTurn || (written > 0 && write_pending())) more = true;
  }
  if (more) pump_soon();
  if (keepalive_due_ && !ending_ && alive()) {
    keepalive_due_ = false;
    // Every second call only collects the answer to the one before.
    ssh_send_keepalive(session_);
    ssh_send_keepalive(session_);
    pump_soon();
  }
  pumping_ = false;
  if (ending_ || !alive()) {
    finish();
    house_.ended(id_);
  } else {
    wait();
  }
}

bool Connection::write_pending() const { return ssh_get_status(session_) & SSH_WRITE_PENDING; }

// Ends the connection of a client that takes more than it may have. Before output is written, so that
// whatever was put out while something waited was an answer.
void Connection::look_at_bounds() {
  constexpr std::uint64_t kAroundPacket = 96;  // lengths, padding and MAC, at the most
  std::uint64_t put_out = packets_.out_bytes + packets_.out_packets * kAroundPacket;
  if (!write_pending()) {
    left_before_ = socket_bytes_.out_bytes;
    put_out_before_ = put_out;
  } else if (put_out - put_out_before_ > socket_bytes_.out_bytes - left_before_ + kMostUnsent) {
    end("answers are asked for and not read");
  }
  if (!login_.succeeded() && socket_bytes_.in_bytes > kMostBeforeLogin) {
    offence_ = Offence::garbage;
    end("too much before the login");
  }
}

bool Connection::alive() const {
  return ssh_is_connected(session_) && ssh_get_fd(session_) >= 0 &&
         !(ssh_get_status(session_) & (SSH_CLOSED | SSH_CLOSED_ERROR));
}

// Takes what the client sent, and answers. False: nothing is left to take.
bool Connection::take_in() {
  if (login_.judged()) login_.answer(session_);
  if (login_.succeeded() && !told_logged_in_) {
    told_logged_in_ = true;
    used_ = Clock::now();
    house_.logged_in(id_);
  }
  answer_forwards();
  // Nothing is read while the core considers a key: what the client sends meanwhile stays with TCP.
  int polled = SSH_AGAIN;
  if (!login_.waiting() || write_pending()) polled = ssh_event_dopoll(event_, 0);
  while (!login_.waiting() && !ending_) {
    ssh_message message = ssh_message_get(session_);
    if (!message) break;
    take(message);
    if (!login_.give_up().empty()) end(login_.give_up());
  }
  if (ending_ || login_.waiting()) return false;
  login_.answer_swallowed(notes_.auth_requests);
  if (!login_.give_up().empty()) end(login_.give_up());
  // Here no message is queued that could name a channel, so a channel may go.
  for (auto& channel : channels_) {
    if (!channel->closed_by_client()) continue;
    channel->serve(session_, house_.scratch());  // its last words, as far as the core takes them
    if (channel->lingers()) continue;
    channel.reset();
    used_ = Clock::now();
  }
  std::erase(channels_, nullptr);
  return polled == SSH_OK;
}

// How many bytes were written to the client.
std::size_t Connection::serve_channels() {
  std::size_t written = 0;
  for (auto& channel : channels_) {
    written += channel->serve(session_, house_.scratch());
    if (channel->ignores_window()) end("the channel's window was ignored");
  }
  return written;
}

std::function<void()> Connection::waker() {
  return [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->pump();
  };
}

void Connection::wait() {
  std::function<void()> again = waker();
  if (!login_.waiting() && !watch_->waits_readable()) watch_->readable(again);
  if (write_pending() && !watch_->waits_writable()) watch_->writable(again);
}

void Connection::end(const std::string& why) {
  if (ending_ || !session_) return;
  ending_ = true;
  why_ = why;
  if (!pumping_) pump();
}

Admission::Stage Connection::stage() const {
  if (login_.wants_code()) return Admission::Stage::proven;
  if (services_ > 0) return Admission::Stage::keyed;  // it came encrypted
  return socket_bytes_.in_bytes > 0 ? Admission::Stage::heard : Admission::Stage::silent;
}

// What a connection that ends without a login has to answer for.
void Connection::judge() {
  if (login_.succeeded()) {
    offence_ = Offence::none;
  } else if (offence_) {
    return;
  } else if (login_.refused() > 0 || login_.wants_code()) {
    offence_ = Offence::refused;
  } else {
    // An error that is not the other side's leaving, nor an old client's having no algorithm in common.
    Bytes error = ssh_get_error(session_);
    bool broken = !alive() && services_ == 0 && socket_bytes_.in_bytes > 0 && !error.empty() &&
                  error.find("Socket error") == Bytes::npos && error.find("no match for") == Bytes::npos &&
                  error.find("disconnect") == Bytes::npos;
    offence_ = broken ? Offence::garbage : Offence::nothing_tried;
  }
}

void Connection::finish() {
  if (!session_) return;
  judge();
  watch_.reset();
  for (auto& channel : channels_) channel->forget();  // libssh frees them with the session
  channels_.clear();
  waiting_forwards_.clear();
  if (alive()) {
    PacketNotes unheard;
    Noting noting(unheard);
    ssh_event_dopoll(event_, 0);  // else the disconnect message may stay behind a write that was just done
    if (!why_.empty()) ssh_session_set_disconnect_message(session_, why_.c_str());
  }
  ssh_event_remove_session(event_, session_);
  ssh_disconnect(session_);
  ssh_event_free(event_);
  ssh_free(session_);
  session_ = nullptr;
  event_ = nullptr;
  // What the client sent and nobody read would make the kernel reset the connection, before it reads why.
  ::shutdown(dup_.get(), SHUT_WR);
  std::string& scratch = house_.scratch();
  for (int i = 0; i < 8 && ::recv(dup_.get(), scratch.data(), scratch.size(), MSG_DONTWAIT) > 0; ++i) {
  }
  dup_.reset();
  if ((login_.refused() > 0 || login_.wants_code()) && !login_.succeeded()) {
    std::string what = login_.wants_code()
                           ? "key accepted, but no right code came"
                           : str(login_.refused(), login_.refused() == 1 ? " key" : " keys", " refused");
    base::wire::Remark remark{base::wire::Remark::Kind::refused, origin_.peer,
                              str(what, " for user ", base::printable(login_.user(), 100))};
    house_.tell(base::wire::packet(Control::remark, remark.encode()));
  }
  if (login_.told_verified())
    house_.tell(base::wire::packet(Control::closed, base::wire::Closed{id_}.encode()));
}

// --- the clock
// ------------------------------------------------------------------------------------------------------

void Connection::tick(Clock::time_point now) {
  const Patience& patience = house_.patience();
  if (!session_ || ending_) return;
  if (!login_.succeeded()) {
    if (now - accepted_ > std::chrono::seconds(house_.setup().grace_seconds)) {
      if (login_.refused() == 0) offence_ = Offence::grace;
      end("no login within the time allowed");
    } else if (login_.waiting() && now - login_.asked_at() > patience.verdict) {
      offence_ = Offence::none;  // ours
      end("the daemon does not answer");
    }
    return;
  }
  if (!channels_.empty()) used_ = now;
  bool late = false;
  for (auto& forward : waiting_forwards_) {
    if (forward->answer() != WaitingForward::Answer::none || now - forward->since() <= patience.verdict)
      continue;
    forward->answered(false);
    late = true;
  }
  if (late) pump_soon();
  if (socket_bytes_.in_bytes != heard_bytes_) {
    heard_bytes_ = socket_bytes_.in_bytes;
    heard_ = now;
  }
  if (now - used_ > patience.unused) {
    end("not used");
  } else if (now - heard_ > patience.silent) {
    end("no sign of life");
  } else if (now - heard_ > patience.keepalive && now - asked_alive_ > patience.keepalive) {
    asked_alive_ = now;
    keepalive_due_ = true;
    pump();
  }
}

// --- messages
// -------------------------------------------------------------------------------------------------------

bool Connection::ask(base::wire::Ask question) {
  const char* client = ssh_get_clientbanner(session_);
  question.connection = id_;
  question.peer = origin_.peer;
  question.local = origin_.local;
  question.client = base::printable(client ? client : "", 255);
  return house_.tell(base::wire::packet(Control::ask, question.encode()));
}

bool Connection::tell_code(base::wire::Code code) {
  code.connection = id_;
  return house_.tell(base::wire::packet(Control::code, code.encode()));
}

void Connection::verdict(const base::wire::Verdict& verdict) {
  login_.verdict(verdict);
  if (login_.judged()) pump();
}

void Connection::take(ssh_message message) {
  switch (ssh_message_type(message)) {
    case SSH_REQUEST_AUTH:
      login_.take(session_, message);
      return;
    case SSH_REQUEST_SERVICE:
      // paramiko asks anew for each key.
      if (++services_ > house_.setup().most_tries + 2) {
        offence_ = Offence::garbage;
        end("the service was asked for again and again");
      } else if (Bytes(ssh_message_service_service(message)) == "ssh-userauth") {
        ssh_message_service_reply_success(message);
      } else {
        end("no such service");
      }
      break;
    case SSH_REQUEST_CHANNEL_OPEN:
      if (take_open(message)) return;
      break;
    case SSH_REQUEST_CHANNEL:
      if (take_request(message)) {
        ssh_message_channel_request_reply_success(message);
      } else {
        ssh_message_reply_default(message);
      }
      break;
    default:  // forwarding asked for by a global request
      ssh_message_reply_default(message);
  }
  ssh_message_free(message);
}

// True: the message is kept, to be answered later.
bool Connection::take_open(ssh_message message) {
  std::uint32_t window = 0;
  int kind = ssh_message_subtype(message);
  bool known = kind == SSH_CHANNEL_SESSION || kind == SSH_CHANNEL_DIRECT_TCPIP;
  if (!login_.succeeded() || !known ||
      channels_.size() + waiting_forwards_.size() >= house_.setup().most_channels ||
      !sound_open(session_, message, window)) {
    ssh_message_reply_default(message);
    return false;
  }
  if (kind == SSH_CHANNEL_DIRECT_TCPIP) return ask_forward(message, window);
  ssh_channel raw = ssh_message_channel_request_open_reply_accept(message);
  if (!raw) return false;
  channels_.push_back(std::make_unique<Channel>(raw, house_.loop(), waker()));
  if (ssh_channel_window_size(raw) != window) end(kOtherLayout);
  return false;
}

// True: the core is asked, and the message is kept until it has answered.
bool Connection::ask_forward(ssh_message message, std::uint32_t window) {
  base::wire::Forward wish = WaitingForward::wish(message, id_, next_forward_);
  Result<std::pair<base::Fd, base::Fd>> pair = base::socket_pair(SOCK_STREAM);
  if (!pair || wish.host.empty() || wish.host.size() > 255 || wish.port < 1 || wish.port > 65535) {
    ssh_message_reply_default(message);
    return false;
  }
  if (!house_.tell(base::wire::packet(Control::forward, wish.encode()), std::move(pair->second))) {
    end("too busy, try again");
    return false;
  }
  waiting_forwards_.push_back(
      std::make_unique<WaitingForward>(message, next_forward_++, window, std::move(pair->first)));
  return true;
}

void Connection::opened(const base::wire::Opened& opened) {
  for (auto& forward : waiting_forwards_)
    if (forward->number() == opened.number) forward->answered(opened.open);
  pump();
}

void Connection::answer_forwards() {
  for (auto& forward : waiting_forwards_) {
    if (forward->answer() == WaitingForward::Answer::none) continue;
    bool sound = true;
    if (forward->answer() == WaitingForward::Answer::refused) {
      forward->refuse();
    } else if (auto channel = forward->accept(house_.loop(), waker(), sound)) {
      channels_.push_back(std::move(channel));
    }
    if (!sound) end(kOtherLayout);
    forward.reset();
  }
  std::erase(waiting_forwards_, nullptr);
}

// True: the request is granted.
bool Connection::take_request(ssh_message message) {
  int kind = ssh_message_subtype(message);
  bool is_break = false;
  if (kind == SSH_CHANNEL_REQUEST_UNKNOWN && !notes_.unknown_is_break.empty()) {
    is_break = notes_.unknown_is_break.front();
    notes_.unknown_is_break.pop_front();
  }
  ssh_channel raw = ssh_message_channel_request_channel(message);
  auto found = std::find_if(channels_.begin(), channels_.end(), [raw](auto& c) { return c->raw() == raw; });
  auto* session = found == channels_.end() ? nullptr : dynamic_cast<Channel*>(found->get());
  if (!session) return false;  // a forward takes no requests
  Channel& channel = *session;
  switch (kind) {
    case SSH_CHANNEL_REQUEST_PTY:
      return !login_.no_pty() && channel.request_pty(ssh_message_channel_request_pty_term(message),
                                                     ssh_message_channel_request_pty_width(message),
                                                     ssh_message_channel_request_pty_height(message));
    case SSH_CHANNEL_REQUEST_WINDOW_CHANGE:
      channel.resize(ssh_message_channel_request_pty_width(message),
                     ssh_message_channel_request_pty_height(message));
      return true;
    case SSH_CHANNEL_REQUEST_SHELL:
      return start_session(channel, Channel::Way::shell, nullptr);
    case SSH_CHANNEL_REQUEST_EXEC:
      return start_session(channel, Channel::Way::exec, ssh_message_channel_request_command(message));
    case SSH_CHANNEL_REQUEST_SUBSYSTEM: {
      const char* name = ssh_message_channel_request_subsystem(message);
      return name && Bytes(name) == "sftp" && start_session(channel, Channel::Way::subsystem, name);
    }
    case SSH_CHANNEL_REQUEST_UNKNOWN:
      return is_break && channel.send_break();
    default:  // env, x11
      return false;
  }
}

bool Connection::start_session(Channel& channel, Channel::Way way, const char* command) {
  if (!channel.may_start(command)) return false;
  Result<std::pair<base::Fd, base::Fd>> pair = base::socket_pair(SOCK_STREAM);
  if (!pair) return false;
  base::wire::OpenSession session{id_};
  if (!house_.tell(base::wire::packet(Control::session, session.encode()), std::move(pair->second))) {
    end("too busy, try again");
    return false;
  }
  channel.start(std::move(pair->first), way, command);
  return true;
}

}  // namespace oob::ssh

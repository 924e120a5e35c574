#include "oobd/ssh_line.h"

#include <sys/socket.h>

#include "auth/trusted_file.h"
#include "base/secret.h"
#include "base/unix_socket.h"
#include "base/wire.h"
#include "ssh/reach_request.h"

namespace oob {

using base::fail;
using base::Fault;
using base::Result;
using base::Secret;
using base::str;

namespace {

constexpr std::size_t kHead = 4;  // the length before an answer
constexpr std::size_t kMostSecret = 16 * 1024;

// A password is the file's first line; a key is all of it.
Result<Secret> secret_of(const std::string& file, bool line) {
  Result<auth::TrustedFile> trusted = auth::TrustedFile::open(file, 077, kMostSecret);
  if (!trusted) return trusted.error();
  Result<std::string> text = trusted->read();
  if (!text) return text.error();
  base::Bytes bytes = *text;
  if (line) bytes = bytes.substr(0, bytes.find_first_of("\r\n"));
  Result<Secret> secret = bytes.empty() ? Result<Secret>(fail(Fault::config, str(file, ": nothing is in it")))
                                        : Result<Secret>(Secret(bytes));
  base::wipe(*text);
  return secret;
}

}  // namespace

struct SshLine::Secrets {
  Secret password, key;
  Result<> outcome;
};

SshLine::SshLine(base::Loop& loop, base::Blocking& blocking, std::shared_ptr<ReachProcesses> processes,
                 DeviceConfig::InBand settings, bool shell)
    : FdLine(loop, Kind::socket),
      blocking_(blocking),
      processes_(std::move(processes)),
      settings_(std::move(settings)),
      shell_(shell),
      limit_(loop) {}

SshLine::~SshLine() { close(); }

void SshLine::open(std::function<void(Result<>)> done) {
  close();
  done_ = std::move(done);
  limit_.after(kOpenLimit, [this] {
    answer(fail(Fault::unavailable,
                str(settings_.host, ": no answer within ", kOpenLimit.count() / 1000, " s")));
  });
  auto secrets = std::make_shared<Secrets>();
  blocking_.run(
      [secrets, password = settings_.password_file, key = settings_.key_file] {
        Result<Secret> read = key.empty() ? secret_of(password, true) : secret_of(key, false);
        if (!read) {
          secrets->outcome = read.error();
        } else {
          (key.empty() ? secrets->password : secrets->key) = std::move(*read);
        }
      },
      life_.wrap([this, secrets] { start(*secrets); }));
}

void SshLine::start(Secrets& secrets) {
  if (!secrets.outcome) return answer(secrets.outcome);
  Result<std::pair<base::Fd, base::Fd>> pair = base::socket_pair(SOCK_STREAM);
  if (!pair) return answer(pair.error());
  Result<pid_t> pid = processes_->start(pair->second);
  if (!pid) return answer(pid.error());
  pid_ = *pid;
  socket_ = std::move(pair->first);
  ssh::ReachRequest request;
  request.address = settings_.host;
  request.host_key = settings_.host_key;
  request.user = settings_.user;
  request.password = std::move(secrets.password);
  request.private_key = std::move(secrets.key);
  request.mode = shell_ ? ssh::ReachRequest::Mode::shell : ssh::ReachRequest::Mode::terminal;
  Secret frame = request.encode();
  Result<std::size_t> sent = base::send_some(socket_.get(), frame.view());
  if (!sent || *sent < frame.view().size())
    return answer(fail(Fault::internal, str(settings_.host, ": the SSH client does not listen")));
  watch_.emplace(loop(), socket_.get());
  watch_->readable([this] { listen(); });
}

// Up to the answer's end and no further: what follows is the device's.
void SshLine::listen() {
  while (true) {
    std::size_t size = kHead;
    if (heard_.size() >= kHead) size += base::wire::Reader(base::Bytes(heard_).substr(0, kHead)).u32();
    if (size > ssh::kMostReach) return answer(fail(Fault::internal, "an answer of reach that is too long"));
    if (size > kHead && heard_.size() == size)
      return answer(ssh::decode_reach_answer(base::Bytes(heard_).substr(kHead)));
    char piece[1024];
    Result<std::size_t> got =
        base::receive_some(socket_.get(), piece, std::min(sizeof piece, size - heard_.size()));
    if (!got) {
      if (got.error().fault == Fault::again) return watch_->readable([this] { listen(); });
      return answer(fail(Fault::internal, str(settings_.host, ": the SSH client ended without a word")));
    }
    heard_.append(piece, *got);
  }
}

void SshLine::answer(Result<> outcome) {
  limit_.cancel();
  watch_.reset();
  life_.renew();
  auto done = std::exchange(done_, nullptr);
  if (outcome) {
    attach(socket_.get());
  } else {
    close();
  }
  done(std::move(outcome));
}

Result<> SshLine::send_break(unsigned) {
  return fail(Fault::unavailable, "an SSH session has no break here");
}

void SshLine::close() {
  done_ = nullptr;
  limit_.cancel();
  life_.renew();
  watch_.reset();
  detach();
  heard_.clear();
  socket_.reset();
  if (pid_ > 0) processes_->let_go(std::exchange(pid_, -1));
}

void SshLine::wait_return(std::function<void()>) {}

std::string SshLine::describe() const { return str("ssh ", settings_.user, "@", settings_.host); }

}  // namespace oob

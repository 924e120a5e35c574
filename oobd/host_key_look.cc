#include "oobd/host_key_look.h"

#include <cassert>

#include "base/wire.h"

namespace oob {

using base::Bytes;
using base::fail;
using base::Fault;
using base::Result;
using base::str;
using base::wire::Reader;
using base::wire::Writer;

namespace {

constexpr std::size_t kCookie = 16, kPoint = 32;
constexpr std::size_t kMostLine = 255;            // RFC 4253, 4.2
constexpr std::size_t kMostPacket = 35'000;       // RFC 4253, 6.1
constexpr std::size_t kBlock = 8, kLeastPad = 4;  // RFC 4253, 6
// RFC 4250, 4.1.2 and RFC 5656, 7.1.
enum Message : unsigned char {
  disconnect = 1,
  ignore = 2,
  debug = 4,
  kexinit = 20,
  ecdh_init = 30,
  ecdh_reply = 31
};

std::string packed(Bytes payload) {
  std::size_t pad = kBlock - (4 + 1 + payload.size()) % kBlock;
  if (pad < kLeastPad) pad += kBlock;
  std::string packet = Writer()
                           .u32(static_cast<std::uint32_t>(1 + payload.size() + pad))
                           .u8(static_cast<std::uint8_t>(pad))
                           .take();
  packet.append(payload);
  return packet.append(pad, '\0');
}

}  // namespace

HostKeyLook::HostKeyLook(Bytes random) : random_(random) { assert(random.size() == kCookie + kPoint); }

std::string HostKeyLook::hello() const {
  constexpr const char* kCiphers =
      "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes128-ctr";
  constexpr const char* kMacs =
      "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512";
  Writer names;
  names.text("curve25519-sha256,curve25519-sha256@libssh.org").text("ssh-ed25519");
  for (const char* list : {kCiphers, kCiphers, kMacs, kMacs, "none", "none", "", ""}) names.text(list);
  std::string payload(1, static_cast<char>(kexinit));
  payload.append(random_, 0, kCookie).append(names.take());
  payload.append(Writer().u8(0).u32(0).take());  // nothing is guessed; reserved
  return str("SSH-2.0-oobd_look\r\n", packed(payload));
}

Result<std::string> HostKeyLook::feed(Bytes bytes) {
  size_ += bytes.size();
  if (size_ > kMostHeard) return fail(Fault::failed, "it says too much before its key");
  heard_.append(bytes);
  std::string answer;
  while (!version_) {
    std::size_t end = heard_.find('\n');
    if (end == std::string::npos && heard_.size() <= kMostLine) return answer;
    std::string line = heard_.substr(0, end);
    if (end == std::string::npos || (line.starts_with("SSH-") && !line.starts_with("SSH-2.0-")))
      return fail(Fault::failed, str("no SSH server answers there, but \"", base::printable(line, 40), "\""));
    version_ = line.starts_with("SSH-2.0-");
    heard_.erase(0, end + 1);
  }
  while (key_.empty() && heard_.size() >= 4) {
    std::size_t length = Reader(heard_).u32();
    if (length < 1 + 1 + kLeastPad || length > kMostPacket)
      return fail(Fault::failed, "a packet of no sensible length");
    if (heard_.size() < 4 + length) break;
    std::size_t pad = static_cast<unsigned char>(heard_[4]);
    if (pad + 2 > length) return fail(Fault::failed, "a packet that is all padding");
    Result<std::string> next = packet(Bytes(heard_).substr(5, length - 1 - pad));
    if (!next) return next;
    answer += *next;
    heard_.erase(0, 4 + length);
  }
  return answer;
}

Result<std::string> HostKeyLook::packet(Bytes payload) {
  switch (static_cast<unsigned char>(payload[0])) {
    case ignore:
    case debug:
      return std::string();
    case kexinit:
      // Which algorithms it takes shows in whether it answers. Any 32 bytes are a point.
      return packed(str(static_cast<char>(ecdh_init), Writer().text(Bytes(random_).substr(kCookie)).take()));
    case ecdh_reply: {
      Reader reply(payload.substr(1));
      key_ = reply.text();
      if (!reply.ok() || key_.empty()) return fail(Fault::failed, "an answer without a key");
      return std::string();
    }
    case disconnect: {
      Reader reason(payload.substr(1));
      reason.u32();
      return fail(Fault::unavailable, str("it hung up: ", base::printable(reason.text(), 120)));
    }
    default:
      return fail(Fault::failed,
                  str("message ", static_cast<unsigned>(static_cast<unsigned char>(payload[0])),
                      " instead of its key"));
  }
}

}  // namespace oob

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace oob::console {

// SSH File Transfer Protocol, version 3 (draft-ietf-secsh-filexfer-02): its packets, taken apart and built.
constexpr std::uint32_t kSftpVersion = 3;
constexpr std::size_t kMostSftpPacket = 256 * 1024;  // without its length; as OpenSSH has it
constexpr std::uint32_t kMostSftpRead = 32 * 1024;   // of one answer; a longer READ is answered with less

enum class SftpKind : std::uint8_t {
  init = 1,
  version = 2,
  open = 3,
  close = 4,
  read = 5,
  write = 6,
  lstat = 7,
  fstat = 8,
  setstat = 9,
  fsetstat = 10,
  opendir = 11,
  readdir = 12,
  remove = 13,
  mkdir = 14,
  rmdir = 15,
  realpath = 16,
  stat = 17,
  rename = 18,
  readlink = 19,
  symlink = 20,
  status = 101,
  handle = 102,
  data = 103,
  name = 104,
  attrs = 105,
  extended = 200,
  extended_reply = 201,
};

// Section 7.
enum class SftpStatus : std::uint32_t {
  ok = 0,
  eof = 1,
  no_such_file = 2,
  permission_denied = 3,
  failure = 4,
  bad_message = 5,
  op_unsupported = 8,
};

struct SftpRequest {
  SftpKind kind{};
  std::uint32_t id = 0;      // of init: the version
  bool sound = true;         // false: cut short; only `kind` and `id` are to be used
  std::string text;          // a path, a handle, or the name of an extension: any bytes
  std::uint64_t offset = 0;  // of read
  std::uint32_t number = 0;  // of read: how many bytes; of open: its flags
};
// Takes a packet apart, without its length. An Error: it has not even an id, and can't be answered. Of what
// only writes (whatever kind) nothing but the id is looked at.
base::Result<SftpRequest> parse_sftp_request(base::Bytes packet);

// Takes a byte stream apart into packets. Holds at most one.
class SftpPackets {
 public:
  // Takes what belongs to the packet that is being gathered, and says how many bytes. An Error: a length that
  // no packet has; drop the stream. Takes nothing while a packet is whole.
  base::Result<std::size_t> feed(base::Bytes bytes);
  bool whole() const { return length_known_ && held_.size() == length_; }
  // The packet, without its length; the next one can be gathered then. REQUIRES: whole().
  std::string take();

 private:
  std::string held_;  // of the length, then of the packet
  std::uint32_t length_ = 0;
  bool length_known_ = false;
};

struct SftpAttributes {
  bool folder = false;
  std::uint64_t size = 0;
  base::Micros modified = 0;  // wall clock
};
struct SftpEntry {
  std::string name;
  SftpAttributes about;
};

// Answers, with their length before them.
std::string sftp_version();  // with the extensions there are
std::string sftp_status(std::uint32_t id, SftpStatus status, std::string_view words);
std::string sftp_handle(std::uint32_t id, std::string_view handle);
std::string sftp_data(std::uint32_t id, base::Bytes bytes);
std::string sftp_attributes(std::uint32_t id, const SftpAttributes& about);
// Those of `entries` from `from` on that one answer takes (one at least); `from` is moved behind them.
std::string sftp_names(std::uint32_t id, const std::vector<SftpEntry>& entries, std::size_t& from);
// The answer to realpath: a name alone.
std::string sftp_name(std::uint32_t id, std::string_view path);
// The answer to limits@openssh.com (OpenSSH PROTOCOL, 4.8).
std::string sftp_limits(std::uint32_t id, std::uint64_t handles);

// Where a path leads, by its text alone: `.`, `..` and empty parts are resolved, and `..` does not leave the
// root. Fault::missing: it holds a NUL, or is longer than any here.
base::Result<std::vector<std::string>> sftp_path(std::string_view path);
std::string sftp_path_text(const std::vector<std::string>& path);  // "/transcripts/edge1"

}  // namespace oob::console

#include "console/sftp_packet.h"

#include <algorithm>
#include <ctime>

#include "base/wire.h"

namespace oob::console {

using base::Bytes;
using base::fail;
using base::Fault;
using base::Result;
using base::str;
using base::wire::Reader;

namespace {

constexpr std::size_t kMostPath = 4096;
constexpr std::size_t kMostParts = 64;
constexpr std::size_t kMostNames = 100;            // of one answer, as OpenSSH's server has it
constexpr std::size_t kMostNameBytes = 32 * 1024;  // all of them together
constexpr const char* kLimits = "limits@openssh.com";

// Section 5.
constexpr std::uint32_t kHasSize = 1, kHasPermissions = 4, kHasTimes = 8;
constexpr std::uint32_t kFolderMode = 0040500, kFileMode = 0100400;

std::string packet(SftpKind kind, std::uint32_t id, std::string_view rest) {
  return base::wire::Writer()
             .u32(static_cast<std::uint32_t>(rest.size() + 5))
             .u8(static_cast<std::uint8_t>(kind))
             .u32(id)
             .take() +
         std::string(rest);
}

void add(base::wire::Writer& to, const SftpAttributes& about) {
  std::uint32_t modified = static_cast<std::uint32_t>(
      std::clamp<base::Micros>(about.modified / 1'000'000, 0, base::Micros{UINT32_MAX}));
  to.u32(kHasSize | kHasPermissions | kHasTimes).u64(about.size);
  to.u32(about.folder ? kFolderMode : kFileMode).u32(modified).u32(modified);
}

// As `ls -l` has it: what clients show people as it is.
std::string long_name(const SftpEntry& entry) {
  std::time_t seconds = static_cast<std::time_t>(entry.about.modified / 1'000'000);
  std::tm utc{};
  char when[32] = "";
  if (::gmtime_r(&seconds, &utc)) std::strftime(when, sizeof when, "%b %d %Y", &utc);
  std::string size = str(entry.about.size);
  return str(entry.about.folder ? "dr-x------" : "-r--------", " 1 oobd oobd ",
             std::string(size.size() < 12 ? 12 - size.size() : 0, ' '), size, " ", when, " ",
             base::printable(entry.name));
}

}  // namespace

Result<SftpRequest> parse_sftp_request(Bytes packet) {
  Reader reader(packet);
  SftpRequest request;
  request.kind = static_cast<SftpKind>(reader.u8());
  request.id = reader.u32();
  if (!reader.ok()) return fail(Fault::failed, "a packet without an id");
  switch (request.kind) {
    case SftpKind::open:
      request.text = reader.text();
      request.number = reader.u32();
      break;
    case SftpKind::read:
      request.text = reader.text();
      request.offset = reader.u64();
      request.number = reader.u32();
      break;
    case SftpKind::close:
    case SftpKind::lstat:
    case SftpKind::fstat:
    case SftpKind::opendir:
    case SftpKind::readdir:
    case SftpKind::realpath:
    case SftpKind::stat:
    case SftpKind::readlink:
    case SftpKind::extended:
      request.text = reader.text();
      break;
    default:
      break;
  }
  request.sound = reader.ok();
  return request;
}

Result<std::size_t> SftpPackets::feed(Bytes bytes) {
  std::size_t taken = 0;
  if (!length_known_) {
    taken = std::min<std::size_t>(4 - held_.size(), bytes.size());
    held_.append(bytes.substr(0, taken));
    if (held_.size() < 4) return taken;
    length_ = Reader(held_).u32();
    held_.clear();
    length_known_ = true;
    if (length_ == 0 || length_ > kMostSftpPacket)
      return fail(Fault::failed, str("a packet of ", length_, " bytes"));
  }
  Bytes mine = bytes.substr(taken, length_ - held_.size());
  held_.append(mine);
  return taken + mine.size();
}

std::string SftpPackets::take() {
  length_known_ = false;
  return std::exchange(held_, {});
}

std::string sftp_version() {
  std::string rest = base::wire::Writer().text(kLimits).text("1").take();
  return packet(SftpKind::version, kSftpVersion, rest);
}

std::string sftp_status(std::uint32_t id, SftpStatus status, std::string_view words) {
  return packet(SftpKind::status, id,
                base::wire::Writer().u32(static_cast<std::uint32_t>(status)).text(words).text("en").take());
}

std::string sftp_handle(std::uint32_t id, std::string_view handle) {
  return packet(SftpKind::handle, id, base::wire::Writer().text(handle).take());
}

std::string sftp_data(std::uint32_t id, Bytes bytes) {
  return packet(SftpKind::data, id, base::wire::Writer().text(bytes).take());
}

std::string sftp_attributes(std::uint32_t id, const SftpAttributes& about) {
  base::wire::Writer rest;
  add(rest, about);
  return packet(SftpKind::attrs, id, rest.take());
}

std::string sftp_names(std::uint32_t id, const std::vector<SftpEntry>& entries, std::size_t& from) {
  std::string names;
  std::uint32_t count = 0;
  for (; from < entries.size() && count < kMostNames && names.size() < kMostNameBytes; ++from, ++count) {
    base::wire::Writer name;
    name.text(entries[from].name).text(long_name(entries[from]));
    add(name, entries[from].about);
    names += name.take();
  }
  return packet(SftpKind::name, id, base::wire::Writer().u32(count).take() + names);
}

std::string sftp_name(std::uint32_t id, std::string_view path) {
  // Its attributes are a dummy: draft-ietf-secsh-filexfer-02, 6.11.
  return packet(SftpKind::name, id, base::wire::Writer().u32(1).text(path).text(path).u32(0).take());
}

std::string sftp_limits(std::uint32_t id, std::uint64_t handles) {
  return packet(
      SftpKind::extended_reply, id,
      base::wire::Writer().u64(kMostSftpPacket).u64(kMostSftpRead).u64(kMostSftpRead).u64(handles).take());
}

Result<std::vector<std::string>> sftp_path(std::string_view path) {
  std::vector<std::string> parts;
  if (path.size() > kMostPath || path.find('\0') != std::string_view::npos)
    return fail(Fault::missing, "no such file");
  base::split(path, '/', [&](std::string_view part) {
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.emplace_back(part);
    }
  });
  if (parts.size() > kMostParts) return fail(Fault::missing, "no such file");
  return parts;
}

std::string sftp_path_text(const std::vector<std::string>& path) {
  std::string text;
  for (const std::string& part : path) text += str("/", part);
  return text.empty() ? "/" : text;
}

}  // namespace oob::console

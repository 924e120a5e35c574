#pragma once

#include <string>
#include <vector>

#include "base/wire.h"
#include "console/sftp_packet.h"

namespace oob::test {

// The client half of SFTP, as far as tests want it: requests as bytes, and answers taken apart.
struct SftpAnswer {
  console::SftpKind kind{};
  std::uint32_t id = 0;
  std::uint32_t status = 0;
  std::string text;  // words, a handle, bytes, or the first name
  std::vector<std::string> names;
  std::uint64_t size = 0;
  std::uint32_t mode = 0;
};

inline std::string sftp(console::SftpKind kind, std::uint32_t id, const std::string& rest = "") {
  std::string packet = base::wire::Writer().u8(static_cast<std::uint8_t>(kind)).u32(id).take() + rest;
  return base::wire::Writer().text(packet).take();
}
inline std::string sftp_of(console::SftpKind kind, std::uint32_t id, base::Bytes text) {
  return sftp(kind, id, base::wire::Writer().text(text).take());
}
inline std::string sftp_init() { return sftp(console::SftpKind::init, 3); }
inline std::string sftp_open(std::uint32_t id, base::Bytes path, std::uint32_t flags = 1) {
  return sftp(console::SftpKind::open, id, base::wire::Writer().text(path).u32(flags).u32(0).take());
}
inline std::string sftp_read(std::uint32_t id, base::Bytes handle, std::uint64_t at, std::uint32_t most) {
  return sftp(console::SftpKind::read, id, base::wire::Writer().text(handle).u64(at).u32(most).take());
}

inline void take_attributes(base::wire::Reader& reader, SftpAnswer& answer) {
  std::uint32_t flags = reader.u32();
  if (flags & 1) answer.size = reader.u64();
  if (flags & 4) answer.mode = reader.u32();
  if (flags & 8) reader.u64();
}

// The whole answers at the beginning of `stream`, which are taken out of it.
inline std::vector<SftpAnswer> sftp_answers(std::string& stream) {
  std::vector<SftpAnswer> all;
  while (stream.size() >= 4) {
    std::size_t length = base::wire::Reader(stream).u32();
    if (stream.size() < 4 + length) break;
    std::string packet = stream.substr(4, length);
    stream.erase(0, 4 + length);
    base::wire::Reader reader(packet);
    SftpAnswer answer;
    answer.kind = static_cast<console::SftpKind>(reader.u8());
    answer.id = reader.u32();
    switch (answer.kind) {
      case console::SftpKind::status:
        answer.status = reader.u32();
        answer.text = reader.text();
        break;
      case console::SftpKind::handle:
      case console::SftpKind::data:
        answer.text = reader.text();
        break;
      case console::SftpKind::attrs:
        take_attributes(reader, answer);
        break;
      case console::SftpKind::name:
        for (std::uint32_t left = reader.u32(); left > 0 && reader.ok(); --left) {
          answer.names.emplace_back(reader.text());
          reader.text();
          take_attributes(reader, answer);
        }
        if (!answer.names.empty()) answer.text = answer.names[0];
        break;
      default:
        break;
    }
    all.push_back(std::move(answer));
  }
  return all;
}

}  // namespace oob::test

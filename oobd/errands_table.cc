#include "oobd/errands_table.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/wire.h"

namespace oob::errands {

using base::Bytes;
using base::Result;
using base::wire::Reader;
using base::wire::Writer;

namespace {

bool write_at(int fd, Bytes bytes, off_t at) {
  while (!bytes.empty()) {
    const ssize_t size = ::pwrite(fd, bytes.data(), bytes.size(), at);
    if (size <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(size));
    at += size;
  }
  return true;
}

void add_count(Writer& writer, std::size_t count) { writer.u32(static_cast<std::uint32_t>(count)); }

std::string next_text(Reader& reader) { return std::string(reader.text()); }

}  // namespace

Table Table::of(const Config& config) {
  Table table;
  table.state = config.state;
  for (const auto& [name, notify] : config.notifies)
    if (!notify.program.empty()) table.programs[name] = notify.program;
  table.bastions = config.call_homes;
  for (const auto& [name, uplink] : config.uplinks) table.interfaces.insert(uplink.interface);
  return table;
}

std::string Table::encode() const {
  Writer writer;
  writer.text(state);
  add_count(writer, programs.size());
  for (const auto& [name, words] : programs) {
    writer.text(name);
    add_count(writer, words.size());
    for (const std::string& word : words) writer.text(word);
  }
  add_count(writer, bastions.size());
  for (const auto& [name, one] : bastions)
    writer.text(name).text(one.bastion).text(one.user).text(one.key_file).text(one.host_key).text(one.socket);
  add_count(writer, interfaces.size());
  for (const std::string& interface : interfaces) writer.text(interface);
  return writer.take();
}

Result<Table> Table::decode(Bytes bytes) {
  Reader reader(bytes);
  Table table;
  table.state = next_text(reader);
  for (std::uint32_t left = reader.u32(); left > 0 && reader.ok(); --left) {
    std::vector<std::string>& words = table.programs[next_text(reader)];
    for (std::uint32_t more = reader.u32(); more > 0 && reader.ok(); --more)
      words.push_back(next_text(reader));
  }
  for (std::uint32_t left = reader.u32(); left > 0 && reader.ok(); --left) {
    CallHomeConfig& one = table.bastions[next_text(reader)];
    for (std::string* text : {&one.bastion, &one.user, &one.key_file, &one.host_key, &one.socket})
      *text = next_text(reader);
  }
  for (std::uint32_t left = reader.u32(); left > 0 && reader.ok(); --left)
    table.interfaces.insert(next_text(reader));
  if (!reader.done()) return base::fail(base::Fault::internal, "a table that makes no sense");
  return table;
}

Result<Kept> Kept::make() {
  base::Fd memory(::memfd_create("errands", MFD_CLOEXEC));
  if (!memory) return base::system_error("memfd_create");
  return Kept(std::move(memory));
}

// Its size goes before it, and is there last.
void Kept::put(Bytes bytes) {
  const std::uint64_t size = bytes.size();
  if (::ftruncate(memory_.get(), 0) < 0 || !write_at(memory_.get(), bytes, sizeof size)) return;
  (void)write_at(memory_.get(), Bytes(reinterpret_cast<const char*>(&size), sizeof size), 0);
}

std::string Kept::get() const {
  std::uint64_t size = 0;
  if (::pread(memory_.get(), &size, sizeof size, 0) != static_cast<ssize_t>(sizeof size)) return "";
  std::string bytes;
  char some[4096];
  while (bytes.size() < size) {
    const ssize_t more =
        ::pread(memory_.get(), some, std::min<std::uint64_t>(sizeof some, size - bytes.size()),
                static_cast<off_t>(sizeof size + bytes.size()));
    if (more <= 0) return "";
    bytes.append(some, static_cast<std::size_t>(more));
  }
  return bytes;
}

}  // namespace oob::errands

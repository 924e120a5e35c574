#include "ipmi/sdr_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/sha256.h"
#include "base/whole_file.h"
#include "ipmi/wire.h"

namespace oob::ipmi {
namespace {

constexpr char kMagic[] = "OOBDSDR\x01";
constexpr std::size_t kMagicSize = 8;
constexpr std::size_t kSumSize = 32;
constexpr std::size_t kMostCache = kMostSdrBytes + 2 * kMostSdrs + 1024;

base::Error broken(const char* what) {
  return base::fail(base::Fault::failed, base::str("sensor record cache: ", what));
}

bool says_no_time(std::uint32_t stamp) { return stamp == 0 || stamp == 0xffffffff; }

}  // namespace

bool SdrStamp::has_clock() const { return !says_no_time(addition) || !says_no_time(erase); }

std::string SdrCache::encode() const {
  std::string file(kMagic, kMagicSize);
  Bytes device = Bytes(stamp.device).substr(0, 255);
  file += static_cast<char>(device.size());
  file += device;
  put32(file, stamp.addition);
  put32(file, stamp.erase);
  put16(file, stamp.count);
  put16(file, static_cast<std::uint16_t>(records.size()));
  for (const std::string& record : records) {
    put16(file, static_cast<std::uint16_t>(record.size()));
    file += record;
  }
  return file + base::sha256(file);
}

base::Result<SdrCache> SdrCache::decode(Bytes file) {
  if (file.size() < kMagicSize + 1 + kSumSize) return broken("cut short");
  if (file.substr(0, kMagicSize) != Bytes(kMagic, kMagicSize)) return broken("not one of ours");
  Bytes rest = file.substr(0, file.size() - kSumSize);
  if (base::sha256(rest) != file.substr(rest.size())) return broken("wrong checksum");
  rest.remove_prefix(kMagicSize);
  SdrCache cache;
  std::size_t device = get8(rest, 0);
  if (rest.size() < 1 + device + 12) return broken("cut short");
  cache.stamp.device = rest.substr(1, device);
  rest.remove_prefix(1 + device);
  cache.stamp.addition = get32(rest, 0);
  cache.stamp.erase = get32(rest, 4);
  cache.stamp.count = get16(rest, 8);
  std::size_t count = get16(rest, 10);
  rest.remove_prefix(12);
  if (count > kMostSdrs) return broken("too many records");
  for (std::size_t i = 0; i < count; ++i) {
    if (rest.size() < 2 || rest.size() - 2 < get16(rest, 0)) return broken("a record is cut short");
    cache.records.emplace_back(rest.substr(2, get16(rest, 0)));
    rest.remove_prefix(2 + cache.records.back().size());
  }
  if (!rest.empty()) return broken("something is left over");
  return cache;
}

base::Result<SdrCache> read_sdr_cache(const std::string& path) {
  base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return base::system_error(path);
  std::string bytes(kMostCache + 1, '\0');
  std::size_t size = 0;
  while (size < bytes.size()) {
    ssize_t got = ::read(file.get(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::system_error(path);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMostCache) return base::wrap(path, broken("too long"));
  bytes.resize(size);
  auto cache = SdrCache::decode(bytes);
  if (!cache) return base::wrap(path, cache.error());
  return cache;
}

base::Result<> write_sdr_cache(const std::string& path, const SdrCache& cache) {
  return base::write_whole(path, cache.encode(), 0600);
}

}  // namespace oob::ipmi

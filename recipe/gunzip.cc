#include "recipe/gunzip.h"

#include <zlib.h>

#include <algorithm>

namespace oob::recipe {

using base::Fault;

base::Result<std::string> gunzip(base::Bytes packed, std::uint64_t most) {
  z_stream stream{};
  constexpr int kGzipAlone = 16 + MAX_WBITS;
  if (inflateInit2(&stream, kGzipAlone) != Z_OK) return fail(Fault::internal, "zlib has no memory");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string bytes;
  int answer = Z_OK;
  bool over = false;
  while (answer == Z_OK && !over) {
    char piece[32 * 1024];
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof piece;
    answer = inflate(&stream, Z_NO_FLUSH);
    std::size_t size = sizeof piece - stream.avail_out;
    over = bytes.size() + size > most;
    if (!over) bytes.append(piece, size);
  }
  bool whole = answer == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  if (over) return fail(Fault::failed, base::str("it has more than ", most, " bytes"));
  if (!whole) return fail(Fault::failed, "the device's gzip file is damaged");
  return bytes;
}

std::uint32_t gzip_crc(base::Bytes bytes) {
  const auto* first = reinterpret_cast<const Bytef*>(bytes.data());
  return static_cast<std::uint32_t>(crc32_z(crc32_z(0, nullptr, 0), first, bytes.size()));
}

}  // namespace oob::recipe

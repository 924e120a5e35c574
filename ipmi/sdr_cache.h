#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

// A BMC's sensor data records, kept in a file: reading them anew takes a BMC seconds to minutes.
namespace oob::ipmi {

// Tells one state of one BMC's records from every other.
struct SdrStamp {
  std::string device;                     // what the BMC said to Get Device ID (20.1), up to 255 bytes
  std::uint32_t addition = 0, erase = 0;  // time stamps of Get SDR Repository Info (33.9)
  std::uint16_t count = 0;                // of records, as the BMC counts them

  bool operator==(const SdrStamp&) const = default;
  // Without a clock a BMC may have other records under the same time stamps after its next start.
  bool has_clock() const;
};

// The file, all integers least significant byte first:
//
//   8 bytes   "OOBDSDR" and the version, 01h
//   1, n      length of the BMC's answer to Get Device ID, and the answer
//   4, 4, 2   time stamps of the most recent addition and erase; number of records as the BMC counts them
//   2         number of records that follow; each: 2 bytes length, and the record with its header
//   32        SHA-256 of all that comes before
struct SdrCache {
  SdrStamp stamp;
  std::vector<std::string> records;

  std::string encode() const;
  // Fault::failed when the bytes are not what encode() wrote.
  static base::Result<SdrCache> decode(base::Bytes file);
};

// These block: for base::Blocking. The file is read by its owner alone (0600) and replaced whole or not at
// all. Errors: "NAME: No such file or directory".
base::Result<SdrCache> read_sdr_cache(const std::string& path);
base::Result<> write_sdr_cache(const std::string& path, const SdrCache& cache);

constexpr std::size_t kMostSdrs = 4096;
constexpr std::size_t kMostSdrBytes = 256 * 1024;

}  // namespace oob::ipmi

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace oob::auth {

// The root of a Merkle tree (RFC 6962, 2.1) over leaves that come one after another: holds the roots of the
// complete subtrees alone, at most 64 of them. Hashes are 32 raw bytes.
class MerkleTree {
 public:
  // The tree over `size` leaves with these subtrees, the largest first. Fault::failed: their number, or the
  // size of one, does not fit.
  static base::Result<MerkleTree> resume(std::uint64_t size, std::vector<std::string> subtrees);

  void add(base::Bytes leaf);  // SHA-256(0x00 || leaf)
  std::uint64_t size() const { return size_; }
  std::string root() const;  // of no leaves: SHA-256 of nothing
  const std::vector<std::string>& subtrees() const { return subtrees_; }

 private:
  std::uint64_t size_ = 0;
  std::vector<std::string> subtrees_;
};

}  // namespace oob::auth

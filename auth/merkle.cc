#include "auth/merkle.h"

#include <bit>

#include "base/sha256.h"

namespace oob::auth {

using base::Bytes;
using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kHashSize = 32;

// Empty where a half is: a hash that could not be computed must not become part of one that looks right.
std::string node(Bytes left, Bytes right) {
  if (left.size() != kHashSize || right.size() != kHashSize) return {};
  return base::sha256(str('\x01', left, right));
}

}  // namespace

Result<MerkleTree> MerkleTree::resume(std::uint64_t size, std::vector<std::string> subtrees) {
  if (subtrees.size() != static_cast<std::size_t>(std::popcount(size)))
    return fail(Fault::failed, str("a tree over ", size, " leaves has ", std::popcount(size),
                                   " subtrees, not ", subtrees.size()));
  for (const std::string& subtree : subtrees) {
    if (subtree.size() != kHashSize)
      return fail(Fault::failed, str("a hash has 32 bytes, not ", subtree.size()));
  }
  MerkleTree tree;
  tree.size_ = size;
  tree.subtrees_ = std::move(subtrees);
  return tree;
}

void MerkleTree::add(Bytes leaf) {
  std::string hash = base::sha256(str('\0', leaf));
  // Each complete subtree is a bit of the size that is set: adding one carries as in binary addition.
  for (std::uint64_t bits = size_; bits & 1; bits >>= 1) {
    hash = node(subtrees_.back(), hash);
    subtrees_.pop_back();
  }
  subtrees_.push_back(std::move(hash));
  ++size_;
}

std::string MerkleTree::root() const {
  if (subtrees_.empty()) return base::sha256({});
  std::string hash = subtrees_.back();
  if (hash.size() != kHashSize) return {};
  for (std::size_t at = subtrees_.size() - 1; at-- > 0;) hash = node(subtrees_[at], hash);
  return hash;
}

}  // namespace oob::auth

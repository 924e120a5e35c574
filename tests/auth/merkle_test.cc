#include "auth/merkle.h"

#include <gtest/gtest.h>

namespace oob::auth {
namespace {

using base::Bytes;

// The leaves of the test vectors that logs of certificates use (certificate-transparency, merkletree).
const std::vector<Bytes> kLeaves = {"",
                                    Bytes("\0", 1),
                                    "\x10",
                                    "\x20\x21",
                                    "\x30\x31",
                                    "\x40\x41\x42\x43",
                                    "\x50\x51\x52\x53\x54\x55\x56\x57",
                                    "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"};
// Computed from RFC 6962, 2.1 by its recursion, over the first 0, 1, 2 … of them.
const char* const kRoots[] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

TEST(MerkleTree, HasTheRootsOfRfc6962) {
  MerkleTree tree;
  EXPECT_EQ(base::hex(tree.root()), kRoots[0]);
  for (std::size_t i = 0; i < kLeaves.size(); ++i) {
    tree.add(kLeaves[i]);
    EXPECT_EQ(tree.size(), i + 1);
    EXPECT_EQ(base::hex(tree.root()), kRoots[i + 1]) << i;
  }
}

TEST(MerkleTree, GoesOnFromItsSubtreesAtEverySize) {
  for (std::uint64_t at = 0; at <= 1000; at += 37) {
    MerkleTree tree;
    for (std::uint64_t i = 0; i < at; ++i) tree.add(std::to_string(i));
    auto resumed = MerkleTree::resume(tree.size(), tree.subtrees());
    ASSERT_TRUE(resumed);
    EXPECT_EQ(resumed->root(), tree.root());
    for (std::uint64_t i = at; i < 1000; ++i) resumed->add(std::to_string(i));
    EXPECT_EQ(base::hex(resumed->root()), "638afa98022925bacfddadb15ef22fd0199c1ac99c2973b6158243d13fce05c2")
        << at;
  }
}

TEST(MerkleTree, TakesOnlySubtreesThatFitItsSize) {
  std::string hash(32, 'h');
  EXPECT_TRUE(MerkleTree::resume(0, {}));
  EXPECT_TRUE(MerkleTree::resume(5, {hash, hash}));
  EXPECT_EQ(MerkleTree::resume(5, {hash}).error().what, "a tree over 5 leaves has 2 subtrees, not 1");
  EXPECT_FALSE(MerkleTree::resume(0, {hash}));
  EXPECT_EQ(MerkleTree::resume(5, {hash, "short"}).error().what, "a hash has 32 bytes, not 5");
}

}  // namespace
}  // namespace oob::auth

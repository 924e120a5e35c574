#include "base/sha256.h"

#include <gtest/gtest.h>

namespace oob::base {
namespace {

// FIPS 180-4's examples, as NIST's "SHA256.pdf" works them out, and the sum of nothing.
struct Known {
  std::string text;
  const char* sum;
};

const Known kKnown[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {std::string(1000000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

TEST(Sha256, GivesThePublishedSums) {
  for (const Known& known : kKnown) EXPECT_EQ(hex(sha256(known.text)), known.sum) << known.text.size();
}

TEST(Sha256, CountsNotWhereThePiecesAreCut) {
  std::string whole;
  for (int i = 0; i < 200; ++i) whole += static_cast<char>(i);
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    Sha256 sum;
    sum.add(Bytes(whole).substr(0, cut));
    sum.add(Bytes(whole).substr(cut));
    ASSERT_EQ(hex(sum.digest()), hex(sha256(whole))) << cut;
  }
}

TEST(Sha256, MayBeAskedBetweenThePieces) {
  Sha256 sum;
  EXPECT_EQ(hex(sum.digest()), kKnown[0].sum);
  sum.add("ab");
  EXPECT_EQ(hex(sum.digest()), hex(sha256("ab")));
  EXPECT_EQ(hex(sum.digest()), hex(sha256("ab")));
  sum.add("c");
  EXPECT_EQ(hex(sum.digest()), kKnown[1].sum);
}

}  // namespace
}  // namespace oob::base

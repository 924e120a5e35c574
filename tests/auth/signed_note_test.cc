#include "auth/signed_note.h"

#include <gmock/gmock.h>

#include "auth/public_key.h"
#include "base/sha256.h"

namespace oob::auth {
namespace {

using testing::HasSubstr;

// The example of golang.org/x/mod/sumdb/note, which C2SP signed-note was written from.
constexpr std::string_view kNeumann = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr std::string_view kText =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n";
constexpr std::string_view kSignature =
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";

Checkpoint checkpoint() { return {"board1/oobd/3fc27d19/1", 18231, base::sha256("root")}; }

TEST(NoteKey, ReadsAndWritesAKeyOfAnotherProgram) {
  auto key = NoteKey::parse(kNeumann);
  ASSERT_TRUE(key) << key.error().what;
  EXPECT_EQ(key->name(), "PeterNeumann");
  EXPECT_EQ(base::hex(key->id()), "c74f20a3");
  EXPECT_EQ(key->text(), kNeumann);
  std::string signature;
  ASSERT_TRUE(decode_base64(kSignature, signature));
  EXPECT_EQ(signature.substr(0, 4), key->id());
  EXPECT_TRUE(key->verify(kText, signature.substr(4)));
  EXPECT_FALSE(key->verify(kText.substr(1), signature.substr(4)));
}

TEST(NoteKey, RefusesWhatIsNotExactlyAKey) {
  for (std::size_t size = 0; size < kNeumann.size(); ++size)
    EXPECT_FALSE(NoteKey::parse(kNeumann.substr(0, size))) << size;
  for (std::size_t at = 0; at < kNeumann.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string other(kNeumann);
      other[at] = static_cast<char>(other[at] ^ 1 << bit);
      EXPECT_FALSE(NoteKey::parse(other)) << other;  // the id is a sum over name and key
    }
  }
  EXPECT_FALSE(NoteKey::parse(std::string(kNeumann) + "="));
  EXPECT_FALSE(NoteKey::parse("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"));
}

TEST(SignedNote, IsReadAsItWasWrittenAndVerifies) {
  auto signer = NoteSigner::make();
  ASSERT_TRUE(signer);
  NoteKey key = NoteKey::of(checkpoint().origin, signer->public_key());
  auto note = signer->sign(checkpoint());
  ASSERT_TRUE(note);
  EXPECT_TRUE(note->verify(key));
  std::string text = note->text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
  EXPECT_TRUE(text.starts_with("board1/oobd/3fc27d19/1\n18231\n"));
  std::size_t size = 0;
  auto read = SignedNote::parse(text + "what follows", size);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(size, text.size());
  EXPECT_EQ(read->checkpoint, checkpoint());
  EXPECT_EQ(read->text(), text);
  EXPECT_TRUE(read->verify(key));
  EXPECT_TRUE(read->verify(*NoteKey::parse(key.text())));
  EXPECT_EQ(read->checkpoint.brief(), "18231 " + base::base64(base::sha256("root")));
}

TEST(SignedNote, DoesNotVerifyWithAnythingElse) {
  auto signer = NoteSigner::make(), other = NoteSigner::make();
  ASSERT_TRUE(signer && other);
  auto note = signer->sign(checkpoint());
  ASSERT_TRUE(note);
  EXPECT_FALSE(note->verify(NoteKey::of(checkpoint().origin, other->public_key())));
  EXPECT_FALSE(note->verify(NoteKey::of("board2/oobd/3fc27d19/1", signer->public_key())));
}

TEST(SignedNote, IsRefusedOrWrongWithAnyBitFlippedAndWhereverItIsCut) {
  auto signer = NoteSigner::make();
  ASSERT_TRUE(signer);
  NoteKey key = NoteKey::of(checkpoint().origin, signer->public_key());
  std::string text = signer->sign(checkpoint())->text();
  std::size_t size = 0;
  for (std::size_t cut = 0; cut < text.size(); ++cut)
    EXPECT_FALSE(SignedNote::parse(text.substr(0, cut), size)) << cut;
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = text;
      flipped[at] = static_cast<char>(flipped[at] ^ 1 << bit);
      auto note = SignedNote::parse(flipped, size);
      EXPECT_FALSE(note && note->verify(key)) << at << " " << bit;
    }
  }
}

TEST(SignedNote, TakesOnlyTheOneFormOfANumber) {
  auto signer = NoteSigner::make();
  std::string text = signer->sign(checkpoint())->text();
  std::size_t size = 0;
  for (const char* number : {"018231", "+18231", "-1", "", "18231 ", "99999999999999999999"}) {
    std::string other = text;
    other.replace(other.find("18231"), 5, number);
    EXPECT_THAT(SignedNote::parse(other, size).error().what, HasSubstr("the size is no number")) << number;
  }
}

TEST(NoteSigner, IsKeptAsPem) {
  auto signer = NoteSigner::make();
  ASSERT_TRUE(signer);
  auto pem = signer->pem();
  ASSERT_TRUE(pem);
  EXPECT_TRUE(pem->starts_with("-----BEGIN PRIVATE KEY-----\n"));
  auto again = NoteSigner::from_pem(*pem);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->public_key(), signer->public_key());
  EXPECT_EQ(again->public_key().size(), 32u);
  // Ed25519 is deterministic (RFC 8032).
  EXPECT_EQ(again->sign(checkpoint())->text(), signer->sign(checkpoint())->text());
}

TEST(NoteSigner, RefusesWhatIsNoKeyOfItsKind) {
  auto pem = NoteSigner::make()->pem();
  for (std::size_t size = 0; size + 1 < pem->size(); ++size)
    EXPECT_FALSE(NoteSigner::from_pem(pem->substr(0, size))) << size;
  // RFC 8410 has X25519 beside Ed25519: one byte of the algorithm.
  std::string x25519 = *pem;
  x25519.replace(x25519.find("BQYDK2Vw"), 8, "BQYDK2Vu");
  EXPECT_EQ(NoteSigner::from_pem(x25519).error().what, "no Ed25519 key (PKCS #8, PEM, without a passphrase)");
}

}  // namespace
}  // namespace oob::auth

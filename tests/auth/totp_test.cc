#include "auth/totp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>

namespace oob::auth {
namespace {

using base::Bytes;
using base::Fault;
using base::str;
using testing::HasSubstr;
using testing::Not;

std::string base32(Bytes bytes) {
  std::string text;
  unsigned held = 0;
  int bits = 0;
  for (unsigned char c : bytes) {
    held = held << 8 | c;
    for (bits += 8; bits >= 5; bits -= 5) text += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[held >> (bits - 5) & 31];
  }
  if (bits > 0) text += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[held << (5 - bits) & 31];
  return text;
}

std::string digits(std::size_t count) {
  std::string text;
  for (std::size_t i = 1; i <= count; ++i) text += static_cast<char>('0' + i % 10);
  return text;
}

const std::string kExample = base32(digits(20));  // of the standards' examples

std::string fault_of(Bytes text) {
  base::Result<Totp> totp = Totp::parse(text);
  if (totp) return "";
  EXPECT_EQ(totp.error().fault, Fault::config);
  return totp.error().what;
}

TEST(Totp, MakesTheCodesOfTheStandard) {  // RFC 6238, appendix B
  constexpr std::int64_t kTimes[] = {59, 1111111109, 1111111111, 1234567890, 2000000000, 20000000000};
  struct {
    const char* hash;
    std::size_t secret;
    std::array<const char*, 6> codes;
  } const kinds[] = {
      {"SHA1", 20, {"94287082", "07081804", "14050471", "89005924", "69279037", "65353130"}},
      {"SHA256", 32, {"46119246", "68084774", "67062674", "91819424", "90698825", "77737706"}},
      {"SHA512", 64, {"90693936", "25091201", "99943326", "93441116", "38618901", "47863826"}}};
  for (const auto& kind : kinds) {
    auto totp = Totp::parse(str("otpauth://totp/oobd:alice?secret=", base32(digits(kind.secret)),
                                "&issuer=oobd&algorithm=", kind.hash, "&digits=8&period=30"));
    ASSERT_TRUE(totp) << totp.error().what;
    for (std::size_t at = 0; at < kind.codes.size(); ++at) {
      std::int64_t step = Totp::step_at(kTimes[at] * 1'000'000);
      EXPECT_EQ(totp->code(step), kind.codes[at]) << kind.hash << " " << kTimes[at];
      EXPECT_TRUE(totp->is(kind.codes[at], step));
      EXPECT_FALSE(totp->is(kind.codes[at], step + 1));
      EXPECT_FALSE(totp->is(Bytes(kind.codes[at]).substr(2), step));
      EXPECT_FALSE(totp->is("", step));
    }
  }
}

TEST(Totp, HasSixDigitsUnlessToldOtherwise) {  // RFC 4226, appendix D
  auto totp = Totp::parse(kExample);
  ASSERT_TRUE(totp);
  EXPECT_EQ(totp->digits(), 6);
  const char* codes[] = {"755224", "287082", "359152", "969429", "338314"};
  for (std::int64_t step = 0; step < 5; ++step) EXPECT_EQ(totp->code(step), codes[step]);
  EXPECT_EQ(Totp::parse(str("otpauth://totp/?secret=", kExample, "&digits=6"))->code(0), "755224");
}

TEST(Totp, AgreesWithAnotherProgram) {
  std::uint32_t random = 7;
  std::string bytes = digits(1);
  for (std::size_t size : {10u, 16u, 20u, 33u, 64u}) {
    while (bytes.size() < size) bytes += static_cast<char>((random = random * 1664525 + 1013904223) >> 24);
    for (const char* hash : {"SHA1", "SHA256", "SHA512"}) {
      for (const char* count : {"6", "8"}) {
        auto totp = Totp::parse(
            str("otpauth://totp/x?secret=", base32(bytes), "&algorithm=", hash, "&digits=", count));
        ASSERT_TRUE(totp);
        for (std::int64_t time : {0, 1'000'000'000, 1'795'000'017}) {
          std::string command = str("oathtool --base32 --totp=", hash, " --digits=", count,
                                    " --now '1970-01-01 00:00:00 UTC +", time, " seconds' ", base32(bytes));
          char line[64] = "";
          FILE* other = ::popen(command.c_str(), "r");
          ASSERT_TRUE(other);
          EXPECT_TRUE(std::fgets(line, sizeof line, other)) << command;
          ::pclose(other);
          EXPECT_EQ(totp->code(Totp::step_at(time * 1'000'000)) + "\n", line) << command;
        }
      }
    }
  }
}

TEST(Totp, TakesASecretAsPeopleAndAppsWriteIt) {
  std::string lower = kExample, apart;
  for (char& c : lower) c = static_cast<char>(std::tolower(c));
  for (std::size_t at = 0; at < kExample.size(); at += 4) apart += lower.substr(at, 4) + (at % 8 ? " " : "-");
  for (const std::string& text :
       {kExample + "\n", lower, apart + "\r\n", "  " + apart, "OTPAUTH://TOTP/A%20B?SECRET=" + lower,
        "otpauth://totp/a?issuer=x&digits=6&secret=" + kExample + "#x", "otpauth://totp/?secret=" + apart,
        "otpauth://totp/a?secret=" + kExample + "%3D%3d&image",
        "otpauth://totp/a?algorithm=sha1&secret=" + kExample}) {
    auto totp = Totp::parse(text);
    ASSERT_TRUE(totp) << text << ": " << totp.error().what;
    EXPECT_EQ(totp->code(1), "287082") << text;
  }
  // 16 letters are 10 bytes, 26 are 16 and two bits: Google's are of random letters.
  EXPECT_EQ(fault_of("ABCDEFGHIJKLMNOP"), "");
  EXPECT_EQ(fault_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ======"), "");
  EXPECT_EQ(fault_of(base32(std::string(64, 'x')) + "="), "");
}

TEST(Totp, SaysWhatIsWrongWithASecret) {
  const std::string uri = "otpauth://totp/a?secret=" + kExample;
  EXPECT_EQ(fault_of(""), "empty");
  EXPECT_EQ(fault_of(" \n"), "empty");
  EXPECT_EQ(fault_of(std::string(5000, 'A')), "longer than 4096 bytes");
  EXPECT_EQ(fault_of(kExample + "\n\" TOTP_AUTH\n"), "more than one line");
  EXPECT_EQ(fault_of("ABCDEFGH1JKLMNOP"), "character 9 of the secret is not base32 (A-Z and 2-7)");
  EXPECT_EQ(fault_of(std::string("ABCDEFGH\0JKLMNOP", 16)),
            "character 9 of the secret is not base32 (A-Z and 2-7)");
  EXPECT_EQ(fault_of("ABCDEFGH=JKLMNOP"), "the secret goes on after its padding");
  EXPECT_EQ(fault_of(kExample + "A"), "base32 is never 33 characters long: one is missing or too many");
  EXPECT_EQ(fault_of(kExample + "======="), "more padding than base32 ever has");
  EXPECT_EQ(fault_of("ABCDEFGHIJKLMNO"), "a secret of 9 bytes; at least 10 are needed");
  EXPECT_EQ(fault_of("===="), "a secret of 0 bytes; at least 10 are needed");
  EXPECT_EQ(fault_of(base32(std::string(65, 'x'))), "the secret is longer than 64 bytes");
  EXPECT_EQ(fault_of("otpauth://hotp/a?secret=" + kExample + "&counter=1"),
            "an otpauth address that does not begin with otpauth://totp/");
  EXPECT_EQ(fault_of("otpauth://totp/a"), "an otpauth address without ?secret=");
  EXPECT_EQ(fault_of("otpauth://totp/a?issuer=b"), "an otpauth address without secret=");
  EXPECT_EQ(fault_of(uri + "&secret=" + kExample), "an otpauth address with two secret=");
  EXPECT_EQ(fault_of(uri + "&digits=7"), "digits= is not 6 or 8");
  EXPECT_EQ(fault_of(uri + "&period=60"), "period= is not 30");
  EXPECT_EQ(fault_of(uri + "&algorithm=MD5"), "algorithm= is not SHA1, SHA256 or SHA512");
  EXPECT_EQ(fault_of(uri + "%3"), "a % in secret= that says nothing");
  EXPECT_EQ(fault_of(uri + "%zz"), "a % in secret= that says nothing");
}

// Cut at every place, and with every byte changed: it is right or wrong, and no fault tells of the secret.
TEST(Totp, NeverSaysTheSecret) {
  const std::string secret = "mfzwIZTHNBVGWZA7";
  for (const std::string& whole : {secret, "otpauth://totp/a?secret=" + secret + "&digits=8"}) {
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (std::string text :
           {whole.substr(0, at), whole.substr(at), whole.substr(0, at) + "!" + whole.substr(at),
            whole.substr(0, at) + '\0' + whole.substr(at + 1)}) {
        std::string fault = fault_of(text);
        for (std::size_t from = 0; from + 4 <= secret.size(); ++from)
          EXPECT_THAT(fault, Not(HasSubstr(secret.substr(from, 4)))) << text;
      }
    }
  }
}

TEST(Totp, IsEmptyWhereItWasMovedFrom) {
  auto one = Totp::parse(kExample), other = Totp::parse(base32(digits(32)));
  ASSERT_TRUE(one && other);
  *other = std::move(*one);
  EXPECT_EQ(other->code(0), "755224");
  EXPECT_NE(one->code(0), "755224");
  Totp third = std::move(*other);
  EXPECT_EQ(third.code(0), "755224");
  EXPECT_NE(other->code(0), "755224");
}

}  // namespace
}  // namespace oob::auth

#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "ipmi/rakp.h"
#include "ipmi/wire.h"
#include "tests/ipmi/unhex.h"

// What went over UDP between ipmitool 1.8.19 (Debian 1.8.19-4+deb12u2) and a BMC made of pyghmi 1.5.34's
// server classes with suite 17 added, `ipmitool -I lanplus -C SUITE -U ADMIN -P secretpy -vvvv chassis
// status`. SIK, K1 and K2 are what ipmitool printed and what Python 3.11's hmac and hashlib compute; the
// plain messages were decrypted by `openssl enc -d -aes-128-cbc` (OpenSSL 3.0.22). Nothing here was made by
// the code under test; k1_with_kg was not sent by anybody, Python computed it for the same exchange with kKg.
namespace oob::test {

constexpr const char* kCapturedUser = "ADMIN";
constexpr const char* kCapturedPassword = "secretpy";
constexpr const char* kKg = "kgkgkgkgkgkgkgkgkgkg";

struct Captured {
  ipmi::Suite suite;
  // Whole datagrams.
  std::string open_request, open_response, rakp1, rakp2, rakp3, rakp4;
  std::string sik, k1, k2, k1_with_kg;
  // Get Chassis Status: the datagrams and what is inside.
  std::string request, request_message, response, response_message;
};

// Get Channel Authentication Capabilities, in IPMI 1.5 packets.
inline std::string captured_v15_request() { return unhex("0600ff07000000000000000000092018c88100388e04b5"); }
inline std::string captured_v15_response() {
  return unhex("0600ff0700000000000000000010811c6320003800018004020000000021");
}

inline Captured captured_suite_17() {
  Captured captured;
  captured.suite = ipmi::kSuite17;
  captured.open_request = unhex(
      "0600ff0706100000000000000000200000000000a4a3a2a000000008030000000100000804000000020000080100"
      "0000");
  captured.open_response = unhex(
      "0600ff0706110000000000000000240000000400a4a3a2a051818f58000000080300000001000008040000000200"
      "000801000000");
  captured.rakp1 = unhex(
      "0600ff070612000000000000000021000000000051818f58be0bc32358c2812b8c72b38aa2761ebf140000054144"
      "4d494e");
  captured.rakp2 = unhex(
      "0600ff0706130000000000000000480000000000a4a3a2a0d71c45b92c18820f39ed439479de163dd64cecdca4ac"
      "4948ab38c7c8f95276c36420aee36c7d9bb3813a94b2d8c44b208fe919d57d3e84c3f24db01e29986f67");
  captured.rakp3 = unhex(
      "0600ff070614000000000000000028000000000051818f581155a266cf45ca758a9fd141725733c428b52bc886d3"
      "ef338f9451bfdad62758");
  captured.rakp4 = unhex("0600ff0706150000000000000000180000000000a4a3a2a052b975283b091018021c449790ea186a");
  captured.sik = unhex("9120eb3f3bfae306cf2f8d35bccc9c64e77975f9587bc786330c298460f4d301");
  captured.k1 = unhex("91d941f077b09446574671984b07e5c0b474216344b2ad0fc55ab3c45cee42a7");
  captured.k2 = unhex("7f0f0bc35009c4dc1f095ed77fc6d948ff76b9055f8fc4ad0fa8de82cdacb9b0");
  captured.k1_with_kg = unhex("f6deca56543d2fed1a984b5fd12d20b40e6218674e253cfd54a356f80640d036");
  captured.request = unhex(
      "0600ff0706c051818f580800000020009f94a5210ebfa42c2ad8ebf17df2da168ded65ca756154d0b2d4ca620784"
      "ec9effff02078a60328a7e4c44e400bef7aa365d15fc");
  captured.request_message = unhex("2000e081180166");
  captured.response = unhex(
      "0600ff0706c0a4a3a2a0060000002000dae29a0c07d6cc3ed4b7d662bd02edebed203cb2da4ce7c08d26e15bbdee"
      "b488ffff02076f675305250d52c2b1e874c02f897705");
  captured.response_message = unhex("81047b20180100010000c6");
  return captured;
}

inline Captured captured_suite_3() {
  Captured captured;
  captured.suite = ipmi::kSuite3;
  captured.open_request = unhex(
      "0600ff0706100000000000000000200000000000a4a3a2a000000008010000000100000801000000020000080100"
      "0000");
  captured.open_response = unhex(
      "0600ff0706110000000000000000240000000400a4a3a2a03d239719000000080100000001000008010000000200"
      "000801000000");
  captured.rakp1 = unhex(
      "0600ff07061200000000000000002100000000003d239719bf0e4cd32c97d4134630758f0b9e36a2140000054144"
      "4d494e");
  captured.rakp2 = unhex(
      "0600ff07061300000000000000003c0000000000a4a3a2a040cde2cf31a3b32093242fc85d2d9a3ad64cecdca4ac"
      "4948ab38c7c8f95276c390c150008332d749c939f806ded038e14b127745");
  captured.rakp3 =
      unhex("0600ff07061400000000000000001c00000000003d239719e20e85ae6ade5e7919e481a7e02f76b3c4099f9c");
  captured.rakp4 = unhex("0600ff0706150000000000000000140000000000a4a3a2a033f4148c43292cde3fb7296a");
  captured.sik = unhex("b5f7804252bed6fdeabe04362718ba0010a0a982");
  captured.k1 = unhex("45ec3404f456aa0feb42b5d7c24e3bb64dc54fd1");
  captured.k2 = unhex("064eb6841bc188bb48a47a180943b9e243438242");
  captured.k1_with_kg = unhex("92147d3c4b56962c6f679783f93a775f917359d0");
  captured.request = unhex(
      "0600ff0706c03d239719080000002000e7c0f954642f509fadcb8e04cd947bc3f5d3e6bb405dc845fc2141ca1958"
      "9a24ffff02072f4e354e9f9ba059f4abbd93");
  captured.request_message = unhex("2000e081180166");
  captured.response = unhex(
      "0600ff0706c0a4a3a2a00600000020000ae6b99ed3a5b7dffa87778516a9f27702a1d76ad9b9a5a20e75535622b9"
      "053fffff020737c0befdd00365ca89896158");
  captured.response_message = unhex("81047b20180100010000c6");
  return captured;
}

inline std::vector<Captured> both_suites() { return {captured_suite_3(), captured_suite_17()}; }

inline ipmi::SessionKeys keys_of(const Captured& captured) {
  return {captured.suite, ipmi::Secret(captured.k1), ipmi::Secret(base::Bytes(captured.k2).substr(0, 16)),
          ipmi::Secret(captured.sik)};
}

// The payload of a captured datagram outside a session.
inline std::string payload_of(const std::string& datagram) { return datagram.substr(16); }

}  // namespace oob::test

#pragma once

#include <filesystem>
#include <string>

#include "oobd/config.h"
#include "tests/support/support.h"

namespace oob::test {

inline constexpr char kAliceKey[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAFXUttNH8eJn1+vmJa4/oa8cP+gGWo0Th2dJbVHZa+k alice@desk\n";

// A certificate, its key, and another's: made for these tests.
inline constexpr char kCertificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBhDCCASmgAwIBAgIUZJNboAKTdGKRzT2yVGQ17JtvdSowCgYIKoZIzj0EAwIw\n"
    "FjEUMBIGA1UEAwwLbG9nLmV4YW1wbGUwIBcNMjYxMTIzMDMxODAxWhgPMjEyNjEw\n"
    "MzAwMzE4MDFaMBYxFDASBgNVBAMMC2xvZy5leGFtcGxlMFkwEwYHKoZIzj0CAQYI\n"
    "KoZIzj0DAQcDQgAEZk1hvBGMFGAgl0wee+Ep7kFb3pIfJufJGJBSC7t8IpF0iJi/\n"
    "UB2Vd31PGN/vSzDFDHtBPecPGf5MzZc32FS6LKNTMFEwHQYDVR0OBBYEFEpCLMex\n"
    "O3fgwD3wZr32ChxsotNDMB8GA1UdIwQYMBaAFEpCLMexO3fgwD3wZr32ChxsotND\n"
    "MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAOkNd2Jx5KNDZe9/\n"
    "1KfrRBbUIjiTcPT8MgNgn/vouuy0AiEAgwqc0cijIO9UGA8r7OcZGHlUuycKO14o\n"
    "xImNfRqx0dw=\n"
    "-----END CERTIFICATE-----\n";
inline constexpr char kCertificateKey[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqeabHkzuKrL06//t\n"
    "U/E/FfbIS+PGnyQkXjc8r0RHYkmhRANCAARmTWG8EYwUYCCXTB574SnuQVvekh8m\n"
    "58kYkFILu3wikXSImL9QHZV3fU8Y3+9LMMUMe0E95w8Z/kzNlzfYVLos\n"
    "-----END PRIVATE KEY-----\n";
inline constexpr char kOtherKey[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCrlBJTpWcwBWPMgj\n"
    "qD6us+AbelDA2+QBO3K1rvSvMV2hRANCAARJmrKJfTa8wghm5/C6LmpoU+9sqXJO\n"
    "TLOM0lv9P3pu7EJsnjxGBnCb2hh6meWaqvmUnjn2lVQWW50+9JdE6A/I\n"
    "-----END PRIVATE KEY-----\n";

// What a board shows its bastion: made for these tests.
inline constexpr char kCallHomeKey[] =
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    "QyNTUxOQAAACB+IndMYIsXyISUTzKl2ryvTOToXcs+8wNdgaJ0cLqfiwAAAIhlYxmZZWMZ\n"
    "mQAAAAtzc2gtZWQyNTUxOQAAACB+IndMYIsXyISUTzKl2ryvTOToXcs+8wNdgaJ0cLqfiw\n"
    "AAAEAuRCcdsC5DEfwGh1ilLM1vDiIHEJtnMVUEFluldA52eX4id0xgixfIhJRPMqXavK9M\n"
    "5Ohdyz7zA12BonRwup+LAAAABHRlc3QB\n"
    "-----END OPENSSH PRIVATE KEY-----\n";

// This source tree, from where the compiler found the file.
inline std::string source_tree() {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().string();
}

// A folder with a configuration and the files it may name: keys and secrets, good ones and bad ones.
class ConfigFolder {
 public:
  ConfigFolder() {
    for (const char* name : {"keys/alice", "keys/bob"}) write_file(dir_ / name, kAliceKey, 0644);
    write_file(dir_ / "keys/loose", kAliceKey, 0666);
    write_file(dir_ / "notify/sms", "#!/bin/sh\n", 0755);
    write_file(dir_ / "notify/loose", "#!/bin/sh\n", 0777);
    write_file(dir_ / "notify/text", "#!/bin/sh\n", 0644);
    for (const char* name : {"secrets/relay1", "secrets/edge1"}) write_file(dir_ / name, "not telling\n");
    write_file(dir_ / "secrets/loose", "not telling\n", 0644);
    write_file(dir_ / "secrets/hook", "t0ken\n");
    write_file(dir_ / "secrets/empty", "\n");
    write_file(dir_ / "secrets/long", "123456789012345678901");
    write_file(dir_ / "secrets/lines", "one\ntwo\n");
    write_file(dir_ / "keys/callhome", kCallHomeKey);
    write_file(dir_ / "keys/syslog_ca.pem", kCertificate, 0644);
    write_file(dir_ / "keys/board.pem", kCertificate, 0644);
    write_file(dir_ / "secrets/board.pem", kCertificateKey);
    write_file(dir_ / "secrets/other.pem", kOtherKey);
  }

  const std::string& path() const { return dir_.path(); }
  std::string operator/(const std::string& name) const { return dir_ / name; }
  std::string file() const { return dir_ / "oobd.toml"; }

  ConfigOutcome read(const std::string& text) const {
    write_file(file(), text);
    return read_config(file());
  }

 private:
  TempDir dir_;
};

}  // namespace oob::test

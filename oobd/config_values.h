#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

// What single values of the configuration must look like. Pure; each error is a whole sentence part for the
// operator, with the value in it.
namespace oob {

// A value as messages show it: 'edge1', printable and not endless.
std::string in_quotes(std::string_view text);

constexpr std::size_t kLeastScrollback = 4 * 1024, kMostScrollback = 16 * 1024 * 1024;  // bytes
constexpr std::size_t kMostName = 64;                                                   // bytes

// [a-z_][a-z0-9_.-]*: a login may be alice:edge1, alice+edge1 or alice@host, so those signs are not for
// names.
base::Result<> check_user_name(std::string_view name);
// [A-Za-z0-9][A-Za-z0-9_.-]*, no "..": a device's name is a folder's name too. No word of reserved_words().
base::Result<> check_device_name(std::string_view name);
// Roles and BMCs: as a device, but any word will do.
base::Result<> check_name(std::string_view name);
// What a role's `on` may hold: a device name with * and ?.
base::Result<> check_glob(std::string_view glob);

// The value of "16384", "64k", "1m", "2g"; false for anything else.
bool take_size(std::string_view text, std::int64_t& bytes);

// Two characters, each as itself or, if it is a control character, as "^X": "^Ec".
base::Result<std::string> parse_escape(std::string_view text);
// "16384", "64k", "1m", between kLeastScrollback and kMostScrollback.
base::Result<std::size_t> parse_scrollback(std::string_view text);
base::Result<std::size_t> check_scrollback(std::int64_t bytes);

// "192.0.2.1:2222" or "[2001:db8::1]:2222"; port 0 lets the system choose.
base::Result<> check_listen(std::string_view text);
// The same, or a Unix socket by its absolute path: "unix:/run/oobd/onion.sock".
base::Result<> check_server_listen(std::string_view text);
// "192.0.2.21", "[2001:db8::21]", each with or without ":PORT".
base::Result<> check_bmc_host(std::string_view text);
// "192.0.2.50", "[2001:db8::50]", each with or without ":PORT"; what is given back has its port.
base::Result<std::string> parse_syslog_server(std::string_view text);
// What is looked for in a certificate: a host name or an address.
base::Result<> check_certificate_name(std::string_view name);
// Up to 16 bytes of printable ASCII (IPMI 2.0, 22.28).
base::Result<> check_bmc_user(std::string_view name);
// 17 or 3 (IPMI 2.0, table 22-20).
base::Result<> check_cipher_suite(std::int64_t suite);
// What a password file holds: one line of 1 to 20 bytes (IPMI 2.0, 22.30). The error never has the password
// in it.
base::Result<> check_password(std::string_view text);
// What a Kg file holds: the same, or 0x and 40 hex digits (IPMI 2.0, 13.31: 20 bytes).
base::Result<> check_kg(std::string_view text);
// Short enough for sockaddr_un.
base::Result<> check_socket_path(const std::string& path);

}  // namespace oob

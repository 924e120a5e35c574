#include "oobd/config_values.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>

#include "oobd/config_words.h"
#include "oobd/listeners.h"

namespace oob {
namespace {

base::Error bad(std::string what) { return base::fail(base::Fault::config, std::move(what)); }

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
bool is_sign(char c) { return c == '_' || c == '.' || c == '-'; }

base::Result<> check_length(std::string_view name) {
  if (name.empty()) return bad("a name is empty");
  if (name.size() > kMostName)
    return bad(base::str(in_quotes(name), " is longer than ", kMostName, " bytes"));
  return {};
}

bool numeric_host(std::string_view host, int family) {
  unsigned char address[sizeof(in6_addr)];
  return host.find('\0') == std::string_view::npos &&
         ::inet_pton(family, std::string(host).c_str(), address) == 1;
}

// Takes a numeric host from the front of `text`, with its brackets if it is IPv6.
bool take_host(std::string_view& text) {
  if (text.starts_with('[')) {
    std::size_t end = text.find(']');
    if (end == std::string_view::npos || !numeric_host(text.substr(1, end - 1), AF_INET6)) return false;
    text.remove_prefix(end + 1);
    return true;
  }
  std::size_t end = std::min(text.find(':'), text.size());
  if (!numeric_host(text.substr(0, end), AF_INET)) return false;
  text.remove_prefix(end);
  return true;
}

base::Result<> check_port(std::string_view text, unsigned least) {
  unsigned port = 0;
  if (!base::parse_number(text, port) || port < least || port > 65535) {
    return bad(base::str("port ", in_quotes(text), " is not a number from ", least, " to 65535"));
  }
  return {};
}

}  // namespace

bool take_size(std::string_view text, std::int64_t& bytes) {
  std::int64_t unit = 1;
  switch (text.empty() ? '\0' : text.back()) {
    case 'k':
    case 'K':
      unit = 1024;
      break;
    case 'm':
    case 'M':
      unit = 1024 * 1024;
      break;
    case 'g':
    case 'G':
      unit = 1024 * 1024 * 1024;
      break;
  }
  if (unit > 1) text.remove_suffix(1);
  if (!base::parse_number(text, bytes) || bytes < 0 || bytes > INT64_MAX / unit) return false;
  bytes *= unit;
  return true;
}

std::string in_quotes(std::string_view text) { return base::str("'", base::printable(text, 200), "'"); }

base::Result<> check_user_name(std::string_view name) {
  if (auto length = check_length(name); !length) return length;
  for (char c : {':', '+', '@'}) {
    if (name.find(c) != std::string_view::npos) {
      return bad(base::str("user name ", in_quotes(name), " has a '", c,
                           "', which parts user, device and host in a login"));
    }
  }
  bool right = is_lower(name[0]) || name[0] == '_';
  for (char c : name) right = right && (is_lower(c) || is_digit(c) || is_sign(c));
  if (!right) {
    return bad(base::str("user name ", in_quotes(name),
                         " must begin with a-z or _ and go on with a-z, 0-9, '_', '.' and '-'"));
  }
  return {};
}

base::Result<> check_name(std::string_view name) {
  if (auto length = check_length(name); !length) return length;
  bool right = is_letter(name[0]) || is_digit(name[0]);
  for (char c : name) right = right && (is_letter(c) || is_digit(c) || is_sign(c));
  if (!right) {
    return bad(
        base::str("name ", in_quotes(name),
                  " must begin with a letter or digit and go on with letters, digits, '_', '.' and '-'"));
  }
  if (name.find("..") != std::string_view::npos)
    return bad(base::str("name ", in_quotes(name), " has '..' in it"));
  return {};
}

base::Result<> check_device_name(std::string_view name) {
  if (auto plain = check_name(name); !plain) return plain;
  const std::vector<std::string>& words = reserved_words();
  if (std::find(words.begin(), words.end(), name) != words.end()) {
    return bad(base::str("a device can't be called ", in_quotes(name), ": that is a command"));
  }
  return {};
}

base::Result<> check_glob(std::string_view glob) {
  for (char c : glob) {
    if (!is_letter(c) && !is_digit(c) && !is_sign(c) && c != '*' && c != '?') {
      return bad(base::str(in_quotes(glob),
                           " can match no device: only * and ? are wild, and names have letters, digits, "
                           "'_', '.' and '-'"));
    }
  }
  return {};
}

base::Result<std::string> parse_escape(std::string_view text) {
  std::string escape;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '^' && i + 1 < text.size()) {
      char letter = text[++i];
      if (is_lower(letter)) letter = static_cast<char>(letter - 'a' + 'A');
      if (letter != '?' && (letter < '@' || letter > '_')) {
        return bad(base::str("escape ", in_quotes(text), " has ", in_quotes(text.substr(i - 1, 2)),
                             ", which is no control character"));
      }
      c = static_cast<char>(letter ^ 0x40);
    }
    escape += c;
  }
  bool right = escape.size() == 2;
  for (char c : escape) right = right && c > 0 && c != '\r' && c != '\n';
  if (!right) {
    return bad(base::str("escape ", in_quotes(text),
                         " must be two ASCII characters other than NUL and line ends, like \"^Ec\""));
  }
  return escape;
}

base::Result<std::size_t> check_scrollback(std::int64_t bytes) {
  if (bytes < static_cast<std::int64_t>(kLeastScrollback) ||
      bytes > static_cast<std::int64_t>(kMostScrollback)) {
    return bad(base::str("scrollback of ", bytes, " bytes is not between ", kLeastScrollback, " (4k) and ",
                         kMostScrollback, " (16m)"));
  }
  return static_cast<std::size_t>(bytes);
}

base::Result<std::size_t> parse_scrollback(std::string_view text) {
  std::int64_t bytes = 0;
  if (!take_size(text, bytes)) {
    return bad(
        base::str("scrollback ", in_quotes(text), " is not a number of bytes like 16384, \"64k\" or \"1m\""));
  }
  return check_scrollback(bytes);
}

base::Result<> check_listen(std::string_view text) {
  std::string_view rest = text;
  if (!take_host(rest)) {
    return bad(base::str(in_quotes(text),
                         " is not a numeric address with a port like \"0.0.0.0:2222\" or \"[::]:2222\""));
  }
  if (rest.empty())
    return bad(base::str(in_quotes(text), " has no port: write ", in_quotes(base::str(text, ":2222"))));
  if (!rest.starts_with(':'))
    return bad(base::str(in_quotes(text), " has ", in_quotes(rest), " behind its address"));
  auto port = check_port(rest.substr(1), 0);
  if (!port) return base::wrap(in_quotes(text), port.error());
  return {};
}

base::Result<> check_server_listen(std::string_view text) {
  if (!is_unix(text)) return check_listen(text);
  std::string path(text.substr(kUnixPrefix.size()));
  if (path.size() < 2 || path[0] != '/' || path.back() == '/' || path.find('\0') != std::string::npos)
    return bad(base::str(in_quotes(text),
                         " has no absolute path behind 'unix:', like \"unix:/run/oobd/onion.sock\""));
  return check_socket_path(path);
}

base::Result<> check_bmc_host(std::string_view text) {
  if (numeric_host(text, AF_INET6)) {
    return bad(base::str("host ", in_quotes(text), " is IPv6: write \"[", text, "]\""));
  }
  std::string_view rest = text;
  if (!take_host(rest)) {
    return bad(base::str("host ", in_quotes(text),
                         " is not a numeric address like \"192.0.2.21\" or \"[2001:db8::21]:623\""));
  }
  if (rest.empty()) return {};
  if (!rest.starts_with(':'))
    return bad(base::str("host ", in_quotes(text), " has ", in_quotes(rest), " behind its address"));
  auto port = check_port(rest.substr(1), 1);
  if (!port) return base::wrap(base::str("host ", in_quotes(text)), port.error());
  return {};
}

base::Result<std::string> parse_syslog_server(std::string_view text) {
  constexpr const char* kPort = ":6514";  // RFC 5425, 4.1
  if (numeric_host(text, AF_INET6)) {
    return bad(base::str("server ", in_quotes(text), " is IPv6: write \"[", text, "]\""));
  }
  std::string_view rest = text;
  if (!take_host(rest)) {
    return bad(base::str("server ", in_quotes(text),
                         " is not a numeric address like \"192.0.2.50:6514\" or \"[2001:db8::50]:6514\""));
  }
  if (rest.empty()) return base::str(text, kPort);
  if (!rest.starts_with(':'))
    return bad(base::str("server ", in_quotes(text), " has ", in_quotes(rest), " behind its address"));
  auto port = check_port(rest.substr(1), 1);
  if (!port) return base::wrap(base::str("server ", in_quotes(text)), port.error());
  return std::string(text);
}

base::Result<> check_certificate_name(std::string_view name) {
  constexpr std::size_t kMost = 253;  // RFC 1035, 2.3.4
  bool right = !name.empty() && name.size() <= kMost;
  for (char c : name) right = right && (is_letter(c) || is_digit(c) || is_sign(c) || c == ':');
  if (right) return {};
  return bad(base::str("name ", in_quotes(name), " is no host name or address that a certificate can have"));
}

base::Result<> check_bmc_user(std::string_view name) {
  constexpr std::size_t kMostBmcUser = 16;
  bool right = !name.empty() && name.size() <= kMostBmcUser;
  for (unsigned char c : name) right = right && c > 0x20 && c < 0x7f;
  if (!right) {
    return bad(
        base::str("user ", in_quotes(name), " must be 1 to ", kMostBmcUser, " printable ASCII characters"));
  }
  return {};
}

base::Result<> check_cipher_suite(std::int64_t suite) {
  if (suite == 17 || suite == 3) return {};
  if (suite == 0) {
    return bad(
        "cipher_suite 0 takes any password from anybody: it is never used; write 17 or 3, or leave it out");
  }
  return bad(base::str("cipher_suite ", suite, " is not 17 or 3"));
}

base::Result<> check_password(std::string_view text) {
  constexpr std::size_t kMostPassword = 20;
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.empty()) return bad("there is no password in it");
  if (text.find('\n') != std::string_view::npos) return bad("more than one line in it");
  if (text.find('\0') != std::string_view::npos) return bad("a NUL in it");
  if (text.size() > kMostPassword) {
    return bad(base::str("the password has ", text.size(), " bytes; a BMC takes ", kMostPassword));
  }
  return {};
}

base::Result<> check_kg(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdefABCDEF";
  constexpr std::size_t kDigits = 40;
  std::string_view line = text;
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  bool hex = line.size() == 2 + kDigits && line.starts_with("0x") &&
             line.find_first_not_of(kHex, 2) == std::string_view::npos;
  if (hex || check_password(text)) return {};
  return bad("no Kg key in it: 1 to 20 characters, or 0x and 40 hex digits, on one line");
}

base::Result<> check_socket_path(const std::string& path) {
  constexpr std::size_t kMost = sizeof(sockaddr_un{}.sun_path) - 1;
  if (path.size() <= kMost) return {};
  return bad(base::str("path '", base::printable(path), "' has ", path.size(),
                       " bytes; a socket's has at most ", kMost));
}

}  // namespace oob

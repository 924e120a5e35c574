#include "ssh/proxy_line.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace oob::ssh {

namespace {

constexpr std::string_view kBegin = "PROXY TCP6 ";
// What tor puts before the circuit's 32 bits; the 32 between them are nil.
constexpr unsigned char kCircuits[12] = {0xfc, 0x00, 0xde, 0xad, 0xbe, 0xef, 0x4d, 0xad};

bool is_address(std::string_view text, in6_addr& address) {
  return text.find('\0') == std::string_view::npos &&
         ::inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  return base::parse_number(text, port) && (text.size() == 1 || text[0] != '0');
}

}  // namespace

std::size_t ProxyLine::feed(base::Bytes bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && state_ == State::more) {
    line_ += bytes[taken++];
    const std::size_t known = std::min(line_.size(), kBegin.size());
    const bool right = std::string_view(line_).substr(0, known) == kBegin.substr(0, known);
    if (line_.back() == '\n') {
      state_ = parse() ? State::done : State::wrong;
    } else if (!right || line_.size() == kMost) {
      state_ = State::wrong;
    }
  }
  return taken;
}

bool ProxyLine::parse() {
  if (!line_.starts_with(kBegin) || !line_.ends_with("\r\n")) return false;
  std::vector<std::string_view> words;
  std::string_view rest(line_);
  rest.remove_prefix(kBegin.size());
  rest.remove_suffix(2);
  base::split(rest, ' ', [&](std::string_view word) { words.push_back(word); });
  in6_addr source, destination;
  if (words.size() != 4 || !is_address(words[0], source) || !is_address(words[1], destination) ||
      !is_port(words[2]) || !is_port(words[3]))
    return false;
  if (std::memcmp(source.s6_addr, kCircuits, sizeof kCircuits) != 0) return false;
  std::uint32_t circuit;
  std::memcpy(&circuit, source.s6_addr + sizeof kCircuits, sizeof circuit);
  circuit_ = ntohl(circuit);
  return true;
}

}  // namespace oob::ssh

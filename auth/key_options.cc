#include "auth/key_options.h"

#include <time.h>

#include <algorithm>
#include <chrono>

namespace oob::auth {

using base::Micros;
using base::printable;
using base::Result;
using base::str;

namespace {

enum class Option {
  from,
  expiry_time,
  command,
  permitopen,
  all_off,
  pty,
  no_pty,
  port_forwarding,
  no_port_forwarding,
  cert_authority,
  principals,
  always,   // so whether it is written or not
  refused,  // known to sshd, but not enforced here
};

struct Known {
  std::string_view name;
  Option option;
  bool takes_value;
  std::string_view why;  // of a refused one
};

constexpr std::string_view kNoFido = "what a security key says of touch and PIN can't be checked here";
constexpr std::string_view kNever =
    "oobd never allows it, so it can't be given to a key; take the option out";

constexpr Known kKnown[] = {
    {"from", Option::from, true, {}},
    {"expiry-time", Option::expiry_time, true, {}},
    {"command", Option::command, true, {}},
    {"permitopen", Option::permitopen, true, {}},
    {"restrict", Option::all_off, false, {}},
    {"pty", Option::pty, false, {}},
    {"no-pty", Option::no_pty, false, {}},
    {"port-forwarding", Option::port_forwarding, false, {}},
    {"no-port-forwarding", Option::no_port_forwarding, false, {}},
    {"no-agent-forwarding", Option::always, false, {}},
    {"no-X11-forwarding", Option::always, false, {}},
    {"no-user-rc", Option::always, false, {}},
    {"agent-forwarding", Option::refused, false, kNever},
    {"X11-forwarding", Option::refused, false, kNever},
    {"user-rc", Option::refused, false, kNever},
    {"permitlisten", Option::refused, true, kNever},
    {"tunnel", Option::refused, true, kNever},
    {"environment", Option::refused, true, kNever},
    {"cert-authority", Option::cert_authority, false, {}},
    {"principals", Option::principals, true, {}},
    {"verify-required", Option::refused, false, kNoFido},
    {"no-touch-required", Option::refused, false, kNoFido},
};

std::string lower(std::string_view text) {
  std::string small(text);
  std::transform(small.begin(), small.end(), small.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return small;
}

const Known* known_by(std::string_view name) {
  return std::find_if(std::begin(kKnown), std::end(kKnown),
                      [small = lower(name)](const Known& k) { return lower(k.name) == small; });
}

// Key types are among the hints, because a mistyped type is taken for an option.
std::string unknown(std::string_view name) {
  std::string what = str("unknown option '", printable(name, 64), "'");
  if (name.starts_with("AAAA")) return what + "; the type of the key is missing before it";
  // A file of nothing but mistakes must not hold up a login: only words of about that length are compared.
  std::vector<std::string_view> words;
  auto add = [&](std::string_view word) {
    if (name.size() < word.size() + 4 && word.size() < name.size() + 4) words.push_back(word);
  };
  for (std::string_view type :
       {"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com"})
    add(type);
  for (const Known& known : kKnown) add(known.name);
  std::string_view hint = base::nearest(name, words);
  if (!hint.empty()) what += str(", did you mean ", hint, "?");
  return what;
}

bool parse_permit_open(std::string_view text, PermitOpen& open) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']') && host.size() > 2) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":[]") != std::string_view::npos) {
    return false;
  }
  if (host.find_first_of(" \t,!?") != std::string_view::npos) return false;
  if (host != "*" && host.find('*') != std::string_view::npos) return false;
  open.host = host;
  open.port = 0;
  return port == "*" || (base::parse_number(port, open.port) && open.port >= 1 && open.port <= 65535);
}

// Empty if `text` is no list of names without blanks around them: one such could match nobody it was meant
// for.
std::vector<std::string> parse_principals(std::string_view text) {
  std::vector<std::string> names;
  bool right = true;
  base::split(text, ',', [&](std::string_view name) {
    constexpr std::string_view kBlanks = " \t";
    if (name.empty() || kBlanks.find(name.front()) != kBlanks.npos ||
        kBlanks.find(name.back()) != kBlanks.npos)
      right = false;
    names.emplace_back(name);
  });
  if (!right) names.clear();
  return names;
}

// One option at the front of `rest`: its name, and its value where it has one. An empty message means
// success.
struct Piece {
  std::string_view name;
  std::string value;
  bool has_value = false;
};
std::string take_option(std::string_view& rest, Piece& piece) {
  std::size_t end = rest.find_first_of("=,\"");
  piece.name = rest.substr(0, end);
  rest.remove_prefix(piece.name.size());
  if (piece.name.empty()) return "an option is missing here";
  if (rest.starts_with('"'))
    return str("a quote stands in the name of option '", printable(piece.name, 64), "'");
  if (!rest.starts_with('=')) return {};
  rest.remove_prefix(1);
  piece.has_value = true;
  if (!rest.starts_with('"'))
    return str("the value of ", printable(piece.name, 64), " must stand in double quotes");
  rest.remove_prefix(1);
  while (!rest.empty() && rest[0] != '"') {
    if (rest.starts_with("\\\"")) rest.remove_prefix(1);
    piece.value += rest[0];
    rest.remove_prefix(1);
  }
  if (rest.empty()) return "the quote is not closed";
  rest.remove_prefix(1);
  if (!rest.empty() && rest[0] != ',')
    return str("a comma is missing after the value of ", printable(piece.name, 64));
  return {};
}

std::string apply(const Known& known, std::string value, AuthorizedKey& line) {
  KeyTerms& terms = line.terms;
  switch (known.option) {
    case Option::from: {
      if (line.from) return "from stands twice";
      Result<AddressList> list = AddressList::parse(value);
      if (!list) return str("from: ", list.error().what);
      line.from = std::move(*list);
      return {};
    }
    case Option::expiry_time: {
      Micros time;
      if (!parse_expiry(value, time))
        return str("expiry-time: '", printable(value, 40), "' is not a time as YYYYMMDD[HHMM[SS]][Z]");
      line.expires = line.expires ? std::min(*line.expires, time) : time;
      return {};
    }
    case Option::command:
      if (terms.has_forced_command) return "command stands twice";
      if (value.find_first_not_of(" \t") == std::string::npos) return "command: the command is empty";
      terms.has_forced_command = true;
      terms.forced_command = std::move(value);
      return {};
    case Option::permitopen: {
      PermitOpen open;
      if (!parse_permit_open(value, open))
        return str("permitopen: '", printable(value, 80), "' is not HOST:PORT, [IPV6]:PORT or HOST:*");
      terms.permit_open.push_back(std::move(open));
      return {};
    }
    case Option::all_off:
      terms.no_pty = terms.no_forwarding = true;
      return {};
    case Option::pty:
      terms.no_pty = false;
      return {};
    case Option::no_pty:
      terms.no_pty = true;
      return {};
    case Option::port_forwarding:
      terms.no_forwarding = false;
      return {};
    case Option::no_port_forwarding:
      terms.no_forwarding = true;
      return {};
    case Option::cert_authority:
      line.is_ca = true;
      return {};
    case Option::principals:
      if (!line.principals.empty()) return "principals stands twice";
      line.principals = parse_principals(value);
      if (line.principals.empty())
        return str("principals: '", printable(value, 80), "' is not a list of names parted by commas");
      return {};
    case Option::always:
      return {};
    case Option::refused:
      return str(known.name, ": ", known.why);
  }
  return {};
}

}  // namespace

bool first_word(std::string_view line, std::size_t& length) {
  std::size_t opened = std::string_view::npos;
  for (length = 0; length < line.size(); ++length) {
    char c = line[length];
    bool quoted = opened != std::string_view::npos;
    if (!quoted && (c == ' ' || c == '\t')) return true;
    if (c == '\\' && line.substr(length + 1).starts_with('"')) {
      ++length;
    } else if (c == '"') {
      opened = quoted ? std::string_view::npos : length;
    }
  }
  if (opened == std::string_view::npos) return true;
  length = opened;
  return false;
}

bool parse_key_options(std::string_view options, AuthorizedKey& line, OptionFault& fault) {
  std::string_view rest = options;
  std::size_t principals_at = 0;
  while (true) {
    fault.at = options.size() - rest.size();
    Piece piece;
    fault.message = take_option(rest, piece);
    if (!fault.message.empty()) return false;
    const Known* known = known_by(piece.name);
    if (known == std::end(kKnown)) {
      fault.message = unknown(piece.name);
    } else if (known->option != Option::refused && known->takes_value && !piece.has_value) {
      fault.message = str(known->name, " needs a value: ", known->name, "=\"…\"");
    } else if (known->option != Option::refused && !known->takes_value && piece.has_value) {
      fault.message = str(known->name, " takes no value");
    } else {
      fault.message = apply(*known, std::move(piece.value), line);
      if (known->option == Option::principals) principals_at = fault.at;
    }
    if (!fault.message.empty()) return false;
    if (rest.empty()) break;
    rest.remove_prefix(1);  // the comma
  }
  if (line.principals.empty() || line.is_ca) return true;
  fault.at = principals_at;
  fault.message = "principals says something only beside cert-authority";
  return false;
}

bool is_key_option(std::string_view word) { return known_by(word) != std::end(kKnown); }

bool parse_expiry(std::string_view text, Micros& time) {
  bool utc = text.ends_with('Z') || text.ends_with('z');
  if (utc) text.remove_suffix(1);
  if ((text.size() != 8 && text.size() != 12 && text.size() != 14) ||
      text.find_first_not_of("0123456789") != std::string_view::npos)
    return false;
  auto number = [&](std::size_t from, std::size_t count) {
    int value = 0;
    if (from < text.size()) base::parse_number(text.substr(from, count), value);
    return value;
  };
  using namespace std::chrono;
  year_month_day date{year(number(0, 4)), month(static_cast<unsigned>(number(4, 2))),
                      day(static_cast<unsigned>(number(6, 2)))};
  tm parts{};
  parts.tm_hour = number(8, 2);
  parts.tm_min = number(10, 2);
  parts.tm_sec = number(12, 2);
  if (!date.ok() || number(0, 4) < 1970 || parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 59)
    return false;
  parts.tm_year = number(0, 4) - 1900;
  parts.tm_mon = number(4, 2) - 1;
  parts.tm_mday = number(6, 2);
  parts.tm_isdst = -1;
  time_t seconds = utc ? ::timegm(&parts) : ::mktime(&parts);
  time = static_cast<Micros>(seconds) * 1'000'000;
  return true;
}

}  // namespace oob::auth

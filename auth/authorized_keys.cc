#include "auth/authorized_keys.h"

#include <algorithm>

#include "auth/key_options.h"

namespace oob::auth {

using base::printable;
using base::Result;
using base::str;

namespace {

constexpr std::string_view kSpace = " \t";

// Takes one line apart from the left.
class LineReader {
 public:
  LineReader(std::string_view line, unsigned number, std::vector<KeyFault>& faults)
      : line_(line), rest_(line), number_(number), faults_(faults) {}

  // False: nothing is on the line, or a fault was noted.
  bool begin() {
    skip_space();
    if (rest_.empty() || rest_[0] == '#') return false;
    if (line_.size() > kMostKeyLine)
      return fault(0, str("the line has ", line_.size(), " bytes, at most ", kMostKeyLine, " are read"));
    for (std::size_t at = 0; at < line_.size(); ++at) {
      unsigned char c = static_cast<unsigned char>(line_[at]);
      if ((c < 0x20 && c != '\t') || c == 0x7f) return fault(at, "a control character stands in the line");
    }
    return true;
  }
  // The options before the key, if there are any.
  bool options(AuthorizedKey& key) {
    std::size_t length;
    if (!first_word(rest_, length)) return fault(place() + length, "the quote is not closed");
    if (is_key_type(rest_.substr(0, length))) return true;
    OptionFault wrong;
    if (!parse_key_options(rest_.substr(0, length), key, wrong))
      return fault(place() + wrong.at, wrong.message);
    rest_.remove_prefix(length);
    skip_space();
    return !rest_.empty() || fault(place(), "no key follows the options");
  }
  bool no_options() {
    std::size_t length;
    if (first_word(rest_, length)) {
      std::string_view word = rest_.substr(0, length);
      bool options = word.find_first_of("=,\"") != std::string_view::npos || is_key_option(word);
      if (options)
        return fault(place(), "options are not taken here: what limits a certificate stands in it");
    }
    return true;
  }
  bool key(PublicKey& key) {
    std::size_t type_at = place();
    std::string_view type = word();
    skip_space();
    std::string_view base64 = word();
    skip_space();
    Result<PublicKey> parsed = parse_key_text(type, base64);
    if (!parsed) return fault(type_at, parsed.error().what);
    key = std::move(*parsed);
    return true;
  }
  std::string comment() const { return printable(rest_.substr(0, rest_.find_last_not_of(kSpace) + 1)); }

 private:
  std::size_t place() const { return line_.size() - rest_.size(); }
  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(kSpace), rest_.size())); }
  std::string_view word() {
    std::string_view taken = rest_.substr(0, rest_.find_first_of(kSpace));
    rest_.remove_prefix(taken.size());
    return taken;
  }
  bool fault(std::size_t at, std::string message) {
    faults_.push_back({number_, static_cast<unsigned>(at + 1), std::move(message)});
    return false;
  }

  std::string_view line_, rest_;
  unsigned number_;
  std::vector<KeyFault>& faults_;
};

// Every line that is not obviously too much, with its number.
template <class Each>
void each_line(std::string_view text, std::vector<KeyFault>& faults, Each each) {
  if (text.size() > kMostKeyFile) {
    faults.push_back(
        {0, 0, str("the file has ", text.size(), " bytes, at most ", kMostKeyFile, " are read")});
    return;
  }
  for (unsigned number = 1; !text.empty(); ++number) {
    if (number > kMostKeyLines) {
      faults.push_back({number, 1, str("only the first ", kMostKeyLines, " lines are read")});
      return;
    }
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("-----BEGIN ") && line.find("PRIVATE KEY") != std::string_view::npos) {
      faults.push_back({number, 1, "a private key: what belongs here is the line in its .pub file"});
      return;
    }
    LineReader reader(line, number, faults);
    if (reader.begin()) each(reader, number);
  }
}

}  // namespace

AuthorizedKeys parse_authorized_keys(std::string_view text) {
  AuthorizedKeys found;
  each_line(text, found.faults, [&](LineReader& line, unsigned number) {
    AuthorizedKey key;
    key.line = number;
    if (!line.options(key) || !line.key(key.key)) return;
    key.terms.fingerprint = key.key.fingerprint();
    key.terms.comment = line.comment();
    found.keys.push_back(std::move(key));
  });
  return found;
}

CaKeys parse_ca_keys(std::string_view text) {
  CaKeys found;
  each_line(text, found.faults, [&](LineReader& line, unsigned) {
    PublicKey key;
    if (line.no_options() && line.key(key)) found.keys.push_back(std::move(key));
  });
  return found;
}

}  // namespace oob::auth

#include "auth/revocation.h"

#include <openssl/sha.h>

#include <algorithm>
#include <limits>

#include "auth/certificate.h"
#include "auth/key_options.h"
#include "auth/krl.h"
#include "base/sha256.h"
#include "base/wire.h"

namespace oob::auth {

using base::Bytes;
using base::printable;
using base::Result;
using base::sha256;
using base::str;

namespace {

constexpr std::string_view kBlanks = " \t";

// The first blank, or the end. find_first_of() asks memchr() for each character, which took a third of the
// time of a long list.
std::size_t to_space(std::string_view text) {
  return static_cast<std::size_t>(
      std::find_if(text.begin(), text.end(), [](char c) { return c == ' ' || c == '\t'; }) - text.begin());
}

const unsigned char* octets_of(Bytes bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

std::string sha1(Bytes bytes) {
  std::string digest(SHA_DIGEST_LENGTH, '\0');
  SHA1(octets_of(bytes), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

// "SHA256:…" as ssh-keygen -l prints it.
bool parse_fingerprint(std::string_view text, std::string& digest) {
  constexpr std::string_view kName = "SHA256:";
  if (!text.starts_with(kName)) return false;
  text.remove_prefix(kName.size());
  if (text.size() == 44 && text.ends_with('=')) text.remove_suffix(1);
  return text.size() == 43 && decode_base64(str(text, "="), digest) && digest.size() == 32;
}

// The faults and the entries of one line.
class TextLine {
 public:
  TextLine(std::string_view line, unsigned number, RevocationFile& file)
      : line_(line), number_(number), file_(file) {}

  void read() {
    if (line_.size() > kMostKeyLine)
      return fault(line_, str("the line has ", line_.size(), " bytes, at most ", kMostKeyLine, " are read"));
    rest_ = trim(without_comment(line_));
    if (rest_.empty()) return;
    for (const char& c : rest_) {
      unsigned char byte = static_cast<unsigned char>(c);
      if ((byte < 0x20 && c != '\t') || byte == 0x7f)
        return fault(std::string_view(&c, 1), "a control character stands in the line");
    }
    std::size_t colon = rest_.find(':');
    std::string_view word = rest_.substr(0, std::min(colon, to_space(rest_)));
    if (colon == word.size() && word != "SHA256" && word.find_first_of("=,\"") == std::string_view::npos) {
      std::string_view entry = rest_;
      rest_ = trim(rest_.substr(colon + 1));
      return directive(entry, lower(word));
    }
    if (rest_.starts_with("SHA256:")) return fingerprint();
    if (word.find_first_not_of("0123456789-") == std::string_view::npos) return serials();
    key(Listed::bare);
  }

 private:
  enum class Listed { bare, as_key };

  static std::string_view trim(std::string_view text) {
    std::size_t from = std::min(text.find_first_not_of(kBlanks), text.size());
    return text.substr(from, text.find_last_not_of(kBlanks) + 1 - from);
  }
  // A # inside a word stays: it may belong to a key id.
  static std::string_view without_comment(std::string_view line) {
    for (std::size_t at = 0; at < line.size(); ++at) {
      if (line[at] == '#' && (at == 0 || kBlanks.find(line[at - 1]) != std::string_view::npos))
        return line.substr(0, at);
    }
    return line;
  }
  static std::string lower(std::string_view text) {
    std::string small(text);
    std::transform(small.begin(), small.end(), small.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return small;
  }

  void fault(std::string_view at, std::string message) {
    file_.faults.push_back(
        {number_, static_cast<unsigned>(at.data() - line_.data() + 1), std::move(message)});
  }

  std::string_view word() {
    std::string_view taken = rest_.substr(0, to_space(rest_));
    rest_ = trim(rest_.substr(taken.size()));
    return taken;
  }

  void directive(std::string_view entry, const std::string& name) {
    constexpr std::string_view kNames[] = {"serial", "id", "key", "sha1", "sha256", "hash"};
    if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames)) {
      std::string what = str("unknown word '", printable(name, 64), ":'");
      std::string_view hint = name.size() > 16 ? "" : base::nearest(name, kNames);
      if (!hint.empty()) what += str(", did you mean ", hint, ":?");
      if (name == "md5") what = "MD5 fingerprints are not taken, only SHA256:…";
      return fault(entry, what);
    }
    if (rest_.empty()) return fault(entry, str("nothing follows ", name, ":"));
    if (name == "serial") return serials();
    if (name == "id") return file_.revoked.add_key_id({}, rest_);
    if (name == "hash") return fingerprint();
    key(Listed::as_key);
  }

  void fingerprint() {
    std::string_view text = word();
    std::string digest;
    if (!parse_fingerprint(text, digest))
      return fault(text, str("'", printable(text, 80), "' is not SHA256: and 43 letters of base64"));
    file_.revoked.add_sha256(digest);
  }

  void serials() {
    std::string_view range = word();
    std::size_t dash = range.find('-');
    std::uint64_t first = 0, last = 0;
    if (!serial(range.substr(0, dash), first)) return;
    last = first;
    if (dash != std::string_view::npos && !serial(range.substr(dash + 1), last)) return;
    if (last < first) return fault(range, str("the range ends before it begins: ", range));
    std::string ca;
    if (!rest_.empty() && !certifier(ca)) return;
    file_.revoked.add_serials_of(ca, first, last);
  }

  // Decimal or hexadecimal; ssh-keygen takes 010 for 8, and people for 10.
  bool serial(std::string_view text, std::uint64_t& number) {
    std::string what;
    std::string_view digits = text;
    bool hex = digits.starts_with("0x") || digits.starts_with("0X");
    if (hex) digits.remove_prefix(2);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, hex ? 16 : 10);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size())
      what = str("'", printable(text, 40), "' is not a serial number of 64 bits");
    else if (!hex && digits.size() > 1 && digits[0] == '0')
      what = str("'", printable(text, 40), "' could be octal or decimal: write it without the zero in front");
    else if (number == 0)
      what = "serial 0 stands for no number; revoke such a certificate by its key or its key id";
    if (!what.empty()) fault(text, what);
    return what.empty();
  }

  // Whose serials: a CA's key or its fingerprint. `ca` becomes the SHA-256 of the key.
  bool certifier(std::string& ca) {
    std::string_view at = rest_;
    if (rest_.starts_with("SHA256:")) {
      if (!parse_fingerprint(word(), ca) || !rest_.empty()) {
        fault(at, "one CA's SHA256:… fingerprint or key is what may follow the serials");
        return false;
      }
      return true;
    }
    std::string blob;
    if (!key_words(blob)) return false;
    if (is_certificate(blob)) {
      fault(at, "a certificate is no CA");
      return false;
    }
    ca = sha256(blob);
    return true;
  }

  // TYPE BASE64, and what follows is a comment.
  bool key_words(std::string& blob) {
    std::string_view at = rest_, type = word(), base64 = word();
    std::string why;
    if (!is_key_type(type)) {
      why = str("'", printable(type, 64), "' is no key type, fingerprint, serial number or word known here");
    } else if (base64.empty()) {
      why = str(type, ": the key itself is missing");
    } else if (!decode_base64(base64, blob)) {
      why = str(type, ": the key is not whole base64");
    } else if (!is_key_of(type, blob)) {
      why = str("this is not a whole key of the type ", type);
    }
    if (!why.empty()) fault(at, why);
    return why.empty();
  }

  static bool is_key_of(std::string_view type, Bytes blob) {
    base::wire::Reader reader(blob);
    if (reader.text() != type || !reader.ok()) return false;
    return is_certificate(blob) ? marks_of_certificate(blob).has_value() : is_whole_key(blob);
  }

  // What ssh-keygen -k makes of it: a certificate in a list of keys is revoked by its serial, or by its key
  // id where the CA does not number; after "key:" it stands for the key inside.
  void key(Listed listed) {
    std::string_view at = rest_;
    std::size_t length = 0;
    if (first_word(rest_, length) && !is_key_type(rest_.substr(0, length))) {
      std::string_view after = trim(rest_.substr(length));  // options, as the line had them in a key file
      if (is_key_type(after.substr(0, after.find_first_of(kBlanks)))) rest_ = after;
    }
    std::string blob;
    if (!key_words(blob)) return;
    if (!is_certificate(blob)) return file_.revoked.add_key(blob);
    Result<CertificateMarks> marks = marks_of_certificate(blob);
    if (!marks) return fault(at, marks.error().what);
    if (listed == Listed::as_key) return file_.revoked.add_key(marks->key);
    if (marks->serial != 0) return file_.revoked.add_serials(marks->ca, marks->serial, marks->serial);
    file_.revoked.add_key_id(marks->ca, marks->key_id);
  }

  std::string_view line_, rest_;
  unsigned number_;
  RevocationFile& file_;
};

RevocationFile parse_text(std::string_view text) {
  RevocationFile file;
  for (unsigned number = 1; !text.empty(); ++number) {
    if (number > kMostRevocationLines) {
      file.faults.push_back({number, 1, str("more than ", kMostRevocationLines, " lines")});
      break;
    }
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    TextLine(line, number, file).read();
    if (file.faults.size() >= kMostRevocationFaults) break;
  }
  return file;
}

}  // namespace

void Revocations::add_serials(Bytes ca, std::uint64_t first, std::uint64_t last) {
  add_serials_of(ca.empty() ? "" : sha256(ca), first, last);
}

void Revocations::add_serials_of(const std::string& ca, std::uint64_t first, std::uint64_t last) {
  cas_[ca].serials.push_back({first, last});
}

void Revocations::add_bitmap(Bytes ca, std::uint64_t first, Bytes bits) {
  cas_[ca.empty() ? "" : sha256(ca)].bitmaps.push_back({first, std::string(bits)});
}

void Revocations::add_key_id(Bytes ca, Bytes key_id) {
  cas_[ca.empty() ? "" : sha256(ca)].key_ids.emplace(key_id);
}

bool Revocations::holds(Bytes key) const {
  return (!keys_.empty() && keys_.count(std::string(key)) != 0) ||
         (!sha256_.empty() && sha256_.count(sha256(key)) != 0) ||
         (!sha1_.empty() && sha1_.count(sha1(key)) != 0);
}

std::string Revocations::why(const OfCa& ca, const Credential& asked) {
  if (ca.key_ids.count(asked.key_id) != 0) return "its key id is revoked";
  if (asked.serial == 0) return {};
  bool listed = std::any_of(ca.serials.begin(), ca.serials.end(), [&](const Serials& range) {
    return range.first <= asked.serial && asked.serial <= range.last;
  });
  listed = listed || std::any_of(ca.bitmaps.begin(), ca.bitmaps.end(), [&](const Bitmap& map) {
             if (asked.serial < map.first) return false;
             std::uint64_t bit = asked.serial - map.first;
             if (bit >= 8 * map.bits.size()) return false;
             auto byte = static_cast<unsigned char>(map.bits[map.bits.size() - 1 - bit / 8]);
             return (byte >> bit % 8 & 1) != 0;
           });
  return listed ? str("its serial ", asked.serial, " is revoked") : std::string();
}

std::string Revocations::why(const Credential& asked) const {
  if (holds(asked.key)) return "its key is revoked";
  if (asked.ca.empty()) return {};
  if (holds(asked.ca)) return "the key of its CA is revoked";
  if (cas_.empty()) return {};
  for (const std::string& ca : {sha256(asked.ca), std::string()}) {
    auto at = cas_.find(ca);
    if (at == cas_.end()) continue;
    std::string found = why(at->second, asked);
    if (!found.empty()) return found;
  }
  return {};
}

RevocationFile parse_revocations(Bytes content) {
  if (content.size() > kMostRevocationFile) {
    RevocationFile file;
    file.faults.push_back(
        {0, 0, str("the file has ", content.size(), " bytes, at most ", kMostRevocationFile, " are read")});
    return file;
  }
  return is_krl(content) ? parse_krl(content) : parse_text(content);
}

}  // namespace oob::auth

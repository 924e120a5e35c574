#include "auth/krl.h"

#include <bit>
#include <limits>

#include "auth/public_key.h"
#include "base/wire.h"

namespace oob::auth {

using base::Bytes;
using base::printable;
using base::str;
using base::wire::Reader;

namespace {

constexpr Bytes kMagic("SSHKRL\n\0", 8);
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kMostBitmap = 2048;  // bytes, as OpenSSH reads

enum Section : std::uint8_t {
  certificates = 1,
  explicit_key = 2,
  fingerprint_sha1 = 3,
  signature = 4,
  fingerprint_sha256 = 5,
  extension = 255,
};
enum Certificates : std::uint8_t {
  serial_list = 0x20,
  serial_range = 0x21,
  serial_bitmap = 0x22,
  key_id = 0x23,
  certificates_extension = 0x39,
};

// Reads one list; the first thing that is wrong ends it.
class KrlReader {
 public:
  explicit KrlReader(Bytes content) : content_(content) {}

  RevocationFile read() {
    Reader reader(content_.substr(kMagic.size()));
    std::uint32_t version = reader.u32();
    if (reader.ok() && version != kVersion)
      wrong(content_, str("KRL format version ", version, ", known is ", kVersion));
    reader.u64();   // the list's own version
    reader.u64();   // when it was made
    reader.u64();   // flags: none is defined
    reader.text();  // reserved
    reader.text();  // comment
    if (!reader.ok()) wrong(content_, "the KRL's header is cut off");
    while (good() && !reader.done()) {
      std::uint8_t type = reader.u8();
      Bytes body = reader.text();
      if (!reader.ok())
        wrong(content_, "the KRL is cut off in a section");
      else
        section(type, body);
    }
    return std::move(file_);
  }

 private:
  bool good() const { return file_.faults.empty(); }
  void wrong(Bytes near, std::string why) {
    if (good()) file_.faults.push_back({0, 0, str(why, " (from byte ", near.data() - content_.data(), ")")});
  }

  void section(std::uint8_t type, Bytes body) {
    switch (type) {
      case Section::certificates:
        return read_certificates(body);
      case Section::explicit_key:
        return each(body, "key", [&](Bytes key) { file_.revoked.add_key(key); });
      case Section::fingerprint_sha1:
        return each(body, "SHA-1 fingerprint", [&](Bytes digest) {
          if (digest.size() != 20) return wrong(body, "a SHA-1 fingerprint is not 20 bytes long");
          file_.revoked.add_sha1(digest);
        });
      case Section::fingerprint_sha256:
        return each(body, "SHA-256 fingerprint", [&](Bytes digest) {
          if (digest.size() != 32) return wrong(body, "a SHA-256 fingerprint is not 32 bytes long");
          file_.revoked.add_sha256(digest);
        });
      case Section::signature:
        return wrong(body, "the KRL is signed, and nothing here says by whom it should be");
      case Section::extension:
        return read_extension(body);
      default:
        return wrong(body, str("KRL section ", type, " is not known"));
    }
  }

  // A body that is one string after another.
  template <class Each>
  void each(Bytes body, std::string_view what, Each add) {
    Reader reader(body);
    while (good() && !reader.done()) {
      Bytes text = reader.text();
      if (!reader.ok() || text.empty()) return wrong(body, str("a ", what, " has a wrong length"));
      add(text);
    }
  }

  void read_extension(Bytes body) {
    Reader reader(body);
    Bytes name = reader.text();
    bool critical = reader.u8() != 0;
    reader.text();
    if (!reader.done()) return wrong(body, "an extension of the KRL has a wrong length");
    if (critical) wrong(body, str("critical extension '", printable(name, 64), "' of the KRL is not known"));
  }

  void read_certificates(Bytes body) {
    Reader reader(body);
    Bytes ca = reader.text();
    reader.text();  // reserved
    if (!reader.ok()) return wrong(body, "a section of certificates is cut off");
    if (!ca.empty() && !is_whole_key(ca)) return wrong(body, "the CA of a section is no public key");
    while (good() && !reader.done()) {
      std::uint8_t type = reader.u8();
      Bytes part = reader.text();
      if (!reader.ok()) return wrong(body, "a section of certificates is cut off");
      read_of_ca(ca, type, part);
    }
  }

  void read_of_ca(Bytes ca, std::uint8_t type, Bytes part) {
    Reader reader(part);
    switch (type) {
      case Certificates::serial_list:
        while (good() && !reader.done()) {
          std::uint64_t serial = reader.u64();
          if (!reader.ok()) return wrong(part, "a list of serials has a wrong length");
          add_serials(ca, part, serial, serial);
        }
        return;
      case Certificates::serial_range: {
        std::uint64_t first = reader.u64(), last = reader.u64();
        if (!reader.done()) return wrong(part, "a range of serials has a wrong length");
        return add_serials(ca, part, first, last);
      }
      case Certificates::serial_bitmap: {
        std::uint64_t first = reader.u64();
        Bytes number = reader.text(), bits = positive_number(number);
        if (!reader.done()) return wrong(part, "a bitmap of serials has a wrong length");
        if (bits.empty() || bits.size() > kMostBitmap)
          return wrong(part,
                       str("a bitmap of serials is no positive number of up to ", kMostBitmap, " bytes"));
        if ((first == 0 && (bits.back() & 1) != 0) ||
            highest_bit(bits) > std::numeric_limits<std::uint64_t>::max() - first)
          return wrong(part, "a bitmap of serials holds 0, or reaches beyond 64 bits");
        return file_.revoked.add_bitmap(ca, first, bits);
      }
      case Certificates::key_id:
        return each(part, "key id", [&](Bytes id) { file_.revoked.add_key_id(ca, id); });
      case Certificates::certificates_extension:
        return read_extension(part);
      default:
        return wrong(part, str("KRL section ", type, " of certificates is not known"));
    }
  }

  static std::uint64_t highest_bit(Bytes bits) {
    return 8 * (bits.size() - 1) +
           static_cast<std::uint64_t>(std::bit_width(static_cast<unsigned char>(bits[0]))) - 1;
  }

  // Serial 0 is what a CA writes that does not number: OpenSSH takes no list that holds it.
  void add_serials(Bytes ca, Bytes part, std::uint64_t first, std::uint64_t last) {
    if (first == 0 || last < first) return wrong(part, str("serials ", first, " to ", last, " are no range"));
    file_.revoked.add_serials(ca, first, last);
  }

  Bytes content_;
  RevocationFile file_;
};

}  // namespace

bool is_krl(Bytes content) { return content.starts_with(kMagic); }

RevocationFile parse_krl(Bytes content) { return KrlReader(content).read(); }

}  // namespace oob::auth

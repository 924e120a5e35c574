// What is kept, what happens when the disk fills, and where the journal is sent.
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>

#include "base/time.h"
#include "oobd/config_reader.h"
#include "oobd/config_values.h"

namespace oob {
namespace {

constexpr std::int64_t kMebi = 1024 * 1024, kGibi = 1024 * kMebi;
constexpr std::int64_t kLeastReserve = kMebi, kMostReserve = kGibi;
constexpr std::int64_t kMostKept = std::int64_t{1} << 50;  // bytes
constexpr base::Micros kLeastKeep = 3'600'000'000;
constexpr std::size_t kMostPem = 1024 * 1024;  // bytes of a file of certificates

struct KeptKeys {
  std::string_view keep, most, floor;  // floor: empty where there is none
  AuditConfig::Kept AuditConfig::*kept;
};
constexpr KeptKeys kKept[] = {
    {"recordings_keep", "recordings_most", "recordings_floor", &AuditConfig::recordings},
    {"transcripts_keep", "transcripts_most", "transcripts_floor", &AuditConfig::transcripts},
    {"journal_keep", "journal_most", "", &AuditConfig::journal},
};

template <auto release>
struct Release {
  template <class T>
  void operator()(T* what) const {
    release(what);
  }
};
using Bio = std::unique_ptr<BIO, Release<BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Release<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;

// Never asks a terminal for a password.
int no_password(char*, int, int, void*) { return -1; }

Bio reading(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The first certificate of a PEM text.
X509Ptr certificate_in(const std::string& text) {
  X509Ptr found(PEM_read_bio_X509(reading(text).get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  return found;
}

KeyPtr key_in(const std::string& text) {
  KeyPtr found(PEM_read_bio_PrivateKey(reading(text).get(), nullptr, no_password, nullptr));
  ERR_clear_error();
  return found;
}

}  // namespace

void ConfigReader::read_size(const Node& table, std::string_view key, std::int64_t least, std::int64_t most,
                             std::uint64_t& bytes) {
  const Member* member = table.member(key);
  if (!member) return;
  const Node& value = member->value;
  std::int64_t size = value.integer;
  if (value.kind == Node::Kind::text) {
    if (value.text.empty()) return;  // a fault already
    if (!take_size(value.text, size)) {
      return faults_.add(value.place, base::str(key, " ", in_quotes(value.text),
                                                " is not a number of bytes like 65536, \"64m\" or \"2g\""));
    }
  } else if (value.kind != Node::Kind::integer) {
    return;
  }
  if (size < least || size > most) {
    return faults_.add(value.place,
                       base::str(key, " of ", size, " bytes is not between ", least, " and ", most));
  }
  bytes = static_cast<std::uint64_t>(size);
}

void ConfigReader::read_keep(const Node& table, std::string_view key, base::Micros& keep) {
  const Node* value = text(table, key);
  if (!value) return;
  base::Result<base::Micros> span = base::parse_span(value->text);
  if (!span || (*span != 0 && *span < kLeastKeep)) {
    return faults_.add(value->place,
                       base::str(key, " ", in_quotes(value->text),
                                 " is not a time of an hour or more like \"90d\", or \"0\" for ever"));
  }
  keep = *span;
}

void ConfigReader::read_audit(const Member& audit) {
  const Node& table = audit.value;
  faults_.check_table(table, table.place, kAudit, "[audit]");
  AuditConfig& config = config_.audit;
  if (const Node* word = text(table, "on_audit_failure")) {
    constexpr std::string_view kWords[] = {"degrade", "refuse"};
    if (std::find(std::begin(kWords), std::end(kWords), word->text) == std::end(kWords)) {
      faults_.add(word->place, base::str("on_audit_failure can't be ", in_quotes(word->text),
                                         hint(word->text, std::span<const std::string_view>(kWords))));
    }
    config.refuse = word->text == "refuse";
  }
  if (const Node* line = get(table, "checkpoint_line", Node::Kind::truth))
    config.checkpoint_line = line->truth;
  read_size(table, "reserve", kLeastReserve, kMostReserve, config.reserve);
  for (const KeptKeys& keys : kKept) {
    AuditConfig::Kept& kept = config.*keys.kept;
    read_keep(table, keys.keep, kept.keep);
    read_size(table, keys.most, 0, kMostKept, kept.most);
    if (!keys.floor.empty()) read_size(table, keys.floor, 0, kMostKept, kept.floor);
  }
  read_levels(table);
}

// Three percentages, each above the one before; the defaults stand for those that are left out.
void ConfigReader::read_levels(const Node& audit) {
  struct Level {
    std::string_view key;
    unsigned AuditConfig::*value;
  };
  constexpr Level kLevels[] = {{"disk_warn", &AuditConfig::disk_warn},
                               {"disk_shed", &AuditConfig::disk_shed},
                               {"disk_critical", &AuditConfig::disk_critical}};
  const Node* last = nullptr;
  for (const Level& level : kLevels) {
    const Node* value = get(audit, level.key, Node::Kind::integer);
    if (!value) continue;
    if (value->integer < 1 || value->integer > 99) {
      return faults_.add(value->place,
                         base::str(level.key, " must be from 1 to 99 percent, not ", value->integer));
    }
    config_.audit.*level.value = static_cast<unsigned>(value->integer);
    last = value;
  }
  const AuditConfig& config = config_.audit;
  if (config.disk_warn < config.disk_shed && config.disk_shed < config.disk_critical) return;
  faults_.add(last->place, base::str("disk_warn ", config.disk_warn, ", disk_shed ", config.disk_shed,
                                     " and disk_critical ", config.disk_critical,
                                     " must each be larger than the one before"));
}

void ConfigReader::read_syslog(const Member& syslog) {
  const Node& table = syslog.value;
  faults_.check_table(table, table.place, kSyslog, "[syslog]");
  SyslogConfig config;
  if (const Node* server = text(table, "server")) {
    base::Result<std::string> address = parse_syslog_server(server->text);
    if (faults_.check(server->place, address)) config.server = *address;
  }
  if (const Node* name = text(table, "name")) {
    faults_.check(name->place, check_certificate_name(name->text));
    config.name = name->text;
  }
  if (const Node* file = text(table, "ca")) {
    std::optional<std::string> found = read_trusted(*file, "ca", kMostPem, config.ca);
    if (found && !certificate_in(*found)) faults_.add(file->place, "ca: no certificate (PEM) is in the file");
  }
  X509Ptr certificate;
  const Node* certificate_file = text(table, "certificate");
  if (certificate_file) {
    std::optional<std::string> found =
        read_trusted(*certificate_file, "certificate", kMostPem, config.certificate);
    if (found && !(certificate = certificate_in(*found)))
      faults_.add(certificate_file->place, "certificate: no certificate (PEM) is in the file");
  }
  const Node* key_file = text(table, "key");
  if (key_file && !(config.key = secret_path(*key_file, "key")).empty()) {
    base::Result<std::string> found = files_.read_secret(config.key);
    if (!found) {
      faults_.add(key_file->place, base::str("key: ", base::printable(found.error().what, kMostReason)));
    } else {
      KeyPtr key = key_in(*found);
      OPENSSL_cleanse(found->data(), found->size());
      if (!key) {
        faults_.add(key_file->place, "key: no private key (PEM, without a passphrase) is in the file");
      } else if (certificate && X509_check_private_key(certificate.get(), key.get()) != 1) {
        ERR_clear_error();
        faults_.add(key_file->place, "key: it is not the key of 'certificate'");
      }
    }
  }
  if (!certificate_file != !key_file) {
    const Node* alone = certificate_file ? certificate_file : key_file;
    faults_.add(alone->place, "'certificate' and 'key' go together: give both or none");
  }
  config_.syslog = std::move(config);
}

}  // namespace oob

#include "audit/syslog_trust.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <iterator>

#include "base/sha256.h"
#include "base/time.h"

namespace oob::audit {

using base::Fault;
using base::printable;
using base::Result;
using base::str;

namespace {

int no_password(char*, int, int, void*) { return -1; }

std::string date_of(const ASN1_TIME* time) {
  tm parts{};
  if (!time || ASN1_TIME_to_tm(time, &parts) != 1) return "?";
  return base::rfc3339(base::Micros{::timegm(&parts)} * 1'000'000, base::Precision::seconds);
}

std::string subject_of(X509* certificate) {
  char name[256];
  int size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  return size <= 0 ? "the certificate"
                   : str("the certificate of ", printable({name, std::size_t(size)}, 100));
}

// What is wrong with this certificate of the server's chain.
std::string words_for(int verdict, X509* certificate, const SyslogSettings& settings) {
  std::string subject = certificate ? subject_of(certificate) : "the certificate";
  std::string clock =
      str(", and the clock here says ", base::rfc3339(base::wall_now(), base::Precision::seconds));
  switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return str(subject, " has expired: it was valid until ",
                 date_of(certificate ? X509_get0_notAfter(certificate) : nullptr), clock);
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return str(subject, " is not valid before ",
                 date_of(certificate ? X509_get0_notBefore(certificate) : nullptr), clock);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return str(subject, " is not for ", printable(settings.name), ", which [syslog] name asks for");
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return str(subject, " is signed by no CA in ", printable(settings.ca));
    default:
      return str(subject, ": ", X509_verify_cert_error_string(verdict));
  }
}

struct Judged {
  const SyslogSettings* settings;
  std::string* why;
};

int where_judged() {
  static const int index = SSL_get_ex_new_index(
      0, nullptr, nullptr, nullptr,
      [](void*, void* judged, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Judged*>(judged); });
  return index;
}

int on_verdict(int fine, X509_STORE_CTX* store) {
  if (fine) return 1;
  const void* ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  const auto* judged =
      static_cast<const Judged*>(SSL_get_ex_data(static_cast<const SSL*>(ssl), where_judged()));
  *judged->why =
      words_for(X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_current_cert(store), *judged->settings);
  return 0;
}

std::string digest_of(const SyslogSettings& settings) {
  base::Sha256 sum;
  for (const std::string* path : {&settings.ca, &settings.certificate, &settings.key}) {
    std::ifstream file(*path, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(file), {});
    sum.add(str(text.size(), ' '));
    sum.add(text);
    OPENSSL_cleanse(text.data(), text.size());
  }
  return sum.digest();
}

bool is_address(const std::string& name) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, name.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

}  // namespace

std::string tls_error() {
  unsigned long first = ERR_get_error();
  ERR_clear_error();
  const char* reason = first ? ERR_reason_error_string(first) : nullptr;
  bool alert = first && ERR_GET_LIB(first) == ERR_LIB_SSL && ERR_GET_REASON(first) > SSL_AD_REASON_OFFSET;
  return str(alert ? "the server refuses: " : "", reason ? reason : "no reason given");
}

Result<SyslogTrust> SyslogTrust::load(const SyslogSettings& settings) {
  auto wrong = [](std::string_view what, const std::string& file) {
    return base::fail(Fault::config, str(what, ' ', printable(file), ": ", tls_error()));
  };
  ERR_clear_error();
  SyslogTrust trust;
  trust.settings_ = settings;
  trust.digest_ = digest_of(settings);
  trust.context_ = std::shared_ptr<SSL_CTX>(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX* context = trust.context_.get();
  if (!context || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
    return base::fail(Fault::internal, str("TLS: ", tls_error()));
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verdict);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_default_passwd_cb(context, no_password);  // never asks a terminal
  if (SSL_CTX_load_verify_file(context, settings.ca.c_str()) != 1) return wrong("ca", settings.ca);
  if (settings.certificate.empty()) return trust;
  if (SSL_CTX_use_certificate_chain_file(context, settings.certificate.c_str()) != 1)
    return wrong("certificate", settings.certificate);
  if (SSL_CTX_use_PrivateKey_file(context, settings.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1)
    return wrong("key", settings.key);
  return trust;
}

Result<SslPtr> SyslogTrust::client(int fd, std::string* why) const {
  auto failed = [] { return base::fail(Fault::internal, str("TLS: ", tls_error())); };
  ERR_clear_error();
  SslPtr ssl(SSL_new(context_.get()));
  // SSL_set_fd() makes a BIO that leaves the descriptor open.
  if (!ssl || SSL_set_fd(ssl.get(), fd) != 1) return failed();
  auto judged = std::make_unique<Judged>(Judged{&settings_, why});
  if (SSL_set_ex_data(ssl.get(), where_judged(), judged.get()) != 1) return failed();
  judged.release();
  X509_VERIFY_PARAM* terms = SSL_get0_param(ssl.get());
  X509_VERIFY_PARAM_set_hostflags(terms, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  bool named = is_address(settings_.name)
                   ? X509_VERIFY_PARAM_set1_ip_asc(terms, settings_.name.c_str()) == 1
                   : X509_VERIFY_PARAM_set1_host(terms, settings_.name.c_str(), 0) == 1 &&
                         SSL_set_tlsext_host_name(ssl.get(), settings_.name.c_str()) == 1;
  if (!named) return failed();
  return ssl;
}

}  // namespace oob::audit

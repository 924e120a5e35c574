#pragma once

#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "audit/syslog_trust.h"
#include "base/fd.h"
#include "tests/support/support.h"

namespace oob::test {

// A CA that makes certificates for a test, and PEM texts of them.
class TestCa {
 public:
  explicit TestCa(const std::string& name = "Test CA")
      : key_(new_key()), certificate_(X509_new(), X509_free) {
    fill(certificate_.get(), name, key_.get(), -3600, 86400);
    extend(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(certificate_.get(), key_.get(), EVP_sha256());
  }
  struct Made {
    std::string certificate, key;
  };
  // For this DNS name, valid from and until so many seconds from now.
  Made issue(const std::string& name, long from = -3600, long until = 86400) const {
    Key key = new_key();
    Certificate certificate(X509_new(), X509_free);
    fill(certificate.get(), name, key.get(), from, until);
    extend(certificate.get(), NID_subject_alt_name, "DNS:" + name);
    X509_sign(certificate.get(), key_.get(), EVP_sha256());
    return {pem(certificate.get()), pem(key.get())};
  }
  std::string certificate() const { return pem(certificate_.get()); }

 private:
  using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;
  using Certificate = std::unique_ptr<X509, void (*)(X509*)>;
  static Key new_key() { return Key(EVP_EC_gen("P-256"), EVP_PKEY_free); }
  void fill(X509* certificate, const std::string& name, EVP_PKEY* key, long from, long until) const {
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from);
    X509_gmtime_adj(X509_getm_notAfter(certificate), until);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate_.get()));
  }
  static void extend(X509* certificate, int what, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  template <class Write>
  static std::string text(Write write) {
    BIO* bio = BIO_new(BIO_s_mem());
    write(bio);
    char* bytes = nullptr;
    long size = BIO_get_mem_data(bio, &bytes);
    std::string all(bytes, static_cast<std::size_t>(size));
    BIO_free(bio);
    return all;
  }
  static std::string pem(X509* certificate) {
    return text([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
  }
  static std::string pem(EVP_PKEY* key) {
    return text([&](BIO* bio) { PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr); });
  }

  Key key_;
  Certificate certificate_;
  mutable long serial_ = 0;
};

// A port of 127.0.0.1 that no other process gets meanwhile. Nobody listens there but a Collector that is
// given it.
class HeldPort {
 public:
  HeldPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    int yes = 1;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* at = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(socket_.get(), at, size), 0);
    EXPECT_EQ(::getsockname(socket_.get(), at, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  std::uint16_t port() const { return port_; }
  std::string address() const { return base::str("127.0.0.1:", port_); }

 private:
  base::Fd socket_;
  std::uint16_t port_ = 0;
};

// A syslog collector on 127.0.0.1, with a thread for each connection.
class Collector {
 public:
  static constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  struct Manners {
    // How many bytes of connection 0, 1 … are read before it is cut off by a reset.
    std::function<std::size_t(std::size_t)> reads = [](std::size_t) { return kAll; };
    bool speaks_tls = true, reads_nothing = false;
    bool talks = false;  // on and on, and reads nothing
    bool answers =
        true;  // a KeyUpdate that asks for one, at once: OpenSSL by itself waits for its next write
    int least_version = 0, most_version = 0;  // 0: any
    std::string client_ca;                    // a file; empty: asks for no certificate
    std::uint16_t port = 0;                   // a HeldPort's; 0: any that is free
  };

  Collector(const TempDir& dir, const TestCa::Made& made, Manners manners) : manners_(std::move(manners)) {
    context_.reset(SSL_CTX_new(TLS_server_method()));
    std::string certificate = dir / "server.pem", key = dir / "server.key";
    write_file(certificate, made.certificate);
    write_file(key, made.key);
    SSL_CTX_use_certificate_file(context_.get(), certificate.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context_.get(), key.c_str(), SSL_FILETYPE_PEM);
    if (manners_.least_version) SSL_CTX_set_min_proto_version(context_.get(), manners_.least_version);
    if (manners_.most_version) {
      SSL_CTX_set_max_proto_version(context_.get(), manners_.most_version);
      SSL_CTX_set_cipher_list(context_.get(), "ALL:@SECLEVEL=0");
    }
    if (!manners_.client_ca.empty()) {
      SSL_CTX_load_verify_file(context_.get(), manners_.client_ca.c_str());
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    stop_.reset(ends[0]);
    stopper_.reset(ends[1]);
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    int yes = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(manners_.port);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Collector() {
    stopper_.reset();
    thread_.join();
  }

  std::uint16_t port() const { return port_; }
  std::string address() const { return base::str("127.0.0.1:", port_); }
  // How many have connected.
  std::size_t came() const {
    std::lock_guard lock(mutex_);
    return came_;
  }
  // What was read of each connection whose handshake succeeded.
  std::vector<std::string> heard() const {
    std::lock_guard lock(mutex_);
    return heard_;
  }
  std::string all() const {
    std::string whole;
    for (const std::string& one : heard()) whole += one;
    return whole;
  }

 private:
  // False: it is to end.
  bool wait(int fd, short events) {
    pollfd both[2] = {{fd, events, 0}, {stop_.get(), POLLIN, 0}};
    return ::poll(both, 2, -1) >= 0 && both[1].revents == 0;
  }
  bool wait_for(SSL* ssl, int returned) {
    int error = SSL_get_error(ssl, returned);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return false;
    return wait(SSL_get_fd(ssl), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT);
  }
  void serve() {
    sigset_t pipes;  // whoever it talks to may hang up
    ::sigemptyset(&pipes);
    ::sigaddset(&pipes, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipes, nullptr);
    while (wait(listener_.get(), POLLIN)) {
      base::Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket) continue;
      {
        std::lock_guard lock(mutex_);
        ++came_;
      }
      if (!manners_.speaks_tls) {
        wait(stop_.get(), POLLIN);
        continue;
      }
      talks_.emplace_back([this, socket = std::move(socket)] { serve(socket.get()); });
    }
    for (std::thread& one : talks_) one.join();
  }
  void serve(int socket) {
    SslOf ssl(SSL_new(context_.get()));
    SSL_set_fd(ssl.get(), socket);
    bool begun = talk(ssl.get());
    ERR_clear_error();
    if (!begun) return;  // the other side is to read why
    linger hard{1, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  // False: the handshake failed.
  bool talk(SSL* ssl) {
    int done = 0;
    while ((done = SSL_accept(ssl)) != 1)
      if (!wait_for(ssl, done)) return false;
    std::size_t number = 0;
    {
      std::lock_guard lock(mutex_);
      number = heard_.size();
      heard_.emplace_back();
    }
    if (manners_.reads_nothing) {
      wait(stop_.get(), POLLIN);
      return true;
    }
    if (manners_.talks) {
      const std::string words(4096, 'x');
      int wrote = 1;
      while (wrote > 0 || wait_for(ssl, wrote))
        wrote = SSL_write(ssl, words.data(), static_cast<int>(words.size()));
      return true;
    }
    std::size_t left = manners_.reads(number);
    char bytes[4096];
    while (left > 0) {
      int got = SSL_read(ssl, bytes, static_cast<int>(std::min(left, sizeof bytes)));
      if (got <= 0) {
        int why = SSL_get_error(ssl, got);
        if (manners_.answers && SSL_get_key_update_type(ssl) != SSL_KEY_UPDATE_NONE) {
          SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
          SSL_do_handshake(ssl);
        }
        if (why != SSL_ERROR_WANT_READ || !wait(SSL_get_fd(ssl), POLLIN)) return true;
        continue;
      }
      left -= static_cast<std::size_t>(got);
      std::lock_guard lock(mutex_);
      heard_[number].append(bytes, static_cast<std::size_t>(got));
    }
    return true;
  }

  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  using SslOf = std::unique_ptr<SSL, Free>;
  Manners manners_;
  std::unique_ptr<SSL_CTX, Free> context_;
  base::Fd listener_, stop_, stopper_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::size_t came_ = 0;
  std::vector<std::string> heard_;
  std::vector<std::thread> talks_;
  std::thread thread_;
};

// The whole messages of a connection (RFC 5425, 4.3); a last one that is cut is left out. What is no frame is
// a failure of the test.
inline std::vector<std::string> messages_of(const std::string& heard) {
  std::vector<std::string> messages;
  std::string_view rest = heard;
  while (true) {
    std::size_t blank = rest.find(' ');
    if (blank == std::string_view::npos) return messages;
    std::size_t size = 0;
    if (!base::parse_number(rest.substr(0, blank), size) || rest[0] == '0') {
      ADD_FAILURE() << "no frame: " << rest.substr(0, 80);
      return messages;
    }
    if (rest.size() - blank - 1 < size) return messages;
    messages.emplace_back(rest.substr(blank + 1, size));
    rest.remove_prefix(blank + 1 + size);
  }
}

}  // namespace oob::test

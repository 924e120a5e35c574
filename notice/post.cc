#include "notice/post.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "auth/trusted_file.h"
#include "base/bind_device.h"
#include "base/bytes.h"
#include "base/fd.h"
#include "base/secret.h"

namespace oob::notice {

using base::Clock;
using base::fail;
using base::Fault;
using base::milliseconds;
using base::printable;
using base::Result;
using base::str;

namespace {

constexpr std::size_t kMostToken = 4096;

struct EasyEnd {
  void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};
struct ListEnd {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
struct UrlEnd {
  void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};

bool is_loopback(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
  }
  if (address->sa_family != AF_INET6) return false;
  auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
  return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

bool is_loopback(const std::string& host) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1)
    return is_loopback(reinterpret_cast<sockaddr*>(&v4));
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  return ::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1 &&
         is_loopback(reinterpret_cast<sockaddr*>(&v6));
}

bool is_numeric(const std::string& host) {
  unsigned char any[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, host.c_str(), any) == 1 || ::inet_pton(AF_INET6, host.c_str(), any) == 1;
}

std::string part_of(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (::curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string found = text;
  ::curl_free(text);
  return found;
}

// A try by the ways that have the same place in the order for each address of the host.
struct Try {
  std::size_t place = 0;
  bool is_last = true;  // there is no other way
  std::string way;      // the last one that was taken
  std::string trouble;  // of a socket
  std::optional<Clock::time_point> dialled;
  bool gave_up = false;
};

// What the calls of libcurl below work on.
struct Work {
  const Post& what;
  const std::atomic<bool>& stop;
  CURL* easy;
  std::size_t answered = 0;
  std::size_t most = 1;  // ways to one of the host's addresses
  Try now{};
};

size_t drop(char*, size_t size, size_t count, void* work) {
  auto& mine = *static_cast<Work*>(work);
  mine.answered += size * count;
  return mine.answered > mine.what.most_answer ? 0 : size * count;
}

// Whether it was connected, with TLS, and began to send.
bool has_sent(CURL* easy) {
  curl_off_t when = 0;
  return ::curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &when) == CURLE_OK && when > 0;
}

// libcurl calls it each second at least.
int look_up_from_it(void* work, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& mine = *static_cast<Work*>(work);
  if (mine.stop) return 1;
  milliseconds limit = std::min(mine.what.way, mine.what.all / static_cast<long>(mine.most + 1));
  if (mine.now.is_last || !mine.now.dialled || Clock::now() - *mine.now.dialled < limit) return 0;
  mine.now.gave_up = !has_sent(mine.easy);
  return mine.now.gave_up ? 1 : 0;
}

std::string numeric(const curl_sockaddr* address) {
  char text[NI_MAXHOST];
  bool known =
      ::getnameinfo(&address->addr, address->addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0;
  return known ? text : "";
}

curl_socket_t open_socket(void* work, curlsocktype, curl_sockaddr* address) {
  auto& mine = *static_cast<Work*>(work);
  if (!is_loopback(&address->addr) && mine.what.url.starts_with("http:")) {
    mine.now.trouble = "http goes to this board itself alone";
    return CURL_SOCKET_BAD;
  }
  std::vector<std::string> ways = {""};
  if (mine.what.ways) ways = mine.what.ways(numeric(address));
  mine.most = std::max(mine.most, ways.size());
  if (mine.now.place >= ways.size()) return CURL_SOCKET_BAD;  // another address of the host has more
  if (mine.now.place + 1 < ways.size()) mine.now.is_last = false;
  mine.now.way = ways[mine.now.place];
  base::Fd fd(::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol));
  Result<> ready = fd ? base::bind_device(fd.get(), mine.now.way) : Result<>(base::system_error("socket"));
  if (!ready) {
    mine.now.trouble = ready.error().what;
    return CURL_SOCKET_BAD;
  }
  if (!mine.now.dialled) mine.now.dialled = Clock::now();
  return fd.release();
}

base::Bytes without_line_end(base::Bytes text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// The header line, in memory that its caller wipes.
Result<> read_token(const std::string& path, std::string& header) {
  Result<auth::TrustedFile> file = auth::TrustedFile::open(path, 077, kMostToken);
  if (!file) return file.error();
  Result<std::string> token = file->read();
  if (!token) return token.error();
  Result<> right = check_token(*token);
  if (right) header.append("Authorization: Bearer ").append(without_line_end(*token));
  base::wipe(*token);
  return right ? right : base::wrap(path, right.error());
}

Outcome failed(std::string text) { return {Outcome::Kind::failed, std::move(text)}; }

Outcome judge(long status, const std::string& host) {
  if (status >= 200 && status < 300) return {Outcome::Kind::delivered, ""};
  // These speak of what was sent (RFC 9110, 15.5). All others, of a token that has expired or a path that has
  // moved, would be said of any notice, and may be mended.
  bool refused = status == 400 || status == 413 || status == 415 || status == 422;
  return {refused ? Outcome::Kind::refused : Outcome::Kind::failed,
          str(host, ": answered with status ", status)};
}

// One way after the other, until it was sent by one. `reason` is what libcurl writes its words to.
Outcome by_all_ways(Work& work, char* reason, const std::string& host) {
  const Clock::time_point begin = Clock::now();
  std::string whys;
  while (true) {
    auto gone = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
    milliseconds left = std::max(milliseconds(1), work.what.all - gone);
    ::curl_easy_setopt(work.easy, CURLOPT_CONNECTTIMEOUT_MS,
                       static_cast<long>(std::min(work.what.connect, left).count()));
    ::curl_easy_setopt(work.easy, CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
    *reason = 0;
    CURLcode code = ::curl_easy_perform(work.easy);
    long status = 0;
    ::curl_easy_getinfo(work.easy, CURLINFO_RESPONSE_CODE, &status);
    bool too_long = code == CURLE_WRITE_ERROR && work.answered > work.what.most_answer;
    if (code == CURLE_OK || too_long) return judge(status, host);
    const Try& now = work.now;
    std::string why = !now.trouble.empty() ? now.trouble
                      : now.gave_up        ? "no answer to the connect"
                      : *reason            ? printable(reason)
                                           : printable(::curl_easy_strerror(code));
    std::string by = now.way.empty() ? "" : str("by ", printable(now.way, 40), ": ");
    whys += str(whys.empty() ? "" : "; ", by, why);
    if (now.is_last || work.stop || has_sent(work.easy) || left <= milliseconds(1))
      return failed(str(host, ": ", whys));
    Try next;
    next.place = now.place + 1;
    work.now = std::move(next);
  }
}

}  // namespace

Result<PostAddress> parse_post(const std::string& url) {
  auto wrong = [](const char* why) { return fail(Fault::config, why); };
  if (std::any_of(url.begin(), url.end(), [](char c) { return c <= ' ' || c >= 0x7f; }))
    return wrong("has characters that no URL has");
  std::unique_ptr<CURLU, UrlEnd> parsed(::curl_url());
  bool no_host = url.find(":///") != std::string::npos;  // libcurl would take the path's first part for one
  if (no_host || !parsed || ::curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK)
    return wrong("is not a URL like \"https://192.0.2.1/hook\"");
  std::string scheme = part_of(parsed.get(), CURLUPART_SCHEME);
  PostAddress address;
  address.host = part_of(parsed.get(), CURLUPART_HOST);
  if (address.host.starts_with('[')) address.host = address.host.substr(1, address.host.size() - 2);
  if (scheme != "https" && scheme != "http") return wrong("is neither https nor http");
  if (!part_of(parsed.get(), CURLUPART_USER).empty() || !part_of(parsed.get(), CURLUPART_PASSWORD).empty())
    return wrong("has a user or a password in it: give 'token_file'");
  address.is_plain = scheme == "http";
  address.is_name = !is_numeric(address.host);
  if (address.is_plain && !is_loopback(address.host))
    return wrong("is http, which is for an address of this board itself alone (127.0.0.1, ::1): use https");
  return address;
}

Result<> check_token(base::Bytes text) {
  base::Bytes token = without_line_end(text);
  bool good = !token.empty() && text.size() <= kMostToken &&
              std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!good) return fail(Fault::config, "is not one line with a token");
  return {};
}

Outcome post(const Post& what, const std::atomic<bool>& stop) {
  // Before any other thread of libcurl's; its end is the process's.
  static const CURLcode ready = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  Result<PostAddress> address = parse_post(what.url);
  if (!address) return failed(str("the address ", address.error().what));
  std::unique_ptr<CURL, EasyEnd> easy(ready == CURLE_OK ? ::curl_easy_init() : nullptr);
  if (!easy) return failed("libcurl can't be started");
  base::Wiped token(kMostToken + 64);
  if (!what.token_file.empty())
    if (Result<> read = read_token(what.token_file, token.text); !read) return failed(read.error().what);

  std::unique_ptr<curl_slist, ListEnd> headers;
  bool complete = true;
  auto add = [&](const char* line) {
    curl_slist* longer = ::curl_slist_append(headers.get(), line);
    complete = complete && longer;
    if (longer) (void)headers.release(), headers.reset(longer);
  };
  add("Content-Type: application/json");
  add("Expect:");
  if (!token.text.empty()) add(token.text.c_str());

  Work work{what, stop, easy.get()};
  char reason[CURL_ERROR_SIZE] = "";
  auto set = [&](CURLoption option, auto value) {
    complete = complete && ::curl_easy_setopt(easy.get(), option, value) == CURLE_OK;
  };
  set(CURLOPT_ERRORBUFFER, reason);
  set(CURLOPT_URL, what.url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
  set(CURLOPT_PROTOCOLS_STR, "https,http");
#else
  set(CURLOPT_PROTOCOLS, long{CURLPROTO_HTTPS | CURLPROTO_HTTP});
#endif
  set(CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
  // It would wait for the thread that looks the name up, for as long as a dead resolver holds that: without a
  // limit of ours. So that one is left to end by itself.
  (void)::curl_easy_setopt(easy.get(), CURLOPT_QUICK_EXIT, 1L);
#endif
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOPROXY, "*");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_USERAGENT, "oobd");
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_POSTFIELDSIZE, static_cast<long>(what.body.size()));
  set(CURLOPT_POSTFIELDS, what.body.data());
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  if (!what.ca.empty()) {
    set(CURLOPT_CAINFO, what.ca.c_str());
    set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  }
  set(CURLOPT_WRITEFUNCTION, &drop);
  set(CURLOPT_WRITEDATA, &work);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &look_up_from_it);
  set(CURLOPT_XFERINFODATA, &work);
  set(CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  set(CURLOPT_OPENSOCKETDATA, &work);
  if (!complete) return failed("libcurl does not know what is needed");

  Outcome outcome = by_all_ways(work, reason, address->host);
  for (curl_slist* each = headers.get(); each; each = each->next)
    ::OPENSSL_cleanse(each->data, std::strlen(each->data));
  return outcome;
}

struct Posts::State {
  struct Waiting {
    Post what;
    std::function<void(Outcome)> done;
  };
  struct One {
    std::shared_ptr<std::atomic<bool>> stop;  // of what is under way; null: nothing is
    std::optional<Waiting> next;
  };
  explicit State(base::Blocking& b) : blocking(b) {}

  // `done` of Blocking runs on the loop, and finds nothing here once ~Posts has been there.
  static void start(const std::shared_ptr<State>& self, const std::string& who) {
    One& one = self->all.at(who);
    Waiting now = std::move(*one.next);
    one.next.reset();
    one.stop = std::make_shared<std::atomic<bool>>(false);
    auto outcome = std::make_shared<Outcome>();
    self->blocking.run(
        [outcome, stop = one.stop, what = std::move(now.what)] { *outcome = post(what, *stop); },
        [self, who, outcome, stop = one.stop, done = std::move(now.done)] {
          auto found = self->all.find(who);
          if (found == self->all.end()) return;
          found->second.stop.reset();
          if (found->second.next) return start(self, who);
          self->all.erase(found);
          done(std::move(*outcome));
        });
  }

  base::Blocking& blocking;
  std::map<std::string, One> all;
};

Posts::Posts(base::Blocking& blocking) : state_(std::make_shared<State>(blocking)) {}

Posts::~Posts() {
  for (auto& [who, one] : state_->all) *one.stop = true;
  state_->all.clear();
}

void Posts::send(const std::string& who, Post what, std::function<void(Outcome)> done) {
  State::One& one = state_->all[who];
  one.next = State::Waiting{std::move(what), std::move(done)};
  if (one.stop)
    *one.stop = true;
  else
    State::start(state_, who);
}

}  // namespace oob::notice

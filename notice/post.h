#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/disk.h"
#include "base/loop.h"
#include "base/result.h"
#include "notice/outcome.h"

namespace oob::notice {

// Where notices are posted to, taken apart: "https://192.0.2.1:8443/hook".
struct PostAddress {
  std::string host;       // a name, or a numeric address without brackets
  bool is_name = false;   // it has to be looked up
  bool is_plain = false;  // http, which goes to this board itself alone
};
// An error says what a URL must be.
base::Result<PostAddress> parse_post(const std::string& url);

// What a token file must hold: one line of up to 4096 printable ASCII bytes without blanks. The error never
// has the token in it.
base::Result<> check_token(base::Bytes text);

// The network interfaces by which to try a numeric address (base/bind_device.h), best first; an empty one: as
// the routing table says. Never none. Asked from any thread.
using WaysTo = std::function<std::vector<std::string>(const std::string& address)>;

// One POST of a JSON object.
struct Post {
  std::string url;         // one that parse_post() takes; not for a log: it may have a secret in it
  std::string ca;          // a file of certificates (PEM) to trust; empty: those of the system
  std::string token_file;  // read for each; empty: none
  WaysTo ways;             // none: as the routing table says
  std::string body;
  base::milliseconds connect{10'000};   // of each try, until TLS is done
  base::milliseconds way{4000};         // the same where there is another way to try
  base::milliseconds all{20'000};       // for all tries together
  std::size_t most_answer = 64 * 1024;  // bytes that are read, and dropped
};

// Sends it and waits for the answer (RFC 9110): no proxy, no redirect, no cookie, TLS 1.2 or later with a
// certificate for the host. By the next way where one does not lead there; by no other once it was sent. 2xx
// is delivered; 400, 413, 415 and 422 refused. Blocks; ends soon after `stop` is set.
Outcome post(const Post& what, const std::atomic<bool>& stop);

// The same off the loop, for several who each have one on its way: nobody waits for another.
class Posts {
 public:
  explicit Posts(base::Blocking& blocking);  // outlives it
  ~Posts();                                  // ends those under way; their `done` is not called
  Posts(const Posts&) = delete;
  Posts& operator=(const Posts&) = delete;

  // One that `who` has under way ends before this begins, and its `done` is not called.
  void send(const std::string& who, Post what, std::function<void(Outcome)> done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace oob::notice

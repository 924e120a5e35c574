#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/result.h"

namespace oob::test {

using base::Bytes;

// A listening stream socket with one visitor at a time (a new one replaces the old): what it says goes to
// `hears`, what say() is given goes to it. For the program's control channel and its hosts' serial lines.
class LineSocket {
 public:
  LineSocket(base::Loop& loop, std::function<void(Bytes)> hears);
  ~LineSocket();

  base::Result<> listen_unix(const std::string& path);  // a socket that is there already is removed
  base::Result<> listen_tcp(const std::string& address, const std::string& port);
  // Lost when nobody is there, or when over 64 KiB wait.
  void say(Bytes bytes);

 private:
  void wait();
  void read();
  void write();
  void hang_up();

  base::Loop& loop_;
  std::function<void(Bytes)> hears_;
  std::string path_;
  std::string out_;
  base::Fd listener_, visitor_;
  std::unique_ptr<base::Watch> listener_watch_, visitor_watch_;
};

}  // namespace oob::test

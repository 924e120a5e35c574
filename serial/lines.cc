#include "serial/lines.h"

#include "serial/tcp_line.h"
#include "serial/telnet_line.h"
#include "serial/tty_line.h"
#include "serial/unix_line.h"

namespace oob::serial {

std::unique_ptr<console::Line> make_tty(base::Loop& loop, base::Blocking& blocking, PathWatch& paths,
                                        TtySettings settings) {
  return std::make_unique<TtyLine>(loop, blocking, paths, std::move(settings));
}

std::unique_ptr<console::Line> make_tcp(base::Loop& loop, std::string address) {
  return std::make_unique<TcpLine>(loop, std::move(address));
}

std::unique_ptr<console::Line> make_telnet(base::Loop& loop, TelnetSettings settings,
                                           std::function<void(const std::string&)> remark) {
  return std::make_unique<TelnetLine>(loop, std::move(settings), std::move(remark));
}

std::unique_ptr<console::Line> make_unix(base::Loop& loop, PathWatch& paths, std::string path) {
  return std::make_unique<UnixLine>(loop, paths, std::move(path));
}

}  // namespace oob::serial

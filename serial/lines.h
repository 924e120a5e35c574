#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/disk.h"
#include "base/loop.h"
#include "console/line.h"
#include "serial/path_watch.h"
#include "serial/settings.h"

// All kinds of line of this floor. What they are given by reference outlives them.
namespace oob::serial {

// A UART, a pty or any other tty.
std::unique_ptr<console::Line> make_tty(base::Loop& loop, base::Blocking& blocking, PathWatch& paths,
                                        TtySettings settings);
std::unique_ptr<console::Line> make_tcp(base::Loop& loop, std::string address);
// `remark` hears what the far end refused ("baud 115200 refused, the port stays at 9600"); without it the log
// does.
std::unique_ptr<console::Line> make_telnet(base::Loop& loop, TelnetSettings settings,
                                           std::function<void(const std::string&)> remark = nullptr);
std::unique_ptr<console::Line> make_unix(base::Loop& loop, PathWatch& paths, std::string path);

}  // namespace oob::serial

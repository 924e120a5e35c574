#pragma once

#include "base/result.h"

namespace oob::serial {

// The speed of a tty in baud, any number (termios names only some of them).
base::Result<> set_speed(int fd, unsigned baud);
// 0: not known.
unsigned speed(int fd);

}  // namespace oob::serial

#include "serial/uart.h"

#include <fcntl.h>
#include <libserialport.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <cerrno>

#include "serial/speed.h"

namespace oob::serial {

using base::fail;
using base::Fault;
using base::Result;
using base::str;

namespace {

struct FreePort {
  void operator()(sp_port* port) const { sp_free_port(port); }
};
struct FreeConfig {
  void operator()(sp_port_config* config) const { sp_free_config(config); }
};

base::Error sp_error(std::string_view doing, sp_return result) {
  switch (result) {
    case SP_ERR_FAIL:
      return fail(Fault::unavailable, base::system_error(doing, sp_last_error_code()).what);
    case SP_ERR_SUPP:
      return fail(Fault::unavailable, str(doing, ": not supported by this port"));
    case SP_ERR_MEM:
      return fail(Fault::unavailable, str(doing, ": out of memory"));
    default:
      return fail(Fault::unavailable, str(doing, ": not a serial port"));
  }
}

sp_parity parity_of(const Format& format) {
  switch (format.parity) {
    case 'E':
      return SP_PARITY_EVEN;
    case 'O':
      return SP_PARITY_ODD;
    case 'M':
      return SP_PARITY_MARK;
    case 'S':
      return SP_PARITY_SPACE;
    default:
      return SP_PARITY_NONE;
  }
}

Result<> apply(sp_port* port, int fd, const TtySettings& settings) {
  Result<Format> format = parse_format(settings.format);
  if (!format) return format.error();
  Result<Flow> flow = parse_flow(settings.flow);
  if (!flow) return flow.error();

  sp_port_config* made = nullptr;
  if (sp_return result = sp_new_config(&made); result != SP_OK) return sp_error("set it up", result);
  std::unique_ptr<sp_port_config, FreeConfig> config(made);
  bool hardware = *flow == Flow::rtscts;
  // These store a number each; what the port says to them comes from sp_set_config().
  sp_set_config_baudrate(made, static_cast<int>(settings.baud));
  sp_set_config_bits(made, format->bits);
  sp_set_config_parity(made, parity_of(*format));
  sp_set_config_stopbits(made, format->stop);
  sp_set_config_rts(made, hardware ? SP_RTS_FLOW_CONTROL : SP_RTS_ON);
  sp_set_config_cts(made, hardware ? SP_CTS_FLOW_CONTROL : SP_CTS_IGNORE);
  sp_set_config_dtr(made, SP_DTR_ON);
  sp_set_config_dsr(made, SP_DSR_IGNORE);
  sp_set_config_xon_xoff(made, *flow == Flow::xonxoff ? SP_XONXOFF_INOUT : SP_XONXOFF_DISABLED);
  if (sp_return result = sp_set_config(port, made); result != SP_OK)
    return sp_error(str("set ", settings.baud, " ", settings.format, ", flow ", settings.flow), result);

  // Three things libserialport 0.1.1 gets wrong: it looks for CRTSCTS among the input flags, so that hardware
  // flow control is never on; DTR would fall at the last close; and with VMIN 0 a read of 0 bytes is both
  // "nothing now" and "hung up".
  termios now{};
  if (::tcgetattr(fd, &now) < 0) return base::system_error("read its settings");
  now.c_iflag &= ~static_cast<tcflag_t>(CRTSCTS);
  now.c_cflag &= ~static_cast<tcflag_t>(CRTSCTS | HUPCL);
  if (hardware) now.c_cflag |= CRTSCTS;
  now.c_cc[VMIN] = 1;
  now.c_cc[VTIME] = 0;
  if (::tcsetattr(fd, TCSANOW, &now) < 0) return base::system_error("set it up");

  // A driver that can't do a speed keeps another one and reports no error. 5 % is what a UART tolerates.
  unsigned got = speed(fd);
  unsigned apart = got > settings.baud ? got - settings.baud : settings.baud - got;
  if (got != 0 && apart > settings.baud / 20)
    return fail(Fault::unavailable, str("baud ", settings.baud, ": the port stays at ", got));
  return {};
}

}  // namespace

bool Uart::knows(const std::string& real) {
  sp_port* port = nullptr;
  if (sp_get_port_by_name(real.c_str(), &port) != SP_OK) return false;
  sp_free_port(port);
  return true;
}

Result<std::unique_ptr<Tty>> Uart::open(const std::string& real, const base::Fd& claimed,
                                        const TtySettings& settings) {
  sp_port* named = nullptr;
  if (sp_return result = sp_get_port_by_name(real.c_str(), &named); result != SP_OK)
    return sp_error("open", result);
  std::unique_ptr<sp_port, FreePort> port(named);
  // TIOCEXCL on the claim would keep libserialport out as well; the flock alone stands for this moment.
  ::ioctl(claimed.get(), TIOCNXCL);
  sp_return opened = sp_open(named, SP_MODE_READ_WRITE);
  if (opened != SP_OK) {
    int number = opened == SP_ERR_FAIL ? sp_last_error_code() : 0;
    if (number == EBUSY) return fail(Fault::unavailable, "in use by another program");
    base::Error error =
        number ? fail(Fault::unavailable, base::system_error("open", number).what) : sp_error("open", opened);
    if (number != ENOTTY && number != EINVAL) return error;
    if (Result<> locked = lock_tty(claimed.get(), real); !locked) return locked.error();
    return fail(Fault::missing, error.what);
  }
  int fd = -1;
  sp_get_port_handle(named, &fd);  // of an open port: can't fail
  std::unique_ptr<Uart> uart(new Uart(port.release(), fd));
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  ::flock(claimed.get(), LOCK_UN);
  if (Result<> locked = lock_tty(fd, real); !locked) return locked.error();
  if (Result<> applied = apply(named, fd, settings); !applied) {
    uart->unlock();
    return applied.error();
  }
  return std::unique_ptr<Tty>(std::move(uart));
}

Uart::~Uart() {
  discard();
  sp_close(port_);
  sp_free_port(port_);
}

Result<> Uart::start_break() {
  if (sp_return result = sp_start_break(port_); result != SP_OK) return sp_error("break", result);
  return {};
}

Result<> Uart::end_break() {
  if (sp_return result = sp_end_break(port_); result != SP_OK) return sp_error("end break", result);
  return {};
}

}  // namespace oob::serial

#include "serial/ports.h"

#include <gtest/gtest.h>

#include <toml++/toml.h>
#include <boost/json/parse.hpp>
#include <filesystem>

#include "tests/support/support.h"

namespace oob::serial {
namespace {

namespace files = std::filesystem;

Port ftdi() {
  Port port;
  port.path = "/dev/ttyUSB0";
  port.stable_path = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0";
  port.description = port.name = "FT232R USB UART";
  port.transport = "usb";
  port.manufacturer = "FTDI";
  port.vendor = "0403";
  port.product = "6001";
  port.serial = "A6008isP";
  return port;
}

Port on_board() {
  Port port;
  port.path = "/dev/ttyS0";
  port.description = "ttyS0";
  port.transport = "native";
  return port;
}

TEST(Ports, PrintsConfigurationReadyToPaste) {
  EXPECT_EQ(ports_toml({ftdi(), on_board()}),
            R"(# /dev/ttyUSB0: FT232R USB UART, FTDI [0403:6001], serial number A6008isP
[device.ttyUSB0]
line = { serial = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0", baud = 115200, format = "8N1", flow = "none" }

# /dev/ttyS0: ttyS0
[device.ttyS0]
line = { serial = "/dev/ttyS0", baud = 115200, format = "8N1", flow = "none" }
)");
}

TEST(Ports, StaysRightTomlWhateverADeviceSaysOfItself) {
  Port nasty = ftdi();
  nasty.path = "/dev/tty.usb \"1\"";
  nasty.stable_path = "/dev/serial/by-id/a\"b\\c\n\x01";
  nasty.description = "line\n[user.evil]\nkeys = \"x\"";
  nasty.serial = "\xff\xfe\x1b[31m";
  std::string text = ports_toml({nasty});
  toml::parse_result parsed = toml::parse(text);
  ASSERT_TRUE(parsed) << parsed.error().description() << "\n" << text;
  EXPECT_EQ(parsed.table().size(), 1U);
  EXPECT_EQ(parsed["device"]["tty.usb \"1\""]["line"]["serial"].value_or(std::string()), nasty.stable_path);
}

TEST(Ports, SaysWhatToLookAtWhenThereAreNone) {
  std::string text = ports_toml({});
  EXPECT_NE(text.find("No serial port was found"), std::string::npos);
  EXPECT_NE(text.find("dmesg"), std::string::npos);
  EXPECT_TRUE(toml::parse(text));
  EXPECT_EQ(ports_json({}), "[]");
}

TEST(Ports, PrintsJson) {
  boost::json::value parsed = boost::json::parse(ports_json({ftdi()}));
  const boost::json::object& port = parsed.as_array().at(0).as_object();
  EXPECT_EQ(port.at("path").as_string(), "/dev/ttyUSB0");
  EXPECT_EQ(port.at("vendor").as_string(), "0403");
  EXPECT_EQ(port.at("serial").as_string(), "A6008isP");
}

TEST(Ports, FindsTheStableNameByPlaceBeforeTheOneByMaker) {
  test::TempDir dir;
  test::write_file(dir / "dev/ttyUSB0", "");
  std::string port = files::canonical(dir / "dev/ttyUSB0").string();
  EXPECT_EQ(stable_path(port, dir / "dev/serial"), "");
  files::create_directories(dir / "dev/serial/by-id");
  files::create_symlink("../../ttyUSB0", dir / "dev/serial/by-id/usb-FTDI_A6008isP-if00-port0");
  EXPECT_EQ(stable_path(port, dir / "dev/serial"), dir / "dev/serial/by-id/usb-FTDI_A6008isP-if00-port0");
  files::create_directories(dir / "dev/serial/by-path");
  files::create_symlink("../../gone", dir / "dev/serial/by-path/a");
  files::create_symlink("../../ttyUSB0", dir / "dev/serial/by-path/pci-usbv2-0:2");
  files::create_symlink("../../ttyUSB0", dir / "dev/serial/by-path/pci-usb-0:2");
  EXPECT_EQ(stable_path(port, dir / "dev/serial"), dir / "dev/serial/by-path/pci-usb-0:2");
  EXPECT_EQ(stable_path(dir / "dev/none", dir / "dev/serial"), "");
}

TEST(Ports, AsksThisBoard) {
  base::Result<std::vector<Port>> ports = list_ports();
  ASSERT_TRUE(ports) << ports.error().what;
  EXPECT_TRUE(toml::parse(ports_toml(*ports)));
}

}  // namespace
}  // namespace oob::serial

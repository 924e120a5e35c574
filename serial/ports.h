#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace oob::serial {

// A serial port of this board, as libserialport and the links below /dev/serial tell.
struct Port {
  std::string path;         // "/dev/ttyUSB0"
  std::string stable_path;  // a link that stays the same over replugs, by place before by maker; may be empty
  std::string description;  // may be empty, as all below
  std::string transport;    // "native", "usb", "bluetooth"
  std::string manufacturer, name;  // of a USB device, in its own words
  std::string vendor, product;     // of a USB device, four hexadecimal digits
  std::string serial;              // of a USB device
};

// Blocks: asks the system about each port.
base::Result<std::vector<Port>> list_ports();

// The link below `folder`/by-path, else `folder`/by-id, that leads to `path`; empty where there is none.
std::string stable_path(const std::string& path, const std::string& folder = "/dev/serial");

// Configuration ready to paste (TOML): a table [device.NAME] for each port, with what is known of it as a
// comment.
std::string ports_toml(const std::vector<Port>& ports);
// A JSON array of objects with the fields of Port, one line.
std::string ports_json(const std::vector<Port>& ports);

}  // namespace oob::serial

#include "serial/ports.h"

#include <libserialport.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>

namespace oob::serial {

using base::str;
namespace files = std::filesystem;

namespace {

std::string text_or_empty(const char* text) { return text ? text : ""; }

std::string four_digits(int number) {
  const char bytes[] = {static_cast<char>(number >> 8), static_cast<char>(number)};
  return base::hex({bytes, sizeof bytes});
}

Port look(sp_port* port) {
  Port found;
  found.path = text_or_empty(sp_get_port_name(port));
  found.description = text_or_empty(sp_get_port_description(port));
  found.stable_path = stable_path(found.path);
  switch (sp_get_port_transport(port)) {
    case SP_TRANSPORT_USB:
      found.transport = "usb";
      break;
    case SP_TRANSPORT_BLUETOOTH:
      found.transport = "bluetooth";
      break;
    default:
      found.transport = "native";
      break;
  }
  int vendor = 0, product = 0;
  if (sp_get_port_usb_vid_pid(port, &vendor, &product) == SP_OK) {
    found.vendor = four_digits(vendor);
    found.product = four_digits(product);
    found.manufacturer = text_or_empty(sp_get_port_usb_manufacturer(port));
    found.name = text_or_empty(sp_get_port_usb_product(port));
    found.serial = text_or_empty(sp_get_port_usb_serial(port));
  }
  return found;
}

// A TOML basic string (TOML 1.0, "String"). Device paths are ASCII in practice; a byte that is not becomes
// U+FFFD, because TOML can't express it.
std::string toml_string(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string quoted = "\"";
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte >= 0x80) {
      quoted += "\\uFFFD";
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += str("\\u00", kDigits[byte >> 4], kDigits[byte & 15]);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

// A key as it stands, or quoted.
std::string toml_key(std::string_view key) {
  bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
  });
  return bare ? std::string(key) : toml_string(key);
}

}  // namespace

std::string stable_path(const std::string& path, const std::string& folder) {
  std::error_code error;
  files::path real = files::canonical(path, error);
  if (error) return {};
  for (const char* kind : {"by-path", "by-id"}) {
    std::string best;
    for (const auto& entry : files::directory_iterator(files::path(folder) / kind, error)) {
      files::path leads_to = files::canonical(entry.path(), error);
      if (error || leads_to != real) continue;
      // A port may have several links ("…-usb-…", "…-usbv2-…"): always the same one.
      std::string link = entry.path().string();
      if (best.empty() || link.size() < best.size() || (link.size() == best.size() && link < best))
        best = link;
    }
    if (!best.empty()) return best;
  }
  return {};
}

base::Result<std::vector<Port>> list_ports() {
  sp_port** list = nullptr;
  if (sp_return result = sp_list_ports(&list); result != SP_OK) {
    std::string_view doing = "list the serial ports";
    if (result == SP_ERR_FAIL) return base::system_error(doing, sp_last_error_code());
    return base::fail(base::Fault::unavailable, str(doing, ": not possible on this system"));
  }
  std::vector<Port> ports;
  for (sp_port** port = list; *port; ++port) ports.push_back(look(*port));
  sp_free_port_list(list);
  std::sort(ports.begin(), ports.end(), [](const Port& a, const Port& b) {
    // ttyUSB2 before ttyUSB10
    return a.path.size() != b.path.size() ? a.path.size() < b.path.size() : a.path < b.path;
  });
  return ports;
}

std::string ports_toml(const std::vector<Port>& ports) {
  if (ports.empty())
    return "# No serial port was found. Is the adapter plugged in (dmesg tells), has its driver loaded, and "
           "may\n"
           "# this user open it (ls -l /dev/ttyUSB* /dev/ttyACM* /dev/ttyS*; often the group dialout may)?\n";
  std::string text;
  for (const Port& port : ports) {
    std::string about = port.path;
    if (!port.description.empty()) about += str(": ", port.description);
    if (!port.manufacturer.empty()) about += str(", ", port.manufacturer);
    if (!port.name.empty() && port.name != port.description) about += str(" ", port.name);
    if (!port.vendor.empty()) about += str(" [", port.vendor, ":", port.product, "]");
    if (!port.serial.empty()) about += str(", serial number ", port.serial);
    if (!text.empty()) text += "\n";
    text += str("# ", base::printable(about), "\n");
    if (port.stable_path.empty() && port.transport != "native")
      text += "# It has no name below /dev/serial: its number may be another after a replug.\n";
    std::string_view device(port.path);
    device.remove_prefix(device.rfind('/') + 1);  // npos + 1 is 0
    text += str("[device.", toml_key(device),
                "]\nline = { serial = ", toml_string(port.stable_path.empty() ? port.path : port.stable_path),
                ", baud = 115200, format = \"8N1\", flow = \"none\" }\n");
  }
  return text;
}

std::string ports_json(const std::vector<Port>& ports) {
  boost::json::array array;
  for (const Port& port : ports) {
    boost::json::object object;
    auto add = [&object](std::string_view key, const std::string& value) {
      // What a device says of itself need not be UTF-8, which JSON must be.
      object[key] = base::printable(value);
    };
    add("path", port.path);
    add("stable_path", port.stable_path);
    add("description", port.description);
    add("transport", port.transport);
    add("manufacturer", port.manufacturer);
    add("name", port.name);
    add("vendor", port.vendor);
    add("product", port.product);
    add("serial", port.serial);
    array.push_back(std::move(object));
  }
  return boost::json::serialize(array);
}

}  // namespace oob::serial

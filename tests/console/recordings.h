#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "audit/cast.h"
#include "audit/library.h"
#include "tests/console/visit.h"

namespace oob::test {

// A recording below a board's state as the recorder writes one.
class Recorded {
 public:
  Recorded(const std::string& id, const std::string& user, const std::string& device) {
    header.id = id;
    header.user = user;
    header.key = "SHA256:" + user;
    header.source = "192.0.2.9";
    header.device = device;
    header.command = "attach";
    header.term = "xterm";
    header.columns = 40;
    header.rows = 5;
    header.started =
        *base::parse_time(base::str(id.substr(0, 4), "-", id.substr(4, 2), "-", id.substr(6, 2), "T",
                                    id.substr(9, 2), ":", id.substr(11, 2), ":", id.substr(13, 2), "Z"),
                          0);
    text = header.line();
  }
  Recorded& device(double seconds, base::Bytes bytes) {
    encoder.device(text, static_cast<base::Micros>(seconds * 1e6), bytes);
    return *this;
  }
  Recorded& own(double seconds, base::Bytes bytes) {
    encoder.own(text, static_cast<base::Micros>(seconds * 1e6), bytes);
    return *this;
  }
  Recorded& closed(double seconds) {
    encoder.event(text, static_cast<base::Micros>(seconds * 1e6), R"({"ev":"close","status":0})");
    return *this;
  }
  // Where it stands; `live`: it goes on.
  std::string write(const std::string& state, bool live = false) const {
    std::string path = state + "/recordings/" + audit::recording_path(header.id);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    write_file(path, text);
    if (live) {
      std::filesystem::create_directories(state + "/recordings/open");
      write_file(state + "/recordings/open/" + header.id, "");
    }
    return path;
  }

  audit::CastHeader header;
  audit::CastEncoder encoder;
  std::string text;
};

}  // namespace oob::test

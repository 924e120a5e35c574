// What an SFTP client may send, in whatever pieces: the same answers, and none longer than it may be.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/wire.h"
#include "console/sftp_server.h"

namespace {

using namespace oob;
using console::SftpAttributes;
using console::SftpEntry;
using console::SftpFiles;

void must(bool holds) {
  if (!holds) std::abort();
}

constexpr std::string_view kBytes = "what a file has";

class Opened : public SftpFiles::File {
 public:
  base::Result<> may() const override { return {}; }
  void about(SftpFiles::Done<SftpAttributes> done) override { done(SftpAttributes{.size = kBytes.size()}); }
  void read(std::uint64_t offset, std::uint32_t most, SftpFiles::Done<std::string> done) override {
    must(most <= console::kMostSftpRead);
    done(offset < kBytes.size() ? std::string(kBytes.substr(offset, most)) : std::string());
  }
};

// A root with the files "a" and "b".
class Files : public SftpFiles {
 public:
  void look(const Path& path, Done<SftpAttributes> done) override {
    sound(path);
    if (path.empty()) return done(SftpAttributes{.folder = true});
    if (!there(path)) return done(base::fail(base::Fault::missing, "no such file"));
    done(SftpAttributes{.size = kBytes.size()});
  }
  void list(const Path& path, Done<std::vector<SftpEntry>> done) override {
    sound(path);
    if (!path.empty()) return done(base::fail(base::Fault::missing, "no such file"));
    done(std::vector<SftpEntry>{{"a", {}}, {"b", {}}});
  }
  void open(const Path& path, Done<std::shared_ptr<SftpFiles::File>> done) override {
    sound(path);
    if (!there(path)) return done(base::fail(base::Fault::missing, "no such file"));
    done(std::make_shared<Opened>());
  }

 private:
  static void sound(const Path& path) {
    for (const std::string& part : path)
      must(!part.empty() && part != "." && part != ".." && part.find_first_of({"/\0", 2}) == part.npos);
  }
  static bool there(const Path& path) { return path.size() == 1 && (path[0] == "a" || path[0] == "b"); }
};

std::string answers_to(base::Bytes bytes, std::size_t piece) {
  Files files;
  std::string answers;
  console::SftpServer server(files, [&](const std::string& packet) {
    must(packet.size() <= console::kMostSftpRead + 64 * 1024);
    must(packet.size() >= 9 && base::wire::Reader(packet).u32() == packet.size() - 4);
    answers += packet;
  });
  while (!bytes.empty()) {
    base::Result<std::size_t> taken = server.feed(bytes.substr(0, piece));
    if (!taken) return answers + "broken";
    must(*taken > 0 && *taken <= bytes.size() && !server.busy());
    bytes.remove_prefix(*taken);
    server.recheck();
  }
  return answers;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  base::Bytes bytes(reinterpret_cast<const char*>(data), size);
  std::string whole = answers_to(bytes, size + 1);
  must(answers_to(bytes, 1) == whole);
  must(answers_to(bytes, 7) == whole);
  return 0;
}

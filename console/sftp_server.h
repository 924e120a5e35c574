#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/life.h"
#include "base/result.h"
#include "console/sftp_packet.h"

namespace oob::console {

// What an SftpServer serves. Paths are parted and have neither `.` nor `..`. Every `done` is called once, at
// once or later from the loop. Fault::missing and Fault::denied are told as such, whatever else as a failure.
class SftpFiles {
 public:
  template <class T>
  using Done = std::function<void(base::Result<T>)>;
  using Path = std::vector<std::string>;
  virtual ~SftpFiles() = default;

  // A file that is being read.
  class File {
   public:
    virtual ~File() = default;
    // Whether it may be read still.
    virtual base::Result<> may() const = 0;
    virtual void about(Done<SftpAttributes> done) = 0;
    // Up to `most` bytes from `offset` on; none: behind the end.
    virtual void read(std::uint64_t offset, std::uint32_t most, Done<std::string> done) = 0;
  };

  virtual void look(const Path& path, Done<SftpAttributes> done) = 0;
  virtual void list(const Path& path, Done<std::vector<SftpEntry>> done) = 0;
  virtual void open(const Path& path, Done<std::shared_ptr<File>> done) = 0;
};

// The server half of SFTP, read only: answers one request after another, in their order. What asks for a
// change is refused in words.
class SftpServer {
 public:
  static constexpr std::size_t kMostHandles = 64;

  // Both outlive it. `answer` takes whole packets, at most kMostSftpRead and a little long.
  SftpServer(SftpFiles& files, std::function<void(std::string)> answer);

  // Takes bytes up to the end of a request, and says how many: none while a request is being worked on. An
  // Error: what comes is not SFTP; end it.
  base::Result<std::size_t> feed(base::Bytes bytes);
  bool busy() const { return busy_; }
  // Closes what may no longer be read; its handle then answers why.
  void recheck();

 private:
  struct Handle {
    std::shared_ptr<SftpFiles::File> file;  // null: a folder, or closed by recheck()
    std::vector<SftpEntry> entries;         // of a folder, as it was when it was opened
    std::size_t next = 0;                   // of them
    bool folder = false;
    std::string ended;  // why it was closed by recheck()
  };

  void take(const SftpRequest& request);
  void open(const SftpRequest& request);
  void open_folder(const SftpRequest& request);
  void look(const SftpRequest& request);
  void look_at_handle(const SftpRequest& request);
  void read(const SftpRequest& request);
  void read_folder(const SftpRequest& request);
  void answer(std::string packet);
  void say(std::uint32_t id, SftpStatus status, std::string_view words);
  void refuse(std::uint32_t id, const base::Error& error);
  Handle* handle(const SftpRequest& request);
  std::uint32_t add(Handle handle);

  SftpFiles& files_;
  std::function<void(std::string)> answer_;
  SftpPackets packets_;
  std::map<std::uint32_t, Handle> handles_;
  std::uint32_t next_handle_ = 1;
  bool begun_ = false, busy_ = false;
  base::Life life_;
};

}  // namespace oob::console
